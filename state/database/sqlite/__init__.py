"""SQLite, as Django's ENGINE."""
