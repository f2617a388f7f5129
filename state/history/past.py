"""Texts of keys as they were, kept for whoever looks around in the past: the moment beside one that was just read is a
few spliced places away, not a replay.

A text is known by the revision that made it, so what is kept is never stale. It is a cache of the log, small, and each
process has its own.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from django.db import connection

from state.address import Address, NotFound, read_node_text
from state.database.sql import fetch_row
from state.entries import read_state
from state.history import replay
from state.jsondoc.diff import Op
from state.jsondoc.levels_text import show_text_at_level
from state.jsondoc.patch import apply_steps
from state.jsondoc.projection import Places, project_text
from state.jsondoc.text import Nothing, dump_json
from state.models import Change

ROOM = 16 * 1024 * 1024  # characters that are kept, in all
ENTRY = 500  # characters that an entry is counted for beside its text
NEAR = 32  # changes that are gone through, at most, from a text that is at hand
FEW_OPS = 64  # operations that are spliced, at most


LAST = (
    "SELECT (SELECT epoch FROM state_meta), revision FROM state_change"
    " WHERE kind = 'state' AND key = %s AND revision <= %s ORDER BY revision DESC LIMIT 1"
)


class TextName(NamedTuple):
    """Which text: of a key, as the revision left it that changed it last, at a level (0: all of it).

    With `places`, what of it lies in these.
    """

    epoch: str
    key: str
    revision: int
    level: int = 0
    places: Places | None = None


def is_settled() -> bool:
    """Whether what is read now stays: what is seen inside a write may still be taken back."""
    return not connection.in_atomic_block


def weigh(text: str | None) -> int:
    """The room that a text takes, also one that is not there."""
    return ENTRY + len(text or "")


class _Kept:
    """The texts that were used last, as many as there is room for."""

    def __init__(self) -> None:
        self.texts: OrderedDict[TextName, str | None] = OrderedDict()
        self.size = 0
        self.lock = threading.Lock()

    def get(self, name: TextName, make: Callable[[], str | None]) -> str | None:
        if not is_settled():
            return make()
        with self.lock:
            if name in self.texts:
                self.texts.move_to_end(name)
                return self.texts[name]
        text = make()
        with self.lock:
            if name not in self.texts:
                self.texts[name] = text
                self.size += weigh(text)
            while self.size > ROOM and len(self.texts) > 1:
                self.size -= weigh(self.texts.popitem(last=False)[1])
        return text

    def nearest(self, wanted: TextName) -> tuple[int, str] | None:
        """The kept text of the same key that is nearest in revisions."""
        with self.lock:
            whole = (name for name in self.texts if not name.level and not name.places)
            same = [name for name in whole if name[:2] == wanted[:2] and self.texts[name]]
            if not same:
                return None
            found = min(same, key=lambda name: abs(name.revision - wanted.revision))
            return found.revision, self.texts[found] or ""


cache = _Kept()


class KeyText(NamedTuple):
    """A key's document: its name in here, and its text."""

    name: TextName
    text: str


def read_texts(keys: Sequence[str] | None = None, places: Places | None = None) -> tuple[list[KeyText], int]:
    """The stored texts of all keys in byte order, or of some, and the revision of the state when they were read."""
    now = read_state(_reached(keys, places))
    found = [KeyText(TextName(now.epoch, key, last), text) for key, (text, last) in now.entries.items()]
    return _projected(found, places), now.revision


def _reached(keys: Sequence[str] | None, places: Places | None) -> Sequence[str] | None:
    return keys if places is None else [key for key in places.keys if keys is None or key in keys]


def _projected(found: list[KeyText], places: Places | None) -> list[KeyText]:
    """What of the texts lies in the places, under names of its own."""
    if places is None:
        return found
    shown = ((one, project_text(one.text, places.find_ways(one.name.key))) for one in found)
    return [KeyText(one.name._replace(places=places), text) for one, text in shown if text is not None]


def texts_at(revision: int, keys: Sequence[str] | None = None, places: Places | None = None) -> list[KeyText]:
    """The texts of all keys as they were at a revision, in byte order, or of some.

    Those that have not changed since are taken as they are stored; those that were written meanwhile have.
    """
    keys = _reached(keys, places)
    if keys is not None:
        return _projected([then for key in keys if (then := text_at(key, revision))], places)
    stored, _ = read_texts()
    found = {one.name.key: one for one in stored if one.name.revision <= revision}
    for key in {one.name.key for one in stored}.union(_ever()) - found.keys():
        if one := text_at(key, revision):
            found[key] = one
    return [found[key] for key in sorted(found, key=str.encode)]


def text_at(key: str, revision: int) -> KeyText | None:
    """The text of a key as it was at a revision, None where there was none."""
    last = fetch_row(LAST, key, revision)
    if last is None:
        return None
    name = TextName(last[0], key, last[1])
    text = cache.get(name, lambda: _beside(name) or _replayed(name))
    return None if text is None else KeyText(name, text)


def read_value_at(address: Address | None, revision: int, places: Places | None = None) -> str:
    """The text of a value, or of the whole state, as it was at a revision. Raises NotFound."""
    if address is None:
        return join_texts(texts_at(revision, places=places))
    found = texts_at(revision, [address.key], places)
    if not found:
        raise NotFound(f"there was no key {address.key!r} at revision {revision}")
    return read_node_text(address, found[0].text)


def join_texts(texts: Iterable[KeyText]) -> str:
    """One object of all keys."""
    return "{" + ",".join(f"{dump_json(one.name.key)}:{one.text}" for one in texts) + "}"


def _ever() -> list[str]:
    """All keys that history knows: one step in the index for each, however long the history is."""
    with connection.cursor() as cursor:
        cursor.execute(EVER)
        return [key for (key,) in cursor.fetchall() if key is not None]


EVER = """
    WITH RECURSIVE ever(key) AS (
        SELECT min(key) FROM state_change WHERE kind = 'state'
        UNION ALL
        SELECT (SELECT min(c.key) FROM state_change c WHERE c.kind = 'state' AND c.key > ever.key) FROM ever
        WHERE ever.key IS NOT NULL)
    SELECT key FROM ever
"""


def show_text(one: KeyText, level: int) -> KeyText | None:
    """What of a document shows at a level, worked out once; None where nothing does."""
    name = one.name._replace(level=level)
    text = cache.get(name, lambda: show_text_at_level(one.text, level))
    return None if text is None else KeyText(name, text)


def _replayed(name: TextName) -> str | None:
    document = replay.document_at(name.key, name.revision)
    return None if isinstance(document, Nothing) else dump_json(document)


def _beside(name: TextName) -> str | None:
    """The text made from one that is kept, or from the stored one; None if none is near."""
    for found in (cache.nearest(name), replay.read_newest(name.key)):
        if found and found[1] is not None and (ops := _way(name, found[0])) is not None:
            data = found[1].encode()
            for step in apply_steps(data, ops):
                data = step.data
            return data.decode()
    return None


def _way(name: TextName, start: int) -> Sequence[Op] | None:
    """The operations from one revision of a key to another, None where they are many or make or remove the key."""
    back = start > name.revision
    span = sorted((start, name.revision))
    rows = Change.objects.filter(kind="state", key=name.key, revision_id__gt=span[0], revision_id__lte=span[1])
    rows = rows.order_by("-revision_id" if back else "revision_id")
    changes = list(rows.values_list("revision_id", flat=True)[: NEAR + 1])
    if len(changes) > NEAR:
        return None
    ops = [op for patch in rows.values_list("inverse" if back else "forward", flat=True) for op in patch]
    fits = len(ops) <= FEW_OPS and all(op["path"] or op["op"] == "replace" for op in ops)
    return ops if fits else None
