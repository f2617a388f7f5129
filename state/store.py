"""The one way to write state: each write is one transaction that changes entries and adds a revision with its changes.

Reads hand out the stored text. Writes compute what to do before they take the write lock, check under the lock that
nothing moved meanwhile, and start over if it did.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from state import chain, jsontext, patches, paths
from state.fields import JSONText
from state.jsontext import Document, JSONValue
from state.models import Change, Revision, StateEntry, StoreMeta
from state.patches import Op
from state.paths import Tokens

Payload = JSONValue | list[Op]

MAX_KEY_BYTES = 512
ATTEMPTS = 3


class BadKey(ValueError):
    """Not a name a key can have."""


class NotFound(LookupError):
    """No such key, or nothing at that place inside it."""


class TooLarge(ValueError):
    """The resulting document would be over the limit."""


class TooDeep(ValueError):
    """The resulting document would nest too deep."""


class Stale(Exception):
    """Somebody changed the key after the revision the writer has seen."""


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


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes (key:<name>, user:<name>, cli:<os user>, system:<job>), through which door, and why."""

    actor: str
    source: Source
    reason: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)


class Address(NamedTuple):
    """A key, and the way to a node inside its document."""

    key: str
    tokens: Tokens = ()

    @property
    def pointer(self) -> str:
        return paths.format_pointer((self.key, *self.tokens))


class Reading(NamedTuple):
    """Stored JSON text, and the revision the whole state had when it was read."""

    text: str
    revision: int


class Stored(NamedTuple):
    """A key's document as it was when a write was planned, and the revision that had last changed it."""

    text: str
    revision: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A planned write of one key. No `was`: the key is new. No `text`: the key goes."""

    key: str
    was: Stored | None
    text: str | None
    forward: list[Op]
    inverse: list[Op]
    creates: bool = False  # something now stands at the address where nothing was


class Written(NamedTuple):
    """What a write did: the revision it made (the head if nothing changed), and its edits."""

    revision: int
    edits: Sequence[Edit] = ()

    @property
    def created(self) -> bool:
        """Whether something now stands at an address where nothing was."""
        return any(edit.creates for edit in self.edits)


# Reading


def head() -> int:
    """The newest revision; 0 in a new store."""
    return StoreMeta.objects.values_list("last_seq", flat=True).first() or 0


def read_all() -> Reading:
    """The whole state as one object, keys in byte order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.last_seq, s.key_name, s.value_json FROM state_meta m LEFT JOIN state_storage s ON 1 = 1"
            " ORDER BY s.key_name"
        )
        rows = cursor.fetchall()
    members = (f"{jsontext.dump(key)}:{text}" for _, key, text in rows if key is not None)
    return Reading("{" + ",".join(members) + "}", rows[0][0] if rows else 0)


def read(address: Address) -> Reading:
    """The value at an address. Raises NotFound."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT value_json, (SELECT last_seq FROM state_meta) FROM state_storage WHERE key_name = %s",
            [address.key],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no key {address.key!r}")
    if not address.tokens:
        return Reading(*row)
    return Reading(_node(address, row[0].encode()).decode(), row[1])


def _node(address: Address, data: bytes) -> bytes:
    try:
        return paths.get(data, address.tokens)
    except paths.Missing as error:
        raise NotFound(f"nothing is stored at {address.pointer}: {error}") from None


# Writing


def put(address: Address, document: Document, author: Author, *, seen: int | None = None) -> Written:
    """Create or replace the value at an address; missing object parents are made, arrays never.

    `seen` is the revision in which the writer saw the key, 0 for "no such key": Stale if it has changed since.
    Raises BadKey, paths.Blocked, TooLarge and TooDeep too.
    """
    return commit(lambda: [plan_put(address, document, seen)], author)


def plan_put(address: Address, document: Document, seen: int | None = None) -> Edit:
    """What `put` would do."""
    check_key(address.key)
    if jsontext.depth(document.value) + len(address.tokens) > jsontext.MAX_DEPTH:
        raise TooDeep(f"{address.pointer} would nest deeper than {jsontext.MAX_DEPTH} levels")
    edit = _put(address, _stored(address.key, seen), document)
    _check_size(edit)
    return edit


def remove(address: Address, author: Author, *, seen: int | None = None) -> Written:
    """Remove a key, or a node inside its document. Raises NotFound and Stale."""

    def plan() -> list[Edit]:
        was = _stored(address.key, seen)
        if was is None:
            raise NotFound(f"there is no key {address.key!r}")
        return [_remove(address, was)]

    return commit(plan, author)


def put_keys(documents: Mapping[str, Document], author: Author) -> Written:
    """Store several whole documents in one revision; other keys stay. Raises BadKey and TooLarge."""
    return commit(lambda: plan_keys(documents), author)


def plan_keys(documents: Mapping[str, Document]) -> list[Edit]:
    """What `put_keys` would do."""
    return [plan_put(Address(key), document) for key, document in sorted(documents.items())]


def remove_keys(keys: Iterable[str], author: Author) -> Written:
    """Remove several keys in one revision; those that are gone already are passed over."""

    def plan() -> list[Edit]:
        found = ((key, _stored(key)) for key in sorted(keys))
        return [_remove(Address(key), was) for key, was in found if was]

    return commit(plan, author)


def check_key(key: str) -> None:
    """Raises BadKey unless `key` is 1 to 512 bytes of UTF-8 without NUL."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise BadKey("a key must be valid Unicode") from None
    if not size:
        raise BadKey("a key cannot be empty")
    if size > MAX_KEY_BYTES:
        raise BadKey(f"a key can have {MAX_KEY_BYTES} bytes of UTF-8; this one has {size}")
    if "\0" in key:
        raise BadKey("a key cannot contain the character NUL")


def commit(plan: Callable[[], list[Edit]], author: Author) -> Written:
    """Write what `plan` computes from the stored state, as one revision, or none where nothing changes.

    The plan is made without the write lock, which is global, and made again if a key it read has changed meanwhile.
    """
    for _ in range(ATTEMPTS):
        edits = [edit for edit in plan() if edit.forward]
        if not edits:
            return Written(head())
        with revision(author) as recorder:
            current = _revisions(edit.key for edit in edits)
            if all(current.get(edit.key) == (edit.was.revision if edit.was else None) for edit in edits):
                return _write(edits, recorder)
    with revision(author) as recorder:
        return _write([edit for edit in plan() if edit.forward], recorder)


def _stored(key: str, seen: int | None = None) -> Stored | None:
    """The entry of a key. Raises Stale if it is not the one that was `seen`."""
    row = StateEntry.objects.filter(pk=key).values_list(Cast("value_json", TextField()), "revision").first()
    found = Stored(*row) if row else None
    if seen is not None and seen != (found.revision if found else 0):
        raise Stale(_stale_message(key, found, seen))
    return found


def _stale_message(key: str, found: Stored | None, seen: int) -> str:
    if found is None:
        return f"{key!r} was deleted after revision {seen}, which this edit is based on"
    if not seen:
        return f"{key!r} exists already"
    by = Revision.objects.get(pk=found.revision)
    return f"{key!r} was changed by {by.actor} in revision {by.seq}; this edit is based on revision {seen}"


def _put(address: Address, was: Stored | None, document: Document) -> Edit:
    key, tokens = address
    if was is None:
        value = _nested(tokens, document.value)
        text = jsontext.dump(value) if tokens else document.text
        return Edit(key, None, text, [_add_op("", value)], [_remove_op("")], creates=True)
    if tokens:
        return _put_inside(address, was, document)
    same = was.text == document.text
    ops = ([], []) if same else patches.diff(json.loads(was.text), document.value)
    return Edit(key, was, document.text, *ops)


def _put_inside(address: Address, was: Stored, document: Document) -> Edit:
    key, tokens = address
    data = was.text.encode()
    known, start, end = paths.nearest(data, tokens)
    path = paths.format_pointer(tokens[: known + 1])
    if known == len(tokens):
        forward, inverse = patches.diff(json.loads(data[start:end]), document.value, path)
        new = data[:start] + document.text.encode() + data[end:]
        return Edit(key, was, new.decode(), forward, inverse)
    value = _nested(tokens[known + 1 :], document.value)
    new = paths.add(data, start, end, tokens[known], jsontext.dump(value).encode())
    return Edit(key, was, new.decode(), [_add_op(path, value)], [_remove_op(path)], creates=True)


def _remove(address: Address, was: Stored) -> Edit:
    key, tokens = address
    path = paths.format_pointer(tokens)
    if not tokens:
        return Edit(key, was, None, [_remove_op("")], [_add_op("", json.loads(was.text))])
    data = was.text.encode()
    old = json.loads(_node(address, data))
    rest, place = paths.remove(data, tokens)
    back = _add_op(path, old)
    if not place.is_last and not paths.is_array(data, tokens[:-1]):
        back["position"] = place.position
    return Edit(key, was, rest.decode(), [_remove_op(path)], [back])


def _nested(tokens: Tokens, value: JSONValue) -> JSONValue:
    for token in reversed(tokens):
        value = {token: value}
    return value


def _add_op(path: str, value: JSONValue) -> Op:
    return {"op": "add", "path": path, "value": value}


def _remove_op(path: str) -> Op:
    return {"op": "remove", "path": path}


def _check_size(edit: Edit) -> None:
    """Refuse a document that outgrows the limit; one that is over it already may still shrink."""
    limit = settings.NOLA_MAX_BODY_MB * 1024 * 1024
    size, before = len((edit.text or "").encode()), len(edit.was.text.encode()) if edit.was else 0
    if size > limit and size > before:
        raise TooLarge(f"{edit.key!r} would have {size:,} bytes; the limit (NOLA_MAX_BODY_MB) is {limit:,}")


def _revisions(keys: Iterable[str]) -> dict[str, int]:
    """The revision of each key that exists, locked for the rest of the transaction."""
    found: dict[str, int] = {}
    names = sorted(keys)
    for start in range(0, len(names), 500):
        entries = StateEntry.objects.filter(key_name__in=names[start : start + 500]).select_for_update()
        found.update(entries.values_list("key_name", "revision"))
    return found


def _write(edits: list[Edit], recorder: "Recorder") -> Written:
    if not edits:
        return Written(head())
    for edit in edits:
        _write_entry(edit, recorder)
        result = hashlib.sha256(edit.text.encode()).hexdigest() if edit.text is not None else ""
        recorder.record("state", edit.key, edit.forward, edit.inverse, result)
    return Written(recorder.seq, edits)


def _write_entry(edit: Edit, recorder: "Recorder") -> None:
    entries = StateEntry.objects.filter(pk=edit.key)
    if edit.text is None:
        entries.delete()
        return
    fields = {"value_json": JSONText(edit.text), "updated_at": recorder.at, "revision": recorder.seq}
    if edit.was is None:
        StateEntry.objects.bulk_create([StateEntry(key_name=edit.key, created_at=recorder.at, **fields)])
    else:
        entries.update(**fields)


@contextmanager
def revision(author: Author) -> Iterator["Recorder"]:
    """One revision in one transaction. On SQLite the write lock is held from here to the end of the block."""
    with transaction.atomic():
        recorder = Recorder(author)
        yield recorder
        recorder.close()


class Recorder:
    """A revision in the making. Without a recorded change none is made."""

    def __init__(self, author: Author) -> None:
        self.author = author
        self.changes: list[Change] = []

    @cached_property
    def _meta(self) -> StoreMeta:
        # Where rows are locked one by one, this one is taken as late as possible: every writer waits for it.
        return StoreMeta.objects.select_for_update().first() or StoreMeta.objects.create()

    @property
    def seq(self) -> int:
        """The number this revision takes."""
        return self._meta.last_seq + 1

    @cached_property
    def at(self) -> datetime:
        """Its time, which never goes back: the later of now and the last revision's."""
        return max(timezone.now(), self._meta.last_at)

    def record(self, kind: str, key: str, forward: Payload, inverse: Payload, result_hash: str) -> None:
        """Add a change: what was done, what takes it back, and the SHA-256 of what it made ("" where it removed)."""
        change = Change(
            revision_id=self.seq,
            kind=kind,
            key=key,
            forward=forward,
            inverse=inverse,
            result_hash=result_hash,
            salt=secrets.token_hex(16),
        )
        change.digest = chain.digest(change)
        self.changes.append(change)

    def close(self) -> None:
        """Write the revision row, its changes and the clock."""
        if not self.changes:
            return
        row = Revision(
            seq=self.seq,
            at=self.at,
            actor=self.author.actor,
            source=self.author.source.value,
            reason=self.author.reason,
            info=dict(self.author.info),
        )
        row.chain = chain.link(self._meta.last_chain, row, [change.digest for change in self.changes])
        Revision.objects.bulk_create([row])
        Change.objects.bulk_create(self.changes)
        StoreMeta.objects.filter(pk=self._meta.pk).update(last_seq=row.seq, last_at=row.at, last_chain=row.chain)
