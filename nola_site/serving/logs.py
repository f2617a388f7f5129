"""What becomes of lines in the log that anybody can cause."""

import logging
import threading
import time

EVERY = 60.0  # seconds


class WrongHosts(logging.Filter):
    """Requests under a name that is not ours: one line a minute in each process, without a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.next, self.unsaid = 0.0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        with self.lock:
            if time.monotonic() < self.next:
                self.unsaid += 1
                return False
            more = f" ({self.unsaid:,} more since the last such line)" if self.unsaid else ""
            self.next, self.unsaid = time.monotonic() + EVERY, 0
        record.msg, record.args, record.exc_info = f"{record.getMessage()[:200]}{more}", (), None
        record.msg = record.msg.replace(" ALLOWED_HOSTS", " NOLA_ALLOWED_HOSTS")
        return True
