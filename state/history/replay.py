"""Reading the log: what a key was at any revision, what changed between two, and who wrote each leaf.

Past documents are replayed from the nearest of: the stored one, a snapshot on either side, nothing. Snapshots are a
cache of the log and can be dropped.
"""

import copy
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import IntegerField, Sum, TextField
from django.db.models.functions import Cast, Length
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from state.address import Address, NotFound, find_node_text
from state.database.sql import fetch_row, to_column
from state.entries import head
from state.errors import Gone, Unprocessable
from state.history import blame
from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op
from state.jsondoc.old_values import with_old_values
from state.jsondoc.patch import replay_ops
from state.jsondoc.pointer import format_pointer, parse_index
from state.jsondoc.projection import Places, Ways, diff_documents, find_ways, project_ops, project_value
from state.jsondoc.text import NOTHING, JSONValue, Nothing, dump_json
from state.jsondoc.trees.moves import diff_values
from state.models import Change, Snapshot, StateEntry

REPLAYED_AT_ONCE = 500  # changes parsed in one go
READ_AT_ONCE = 200  # changes of a history, of which most often the first few are wanted
SNAPSHOT_CHANGES = 500  # changes of a key between two snapshots; a replay from the nearest takes half of them at most
SNAPSHOT_BYTES = 65536  # bytes of patches that are worth a snapshot, if they are more than twice the document too
ZLIB_LEVEL = 6
DIGITS = 18  # of the largest revision that a database can have
KNOWN = "SELECT last_seq, EXISTS (SELECT 1 FROM state_revision WHERE seq = %s) FROM state_meta"
# Of the times, which only grow, the last that is not after one: in halves, from 2^40 revisions down to one.
FIND_MOMENT = """
    WITH RECURSIVE near(found, step) AS (
        SELECT CAST(0 AS bigint), CAST(1099511627776 AS bigint) UNION ALL
        SELECT found + CASE WHEN
            coalesce((SELECT at FROM state_revision WHERE seq <= found + step ORDER BY seq DESC LIMIT 1) <= %s, 1 = 1)
            THEN step ELSE 0 END, step / 2 FROM near WHERE step > 0)
    SELECT coalesce(
        (SELECT seq FROM state_revision WHERE seq <= (SELECT max(found) FROM near) ORDER BY seq DESC LIMIT 1), 0)
"""
WEIGH_EVERY = 32  # changes of a key between two looks at how many bytes its patches have
MOST_COUNTED = 10_000  # keys of which is known how many changes they had

_counted: dict[str, tuple[int, int]] = {}  # of a key: the revision that this process wrote last, and the changes since


class UnknownMoment(Unprocessable):
    """No revision, or a time that cannot be read or lies in the future."""


class GoneRevision(Gone, LookupError):
    """A revision that an older database, put back, does not have."""


def revision_at(text: str) -> int:
    """The revision that was the newest at `text`: a revision's number, or an RFC 3339 time with its zone.

    0 stands for the time before the first. Raises UnknownMoment and GoneRevision.
    """
    if text.isascii() and text.isdigit():
        number = int(text) if len(text) <= DIGITS else 0
        newest, is_there = fetch_row(KNOWN, number) or (0, False)
        if len(text) > DIGITS or number > newest:
            raise UnknownMoment(f"revision {text[:20]} does not exist; the newest is {newest}")
        if number and not is_there:
            raise GoneRevision(f"revision {text} is gone: it was made after the backup that has been put back since")
        return number
    time = _time(text)
    return find_moment(time)


def find_moment(time: datetime) -> int:
    """The revision that was the newest at a time; 0 for the time before the first."""
    return int(fetch_row(FIND_MOMENT, to_column(time))[0])


def parse_revision(text: str) -> int:
    """A revision that was, by its number. Raises UnknownMoment."""
    if not text.isascii() or not text.isdigit():
        raise UnknownMoment(f"{text[:40]!r} is not the number of a revision")
    return revision_at(text)


def _time(text: str) -> datetime:
    spelt = re.sub(r" (\d\d:\d\d)$", r"+\1", text)  # a + that was read as a space
    try:
        time = parse_datetime(spelt)
        if time is not None and timezone.is_aware(time):
            time = time.astimezone(UTC)
    except (ValueError, OverflowError):
        time = None
    if time is None:
        raise UnknownMoment(f"{text!r} is neither a revision nor a time such as 2026-01-31T12:00:00Z")
    if timezone.is_naive(time):
        raise UnknownMoment(f"the time {text!r} names no zone; end it with Z or an offset such as +01:00")
    if time > timezone.now():
        raise UnknownMoment(f"the time {text!r} is in the future")
    return time


# What was


def document_at(key: str, revision: int, ways: Ways = None) -> Any:
    """The document of a key as it was at a revision, what of it lies in the places; NOTHING where there was none."""
    start, document = _nearest(key, revision)
    if start <= revision:
        changes = _changes(key, start, revision).values_list(Cast("forward", TextField()))
    else:
        changes = _changes(key, revision, start).reverse().values_list(Cast("inverse", TextField()))
    rows = changes.iterator(chunk_size=REPLAYED_AT_ONCE)
    while some := [text for (text,) in islice(rows, REPLAYED_AT_ONCE)]:
        for ops in json.loads(f"[{','.join(some)}]"):
            document = replay_ops(document, ops)
    return project_value(document, ways)


def _nearest(key: str, revision: int) -> tuple[int, JSONValue | Nothing]:
    """A revision at which the document is at hand, as few changes away as possible, and the document.

    The newest is read in one go: its text and its revision belong together, whatever is written meanwhile.
    """
    newest, text = read_newest(key)
    with connection.cursor() as cursor:
        cursor.execute(NEAREST, {"key": key, "revision": revision, "newest": newest})
        before, after, changes_before, changes_after = cursor.fetchone()
    if changes_before <= changes_after:
        after = before
    if after == newest:
        return after, NOTHING if text is None else json.loads(text)
    return after, _snapshot(key, after)


NEAREST = """
    WITH near AS (SELECT
        (SELECT coalesce(max(revision), 0) FROM state_snapshot
            WHERE key = %(key)s AND revision <= %(revision)s) AS before,
        (SELECT coalesce(min(revision), %(newest)s) FROM state_snapshot
            WHERE key = %(key)s AND revision > %(revision)s AND revision < %(newest)s) AS after)
    SELECT before, after,
        (SELECT count(*) FROM state_change
            WHERE kind = 'state' AND key = %(key)s AND revision > before AND revision <= %(revision)s),
        (SELECT count(*) FROM state_change
            WHERE kind = 'state' AND key = %(key)s AND revision > %(revision)s AND revision <= after)
    FROM near
"""


def read_newest(key: str) -> tuple[int, str | None]:
    """The revision that last changed a key, and the text it left; None where it removed the key, 0 for no key ever."""
    entries = StateEntry.objects.filter(pk=key).values_list("revision", Cast("value_json", TextField()))
    while True:
        entry = entries.first()
        if entry:
            return entry
        last = Change.objects.filter(kind="state", key=key).order_by("-revision_id").first()
        if last is None:
            return 0, None
        if last.forward[-1:] == [{"op": "remove", "path": ""}]:
            return last.revision_id, None
        if not entries.exists():
            raise LookupError(f"the key {key!r} is gone, and the history does not say why")


def _snapshot(key: str, revision: int) -> JSONValue | Nothing:
    """The document in a snapshot; NOTHING at revision 0, before the first."""
    snapshot = Snapshot.objects.filter(key=key, revision=revision).first()
    return json.loads(zlib.decompress(snapshot.document)) if snapshot else NOTHING


def _changes(key: str, after: int, up_to: int) -> Any:
    """The changes of a key in (after, up_to], oldest first."""
    span = {"revision_id__gt": after, "revision_id__lte": up_to}
    return Change.objects.filter(kind="state", key=key, **span).order_by("revision_id")


def changes_since(key: str, after: int, up_to: int | None = None, ways: Ways = None) -> list[Change]:
    """The changes of a key in (after, up_to], oldest first; without `up_to`, all that came after."""
    rows = _changes(key, after, head() if up_to is None else up_to)
    return list(project_changes(rows, key, ways, backwards=False))


def changes_before(key: str, before: int | None = None, ways: Ways = None) -> Iterator[Change]:
    """The changes of a key before a revision, newest first, with their revisions; without one, all."""
    return project_changes(_read_backwards(key, 2**62 if before is None else before), key, ways, backwards=True)


def _read_backwards(key: str, before: int) -> Iterator[Change]:
    """In pages that ask for no more: to go through a query, PostgreSQL would put all that it finds aside first."""
    while page := list(_changes(key, 0, before - 1).reverse().select_related("revision")[:READ_AT_ONCE]):
        yield from page
        if len(page) < READ_AT_ONCE:
            return
        before = page[-1].revision_id


def project_changes(rows: Iterable[Change], key: str, ways: Ways, *, backwards: bool) -> Iterator[Change]:
    """The changes of a key, one after the other, as those of a key that has only what lies in the places."""
    if ways is None:
        yield from rows
        return
    document, is_known = None, False  # where the last change began, or ended: once somebody has had to know
    for change in rows:
        spend_work()
        kept = [project_ops(ops, ways) for ops in (change.forward, change.inverse)]
        is_unclear = None in kept
        if is_unclear and not is_known:
            document, is_known = document_at(key, change.revision_id - (not backwards)), True
        if is_known:
            here = copy.deepcopy(project_value(document, ways)) if is_unclear else None
            document = replay_ops(document, copy.deepcopy(change.inverse if backwards else change.forward))
            if is_unclear:
                there = project_value(document, ways)
                kept = [*(diff_documents(there, here) if backwards else diff_documents(here, there))]
        if kept[0]:
            seen = copy.copy(change)
            seen.forward, seen.inverse = kept
            yield seen


def find_change(key: str, revision: int, ways: Ways) -> Change | None:
    """What of the change that a revision made to a key lies in the places; None where nothing does."""
    return next(project_changes(_changes(key, revision - 1, revision), key, ways, backwards=False), None)


def list_keys_between(first: int, last: int) -> list[str]:
    """The keys that revisions in (first, last] touched, in byte order."""
    span = {"revision_id__gt": min(first, last), "revision_id__lte": max(first, last)}
    found = Change.objects.filter(kind="state", **span).order_by().values_list("key", flat=True).distinct()
    return sorted(found, key=str.encode)


def list_touched(revision: int) -> list[tuple[str, str]]:
    """Kind and key of all that one revision changed."""
    return sorted(Change.objects.filter(revision_id=revision).values_list("kind", "key"))


def diff_revisions(
    first: int, last: int, keys: list[str] | None = None, *, with_was: bool = False, places: Places | None = None
) -> dict[str, list[Op]]:
    """For each key that differs between two revisions, the patch from the one to the other; "" adds or removes it."""
    found = {}
    for key in list_keys_between(first, last) if keys is None else keys:
        if places and not places.reach(key):
            continue
        ways = find_ways(places, key)
        ops = _difference(document_at(key, first, ways), document_at(key, last, ways), with_was)
        if ops:
            found[key] = ops
    return found


def diff_node(address: Address, first: int, last: int, ways: Ways = None) -> list[Op]:
    """The patch of one node from one revision to another; "" adds or removes it."""
    return _difference(_node_at(address, first, ways), _node_at(address, last, ways))


def _node_at(address: Address, revision: int, ways: Ways) -> JSONValue | Nothing:
    document = document_at(address.key, revision, ways)
    if isinstance(document, Nothing):
        return NOTHING
    text = find_node_text(address, dump_json(document))
    return NOTHING if text is None else json.loads(text)


def _difference(old: JSONValue | Nothing, new: JSONValue | Nothing, with_was: bool = False) -> list[Op]:
    if isinstance(new, Nothing):
        if isinstance(old, Nothing):
            return []
        return [{"op": "remove", "path": "", **({"was": old} if with_was else {})}]
    if isinstance(old, Nothing):
        return [{"op": "add", "path": "", "value": new}]
    forward, inverse = diff_values(old, new)
    return with_old_values(forward, inverse) if with_was else forward


# Who wrote it


class Blamed(NamedTuple):
    """A key's document, its blame, and the revision at which it was so."""

    document: JSONValue | Nothing
    blame: blame.Blame
    revision: int


def read_blame(key: str, at: int | None = None, ways: Ways = None) -> Blamed:
    """The stored document of a key with its blame, or the one of revision `at`. Raises NotFound."""
    last = at
    if last is None:
        entry = StateEntry.objects.filter(pk=key).only("revision").first()
        if entry is None:
            raise NotFound(f"there is no key {key!r}")
        last = entry.revision
    document, blamed, start = _blamed_snapshot(key, last) if ways is None else Blamed(NOTHING, 0, 0)
    changes = _changes(key, start, last).only("revision_id", "forward", *(["inverse"] if ways is not None else []))
    for change in project_changes(changes.iterator(chunk_size=500), key, ways, backwards=False):
        document, blamed = blame.replay_blame(document, blamed, change.forward, change.revision_id)
    if document is NOTHING:
        raise NotFound(f"there is no key {key!r}" if at is None else f"there was no key {key!r} at revision {last}")
    return Blamed(document, blamed, last)


def _blamed_snapshot(key: str, last: int) -> Blamed:
    snapshot = Snapshot.objects.filter(key=key, revision__lte=last).order_by("-revision").first()
    if snapshot is None:
        return Blamed(NOTHING, 0, 0)
    document, blamed = (json.loads(zlib.decompress(part)) for part in (snapshot.document, snapshot.blame))
    return Blamed(document, blamed, snapshot.revision)


def keep_snapshot(
    key: str, document_bytes: int, patch_bytes: int, before: int | None = None, revision: int | None = None
) -> None:
    """Keep a snapshot of a key that was just written, if enough has been written since the last one.

    The changes are counted, but where the revision `before` this one was written here too: then it is one more.
    """
    written, count = _counted.pop(key, (None, 0))
    count += 1
    is_sure = before is not None and before == written and count < SNAPSHOT_CHANGES
    if not is_sure or not count % WEIGH_EVERY or patch_bytes >= SNAPSHOT_BYTES:
        last, count = _since_snapshot(key)
        if _is_due(key, last, count, document_bytes, patch_bytes):
            _keep_snapshot(key, read_blame(key))
            return
    if revision is not None:
        if len(_counted) >= MOST_COUNTED:
            _counted.clear()
        _counted[key] = revision, count


def _is_due(key: str, last: int, count: int, document_bytes: int, patch_bytes: int) -> bool:
    if count >= SNAPSHOT_CHANGES:
        return True
    if count % WEIGH_EVERY and patch_bytes < SNAPSHOT_BYTES:
        return False
    length = Length(Cast("forward", TextField()), output_field=IntegerField())
    since = Change.objects.filter(kind="state", key=key, revision_id__gt=last).order_by()
    return (since.aggregate(bytes=Sum(length))["bytes"] or 0) > max(SNAPSHOT_BYTES, 2 * document_bytes)


def make_snapshot(key: str, revision: int) -> None:
    """Make a snapshot anew that was dropped; none where the key was not there."""
    with suppress(NotFound):
        _keep_snapshot(key, read_blame(key, revision))


def _keep_snapshot(key: str, now: Blamed) -> None:
    document, blamed = (zlib.compress(dump_json(part).encode(), ZLIB_LEVEL) for part in now[:2])
    row = Snapshot(key=key, revision=now.revision, document=document, blame=blamed)
    Snapshot.objects.bulk_create([row], ignore_conflicts=True)


def _since_snapshot(key: str) -> tuple[int, int]:
    """The revision of a key's last snapshot, 0 if it has none, and how many changes it has had since."""
    last = "SELECT coalesce(max(revision), 0) FROM state_snapshot WHERE key = %s"
    count = f"SELECT count(*) FROM state_change WHERE kind = 'state' AND key = %s AND revision > ({last})"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ({last}), ({count})", [key, key, key])
        return cursor.fetchone()


def blame_leaves(blamed: Blamed, address: Address) -> list[tuple[str, int]]:
    """Pointer (from the key's root) and revision of each leaf at or under an address. Raises NotFound."""
    document: Any = blamed.document
    by = blamed.blame
    for token in address.tokens:
        document = _child(document, token, address)
        if not isinstance(by, int):
            by = by[int(token) if isinstance(by, list) else token]
    return list(blame.list_leaves(document, by, format_pointer(address.tokens)))


def _child(document: Any, token: str, address: Address) -> Any:
    if isinstance(document, dict) and token in document:
        return document[token]
    number = parse_index(token)
    if isinstance(document, list) and number is not None and number < len(document):
        return document[number]
    raise NotFound(f"nothing is stored at {address.pointer}")
