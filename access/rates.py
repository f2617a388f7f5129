"""How fast a key writes. Counted from the history itself, so that all processes together come to one number.

A key may make `NOLA_WRITES_PER_MINUTE` revisions in the long run, and ten minutes' worth of them at once: an agent that
has run wild is slowed down before it fills the disk.
"""

import threading
import time

from django.conf import settings
from django.db import connection

BURST_MINUTES = 10
MADE = "SELECT actor, count(*) FROM state_revision WHERE seq > %s AND seq <= %s AND actor LIKE 'key:%%' GROUP BY actor"


class TooManyWrites(Exception):
    """A key has written too fast for too long; `seconds` is when to come back."""

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.seconds = seconds


_debts: dict[str, tuple[float, float]] = {}  # actor -> revisions not yet paid off by time, and when that was so
_lock = threading.Lock()


def note(after: int, up_to: int) -> None:
    """Count the revisions in (after, up_to]."""
    if not settings.NOLA_WRITES_PER_MINUTE:
        return
    with connection.cursor() as cursor:
        cursor.execute(MADE, [after, up_to])
        made = cursor.fetchall()
    now = time.monotonic()
    with _lock:
        for actor, count in made:
            _debts[actor] = (_debt(actor, now) + count, now)


def check(actor: str) -> None:
    """Raises TooManyWrites if this actor must wait before it writes again."""
    per_minute = settings.NOLA_WRITES_PER_MINUTE
    if not per_minute or actor not in _debts:
        return
    with _lock:
        over = _debt(actor, time.monotonic()) - per_minute * BURST_MINUTES
    if over >= 0:
        detail = f"{actor} writes more than {per_minute} revisions a minute (NOLA_WRITES_PER_MINUTE) for a long time"
        raise TooManyWrites(f"{detail}; nothing was changed", int(over * 60 / per_minute) + 1)


def _debt(actor: str, now: float) -> float:
    debt, at = _debts.get(actor, (0.0, now))
    return max(0.0, debt - (now - at) * settings.NOLA_WRITES_PER_MINUTE / 60)
