"""Forgetting: a value or a text goes out of all that is kept, the past and the copies included. For good."""
