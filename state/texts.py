"""Large texts that were read or written lately, kept in each process: of a key the newest, with an index.

A text is known by the epoch and the revision of its key, and the database is asked for these at every use. So nothing
stale is given out, whoever has written; and what is seen inside a write, which may still be taken back, is not kept.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

from django.db import connection

from state.database.sql import fetch_row
from state.jsondoc.index import IndexedText

LARGE = 64 * 1024  # bytes from where a text is kept
ROOM = 24 * 1024 * 1024  # bytes that are kept, in all, by what the texts say of their size
WHICH = (
    "SELECT m.epoch, s.revision, m.last_seq FROM state_storage s LEFT JOIN state_meta m ON 1 = 1 WHERE s.key_name = %s"
)


class TextName(NamedTuple):
    """What a key's text is known by."""

    epoch: str
    revision: int


class Kept(NamedTuple):
    """A text that is kept, its name, and where the clock of the state stood when it was last asked for."""

    name: TextName
    text: IndexedText
    head: int = 0


_kept: OrderedDict[str, Kept] = OrderedDict()
_lock = threading.Lock()


def find(key: str) -> Kept | None:
    """What is kept of a key, whether or not it is still what is stored."""
    return _kept.get(key)


def read_kept(key: str) -> Kept | None:
    """The text of a key as it is stored now, if it is kept."""
    kept = _kept.get(key)
    if kept is None:
        return None
    row = fetch_row(WHICH, key)
    if row is None or kept.name != row[:2]:
        forget(key, kept)
        return None
    return kept._replace(head=row[2])


def forget(key: str, kept: Kept) -> None:
    """Let go of a text that is not the newest any more, unless that has been kept meanwhile."""
    with _lock:
        if _kept.get(key) is kept:
            del _kept[key]


def keep(key: str, name: TextName, data: bytes) -> IndexedText:
    """A text that was committed, which is kept if it is large; what was used longest ago makes room for it."""
    if not LARGE <= len(data) <= ROOM or connection.in_atomic_block:
        return IndexedText(data)
    with _lock:
        kept = _kept.get(key)
        if kept is None or kept.name != name:
            kept = _kept[key] = Kept(name, IndexedText(data))
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(one.text.size for one in _kept.values()) > ROOM:
            _kept.popitem(last=False)
    return kept.text
