"""Locks on open files, between processes. The system lets go of one when its holder dies or closes the file."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PAUSE = 0.05  # seconds between two tries
Lockable = IO[Any] | int


@contextmanager
def hold_lock(file: Lockable) -> Iterator[None]:
    """Wait for the lock, for however long, and have it for a while."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        release_lock(file)


@contextmanager
def lock_copies(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """While a copy of a database in this folder is made; `alone`: while none is, so that none of before comes after."""
    try:
        file = (folder / ".copies").open("a")
    except OSError:  # a folder that cannot be written: then nothing is written into the database either
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def try_lock(file: Lockable, seconds: float = 0, pause: float = PAUSE, *, shared: bool = False) -> bool:
    """Take the lock if it is free, or becomes so within these seconds. Raises OSError where there are no locks.

    `shared`: with others who share it.
    """
    sort = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, sort | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
        time.sleep(pause)


class FileLock:
    """A file's lock by its path, for as long as this process runs; see access.database.Lock. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[Any] | None = None

    def take(self, seconds: float = 0) -> bool:
        if self.file is None:
            file = self.path.open("a")
            if not try_lock(file, seconds):
                file.close()
                return False
            self.file = file
        return True

    def is_held(self) -> bool:
        return self.file is not None

    def release(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


def release_lock(file: Lockable) -> None:
    fcntl.flock(file, fcntl.LOCK_UN)


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number, anybody's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
