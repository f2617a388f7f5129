"""PostgreSQL, as Django's ENGINE."""
