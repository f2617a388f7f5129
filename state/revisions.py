"""Revisions: what every committed write leaves in the history, with its author, in the transaction of the write."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from django.utils import timezone

from access.database import Query
from state import chain
from state.database.sql import fetch_row, from_column, run_statements, to_column
from state.entries import Totals, measure_entry, read_revisions
from state.fields import JSONText
from state.jsondoc.diff import Op
from state.jsondoc.text import JSONValue, dump_json
from state.models import Change, Revision, StoreMeta
from state.write_lock import write_transaction

Payload = JSONValue | list[Op]

PROTECTED = "ProtectedPaths"  # the key with the pointers that only people may write, see state/proposals/protected.py
READ_PROTECTED = f"SELECT value_json FROM state_storage WHERE key_name = '{PROTECTED}'"
READ_CLOCK = (
    f"SELECT id, last_seq, last_at, last_chain, ({READ_PROTECTED}),"
    " (SELECT revision FROM state_storage WHERE key_name = %s) FROM state_meta"
)
INSERT_REVISION = (
    "INSERT INTO state_revision (seq, at, actor, source, reason, info, chain) VALUES (%s, %s, %s, %s, %s, %s, %s)"
)
UPDATE_CLOCK = (
    "UPDATE state_meta SET last_seq = %s, last_at = %s, last_chain = %s,"
    " keys = keys + %s, bytes = bytes + %s, characters = characters + %s WHERE id = %s"
)
INSERT_CHANGE = (
    "INSERT INTO state_change (revision, kind, key, forward, inverse, result_hash, salt, digest)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)


class Source(StrEnum):
    """Through which door a write came. The list is closed: history keeps these words for good."""

    API = "api"
    ADMIN = "admin"
    CLI = "cli"
    MCP = "mcp"
    IMPORT = "import"
    RESTORE = "restore"
    UNDO = "undo"
    SYNC = "sync"
    LOADDATA = "loaddata"
    SEED = "seed"
    FORGET = "forget"


class CommitNote(Protocol):
    """A note to be made of a write, in the same transaction."""

    def keep(self, written: Any, place: str = ..., /) -> None: ...


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes (key:<name>, user:<name>, cli:<os user>, system:<job>), through which door, and why.

    Who only `suggests` writes nothing: it becomes a proposal.
    """

    actor: str
    source: Source
    reason: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    claim: CommitNote | None = None
    suggests: bool = False

    @property
    def decider(self) -> str:
        """Who lets it happen: who writes, or who accepted what somebody suggested."""
        return str(self.info.get("accepted_by", self.actor))


@contextmanager
def open_revision(author: Author) -> Iterator["Recorder"]:
    """One revision in one transaction, when it is our turn; on SQLite it holds the write lock to its end."""
    with write_transaction():
        recorder = Recorder(author)
        yield recorder
        recorder.close()


class Recorder:
    """A revision in the making. Without a recorded change none is made."""

    def __init__(self, author: Author) -> None:
        self.author = author
        self.changes: list[Change] = []
        self.statements: list[Query] = []  # of what is stored, made at the end
        self.growth = Totals()  # of what is stored
        self._key = ""  # whose revision is read together with the clock
        self.is_event = False  # something happened that the history must have, though no change goes with it

    @cached_property
    def _clock(self) -> "_Clock":
        row = fetch_row(READ_CLOCK, self._key)
        if row is None:
            StoreMeta.objects.create()
            row = fetch_row(READ_CLOCK, self._key)
        return _Clock(row[0], row[1], from_column(row[2]), *row[3:])

    def read_revisions(self, keys: Sequence[str]) -> dict[str, int]:
        """The revision of each of the keys that exists, before this write."""
        if len(keys) != 1 or "_clock" in vars(self):
            return read_revisions(keys)
        [self._key] = keys
        found = self._clock.of_key
        return {} if found is None else {self._key: found}

    @property
    def seq(self) -> int:
        """The number this revision takes."""
        return self._clock.seq + 1

    @cached_property
    def at(self) -> datetime:
        """Its time, which never goes back: the later of now and the last revision's."""
        return max(timezone.now(), self._clock.at)

    @property
    def protected(self) -> str | None:
        """The text of the key ProtectedPaths as it is before this write; None for no such key."""
        return self._clock.protected

    def record(self, kind: str, key: str, forward: Payload, inverse: Payload, result_hash: str) -> Change:
        """Add a change: what was done, what takes it back, and the SHA-256 of what it made ("" where it removed)."""
        texts = JSONText(dump_json(forward)), JSONText(dump_json(inverse))
        salt = secrets.token_urlsafe(16)
        change = Change(
            revision_id=self.seq,
            kind=kind,
            key=key,
            forward=texts[0],
            inverse=texts[1],
            result_hash=result_hash,
            salt=salt,
            digest=chain.digest_change(salt, kind, key, *texts, result_hash),
        )
        self.changes.append(change)
        return change

    def count_entry(self, key: str, before: str | None, after: str | None) -> None:
        """Keep the totals: what the text of a key was and is, None for no key."""
        self.growth += measure_entry(key, after) - measure_entry(key, before)

    def close(self) -> None:
        """Write what is stored, the revision row, its changes, the clock and the totals."""
        if not self.changes and not self.is_event:
            return
        info = dict(self.author.info)
        row = Revision(
            seq=self.seq,
            at=self.at,
            actor=self.author.actor,
            source=self.author.source.value,
            reason=self.author.reason,
            info=info,
        )
        row.chain = chain.link_revision(self._clock.chain, row, [change.digest for change in self.changes])
        at, grown = to_column(self.at), self.growth
        row_values = [row.seq, at, row.actor, row.source, row.reason, dump_json(info), row.chain]
        clock_values = [row.seq, at, row.chain, grown.keys, grown.bytes, grown.characters, self._clock.id]
        changes = [(INSERT_CHANGE, _list_values(change)) for change in self.changes]
        run_statements([*self.statements, (INSERT_REVISION, row_values), *changes, (UPDATE_CLOCK, clock_values)])


def _list_values(change: Change) -> list[Any]:
    texts = str(change.forward), str(change.inverse)
    return [change.revision_id, change.kind, change.key, *texts, change.result_hash, change.salt, change.digest]


def read_protected() -> str | None:
    """The text of the key ProtectedPaths as it is stored."""
    row = fetch_row(READ_PROTECTED)
    return row[0] if row else None


class _Clock(NamedTuple):
    """The row that says where the clock stands: the last revision, its time and its link.

    With it what is protected, and the revision of a key; None for no such key.
    """

    id: int
    seq: int
    at: datetime
    chain: str
    protected: str | None
    of_key: int | None
