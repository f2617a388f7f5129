"""The one way to write state: each write is one transaction that changes entries and adds a revision with its changes.

Reads hand out the stored text. Writes compute what to do before they take the write lock, check under the lock that
nothing moved meanwhile, and start over if it did.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast

from state import chain, edits, merging, registry
from state.checkpoints.files import create_automatic
from state.edits import Address, Edit, NotFound, Stored
from state.fields import JSONText
from state.history import replay
from state.jsondoc.diff import Op
from state.jsondoc.text import Document, JSONValue, dump_json
from state.models import Revision, StateEntry, StoreMeta
from state.registry import Planned
from state.revisions import Author, Recorder, open_revision

if TYPE_CHECKING:
    pass

Check = Callable[[str | None, int], None]  # sees what is stored at the address and when the key last changed; may raise
MAX_KEY_BYTES = 512
ATTEMPTS = 3
LONGEST_PLAN = 0.5  # seconds for which all other writers may be kept waiting


class BadKey(ValueError):
    """Not a name a key can have."""


class Stale(Exception):
    """Somebody changed the key after the revision the writer has seen."""


class Overtaken(Exception):
    """A write that takes long to work out was overtaken again and again."""


class Reading(NamedTuple):
    """Stored JSON text, and the revision the whole state had when it was read."""

    text: str
    revision: int


class Written(NamedTuple):
    """What a write did: the revision it made (the head if nothing changed), and what was planned, idle or not."""

    revision: int
    planned: Sequence[Planned] = ()

    @property
    def changed(self) -> list[Planned]:
        """What of the plan changed something."""
        return [one for one in self.planned if one.forward]

    @property
    def edits(self) -> list[Edit]:
        """Of the plan, the edits of keys."""
        return [one for one in self.planned if isinstance(one, Edit)]

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
    members = (f"{dump_json(key)}:{text}" for _, key, text in rows if key is not None)
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
    return Reading(edits.node(address, row[0]), row[1])


def read_keys(keys: Sequence[str]) -> tuple[dict[str, str], int]:
    """The documents of those of the keys that are there, and the revision of the whole state when they were read."""
    with connection.cursor() as cursor:
        marks = ",".join(["%s"] * len(keys))
        cursor.execute(
            "SELECT m.last_seq, s.key_name, s.value_json FROM state_meta m"
            f" LEFT JOIN state_storage s ON s.key_name IN ({marks})",
            keys,
        )
        rows = cursor.fetchall()
    return {key: text for _, key, text in rows if key is not None}, rows[0][0] if rows else 0


# Writing


def put(
    address: Address,
    document: Document,
    author: Author,
    *,
    seen: int | None = None,
    check: Check | None = None,
    base: int | None = None,
) -> Written:
    """Create or replace the value at an address; missing object parents are made, arrays never.

    `seen` is the revision in which the writer saw the key, 0 for "no such key": Stale if it has changed since. `base`
    is the revision the write was made for: changes to other leaves since then stay; those to the same leaf raise
    MergeConflict. Raises BadKey, Blocked, TooLarge and TooDeep too.
    """
    return commit(lambda: [plan_put(address, document, seen, check, base)], author)


def plan_put(
    address: Address,
    document: Document,
    seen: int | None = None,
    check: Check | None = None,
    base: int | None = None,
) -> Edit:
    """What `put` would do."""
    check_key(address.key)
    was = read_entry(address.key, seen)
    _check(check, address, was)
    return merging.rebase_edit(address, was, base, lambda then: edits.put(address, then, document))


def patch(
    address: Address, ops: Sequence[Op], author: Author, *, check: Check | None = None, base: int | None = None
) -> Written:
    """Apply JSON Patch operations, checked by `check_patch`, to the node at an address; all of them or none.

    With `base`, they apply to what was there in that revision, and what they test must not have changed since.
    Raises NotFound, PatchFailed, MergeConflict, TooLarge and TooDeep.
    """
    return _change(address, author, check, base, lambda then: edits.patch(address, then, ops))


def merge(
    address: Address, patch: JSONValue, author: Author, *, check: Check | None = None, base: int | None = None
) -> Written:
    """Apply a JSON Merge Patch (RFC 7396) to the node at an address, which is created if it is not there.

    Raises as `put` does.
    """
    check_key(address.key)

    def plan() -> list[Edit]:
        was = read_entry(address.key)
        _check(check, address, was)
        return [merging.rebase_edit(address, was, base, lambda then: edits.merge(address, then, patch))]

    return commit(plan, author)


def remove(address: Address, author: Author, *, check: Check | None = None, base: int | None = None) -> Written:
    """Remove a key, or a node inside its document. Raises NotFound and MergeConflict."""
    return _change(address, author, check, base, lambda then: edits.remove(address, then))


def _change(
    address: Address, author: Author, check: Check | None, base: int | None, edit: Callable[[Stored], Edit]
) -> Written:
    """Edit a key that is there. Raises NotFound."""

    def meant(then: Stored | None) -> Edit:
        if then is None:
            raise NotFound(f"there is no key {address.key!r}")
        return edit(then)

    def plan() -> list[Edit]:
        was = read_entry(address.key)
        _check(check, address, was)
        return [merging.rebase_edit(address, was, base, meant)]

    return commit(plan, author)


def put_keys(documents: Mapping[str, Document], author: Author) -> Written:
    """Store several whole documents in one revision; other keys stay. Raises BadKey and TooLarge."""
    return commit(lambda: plan_keys(documents), author)


def plan_keys(documents: Mapping[str, Document]) -> list[Edit]:
    """What `put_keys` would do."""
    for key in documents:
        check_key(key)
    was = read_entries(documents)
    return [edits.put(Address(key), was.get(key), document) for key, document in sorted(documents.items())]


def remove_keys(keys: Iterable[str], author: Author) -> Written:
    """Remove several keys in one revision; those that are gone already are passed over."""

    return commit(lambda: plan_removals(keys), author)


def plan_removals(keys: Iterable[str]) -> list[Edit]:
    """What `remove_keys` would do."""
    return [edits.remove(Address(key), was) for key, was in sorted(read_entries(keys).items())]


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


def commit(plan: Callable[[], Sequence[Planned]], author: Author) -> Written:
    """Write what `plan` computes from what is stored, as one revision, or none where nothing changes.

    The plan is made without the write lock, which is global, and made again if what it read has changed meanwhile.
    Raises Overtaken.
    """
    for _ in range(ATTEMPTS):
        started = time.monotonic()
        planned = plan()
        took = time.monotonic() - started
        if not author.claim and not any(one.forward for one in planned):
            return Written(head(), planned)
        _keep_before_bulk_delete(planned)
        with open_revision(author) as recorder:
            if all(kind.is_current(some) for kind, some in registry.group(planned)):
                return _write(planned, recorder)
    if took > LONGEST_PLAN:
        raise Overtaken(
            "others keep changing what this write is about, faster than it can be worked out; nothing was done"
        )
    with open_revision(author) as recorder:
        return _write(plan(), recorder)


def _write(planned: Sequence[Planned], recorder: Recorder) -> Written:
    changed = [one for one in planned if one.forward]
    for kind, some in registry.group(changed):
        kind.write(some, recorder)
    written = Written(recorder.seq if changed else head(), planned)
    if recorder.author.claim:
        recorder.author.claim.keep(written)
    return written


def are_current(planned: Sequence[Edit]) -> bool:
    """Whether the keys are as they were when the edits were planned; they stay so for the rest of the transaction."""
    current = _revisions(edit.key for edit in planned)
    return all(current.get(edit.key) == (edit.was.revision if edit.was else None) for edit in planned)


def _keep_before_bulk_delete(planned: Sequence[Planned]) -> None:
    """A checkpoint before more than one key goes. Raises NoRoom and CannotWrite."""
    if sum(isinstance(one, Edit) and one.text is None and bool(one.forward) for one in planned) > 1:
        create_automatic("before bulk delete")


def read_entry(key: str, seen: int | None = None) -> Stored | None:
    """The entry of a key, to plan an edit from. Raises Stale if it is not the one that was `seen`."""
    row = StateEntry.objects.filter(pk=key).values_list(Cast("value_json", TextField()), "revision").first()
    found = Stored(*row) if row else None
    if seen is not None and seen != (found.revision if found else 0):
        raise Stale(_stale_message(key, found, seen))
    return found


def read_entries(keys: Iterable[str]) -> dict[str, Stored]:
    """The entries of those of the keys that are there."""
    found: dict[str, Stored] = {}
    names = list(keys)
    for start in range(0, len(names), 500):
        rows = StateEntry.objects.filter(pk__in=names[start : start + 500])
        for key, *entry in rows.values_list("pk", Cast("value_json", TextField()), "revision"):
            found[key] = Stored(*entry)
    return found


def _stale_message(key: str, found: Stored | None, seen: int) -> str:
    if found is None:
        return f"{key!r} was deleted after revision {seen}, which this edit is based on"
    if not seen:
        return f"{key!r} exists already"
    by = Revision.objects.get(pk=found.revision)
    return f"{key!r} was changed by {by.actor} in revision {by.seq}; this edit is based on revision {seen}"


def _check(check: Check | None, address: Address, was: Stored | None) -> None:
    """Let the caller refuse the write for what is stored there."""
    if check:
        check(edits.node_or_none(address, was), was.revision if was else 0)


def _revisions(keys: Iterable[str]) -> dict[str, int]:
    """The revision of each key that exists, locked for the rest of the transaction."""
    found: dict[str, int] = {}
    names = sorted(keys)
    for start in range(0, len(names), 500):
        entries = StateEntry.objects.filter(key_name__in=names[start : start + 500]).select_for_update()
        found.update(entries.values_list("key_name", "revision"))
    return found


def write_edits(changed: Sequence[Edit], recorder: Recorder) -> None:
    """Write planned edits into a revision in the making."""
    for edit in changed:
        _write_entry(edit, recorder)
        result = chain.hash_text(edit.text) if edit.text is not None else ""
        change = recorder.record("state", edit.key, edit.forward, edit.inverse, result)
        if edit.text is not None:
            _remember_later(edit.key, len(edit.text), len(change.forward))


def _remember_later(key: str, document_bytes: int, patch_bytes: int) -> None:
    """Let the history keep a snapshot if one is due, once the write is done; if that fails, the write stands."""
    transaction.on_commit(lambda: replay.keep_snapshot(key, document_bytes, patch_bytes), robust=True)


def _write_entry(edit: Edit, recorder: Recorder) -> None:
    entries = StateEntry.objects.filter(pk=edit.key)
    if edit.text is None:
        entries.delete()
        return
    fields = {"updated_at": recorder.at, "revision": recorder.seq}
    if edit.was is None:
        value = JSONText(edit.text)
        StateEntry.objects.bulk_create(
            [StateEntry(key_name=edit.key, value_json=value, created_at=recorder.at, **fields)]
        )
    else:
        entries.update(value_json=Value(edit.text, TextField()), **fields)  # as it is: a large text is not copied
