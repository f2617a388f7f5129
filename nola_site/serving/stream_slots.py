"""How many streams are open, counted over all processes of the server, exactly, and also after one was killed.

A file of memory that the processes share has a row for each stream there may be: whose it is, and which process has
it. Rows of processes that are gone are free again. A share of the limit for each process would not do: connections come
to them unevenly (of twenty opened at once all to one of two processes, of two hundred 132 and 68), so that clients
would be refused long before the limit.
"""

import hashlib
import mmap
import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

from access.database import engine
from state.locks import hold_lock, is_alive

ROW = 16  # bytes: whose, and the process, as two numbers


def find_table() -> Path:
    """Where the table of this server is: several may share the data directory, on machines with processes of their own.

    So both limits are those of a server: what they bound is its memory, and how much of that one credential has.
    """
    one_of_several = "" if engine().find_file() else f"-{quote(socket.gethostname(), safe='')}-{settings.NOLA_PORT}"
    return Path(settings.NOLA_DB_DIR) / f".streams{one_of_several}"


class TooManyStreams(Exception):
    """No more streams, for this credential or at all."""


class StreamSlots:
    """The table in the file at `path`. Any part of the server may open it."""

    def __init__(self, path: Path, total: int, per_credential: int) -> None:
        self.total, self.per_credential = total, per_credential
        self.file = path.open("a+b")
        with hold_lock(self.file):
            if os.fstat(self.file.fileno()).st_size != total * ROW:
                self.file.truncate(0)
                self.file.truncate(total * ROW)
        self.rows = memoryview(mmap.mmap(self.file.fileno(), total * ROW)).cast("Q")
        self._free({os.getpid()})  # left by an earlier process of the same number

    @contextmanager
    def hold(self, credential: object) -> Iterator[None]:
        """Have a row for a while. Raises TooManyStreams."""
        row = self.take(credential)
        try:
            yield
        finally:
            self.give_back(row)

    def take(self, credential: object) -> int:
        """Take a row. Raises TooManyStreams."""
        owner = hash_credential(credential)
        with hold_lock(self.file):
            self._free({pid for pid in {*self.rows[1::2]} - {0, os.getpid()} if not is_alive(pid)})
            owners, processes = self.rows[::2].tolist(), self.rows[1::2].tolist()
            if owners.count(owner) >= self.per_credential:
                detail = f"{self.per_credential} streams are open with this credential (NOLA_STREAMS_PER_KEY)"
                raise TooManyStreams(detail)
            if 0 not in processes:
                raise TooManyStreams(f"{self.total} streams are open, as many as NOLA_STREAMS allows")
            row = processes.index(0)
            self.rows[2 * row], self.rows[2 * row + 1] = owner, os.getpid()
        return row

    def give_back(self, row: int) -> None:
        """Free a row that was taken."""
        self.rows[2 * row] = self.rows[2 * row + 1] = 0

    def _free(self, pids: set[int]) -> None:
        for row in range(self.total) if pids else ():
            if self.rows[2 * row + 1] in pids:
                self.give_back(row)


def hash_credential(credential: object) -> int:
    """What stands in a row for a credential."""
    return int.from_bytes(hashlib.sha256(repr(credential).encode()).digest()[:8], "big") or 1


def count_streams(path: Path) -> Counter[int]:
    """How many rows each owner has in the file at `path`, in all processes that are alive."""
    try:
        rows = memoryview(path.read_bytes()).cast("Q")
    except (OSError, TypeError):  # there is none yet, or it is being made
        return Counter()
    alive = {pid for pid in {*rows[1::2]} - {0} if is_alive(pid)}
    return Counter(owner for owner, pid in zip(rows[::2], rows[1::2], strict=True) if pid in alive)
