"""What one request may cost: computing time of its thread, looked at from step to step.

Whoever answers a request sets the limit. Loops whose length a caller decides say `spend_work` at each step, so that
what takes too long is refused before it has taken much longer. Outside of requests, as in commands, nothing is limited.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from state.jsondoc.errors import Oversized

MAX_SECONDS = 3.0  # of CPU; a last step may go over it
_until: ContextVar[float] = ContextVar("until", default=math.inf)


class TooCostly(Oversized):
    """What is asked for takes more computing than one request gets."""


@contextmanager
def limit_work(seconds: float | None = None) -> Iterator[None]:
    """Let what runs inside, in this thread, take so much CPU time, MAX_SECONDS if nothing else is said."""
    before = _until.set(time.thread_time() + (MAX_SECONDS if seconds is None else seconds))
    try:
        yield
    finally:
        _until.reset(before)


def measure_left() -> float:
    """The seconds that are left to this thread, for another one that goes on with the work."""
    return _until.get() - time.thread_time()


def spend_work(place: str = "") -> None:
    """One more step, which `place` names. Raises TooCostly when the limit is used up."""
    until = _until.get()
    if until != math.inf and time.thread_time() > until:
        where = f", and is at {place}" if place else ""
        raise TooCostly(
            f"the request takes more than {MAX_SECONDS:g} s of computing{where}; nothing of it was done."
            " Send it in smaller parts"
        )
