"""Reading the history: what was, when, and by whom. Nothing here writes state."""
