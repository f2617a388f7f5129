"""Backups: whole database files, taken, verified and put back. JSON checkpoints are in `checkpoints`."""
