"""Files beside the database: found, named, wrapped in envelopes, written whole. What is in them is for others."""
