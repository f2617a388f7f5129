"""What a person decides: the paths that only a person may write."""
