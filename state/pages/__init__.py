"""The owner's pages over the state. What they show comes from the API or from `history`."""
