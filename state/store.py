"""The one way to write state: each write is one transaction that changes entries and adds a revision with its changes.

Reads hand out the stored text. Writes compute what to do before they take the write lock, check under the lock that
nothing moved meanwhile, and start over if it did.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from django.db import transaction

from access.database import engine
from state import chain, edits, merging, registry, texts
from state.address import Address, NotFound, find_node_text, read_node_text
from state.database.sql import fetch_row
from state.edits import Edit
from state.entries import Stored, head, read_entries, read_entry, read_state, store_entry
from state.errors import InTheWay, Unavailable, Unprocessable
from state.history import replay
from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op
from state.jsondoc.index import IndexedText
from state.jsondoc.pointer import Missing
from state.jsondoc.projection import Places, find_ways, project_text
from state.jsondoc.text import Document, JSONValue, dump_json
from state.merging import EditFrom
from state.models import Revision
from state.proposals.protected import check_edits, check_list
from state.proposals.records import keep_proposal
from state.registry import Planned
from state.revisions import Author, Recorder
from state.write_lock import write_together

__all__ = ["head"]  # of the store, though it stands below it

Check = Callable[[str | None, int], None]  # sees what is stored at the address and when the key last changed; may raise
MAX_KEY_BYTES = 512
ATTEMPTS = 3
COLUMN = "s.value_json"
READ = (
    f"SELECT {COLUMN}, m.last_seq, m.epoch, s.revision FROM state_storage s LEFT JOIN state_meta m ON 1 = 1"
    " WHERE s.key_name = %s"
)
QUICK_PLAN = 0.005  # seconds of CPU: less than it takes to come back for another turn
OVERTAKEN = "others keep changing what this write is about, faster than it can be worked out; nothing was done"
LONGEST_PLAN = 0.5  # seconds of CPU for which all other writers may be kept waiting


class BadKey(Unprocessable):
    """Not a name a key can have."""


class Stale(InTheWay):
    """Somebody changed the key after the revision the writer has seen."""


class Overtaken(Unavailable):
    """A write that takes long to work out was overtaken again and again."""

    seconds = 1


class Reading(NamedTuple):
    """Stored JSON text, and the revision the whole state had when it was read."""

    text: str
    revision: int


class Written(NamedTuple):
    """What a write did: the revision it made (the head if nothing changed), and what was planned, idle or not.

    `proposal` is the number of what was suggested in place of a write, 0 where that would change nothing.
    """

    revision: int
    planned: Sequence[Planned] = ()
    proposal: int | None = None

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


def read_all() -> Reading:
    """The whole state as one object, keys in byte order."""
    now = read_state()
    members = (f"{dump_json(key)}:{text}" for key, (text, _) in now.entries.items())
    return Reading("{" + ",".join(members) + "}", now.revision)


def read(address: Address) -> Reading:
    """The value at an address. Raises NotFound."""
    if texts.find(address.key):
        kept = texts.read_kept(address.key)
        return Reading(_read_kept_node(address, kept.text), kept.head) if kept else _read_large(address)
    row = fetch_row(READ, address.key)
    if row is None:
        raise NotFound(f"there is no key {address.key!r}")
    text, seq, epoch, revision = row
    if len(text) >= texts.LARGE:
        texts.keep(address.key, texts.TextName(epoch, revision), text.encode())
    return Reading(read_node_text(address, text), seq)


def _read_large(address: Address) -> Reading:
    """Read what was large when it was last looked at, without decoding all of it for a node."""
    row = fetch_row(READ.replace(COLUMN, engine().cast_to_bytes(COLUMN)), address.key)
    if row is None:
        raise NotFound(f"there is no key {address.key!r}")
    data, seq, epoch, revision = row
    return Reading(_read_kept_node(address, texts.keep(address.key, texts.TextName(epoch, revision), data)), seq)


def read_within(address: Address, places: Places) -> Reading:
    """The value at an address in a state that has only what lies in the places. Raises NotFound."""
    if places.hold_surely((address.key, *address.tokens)):
        with suppress(NotFound):  # which is told below, in words that know nothing of what lies elsewhere
            return read(address)
    whole = read(Address(address.key))
    text = project_text(whole.text, places.find_ways(address.key))
    if text is None:
        raise NotFound(f"there is no key {address.key!r}")
    return Reading(read_node_text(address, text), whole.revision)


def _read_kept_node(address: Address, text: IndexedText) -> str:
    try:
        return text.read_node(address.tokens)
    except Missing as error:
        raise NotFound(f"nothing is stored at {address.pointer}: {error}") from None


# Writing


def put(
    address: Address,
    document: Document,
    author: Author,
    *,
    seen: int | None = None,
    check: Check | None = None,
    base: int | None = None,
    places: Places | None = None,
) -> Written:
    """Create or replace the value at an address; missing object parents are made, arrays never.

    `seen` is the revision in which the writer saw the key, 0 for "no such key": Stale if it has changed since. `base`
    is the revision the write was made for: changes to other leaves since then stay; those to the same leaf raise
    MergeConflict. Raises BadKey, Blocked, TooLarge and TooDeep too.
    """
    return commit(partial(plan_put, address, document, seen=seen, check=check, base=base, places=places), author)


def plan_put(
    address: Address,
    document: Document,
    *,
    seen: int | None = None,
    check: Check | None = None,
    base: int | None = None,
    places: Places | None = None,
) -> list[Edit]:
    """What `put` would do."""
    check_key(address.key)
    return _plan(address, partial(edits.put, address, document), check, base, places, seen)


def patch(
    address: Address,
    ops: Sequence[Op],
    author: Author,
    *,
    check: Check | None = None,
    base: int | None = None,
    places: Places | None = None,
) -> Written:
    """Apply JSON Patch operations, checked by `check_patch`, to the node at an address; all of them or none.

    With `base`, they apply to what was there in that revision, and what they test must not have changed since.
    Raises NotFound, PatchFailed, MergeConflict, TooLarge and TooDeep.
    """
    return commit(partial(_plan, address, partial(edits.patch, address, ops), check, base, places), author)


def merge(
    address: Address,
    patch: JSONValue,
    author: Author,
    *,
    check: Check | None = None,
    base: int | None = None,
    places: Places | None = None,
) -> Written:
    """Apply a JSON Merge Patch (RFC 7396) to the node at an address, which is created if it is not there.

    Raises as `put` does.
    """
    check_key(address.key)
    return commit(partial(_plan, address, partial(edits.merge, address, patch), check, base, places), author)


def remove(
    address: Address,
    author: Author,
    *,
    check: Check | None = None,
    base: int | None = None,
    places: Places | None = None,
) -> Written:
    """Remove a key, or a node inside its document. Raises NotFound and MergeConflict."""
    return commit(partial(_plan, address, partial(edits.remove, address), check, base, places), author)


def _plan(
    address: Address,
    edit_from: EditFrom,
    check: Check | None,
    base: int | None,
    places: Places | None,
    seen: int | None = None,
) -> list[Edit]:
    """The edit of one key, from what is stored there, if that is what the writer expects.

    With `places` it is planned as if there were nothing else in the key.
    """
    ways = find_ways(places, address.key)
    stored = _read_seen(address.key, seen)
    was = edits.project_entry(stored, ways)
    if check:
        check(find_node_text(address, was and was.text), was.revision if was else 0)
    return [edits.widen(merging.rebase_edit(address, was, base, edit_from, ways=ways), stored, ways)]


def put_keys(documents: Mapping[str, Document], author: Author) -> Written:
    """Store several whole documents in one revision; other keys stay. Raises BadKey and TooLarge."""
    return commit(partial(plan_keys, documents), author)


def plan_keys(documents: Mapping[str, Document]) -> list[Edit]:
    """What `put_keys` would do."""
    for key in documents:
        check_key(key)
    was = read_entries(documents)
    planned = []
    for key, document in sorted(documents.items()):
        spend_work()
        planned.append(edits.put(Address(key), document, was.get(key)))
    return planned


def remove_keys(keys: Iterable[str], author: Author) -> Written:
    """Remove several keys in one revision; those that are gone already are passed over."""
    return commit(partial(plan_removals, keys), author)


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

    The plan is made without the write lock, which is global. If what it read has changed meanwhile, it is made anew:
    under the lock, if it was quick. Raises Overtaken. Of an author who only suggests, nothing is written.
    """
    if author.suggests:
        return _propose(plan, author)
    for _ in range(ATTEMPTS):
        started = time.thread_time()
        planned = plan()
        took = time.thread_time() - started
        if not author.claim and not any(one.forward for one in planned):
            return Written(head(), planned)
        for kind, some in registry.group(planned):
            kind.prepare(some)
        written = write_together(partial(_write_planned, planned, author, plan if took < QUICK_PLAN else None))
        if written:
            return written
    if took > LONGEST_PLAN:
        raise Overtaken(OVERTAKEN)
    return write_together(lambda: _write(plan(), Recorder(author)))


def _write_planned(
    planned: Sequence[Planned], author: Author, plan_anew: Callable[[], Sequence[Planned]] | None
) -> Written | None:
    """Write what was planned, or is planned anew; None where it is neither current nor to be planned here."""
    recorder = Recorder(author)
    if not all(kind.is_current(some, recorder) for kind, some in registry.group(planned)):
        if plan_anew is None:
            return None
        planned = plan_anew()
    return _write(planned, recorder)


def _write(planned: Sequence[Planned], recorder: Recorder) -> Written:
    changed = [one for one in planned if one.forward]
    for kind, some in registry.group(changed):
        kind.write(some, recorder)
    written = Written(recorder.seq if changed else head(), planned)
    if recorder.author.claim:
        recorder.author.claim.keep(written)
    recorder.close()
    return written


def _propose(plan: Callable[[], Sequence[Planned]], author: Author) -> Written:
    """Keep what `plan` computes for a person to decide."""
    for _ in range(ATTEMPTS):
        planned = Written(0, plan()).edits
        proposed = write_together(partial(_keep_proposal, planned, author))
        if proposed:
            return proposed
    raise Overtaken(OVERTAKEN)


def _keep_proposal(planned: Sequence[Edit], author: Author) -> Written | None:
    """None where something has changed since it was planned."""
    if not are_current(planned, Recorder(author)):
        return None
    changed = [edit for edit in planned if edit.forward]
    check_list(changed)
    proposed = Written(head(), planned, keep_proposal(changed, author, head()) if changed else 0)
    if author.claim:
        author.claim.keep(proposed)
    return proposed


def are_current(planned: Sequence[Edit], recorder: Recorder) -> bool:
    """Whether the keys are as they were when the edits were planned; they stay so for the rest of the transaction."""
    current = recorder.read_revisions([edit.key for edit in planned])
    return all(current.get(edit.key) == (edit.was.revision if edit.was else None) for edit in planned)


def _read_seen(key: str, seen: int | None) -> Stored | None:
    """The entry of a key, to plan an edit from. Raises Stale if it is not the one that was `seen`."""
    found = read_entry(key)
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


def write_edits(changed: Sequence[Edit], recorder: Recorder) -> None:
    """Write planned edits into a revision in the making: the one place where keys are written."""
    check_edits(changed, recorder.author, recorder.protected)
    for edit in changed:
        spend_work()
        recorder.statements += store_entry(edit.key, edit.text, recorder.at, recorder.seq, is_new=edit.was is None)
        recorder.count_entry(edit.key, edit.was and edit.was.text, edit.text)
        result = chain.hash_text(edit.text) if edit.text is not None else ""
        change = recorder.record("state", edit.key, edit.forward, edit.inverse, result)
        if edit.text is not None:
            _remember_later(edit, recorder.seq, len(change.forward))


def _remember_later(edit: Edit, revision: int, patch_bytes: int) -> None:
    transaction.on_commit(lambda: _remember(edit, revision, patch_bytes), robust=True)


def _remember(edit: Edit, revision: int, patch_bytes: int) -> None:
    """Once a write is done, keep its text if it is large, and a snapshot if one is due; if that fails, it stands."""
    text = edit.text or ""
    if len(text) >= texts.LARGE:
        epoch = fetch_row("SELECT epoch FROM state_meta")[0]
        texts.keep(edit.key, texts.TextName(epoch, revision), text.encode())
    replay.keep_snapshot(edit.key, len(text), patch_bytes, edit.was and edit.was.revision, revision)
