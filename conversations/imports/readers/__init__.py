"""Readers of what other programs export, one a module. Pure reading: nothing here writes."""
