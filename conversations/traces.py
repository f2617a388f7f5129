"""What an erasure leaves in the files of a database, and its end: freed pages, the search index, what was logged.

A note beside the database says that there is something to clear. It is there before the erasure is, and goes when no
word can be left in a file, so that neither a reader that holds the -wal nor a killed process is in the way for good.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import DatabaseError, connection

from access.database import engine, find_folder
from conversations.search import index
from state.files.atomic import explain_failure
from state.write_lock import write_turn

NOTE, IN_WAL = "erasing-", ".wal"  # a note's name, and how it ends once only the -wal can hold anything
AT_ONCE = 64 << 20  # bytes of a database that is rewritten while somebody waits for the answer
PATIENCE = 300  # milliseconds in which others may end; writers wait too
OTHERS = "others are still in a transaction, so that files of the database hold what was erased; it goes when they end"
LARGE = "the database is large: freed pages still hold what was erased, and are rewritten now, in the background"
FAILED = "the files of the database still hold what was erased, and will be tried again, since this failed: {}"
INSIDE = "a transaction is open, so that the files of the database still hold what was erased"


@contextmanager
def note_erasure() -> Iterator[None]:
    """Around a transaction that erases: there is something to clear if it goes well. Raises NoRoom and CannotWrite."""
    note = find_folder() / f"{NOTE}{secrets.token_hex(4)}"
    try:
        note.parent.mkdir(0o700, parents=True, exist_ok=True)
        note.touch(0o600)
    except OSError as error:
        raise explain_failure(note, error) from error
    try:
        yield
    except BaseException:
        note.unlink(missing_ok=True)
        raise


def list_notes() -> list[Path]:
    """The erasures of which something may be left in a file."""
    return sorted(find_folder().glob(f"{NOTE}*"))


def clear_soon() -> str:
    """As `clear`, but what takes long or fails is left to the schedule of a running server."""
    if engine().measure() > AT_ONCE:
        return LARGE
    try:
        return clear()
    except DatabaseError as error:
        return FAILED.format(error)


def clear(patience: int = PATIENCE) -> str:
    """Leave nothing of what was erased in a file: rewrite the database, empty its -wal. Raises DatabaseError.

    Returns what is in the way, "" for nothing; then it is to be called again.
    """
    notes = list_notes()
    if not notes:
        return ""
    is_in_pages = any(note.suffix != IN_WAL for note in notes)
    if is_in_pages:
        index.squeeze()
    if connection.in_atomic_block:
        return INSIDE
    if is_in_pages:
        with write_turn():
            if not engine().rewrite(patience):
                return OTHERS
        notes = [_mark(note) for note in notes]
    if not _empty_wal(patience):
        return OTHERS
    for note in notes:
        note.unlink(missing_ok=True)
    return ""


def _mark(note: Path) -> Path:
    marked = note.with_suffix(IN_WAL)
    with suppress(FileNotFoundError):  # another process has done it
        note.rename(marked)
    return marked


def _empty_wal(patience: int) -> bool:
    """Take the -wal into the database and truncate it, unless somebody reads what is in it."""
    with write_turn():
        return engine().empty_log(patience)
