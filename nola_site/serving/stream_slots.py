"""How many streams are open, counted over all processes of the server, exactly, and also after one was killed.

A file of memory that the processes share has a row for each stream there may be: whose it is, and which process has
it. Rows of processes that are gone are free again.
"""

import fcntl
import hashlib
import mmap
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROW = 16  # bytes: whose, and the process, as two numbers


class TooManyStreams(Exception):
    """No more streams, for this credential or at all."""


class StreamTable:
    """The table in the file at `path`. Any part of the server may open it."""

    def __init__(self, path: Path, total: int, per_credential: int) -> None:
        self.total, self.per_credential = total, per_credential
        self.file = path.open("a+b")
        with self._locked():
            if os.fstat(self.file.fileno()).st_size != total * ROW:
                self.file.truncate(0)
                self.file.truncate(total * ROW)
        self.rows = memoryview(mmap.mmap(self.file.fileno(), total * ROW)).cast("Q")
        self._free(os.getpid())  # left by an earlier process of the same number

    @contextmanager
    def taken(self, credential: object) -> Iterator[None]:
        """Have a row for a while. Raises TooManyStreams."""
        row = self.take(credential)
        try:
            yield
        finally:
            self.give_back(row)

    def take(self, credential: object) -> int:
        """Take a row. Raises TooManyStreams."""
        owner = hash_credential(credential)
        with self._locked():
            owners, processes = self.rows[::2].tolist(), self.rows[1::2].tolist()
            for pid in {*processes} - {0, os.getpid()}:
                if not _is_alive(pid):
                    self._free(pid)
                    owners, processes = self.rows[::2].tolist(), self.rows[1::2].tolist()
            if owners.count(owner) >= self.per_credential:
                raise TooManyStreams(
                    f"{self.per_credential} streams are open with this credential (NOLA_STREAMS_PER_KEY)"
                )
            if 0 not in processes:
                raise TooManyStreams(f"{self.total} streams are open, as many as NOLA_STREAMS allows")
            row = processes.index(0)
            self.rows[2 * row], self.rows[2 * row + 1] = owner, os.getpid()
        return row

    def give_back(self, row: int) -> None:
        """Free a row that was taken."""
        self.rows[2 * row] = self.rows[2 * row + 1] = 0

    def _free(self, pid: int) -> None:
        for row in range(self.total):
            if self.rows[2 * row + 1] == pid:
                self.give_back(row)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self.file, fcntl.LOCK_EX)  # given up by the system if its holder dies
        try:
            yield
        finally:
            fcntl.flock(self.file, fcntl.LOCK_UN)


def hash_credential(credential: object) -> int:
    """What stands in a row for a credential."""
    return int.from_bytes(hashlib.sha256(repr(credential).encode()).digest()[:8], "big") or 1


def count_streams(path: Path) -> Counter[int]:
    """How many rows each owner has in the file at `path`, in all processes that are alive."""
    try:
        rows = memoryview(path.read_bytes()).cast("Q")
    except (OSError, TypeError):  # there is none yet, or it is being made
        return Counter()
    owners, processes = rows[::2].tolist(), rows[1::2].tolist()
    alive = {pid for pid in {*processes} - {0} if _is_alive(pid)}
    return Counter(owner for owner, pid in zip(owners, processes, strict=True) if pid in alive)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
