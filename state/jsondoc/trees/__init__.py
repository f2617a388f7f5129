"""Documents as trees of identities: what moved, what two sides make of one document, what an undo leaves."""
