"""Checkpoints: JSON files that seed a memory and restore it. Whole databases are in `backups`."""
