"""The change feed: the log read forwards, one event per revision, with a cursor that says where to go on.

An event is {revision, at, actor, source, reason, changes: [{kind, key, patch}]}. Of a key (kind `state`) the patch is
a JSON Patch; of a conversation or its messages it says what was added or set, messages by id and never by their text.
An event of more than MAX_EVENT bytes names what changed without the patches and says `truncated`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from django.db import connection

from state import jsontext, kinds, paths
from state.edits import Address
from state.paths import Tokens

MAX_EVENT = 65536  # bytes of an event with its patches
MAX_PAGE = 4 * 1024 * 1024  # bytes of a page, about; and of what one page reads of the log
MAX_ADDRESSES = 100
SCAN = 200  # revisions read at a time

COLUMNS = "r.seq, r.at, r.actor, r.source, r.reason, c.kind, c.key"
LOG = (
    f"SELECT {COLUMNS}, length(c.forward), CASE WHEN length(c.forward) <= {MAX_EVENT} THEN c.forward END"
    " FROM state_revision r JOIN state_change c ON c.revision = r.seq WHERE {} ORDER BY r.seq, c.id"
)
SPAN = LOG.format("r.seq BETWEEN %s AND %s")


class BadCursor(ValueError):
    """Not a cursor of this feed."""


class TooManyAddresses(ValueError):
    """A filter of more keys and pointers than the feed takes."""


class Lost(Exception):
    """The cursor leads nowhere in this store: it is of another epoch, or ahead of the newest revision."""

    def __init__(self, detail: str, head: "Cursor") -> None:
        super().__init__(detail)
        self.head = head


class Cursor(NamedTuple):
    """A place in the log: everything up to revision `seq` is known. Written `epoch:seq`."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which changes to show: those at any of these addresses; without one, all."""

    addresses: frozenset[Address] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.addresses)

    @property
    def keys(self) -> list[str]:
        return sorted({address.key for address in self.addresses})

    @property
    def is_inside(self) -> bool:
        """Whether it asks for parts of documents, so that not every change of a key is wanted."""
        return any(address.tokens for address in self.addresses)


class Entry(NamedTuple):
    """One change of an event: the text of its patch, None where the event is truncated."""

    kind: str
    key: str
    patch: str | None


@dataclass(slots=True)
class Event:
    """One revision as the feed shows it."""

    seq: int
    about: str  # the members before `changes`, as JSON text
    entries: Sequence[Entry]
    is_truncated: bool = False
    whole: str = ""  # what `text` gives without a filter

    def text(self, wanted: Filter) -> str:
        """The event as JSON text, with the changes that are wanted only; "" where there are none."""
        if not wanted:
            return self.whole
        entries = [entry for entry in self.entries if matches(entry, wanted)]
        return self.whole if len(entries) == len(self.entries) else self._text(entries) if entries else ""

    def _text(self, entries: Sequence[Entry]) -> str:
        if not self.is_truncated:
            parts = (f'{_about(one)},"patch":{one.patch}}}' for one in entries)
            return f'{self.about},"changes":[{",".join(parts)}]}}'
        names = list(_within(_about(one) + "}" for one in entries))
        return f'{self.about},"truncated":true,"total":{len(entries)},"changes":[{",".join(names)}]}}'


@dataclass(frozen=True, slots=True)
class Follow:
    """A stream to be opened: what to show, from where on, for whom. `greeting` is the first event: hello or reset."""

    wanted: Filter
    after: Cursor
    credential: Any
    greeting: str = ""
    reason: str = ""


class Page(NamedTuple):
    """Some events, as revision and JSON text; the cursor behind them; and whether there are more already."""

    events: list[tuple[int, str]]
    cursor: Cursor
    has_more: bool


# The cursor


def head() -> Cursor:
    """The newest place."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT epoch, last_seq FROM state_meta")
        return Cursor(*(cursor.fetchone() or ("", 0)))


def parse_cursor(text: str, newest: Cursor) -> Cursor:
    """The place that `text` names: `epoch:seq`, or the number of a revision. Raises BadCursor and Lost."""
    epoch, colon, digits = text.rpartition(":")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19 and (epoch or not colon)):
        raise BadCursor(f"{text[:60]!r} is no cursor; take one from an earlier answer, or a revision's number")
    if colon and epoch != newest.epoch:
        raise Lost(f"the cursor {text[:60]} is of another history: an older file was put back", newest)
    if int(digits) > newest.seq:
        raise Lost(f"the cursor {text[:60]} is ahead of the newest revision, {newest.seq}", newest)
    return Cursor(newest.epoch, int(digits))


# What matches


def filter_of(keys: Iterable[str], pointers: Iterable[str]) -> Filter:
    """The filter for whole keys, and for pointers whose first token is the key.

    Raises paths.BadPointer and TooManyAddresses.
    """
    addresses = {Address(key) for key in keys}
    for pointer in pointers:
        tokens = paths.parse_pointer(pointer)
        if not tokens:
            raise paths.BadPointer('the pointer "" names no key; leave it out to follow everything')
        addresses.add(Address(tokens[0], tuple(tokens[1:])))
    if len(addresses) > MAX_ADDRESSES:
        raise TooManyAddresses(f"{len(addresses)} keys and pointers; one call takes {MAX_ADDRESSES}")
    return Filter(frozenset(addresses))


def matches(entry: Entry, wanted: Filter) -> bool:
    """Whether a change is at one of the addresses. A key's name also stands for the conversation of that session id."""
    return any(entry.key == address.key and _is_at(entry, address.tokens) for address in wanted.addresses)


def _is_at(entry: Entry, tokens: Tokens) -> bool:
    if not tokens or entry.patch is None:
        return True
    return entry.kind == "state" and any(_touches(op, tokens) for op in json.loads(entry.patch))


def _touches(op: dict[str, Any], tokens: Tokens) -> bool:
    """Whether an operation can change what is found at `tokens`: by naming it, a part, a whole, or by shifting it."""
    named = [paths.parse_pointer(op[name]) for name in ("path", "from") if name in op]
    return any(place[: len(tokens)] == tokens[: len(place)] or _shifts(op, place, tokens) for place in named)


def _shifts(op: dict[str, Any], place: Sequence[str], tokens: Tokens) -> bool:
    """Whether items that an array gains or loses at `place` move what is at `tokens` to another index."""
    last = len(place) - 1
    if op["op"] in ("replace", "test") or last >= len(tokens) or tuple(place[:last]) != tuple(tokens[:last]):
        return False
    at, ours = paths.index(place[last]), paths.index(tokens[last])
    return at is not None and ours is not None and at <= ours


# Reading the log


def page(wanted: Filter, after: Cursor, newest: Cursor, limit: int) -> Page:
    """Up to `limit` events after a cursor, oldest first; fewer where they are large or matches are rare."""
    found: list[tuple[int, str]] = []
    at, size, read = after.seq, 0, 0
    while at < newest.seq and len(found) < limit and max(size, read) < MAX_PAGE:
        seqs = _candidates(wanted, at, newest.seq, SCAN if wanted.is_inside else min(SCAN, limit - len(found)))
        if not seqs:
            at = newest.seq
        for event in _events(wanted, seqs):
            at = event.seq
            read += sum(len(entry.patch or "") for entry in event.entries) + 200
            text = event.text(wanted)
            if text:
                found.append((event.seq, text))
                size += len(text)
            if len(found) == limit or max(size, read) >= MAX_PAGE:
                break
    return Page(found, Cursor(newest.epoch, at), _has_more(wanted, at, newest.seq))


def events(after: int, up_to: int) -> Iterator[Event]:
    """The events of all revisions in (after, up_to], oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(SPAN, [after + 1, up_to])
        yield from _grouped(iter(cursor.fetchone, None))


def _has_more(wanted: Filter, after: int, up_to: int) -> bool:
    return after < up_to and (not wanted or bool(_candidates(wanted, after, up_to, 1)))


def _candidates(wanted: Filter, after: int, up_to: int, most: int) -> list[int]:
    """The first revisions in (after, up_to] that touch a wanted key."""
    if not wanted:
        query, values = "SELECT seq FROM state_revision WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT %s", []
        return _numbers(query, [after, up_to, most])
    one = "SELECT DISTINCT revision FROM state_change WHERE kind = %s AND key = %s AND revision > %s AND revision <= %s"
    found: set[int] = set()
    for key in wanted.keys:
        for kind in kinds.names():
            values = [kind, key, after, up_to, most]
            found.update(_numbers(f"{one} ORDER BY revision LIMIT %s", values))
    return sorted(found)[:most]


def _numbers(query: str, values: Sequence[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [number for (number,) in cursor.fetchall()]


def _events(wanted: Filter, seqs: list[int]) -> Iterator[Event]:
    if not seqs:
        return
    if not wanted:
        yield from events(seqs[0] - 1, seqs[-1])
        return
    with connection.cursor() as cursor:
        cursor.execute(LOG.format(f"r.seq IN ({', '.join(['%s'] * len(seqs))})"), seqs)
        yield from _grouped(iter(cursor.fetchone, None))


def _grouped(rows: Iterator[tuple]) -> Iterator[Event]:
    for _, changes in groupby(rows, key=lambda row: row[0]):
        yield _event(changes)


def _event(rows: Iterator[tuple]) -> Event:
    """The event of a revision, from its rows in the log. Patches are dropped as soon as they are too many."""
    entries: list[Entry] = []
    size = 0
    for row in rows:
        seq, at, actor, source, reason, kind, key, length, patch = row
        size += length
        if size > MAX_EVENT:
            patch = None
        entries.append(Entry(kind, key, patch))
    about = {"revision": seq, "at": _utc(at).isoformat(), "actor": actor, "source": source, "reason": reason}
    event = Event(seq, jsontext.dump(about)[:-1], entries, size > MAX_EVENT)
    if not event.is_truncated:
        event.whole = event._text(entries)
        event.is_truncated = len(event.whole.encode()) > MAX_EVENT
    if event.is_truncated:
        event.entries = [Entry(entry.kind, entry.key, None) for entry in entries]
        event.whole = event._text(event.entries)
    return event


def _about(entry: Entry) -> str:
    return f'{{"kind":{jsontext.dump(entry.kind)},"key":{jsontext.dump(entry.key)}'


def _within(parts: Iterable[str]) -> Iterator[str]:
    """As many of the parts as an event holds; its `total` says how many there were."""
    room = MAX_EVENT
    for part in parts:
        room -= len(part.encode()) + 1
        if room < 0:
            return
        yield part


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
