"""The log read backwards: all revisions, newest first, or those that a filter lets through.

A page costs the same however long the history is: it begins at a revision, and looks at so many others at most. Where
what is asked for is rare a page may be short, or empty, and still lead on.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from access.database import engine
from state import registry
from state.errors import Unprocessable
from state.history.events import MAX_EVENT, Event, make_event
from state.history.feed import MAX_PAGE
from state.history.sight import Sight
from state.jsondoc.old_values import with_old_values
from state.jsondoc.text import dump_json
from state.revisions import Source

SCAN = 20_000  # revisions that one page looks through for those of an actor, a source, a batch or a reason
SCAN_CHANGES = 5_000  # and for those of a kind, whose changes it must look at
MOST_VALUES = 100  # of one filter
ROWS = (
    "SELECT r.seq, r.at, r.actor, r.source, r.reason, r.info, c.kind, c.key, length(c.forward), length(c.inverse),"
    f" CASE WHEN length(c.forward) <= {MAX_EVENT} THEN c.forward END,"
    f" CASE WHEN length(c.inverse) <= {MAX_EVENT} THEN c.inverse END"
    " FROM state_revision r LEFT JOIN state_change c ON c.revision = r.seq{changes}"
    " WHERE r.seq IN ({seqs}) ORDER BY r.seq DESC, c.id"
)


class UnknownName(Unprocessable):
    """A source or kind that the history does not have."""


class TooManyValues(Unprocessable):
    """More values of one filter than a call takes."""


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which revisions to show: each part that is given lets through what has one of its values."""

    actors: Sequence[str] = ()
    sources: Sequence[str] = ()
    kinds: Sequence[str] = ()
    keys: Sequence[str] = ()
    batch: str | None = None
    reason: str | None = None  # a part of it, in either case
    sight: Sight | None = None  # what the reader may see; None: all

    def check(self) -> None:
        """Raises UnknownName and TooManyValues."""
        if max(map(len, (self.actors, self.sources, self.kinds, self.keys))) > MOST_VALUES:
            raise TooManyValues(f"one call takes {MOST_VALUES} values of a filter")
        for what, given, known in (("source", self.sources, [*Source]), ("kind", self.kinds, registry.names())):
            for name in given:
                if name not in known:
                    raise UnknownName(f"{what}={name[:40]!r} is none; there are: {', '.join(known)}")

    @property
    def reach(self) -> int:
        """How many revisions a page looks at one by one, for what no index has; 0 where there is no need to."""
        if (self.kinds or self.sight) and not self.keys:
            return SCAN_CHANGES
        return SCAN if self.actors or self.sources or self.batch is not None or self.reason else 0


class JournalPage(NamedTuple):
    """Some revisions as JSON texts, newest first; and before which one to go on, None at the end."""

    items: list[str]
    before: int | None


def read_page(wanted: JournalFilter, after: int, before: int, limit: int, *, with_was: bool = False) -> JournalPage:
    """Up to `limit` of the revisions in (after, before), newest first."""
    floor = max(after, before - 1 - wanted.reach) if wanted.reach else after
    seqs = _matching(wanted, floor, before, limit + 1)
    items: list[str] = []
    last, size, looked = before, 0, 0
    for seq, event in _events(wanted, seqs[:limit], with_was):
        last, looked = seq, looked + 1
        if event is None:
            continue
        items.append(event.whole)
        size += len(event.whole)
        if size >= MAX_PAGE:
            break
    if looked < len(seqs):
        return JournalPage(items, last)
    return JournalPage(items, floor + 1 if floor > after else None)


def list_actors() -> list[str]:
    """Who has written lately, of the newest revisions that one page looks through."""
    lately = f"SELECT actor FROM state_revision ORDER BY seq DESC LIMIT {SCAN}"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT actor FROM ({lately}) AS lately ORDER BY actor")
        return [name for (name,) in cursor.fetchall()]


UNDOS = (
    "SELECT DISTINCT r.seq, r.info FROM"
    f" (SELECT DISTINCT kind, key FROM state_change WHERE revision = %s LIMIT {MOST_VALUES}) AS mine"
    " JOIN state_change c ON c.kind = mine.kind AND c.key = mine.key AND c.revision > %s"
    f" JOIN state_revision r ON r.seq = c.revision WHERE r.source = '{Source.UNDO}' AND {{find}}(r.info, %s) > 0"
    " ORDER BY r.seq"
)


def list_undos(revision: int) -> list[int]:
    """The revisions that took one back, oldest first. They are looked for among those of the first of its keys."""
    with connection.cursor() as cursor:
        cursor.execute(UNDOS.format(find=engine().find_text), [revision, revision, str(revision)])
        return [seq for seq, info in cursor.fetchall() if revision in json.loads(info).get("undoes", ())]


def _matching(wanted: JournalFilter, after: int, before: int, most: int) -> list[int]:
    """The newest revisions in (after, before) that are wanted."""
    sieve, values = _sieve(wanted)
    if not wanted.keys:
        rows = f"SELECT r.seq FROM state_revision r WHERE r.seq > %s AND r.seq < %s{sieve} ORDER BY r.seq DESC LIMIT %s"
        return _numbers(rows, [after, before, *values, most])
    rows = (
        "SELECT DISTINCT c.revision FROM state_change c JOIN state_revision r ON r.seq = c.revision"
        f" WHERE c.kind = %s AND c.key = %s AND c.revision > %s AND c.revision < %s{sieve}"
        " ORDER BY c.revision DESC LIMIT %s"
    )
    found: set[int] = set()
    for kind in wanted.kinds or registry.names_with_keys():
        for key in wanted.keys:
            if wanted.sight and not wanted.sight.shows(kind, key):
                continue
            found.update(_numbers(rows, [kind, key, after, before, *values, most]))
    return sorted(found, reverse=True)[:most]


def _sieve(wanted: JournalFilter) -> tuple[str, list[Any]]:
    """The condition on a revision `r` that no index answers, and its values."""
    parts, values, find = "", list[str](), engine().find_text
    for column, given in (("r.actor", wanted.actors), ("r.source", wanted.sources)):
        if given:
            parts += f" AND {column} IN ({_marks(given)})"
            values += given
    if wanted.batch is not None:
        parts += f" AND {find}(r.info, %s) > 0"
        values.append(f'"batch":{dump_json(wanted.batch)}')
    if wanted.reason:
        parts += f" AND {find}(lower(r.reason), lower(%s)) > 0"
        values.append(wanted.reason)
    if wanted.kinds and not wanted.keys:
        of_kind = f"SELECT 1 FROM state_change c WHERE c.revision = r.seq AND c.kind IN ({_marks(wanted.kinds)})"
        parts += f" AND EXISTS ({of_kind})"
        values += wanted.kinds
    if wanted.sight and not wanted.keys:
        kinds, places = wanted.sight.kinds, wanted.sight.places
        seen = f"SELECT 1 FROM state_change c WHERE c.revision = r.seq AND c.kind IN ({_marks(kinds)})"
        values += kinds
        if places:
            seen += f" AND (c.kind <> 'state' OR c.key IN ({_marks(places.keys)}))"
            values += places.keys
        parts += f" AND EXISTS ({seen})"
    return parts, values


def _events(wanted: JournalFilter, seqs: Sequence[int], with_was: bool) -> Iterator[tuple[int, Event | None]]:
    """The revisions, and of each what of it shows; None where nothing does."""
    if not seqs:
        return
    changes, values = "", list[str]()
    for column, given in (("c.kind", wanted.kinds), ("c.key", wanted.keys)):
        if given:
            changes += f" AND {column} IN ({_marks(given)})"
            values += given
    with connection.cursor() as cursor:
        cursor.execute(ROWS.format(changes=changes, seqs=_marks(seqs)), [*values, *seqs])
        for seq, some in groupby(iter(cursor.fetchone, None), key=itemgetter(0)):
            rows: Iterable[_Row] = map(_Row._make, some)
            if wanted.sight:
                rows = _narrowed(rows, wanted.sight)
            yield seq, _event(rows, with_was) if rows else None


class _Row(NamedTuple):
    seq: int
    at: Any
    actor: str
    source: str
    reason: str
    info: str
    kind: str | None
    key: str
    length: int
    inverse_length: int
    forward: str | None
    inverse: str | None


def _narrowed(rows: Iterable[_Row], sight: Sight) -> list[_Row]:
    """Of the changes of a revision what shows to a reader who may not see all."""
    found = []
    for row in rows:
        kind = row.kind
        if kind is None or not sight.shows(kind, row.key):
            continue
        if sight.is_limited:
            row = row._replace(info="{}")
        if sight.shows_whole(kind, row.key):
            found.append(row)
        elif change := sight.find_change(row.key, row.seq):
            forward, inverse = dump_json(change.forward), dump_json(change.inverse)
            shown = row._replace(forward=forward, inverse=inverse)
            found.append(shown._replace(length=len(forward), inverse_length=len(inverse)))
    return found


def _event(found: Iterable[_Row], with_was: bool) -> Event:
    """A revision as the feed shows it, with its info; without what was, where it would be too large with it."""
    rows, forward, inverse = [], 0, 0
    for row in found:
        forward += row.length or 0
        inverse += row.inverse_length or 0
        if forward > MAX_EVENT or inverse > MAX_EVENT or not with_was:  # drop early what is not to be shown
            row = row._replace(inverse=None, forward=None if forward > MAX_EVENT else row.forward)
        rows.append(row)
    if with_was and max(forward, inverse) <= MAX_EVENT:
        event = make_event(map(_told, rows), rows[0].info)
        if not event.is_truncated:
            return event
    return make_event(map(_plain, rows), rows[0].info)


def _plain(row: _Row) -> tuple[Any, ...]:
    return (*row[:5], row.kind, row.key, row.length or 0, row.forward)


def _told(row: _Row) -> tuple[Any, ...]:
    if row.kind is None or row.forward is None or row.inverse is None:
        return _plain(row)
    patch = dump_json(with_old_values(json.loads(row.forward), json.loads(row.inverse)))
    return (*row[:5], row.kind, row.key, len(patch), patch)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _numbers(query: str, values: Sequence[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [number for (number,) in cursor.fetchall()]
