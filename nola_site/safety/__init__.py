"""What keeps a memory safe: first run, recovery, schedule, doctor and archives. The files are `state`'s."""
