"""The history without what is to be forgotten: its changes rewritten, the hashes of what is left, and what clears.

A hash over a text from which little is missing can be tried out. So the hashes of all changes of a document that held
it are cleared, with the salt of their digests.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import engine
from nola_site.forget.redaction import Redaction
from state import chain
from state.database.sql import stream_rows
from state.jsondoc.text import dump_json

COLUMNS = "SELECT id, kind, key, forward, inverse, salt, result_hash FROM state_change WHERE kind <> 'redaction'"
UPDATE = (
    "UPDATE state_change SET key = %s, forward = %s, inverse = %s, salt = '', result_hash = '', redacted_by = %s"
    " WHERE id = %s"
)
AT_ONCE = 200
MOST_TERMS = 300  # of a condition; SQLite takes 1,000 at most


class RedactedChange(NamedTuple):
    """What a change is to be."""

    number: int
    kind: str
    key: str
    forward: str
    inverse: str

    @property
    def digest(self) -> str:
        return chain.digest_change("", self.kind, self.key, self.forward, self.inverse, "")


@dataclass
class RedactedHistory:
    """All changes that are to be rewritten, or only cleared; `count` says how many hold it."""

    changes: dict[int, RedactedChange] = field(default_factory=dict)
    keys: set[tuple[str, str]] = field(default_factory=set)  # kind and key of those that held it, as they were
    count: int = 0

    def add(self, row: Sequence[Any], new: RedactedChange) -> None:
        self.changes[new.number] = new
        self.keys.add((row[1], row[2]))
        self.count += 1


def plan_history(
    database: BaseDatabaseWrapper, redaction: Redaction, rewritten: Mapping[int, tuple[str, str]]
) -> RedactedHistory:
    """The changes that hold what is to be forgotten; `rewritten` are those that a node is taken out of."""
    found = RedactedHistory()
    for row in _holding(database, redaction, rewritten):
        number, kind, key, forward, inverse = row[:5]
        there = rewritten.get(number, (forward, inverse))
        new = RedactedChange(number, kind, redaction.name(key), *(_payload(redaction, kind, text) for text in there))
        if new[2:] != (key, forward, inverse):
            found.add(row, new)
    return found


def _holding(
    database: BaseDatabaseWrapper, redaction: Redaction, rewritten: Mapping[int, tuple[str, str]]
) -> Iterator[Any]:
    if redaction.spellings:
        where, values = match_columns(database, ("key", "forward", "inverse"), redaction)
        for row in stream_rows(database, f"{COLUMNS} AND ({where}) ORDER BY id", values):
            if row[0] not in rewritten:
                yield row
    for some in portions(sorted(rewritten)):
        yield from stream_rows(database, f"{COLUMNS} AND id IN ({_marks(some)}) ORDER BY id", some)


def match_columns(database: BaseDatabaseWrapper, columns: Sequence[str], redaction: Redaction) -> tuple[str, list[str]]:
    """A condition that rows have of which one of the columns holds one of the texts, and its values."""
    places = [(column, one) for column in columns for one in redaction.spellings]
    if len(places) > MOST_TERMS:
        return "1 = 1", []  # all are looked at then
    find = engine(database).find_text
    return " OR ".join(f"{find}({column}, %s) > 0" for column, _ in places), [one for _, one in places]


def _payload(redaction: Redaction, kind: str, text: str) -> str:
    return dump_json(redaction.payload(kind, json.loads(text)))


def clear_hashes(
    database: BaseDatabaseWrapper, redaction: Redaction, found: RedactedHistory, messages: Mapping[int, str]
) -> set[int]:
    """Add what is to be cleared with it: all changes of these documents, and those that added these messages.

    `messages` are ids with the session they are in. Returns all messages whose hashes go.
    """
    for kind, key in sorted(found.keys):
        if kind != "message":
            _clear(database, redaction, found, "kind = %s AND key = %s", [kind, key])
    affected: set[int] = set()
    for session in sorted({*messages.values(), *(key for kind, key in found.keys if kind == "message")}):
        for row in stream_rows(database, f"{COLUMNS} AND kind = 'message' AND key = %s", [session]):
            payload = json.loads(row[3])
            added = payload.get("add", ()) if isinstance(payload, dict) else ()
            if row[0] in found.changes or not messages.keys().isdisjoint(added):
                affected.update(added)
                found.changes.setdefault(row[0], _as_it_is(redaction, row))
    return affected


def _clear(
    database: BaseDatabaseWrapper, redaction: Redaction, found: RedactedHistory, where: str, values: Sequence[Any]
) -> None:
    for row in stream_rows(database, f"{COLUMNS} AND {where} AND (salt <> '' OR result_hash <> '')", values):
        found.changes.setdefault(row[0], _as_it_is(redaction, row))


def _as_it_is(redaction: Redaction, row: Sequence[Any]) -> RedactedChange:
    number, kind, key, forward, inverse = row[:5]
    return RedactedChange(number, kind, redaction.name(key), forward, inverse)


def write_history(database: BaseDatabaseWrapper, found: RedactedHistory, revision: int) -> None:
    """Rewrite the changes, under a revision that has their hashes."""
    with database.cursor() as cursor:
        cursor.executemany(
            UPDATE, [(one.key, one.forward, one.inverse, revision, one.number) for one in found.changes.values()]
        )


def portions(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """So many at once as one statement takes."""
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
