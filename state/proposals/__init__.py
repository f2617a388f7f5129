"""What a person decides: what agents suggest, and the paths that only a person may write."""
