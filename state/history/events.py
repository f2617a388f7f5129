"""Events of the change feed: one per revision, and which of its changes a reader wants to see.

An event is {revision, at, actor, source, reason, changes: [{kind, key, patch}]}. Of a key (kind `state`) the patch is
a JSON Patch; of a conversation or its messages it says what was added, removed or set, messages by id and never by
their text. An event of more than MAX_EVENT bytes names what changed without the patches and says `truncated`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from state.address import Address
from state.errors import Unprocessable
from state.history.sight import Sight
from state.jsondoc.pointer import BadPointer, Tokens, parse_index, parse_pointer
from state.jsondoc.text import dump_json

MAX_EVENT = 65536  # bytes of an event with its patches
MAX_ADDRESSES = 100


class TooManyAddresses(Unprocessable):
    """A filter of more keys and pointers than the feed takes."""


@dataclass(frozen=True, slots=True)
class FeedFilter:
    """Which changes to show: those at any of these addresses; without one, all. Of them what the reader may see."""

    addresses: frozenset[Address] = frozenset()
    sight: Sight | None = None  # None: all

    def __bool__(self) -> bool:
        return bool(self.addresses or self.sight)

    @property
    def needs_log(self) -> bool:
        """Whether the log must be asked what of an event shows."""
        return self.sight is not None and self.sight.is_limited

    @property
    def keys(self) -> list[str]:
        return sorted({address.key for address in self.addresses})

    @property
    def is_inside(self) -> bool:
        """Whether it asks for parts of documents, so that not every change of a key is wanted."""
        return any(address.tokens for address in self.addresses)

    def may_show(self, kind: str, key: str) -> bool:
        """Whether something of a change may show, as far as its name tells without a look at the database."""
        sight = self.sight
        if sight is None or kind not in sight.kinds:
            return sight is None
        return kind != "state" or sight.places is None or sight.places.reach(key)


class EventEntry(NamedTuple):
    """One change of an event: the text of its patch, None where the event is truncated."""

    kind: str
    key: str
    patch: str | None


@dataclass(slots=True)
class Event:
    """One revision as the feed shows it."""

    seq: int
    about: str  # the members before `changes`, as JSON text
    entries: Sequence[EventEntry]
    is_truncated: bool = False
    whole: str = ""  # what `text` gives without a filter

    def text(self, wanted: FeedFilter) -> str:
        """The event as JSON text, with the changes that are wanted only; "" where there are none."""
        if not wanted:
            return self.whole
        entries = [entry for entry in self.entries if matches_filter(entry, wanted)]
        return self.whole if len(entries) == len(self.entries) else self._text(entries) if entries else ""

    def _text(self, entries: Sequence[EventEntry]) -> str:
        if not self.is_truncated:
            parts = (f'{_about(one)},"patch":{one.patch}}}' for one in entries)
            return f'{self.about},"changes":[{",".join(parts)}]}}'
        names = list(_within(_about(one) + "}" for one in entries))
        return f'{self.about},"truncated":true,"total":{len(entries)},"changes":[{",".join(names)}]}}'


def make_filter(keys: Iterable[str], pointers: Iterable[str], sight: Sight | None = None) -> FeedFilter:
    """The filter for whole keys, and for pointers whose first token is the key; and for what the reader may see.

    Raises BadPointer and TooManyAddresses.
    """
    addresses = {Address(key) for key in keys}
    for pointer in pointers:
        tokens = parse_pointer(pointer)
        if not tokens:
            raise BadPointer('the pointer "" names no key; leave it out to follow everything')
        addresses.add(Address(tokens[0], tuple(tokens[1:])))
    if len(addresses) > MAX_ADDRESSES:
        raise TooManyAddresses(f"{len(addresses)} keys and pointers; one call takes {MAX_ADDRESSES}")
    return FeedFilter(frozenset(addresses), None if sight is None or sight.is_whole else sight)


def matches_filter(entry: EventEntry, wanted: FeedFilter) -> bool:
    """Whether a change is at one of the addresses. A key's name also stands for the conversation of that session id."""
    if wanted.sight and not wanted.sight.shows(entry.kind, entry.key):
        return False
    return not wanted.addresses or any(
        entry.key == address.key and _is_at(entry, address.tokens) for address in wanted.addresses
    )


def _is_at(entry: EventEntry, tokens: Tokens) -> bool:
    if not tokens or entry.patch is None:
        return True
    return entry.kind == "state" and any(_touches(op, tokens) for op in json.loads(entry.patch))


def _touches(op: dict[str, Any], tokens: Tokens) -> bool:
    """Whether an operation can change what is found at `tokens`: by naming it, a part, a whole, or by shifting it."""
    named = [parse_pointer(op[name]) for name in ("path", "from") if name in op]
    return any(place[: len(tokens)] == tokens[: len(place)] or _shifts(op, place, tokens) for place in named)


def _shifts(op: dict[str, Any], place: Sequence[str], tokens: Tokens) -> bool:
    """Whether items that an array gains or loses at `place` move what is at `tokens` to another index."""
    last = len(place) - 1
    if op["op"] in ("replace", "test") or last >= len(tokens) or tuple(place[:last]) != tuple(tokens[:last]):
        return False
    at, ours = parse_index(place[last]), parse_index(tokens[last])
    return at is not None and ours is not None and at <= ours


def make_event(rows: Iterator[tuple[Any, ...]], info: str = "") -> Event:
    """The event of a revision, from its rows in the log. Patches are dropped as soon as they are too many.

    A row without a kind stands for a revision without changes. `info` is JSON text that a reader is to have as well.
    """
    entries: list[EventEntry] = []
    size = 0
    for row in rows:
        seq, at, actor, source, reason, kind, key, length, patch = row
        size += length
        if size > MAX_EVENT:
            patch = None
        if kind is not None:
            entries.append(EventEntry(kind, key, patch))
    about = {"revision": seq, "at": _utc(at).isoformat(), "actor": actor, "source": source, "reason": reason}
    told = dump_json(about)[:-1] + (info and f',"info":{info}')
    event = Event(seq, told, entries, size > MAX_EVENT)
    if not event.is_truncated:
        event.whole = event._text(entries)
        event.is_truncated = len(event.whole.encode()) > MAX_EVENT
    if event.is_truncated:
        event.entries = [EventEntry(entry.kind, entry.key, None) for entry in entries]
        event.whole = event._text(event.entries)
    return event


def _about(entry: EventEntry) -> str:
    return f'{{"kind":{dump_json(entry.kind)},"key":{dump_json(entry.key)}'


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
