"""Who calls: API keys, sessions, passwords, rates. What they may do to what is the other apps'."""
