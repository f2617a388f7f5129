"""The HTTP API over the state: reads requests, calls the store or the history, answers. No rules of memory here."""
