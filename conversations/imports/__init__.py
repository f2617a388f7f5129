"""What other programs kept, brought into the memory: their formats, and how they are matched."""
