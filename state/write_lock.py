"""Writers take turns. SQLite does not queue them: under load one that waits is passed over again and again, and fails.

Whoever is to write holds a lock on a file beside the database for as long as it writes. A killed process lets go of it.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from django.db import connection, transaction

from state.locks import release_lock, try_lock

PATIENCE = 5.0  # seconds; then the database itself decides, and says that it is busy
PAUSE = 0.001  # seconds between two looks at whether it is our turn

_in_line = threading.Lock()  # the threads of this process wait here, so that one of them asks for the file's lock
_files: dict[tuple[int, str], int] = {}  # the open lock file, by process and database


@contextmanager
def write_transaction() -> Iterator[None]:
    """A transaction that may write, when it is our turn. Inside another one, a part of that."""
    with nullcontext() if connection.in_atomic_block else write_turn(), transaction.atomic():
        yield


@contextmanager
def write_turn() -> Iterator[None]:
    """Our turn to write, for what cannot be in a transaction."""
    until = time.monotonic() + PATIENCE
    with _line(PATIENCE) as is_first:
        file = _file() if is_first else None
        has_turn = file is not None and try_lock(file, until - time.monotonic(), PAUSE)
        try:
            yield
        finally:
            if file is not None and has_turn:
                release_lock(file)


@contextmanager
def _line(seconds: float) -> Iterator[bool]:
    is_first = _in_line.acquire(timeout=seconds)
    try:
        yield is_first
    finally:
        if is_first:
            _in_line.release()


def _file() -> int | None:
    """The open lock file; None where the database queues writers itself or is in memory, or the folder is read-only."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or name.startswith(("file:", ":memory:")):
        return None
    at = (os.getpid(), name)  # a fork must not share it: the lock belongs to the open file
    if at not in _files:
        try:
            _files[at] = os.open(Path(name).with_name(".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
    return _files[at]
