"""The -wal file that a server which died leaves: is all of it good, or does it break off before its end?

SQLite takes a -wal up to the first frame that does not fit, without a word: right after a power cut, where the rest was
never acknowledged, and wrong where a disk altered a byte. More than one transaction behind the break is damage, since
each is on the disk before the next begins. Format: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

HEADER, FRAME_HEADER = 32, 24  # bytes
TAKEN = slice(16, 20)  # where -shm says how many frames SQLite takes, in this machine's order of bytes


def unreplayed_transactions(database: Path, keep: Path) -> int:
    """How many transactions of the -wal SQLite does not take although they were written; 0 if it is good.

    A copy of a damaged -wal goes to `keep`. Raises sqlite3.Error and OSError where database or -wal cannot be read.
    """
    wal, index = Path(f"{database}-wal"), Path(f"{database}-shm")
    if not wal.exists() or not wal.stat().st_size:
        return 0
    whole = wal.read_bytes()  # before it is opened: whoever closes it last removes it
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # nobody writes to it from here on
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        whole = wal.read_bytes() or whole
        (taken,) = struct.unpack("=I", index.read_bytes()[TAKEN])
        connection.execute("ROLLBACK")
        behind = sum(frame > taken for frame in _commits(whole))
        if behind < 2:
            return 0
        keep.write_bytes(whole)
        return behind


def _commits(wal: bytes) -> list[int]:
    """The numbers, from 1, of the frames that end a transaction of this -wal; those of earlier rounds do not count."""
    if len(wal) < HEADER + FRAME_HEADER:
        return []
    salt = wal[16:24] if _is_good(wal[:HEADER]) else wal[HEADER + 8 : HEADER + 16]
    size = FRAME_HEADER + _page_size(wal)
    found = []
    for number, start in enumerate(range(HEADER, len(wal) - size + 1, size), 1):
        pages_after = wal[start + 4 : start + 8]
        if pages_after != b"\0\0\0\0" and wal[start + 8 : start + 16] == salt:
            found.append(number)
    return found


def _page_size(wal: bytes) -> int:
    said = int.from_bytes(wal[8:12], "big")
    is_power = 512 <= said <= 65536 and said & (said - 1) == 0
    return said if is_power else 4096  # SQLite's own choice, and ours


def _is_good(header: bytes) -> bool:
    """Whether a header has the checksum that it names."""
    order = ">" if header[3] & 1 else "<"
    first = second = 0
    words = struct.unpack(f"{order}6I", header[:24])
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return struct.pack(">II", first, second) == header[24:32]
