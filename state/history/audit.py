"""Is a database what its history says? The chain, and all documents replayed; on the live database or on any file."""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import engine
from state import chain, clock
from state.database.sql import fetch_rows, stream_rows
from state.entries import count_entries, read_totals
from state.jsondoc.patch import PatchFailed, replay_ops
from state.jsondoc.text import NOTHING, Nothing, dump_json
from state.models import Revision

REDACTED = "[redacted]"
BLANK = f'"{REDACTED}"'  # a payload of which nothing is left

OnProgress = Callable[[str], None]
MORE_CHECKS: list[
    Callable[[BaseDatabaseWrapper, OnProgress], Iterator[str]]
] = []  # checks of what apps keep beside the state


def show_nothing(text: str) -> None:
    """Shows no progress."""


def find_flaws(connection: BaseDatabaseWrapper, progress: OnProgress = show_nothing) -> Iterator[str]:
    """What does not fit, one sentence each, each part of the check naming the first rows it finds."""
    for check in (find_reference_flaws, find_chain_flaws, find_state_flaws, find_total_flaws, *MORE_CHECKS):
        yield from check(connection, progress)


def find_reference_flaws(connection: BaseDatabaseWrapper, progress: OnProgress = show_nothing) -> Iterator[str]:
    """The first row that refers to one that is not there."""
    for table, other in islice(engine(connection).find_orphans(), 1):
        yield f"a row of {table} refers to one of {other} that is not there"


# The chain


def find_chain_flaws(connection: BaseDatabaseWrapper, progress: OnProgress = show_nothing) -> Iterator[str]:
    """The first row of the history that is not as it was written, or where rows are missing."""
    link, last = "", 0
    left = read_redactions(connection)
    changes = _grouped(_changes(connection))
    waiting = next(changes, None)
    for row in _revisions(connection):
        seq = row[0]
        if seq % 10_000 == 0:
            progress(f"checking the chain at revision {seq:,}")
        if waiting and waiting[0] < seq:
            yield f"a change belongs to revision {waiting[0]}, which is not there"
            return
        mine = waiting[1] if waiting and waiting[0] == seq else []
        if mine:
            waiting = next(changes, None)
        if flaw := _find_flaw(row, link, mine, left):
            yield flaw
            return
        last, link = seq, row[-1]  # the next one covers it as it is kept
    now = clock.read(connection)
    if waiting:
        yield f"a change belongs to revision {waiting[0]}, which is not there"
    elif ((now.seq, now.chain) if now else (0, "")) != (last, link):
        yield f"the clock stands at revision {now.seq if now else 0}; the newest in the history is {last}"


def find_revision_flaw(connection: BaseDatabaseWrapper, seq: int) -> str | None:
    """What of one revision is not as it was written, judged by the one before it as that is kept; None for nothing."""
    statement = f"SELECT {REVISION} FROM state_revision WHERE seq <= %s ORDER BY seq DESC LIMIT 2"
    row, previous, *_ = [*fetch_rows(connection, statement, [seq]), None]
    changes = fetch_rows(connection, f"SELECT {CHANGE} FROM state_change WHERE revision = %s ORDER BY id", [seq])
    return _find_flaw(row, previous[-1] if previous else "", [one[1:] for one in changes], read_redactions(connection))


def _find_flaw(row: Any, previous: str, mine: Sequence[Any], left: Mapping[str, Mapping[str, str]]) -> str | None:
    """What of a revision and its changes is not as it was written behind that link of the chain."""
    seq, at, actor, source, reason, info, stored = row
    for change in mine:
        if not _is_as_written(change, left["changes"]):
            return f"change {change[0]} of revision {seq} (key {change[3]!r}) is not as it was written"
    moment = datetime.fromisoformat(clock.format_time(at))
    revision = Revision(seq=seq, at=moment, actor=actor, source=source, reason=reason)
    revision.info = json.loads(info)
    link = chain.link_revision(previous, revision, [change[7] for change in mine])
    if not is_same_hash(stored, link) and left["revisions"].get(str(seq)) != link:
        return f"revision {seq} is not as it was written, or rows before it are missing"
    return None


def _is_as_written(change: Any, redacted: Mapping[str, str]) -> bool:
    """Whether a change has its digest, is blanked, or is what a redaction says that it has left."""
    number, _, kind, key, forward, inverse, _, digest, redacted_by = change
    if redacted_by is None:
        return is_same_hash(digest, chain.digest_change(*change[1:7]))
    left = chain.digest_change("", kind, key, forward, inverse, "")
    return (forward, inverse) == (BLANK, BLANK) or redacted.get(str(number)) == left


def read_redactions(connection: BaseDatabaseWrapper) -> dict[str, dict[str, str]]:
    """What redactions have left: hashes of changes, revisions and messages by their numbers; the last of each counts.

    They stand in the history as changes themselves, so that the chain covers what it no longer can by its digests.
    """
    found: dict[str, dict[str, str]] = {"changes": {}, "revisions": {}, "messages": {}}
    for (forward,) in stream_rows(connection, "SELECT forward FROM state_change WHERE kind = 'redaction' ORDER BY id"):
        for what, hashes in json.loads(forward).items():
            found[what] |= hashes
    return found


def is_same_hash(kept: str, computed: str) -> bool:
    """Whether a hash of the history is the one that was computed; one that is no hash is not."""
    try:
        return chain.is_same(kept, computed)
    except ValueError:
        return False


def find_tail_flaws(connection: BaseDatabaseWrapper, progress: OnProgress = show_nothing) -> Iterator[str]:
    """Whether the clock stands at the newest revision: all that there is time for at a start."""
    rows = fetch_rows(connection, "SELECT seq, chain FROM state_revision ORDER BY seq DESC LIMIT 1")
    last, link = rows[0] if rows else (0, "")
    now = clock.read(connection)
    if ((now.seq, now.chain) if now else (0, "")) != (last, link):
        yield f"the clock stands at revision {now.seq if now else 0}; the newest in the history is {last}"


REVISION = "seq, at, actor, source, reason, info, chain"
CHANGE = "revision, id, salt, kind, key, forward, inverse, result_hash, digest, redacted_by"  # the digest covers 3 to 8


def _revisions(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    return stream_rows(connection, f"SELECT {REVISION} FROM state_revision ORDER BY seq")


def _changes(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    return stream_rows(connection, f"SELECT {CHANGE} FROM state_change ORDER BY revision, id")


def _grouped(rows: Iterator[Any]) -> Iterator[tuple[int, list[Any]]]:
    return ((seq, [row[1:] for row in of_seq]) for seq, of_seq in groupby(rows, itemgetter(0)))


# The documents


def find_state_flaws(connection: BaseDatabaseWrapper, progress: OnProgress = show_nothing) -> Iterator[str]:
    """Keys whose document, times or snapshots are not what the history makes of them; ten at most."""
    found = 0
    stored = {row[0]: row[1:] for row in stream_rows(connection, STORED)}
    kept = _snapshots(connection)
    for key, changes in groupby(stream_rows(connection, FORWARDS), itemgetter(0)):
        progress(f"replaying {key[:40]!r}")
        for flaw in _key_flaws(key, changes, stored.pop(key, None), kept.get(key, {}), connection):
            yield flaw
            found += 1
        if found >= 10:
            return
    for key in list(stored)[:10]:
        yield f"the key {key!r} is stored, and the history knows nothing of it"


STORED = "SELECT key_name, value_json, revision, created_at, updated_at FROM state_storage ORDER BY key_name"
FORWARDS = (
    "SELECT c.key, c.revision, c.forward, c.result_hash, r.at FROM state_change c"
    " JOIN state_revision r ON r.seq = c.revision WHERE c.kind = 'state' ORDER BY c.key, c.revision, c.id"
)


def find_total_flaws(connection: BaseDatabaseWrapper, progress: OnProgress = show_nothing) -> Iterator[str]:
    """Whether the totals that every write keeps are those of what is stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM state_meta")
        if "keys" not in [column[0] for column in cursor.description]:  # earlier releases kept none
            return
    kept, counted = read_totals(connection), count_entries(connection)
    if kept != counted:
        yield f"state_meta counts {kept}; stored are {counted}"


def _key_flaws(
    key: str, changes: Iterator[Any], entry: Any, snapshots: dict[int, int], connection: BaseDatabaseWrapper
) -> Iterator[str]:
    document: Any = NOTHING
    created = None
    last: Any = None
    for row in changes:
        last = row
        _, revision, forward, _, at = row
        ops = json.loads(forward)
        if ops == REDACTED:
            return  # what was blanked cannot be replayed
        was_there = not isinstance(document, Nothing)
        try:
            document = replay_ops(document, ops)
        except (PatchFailed, LookupError, TypeError, ValueError):
            yield f"the history of the key {key!r} cannot be replayed at revision {revision}"
            return
        created = created if was_there else at
        if revision in snapshots and not _is_snapshot(connection, snapshots[revision], document):
            yield f"the snapshot of the key {key!r} at revision {revision} is not what the history makes of it"
    yield from _entry_flaws(key, document, entry, (last[1], created, last[4]), last[3])


def _entry_flaws(key: str, document: Any, entry: Any, last: Any, result: str) -> Iterator[str]:
    if isinstance(document, Nothing) or entry is None:
        if entry is not None:
            yield f"the key {key!r} is stored, and was removed in revision {last[0]}"
        elif not isinstance(document, Nothing):
            yield f"the key {key!r} is gone, and the history does not say why"
        return
    text, revision, created, updated = entry
    if text != dump_json(document):
        yield f"the document of the key {key!r} is not what the history makes of it at revision {last[0]}"
    elif result and not is_same_hash(result, chain.hash_text(text)):
        yield f"the document of the key {key!r} has not the hash that revision {last[0]} wrote"
    elif (revision, created, updated) != last:
        yield f"revision or times of the key {key!r} are not those of its history"


def _snapshots(connection: BaseDatabaseWrapper) -> dict[str, dict[int, int]]:
    """Ids of the snapshots, by key and revision."""
    found: dict[str, dict[int, int]] = {}
    if "state_snapshot" in connection.introspection.table_names():  # the first release had none
        for key, revision, number in stream_rows(connection, "SELECT key, revision, id FROM state_snapshot"):
            found.setdefault(key, {})[revision] = number
    return found


def _is_snapshot(connection: BaseDatabaseWrapper, number: int, document: Any) -> bool:
    [(packed,)] = fetch_rows(connection, f"SELECT document FROM state_snapshot WHERE id = {number:d}")
    try:
        return zlib.decompress(packed).decode() == dump_json(document)
    except (zlib.error, UnicodeDecodeError):
        return False
