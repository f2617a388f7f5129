"""The owner's pages over conversations. What they show comes from the API."""
