"""The change feed: the log read forwards, with a cursor that says where to go on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection

from state import registry
from state.errors import Gone, Unprocessable
from state.history.events import MAX_EVENT, Event, FeedFilter, make_event
from state.history.sight import Sight
from state.jsondoc.text import dump_json

if TYPE_CHECKING:  # what stands there needs ninja, which a command does not
    from access.auth import Follower

MAX_PAGE = 4 * 1024 * 1024  # bytes of a page, about; and of what one page reads of the log
SCAN = 200  # revisions read at a time
LOOK = 2000  # bytes that a revision counts for beside its own, where it takes a look of its own to tell what shows

COLUMNS = "r.seq, r.at, r.actor, r.source, r.reason, c.kind, c.key"
LOG = (
    f"SELECT {COLUMNS}, length(c.forward), CASE WHEN length(c.forward) <= {MAX_EVENT} THEN c.forward END"
    " FROM state_revision r JOIN state_change c ON c.revision = r.seq WHERE {} ORDER BY r.seq, c.id"
)
SPAN = LOG.format("r.seq BETWEEN %s AND %s")


class BadFeedCursor(Unprocessable):
    """Not a cursor of this feed."""


class LostCursor(Gone):
    """The cursor leads nowhere in this store: it is of another epoch, or ahead of the newest revision."""

    def __init__(self, detail: str, head: "Cursor") -> None:
        super().__init__(detail)
        self.head = head

    @property
    def detail(self) -> str:
        """The reader starts over: reads what it needs, and goes on from the cursor given here."""
        return f"{self}. Read the state anew and go on from {self.head}"

    @property
    def members(self) -> dict[str, str]:
        return {"cursor": str(self.head)}


class Cursor(NamedTuple):
    """A place in the log: everything up to revision `seq` is known. Written `epoch:seq`."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


@dataclass(frozen=True, slots=True)
class Follow:
    """A stream to be opened: what to show, from where on, for whom. `greeting` is the first event: hello or reset.

    `told_as` has other words for what is told.
    """

    wanted: FeedFilter
    after: Cursor
    follower: "Follower"
    greeting: str = ""
    reason: str = ""
    told_as: Any = None


class FeedPage(NamedTuple):
    """Some events, as revision and JSON text; the cursor behind them; and whether there are more already."""

    events: list[tuple[int, str]]
    cursor: Cursor
    has_more: bool


# The cursor


def read_head() -> Cursor:
    """The newest place."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT epoch, last_seq FROM state_meta")
        return Cursor(*(cursor.fetchone() or ("", 0)))


def parse_cursor(text: str, newest: Cursor) -> Cursor:
    """The place that `text` names: `epoch:seq`, or the number of a revision. Raises BadFeedCursor and LostCursor."""
    epoch, colon, digits = text.rpartition(":")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19 and (epoch or not colon)):
        raise BadFeedCursor(f"{text[:60]!r} is no cursor; take one from an earlier answer, or a revision's number")
    if colon and epoch != newest.epoch:
        raise LostCursor(f"the cursor {text[:60]} is of another history: an older file was put back", newest)
    if int(digits) > newest.seq:
        raise LostCursor(f"the cursor {text[:60]} is ahead of the newest revision, {newest.seq}", newest)
    return Cursor(newest.epoch, int(digits))


# Reading the log


def read_page(wanted: FeedFilter, after: Cursor, newest: Cursor, limit: int) -> FeedPage:
    """Up to `limit` events after a cursor, oldest first; fewer where they are large or matches are rare."""
    found: list[tuple[int, str]] = []
    at, size, read = after.seq, 0, 0
    while at < newest.seq and len(found) < limit and max(size, read) < MAX_PAGE:
        most = SCAN if wanted.is_inside or wanted.needs_log else min(SCAN, limit - len(found))
        seqs = _candidates(wanted, at, newest.seq, most)
        read += LOOK * len(seqs) if wanted.needs_log else 0
        at, last = (at, seqs[-1]) if seqs else (newest.seq, newest.seq)
        for event in _events(wanted, seqs):
            at = event.seq
            read += sum(len(entry.patch or "") for entry in event.entries) + 200
            text = event.text(wanted)
            if text:
                found.append((event.seq, text))
                size += len(text)
            if len(found) == limit or max(size, read) >= MAX_PAGE:
                break
        else:
            at = last  # of the last ones perhaps nothing shows
    return FeedPage(found, Cursor(newest.epoch, at), _has_more(wanted, at, newest.seq))


def read_events(after: int, up_to: int) -> Iterator[Event]:
    """The events of all revisions in (after, up_to], oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(SPAN, [after + 1, up_to])
        yield from _grouped(iter(cursor.fetchone, None))


def _has_more(wanted: FeedFilter, after: int, up_to: int) -> bool:
    return after < up_to and (not wanted or bool(_candidates(wanted, after, up_to, 1)))


def _candidates(wanted: FeedFilter, after: int, up_to: int, most: int) -> list[int]:
    """The first revisions in (after, up_to] that touch a wanted key."""
    if not wanted:
        query, values = "SELECT seq FROM state_revision WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT %s", []
        return _numbers(query, [after, up_to, most])
    found: set[int] = set()
    for kind, keys in _things(wanted):
        for key in [None] if keys is None else keys:
            which = "kind = %s" if key is None else "kind = %s AND key = %s"
            query = f"SELECT DISTINCT revision FROM state_change WHERE {which} AND revision > %s AND revision <= %s"
            values = [kind, *([] if key is None else [key]), after, up_to, most]
            found.update(_numbers(f"{query} ORDER BY revision LIMIT %s", values))
    return sorted(found)[:most]


def _things(wanted: FeedFilter) -> Iterator[tuple[str, list[str] | None]]:
    """The kinds that are wanted, and the keys of each; None for all."""
    sight = wanted.sight
    for kind in sight.kinds if sight else registry.names():
        if wanted.addresses and registry.get(kind).has_keys:
            yield kind, [key for key in wanted.keys if not sight or sight.shows(kind, key)]
        elif not wanted.addresses:
            yield kind, sight.places.keys if sight and sight.places and kind == "state" else None


def _numbers(query: str, values: Sequence[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [number for (number,) in cursor.fetchall()]


def _events(wanted: FeedFilter, seqs: list[int]) -> Iterator[Event]:
    if not seqs:
        return
    if not wanted:
        yield from read_events(seqs[0] - 1, seqs[-1])
        return
    with connection.cursor() as cursor:
        cursor.execute(LOG.format(f"r.seq IN ({', '.join(['%s'] * len(seqs))})"), seqs)
        rows: Iterator[Any] = iter(cursor.fetchone, None)
        yield from _grouped(_narrowed(rows, wanted.sight) if wanted.sight and wanted.needs_log else rows)


def _narrowed(rows: Iterable[tuple[Any, ...]], sight: Sight) -> Iterator[tuple[Any, ...]]:
    """Of the rows of the log what shows to a reader with limits."""
    for row in rows:
        seq, kind, key = row[0], row[5], row[6]
        if not sight.shows(kind, key):
            continue
        if sight.shows_whole(kind, key):
            yield row
        elif change := sight.find_change(key, seq):
            patch = dump_json(change.forward)
            yield (*row[:7], len(patch), patch)


def _grouped(rows: Iterator[tuple]) -> Iterator[Event]:
    for _, changes in groupby(rows, key=lambda row: row[0]):
        yield make_event(changes)
