"""Progress of long work, for people at a terminal."""

import sys
import time


class Progress:
    """Shows what is going on in one line of the terminal that changes; nothing where nobody looks."""

    def __init__(self) -> None:
        self.is_shown = sys.stderr.isatty()
        self.last = 0.0

    def __call__(self, text: str) -> None:
        if self.is_shown and time.monotonic() - self.last > 0.05:
            self.last = time.monotonic()
            sys.stderr.write(f"\r\033[K{text[:100]}")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the line empty."""
        if self.is_shown:
            sys.stderr.write("\r\033[K")
