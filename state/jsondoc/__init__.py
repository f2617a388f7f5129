"""JSON documents as text and as values, pure functions on both. No Django, and nothing else of ours."""
