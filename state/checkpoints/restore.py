"""Restoring: what a checkpoint, a seed or any fixture holds goes through the store, as one revision."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from django.conf import settings
from django.core.serializers.base import DeserializationError

from access.security import Event, record_event
from state import store
from state.address import Address
from state.checkpoints.files import create_automatic
from state.checkpoints.header import ALL, Header
from state.checkpoints.rows import PARTS
from state.checkpoints.serializers import ENTRY, check_fixture, open_fixture
from state.checkpoints.verify import group_by_part
from state.edits import Edit
from state.errors import Unprocessable
from state.jsondoc.diff import Op
from state.jsondoc.pointer import Missing, get_node, parse_pointer
from state.jsondoc.text import MAX_DEPTH, Document, make_document, parse_json
from state.jsondoc.trees.moves import diff_values
from state.models import StateEntry
from state.registry import Planned
from state.revisions import Author, Source
from state.store import Written
from state.write_lock import write_transaction

Mode = Literal["merge", "replace"]


class BadCheckpoint(Unprocessable):
    """A fixture document that cannot be restored; nothing was."""


@dataclass(frozen=True, slots=True)
class FixtureContents:
    """What a fixture holds: documents by key, and its header if it is a checkpoint."""

    header: Header | None
    documents: Mapping[str, Document]
    parts: Mapping[str, Sequence[dict[str, Any]]]  # what apps keep beside the state, rows by the part's name

    @property
    def is_whole(self) -> bool:
        """Whether it holds every key there was, so that a key it lacks was not there."""
        return self.header is not None and self.header.scope == ALL


@dataclass(frozen=True, slots=True)
class RestoreChoice:
    """What of a checkpoint to restore, and how. Without a mode it is replace for a whole state, else merge."""

    mode: Mode | None = None
    keys: Iterable[str] | None = None
    pointer: str | None = None


class Restored(NamedTuple):
    """What a restore did: to the state, how many of what beside it came back, and what its revisions share."""

    written: Written
    brought_back: Mapping[str, int]
    batch: str


def read_fixture(path: Path) -> FixtureContents:
    """What a fixture file holds. Raises BadCheckpoint."""
    try:
        return _contents(*open_fixture(path.read_bytes()))
    except (DeserializationError, BadCheckpoint, OSError) as error:
        raise BadCheckpoint(f"the checkpoint {path.stem!r} cannot be read: {error}") from None


def parse_fixture(fixture: list[Any]) -> FixtureContents:
    """What a fixture holds that came as a value. Raises BadCheckpoint and DeserializationError."""
    return _contents(*check_fixture(make_document(fixture)))


def _contents(found: Header | None, rows: list[dict[str, Any]]) -> FixtureContents:
    """Raises BadCheckpoint for a row that cannot be restored."""
    try:
        parts = group_by_part(rows)
        for name, some in parts.items():
            PARTS[name].check(some)
    except ValueError as error:
        raise BadCheckpoint(str(error)) from None
    entries = (row for row in rows if row["model"].lower() == ENTRY)
    documents = {row["pk"]: make_document(row["fields"]["value_json"]) for row in entries}
    return FixtureContents(found, documents, parts)


def plan_restore(contents: FixtureContents, choice: RestoreChoice) -> Callable[[], list[Edit]]:
    """What restoring would do. Raises BadCheckpoint and BadPointer, the plan what `store.plan_keys` raises."""
    if choice.pointer is not None:
        return _plan_node(contents, choice)
    if choice.mode == "replace" and not contents.is_whole:
        raise BadCheckpoint(
            "mode replace removes the keys that a checkpoint lacks, so it takes a checkpoint of the whole state"
            f" (scope: {ALL}); with this one use merge"
        )
    if choice.keys is not None:
        wanted = list(choice.keys)
        lacking = [key for key in wanted if key not in contents.documents] if choice.mode == "replace" else []
        chosen = select_keys(contents.documents, [key for key in wanted if key not in lacking])
        return lambda: [*store.plan_keys(chosen), *store.plan_removals(lacking)]
    if choice.mode == "merge" or not contents.is_whole:
        return partial(store.plan_keys, contents.documents)
    return lambda: [*store.plan_keys(contents.documents), *store.plan_removals(_keys() - contents.documents.keys())]


def select_keys(available: Mapping[str, Document], keys: Iterable[str]) -> dict[str, Document]:
    """Only these keys. Raises BadCheckpoint for one that the checkpoint lacks."""
    wanted = list(keys)
    for key in wanted:
        if key not in available:
            raise BadCheckpoint(f"the checkpoint has no key {key!r}; it has: {', '.join(available)}")
    return {key: available[key] for key in wanted}


def _plan_node(contents: FixtureContents, choice: RestoreChoice) -> Callable[[], list[Edit]]:
    """Only the node at a pointer, whose first token is the key."""
    if choice.mode == "replace" or choice.keys is not None:
        raise BadCheckpoint("a pointer restores one node and nothing else: leave out mode replace, and keys")
    key, *tokens = parse_pointer(choice.pointer or "") or [""]
    document = select_keys(contents.documents, [key])[key]
    try:
        node = get_node(document.text.encode(), tokens)
    except Missing as error:
        raise BadCheckpoint(f"the checkpoint has nothing at {choice.pointer}: {error}") from None
    return partial(store.plan_put, Address(key, tuple(tokens)), parse_json(node))


def _keys() -> set[str]:
    return set(StateEntry.objects.values_list("pk", flat=True))


def keep_before_restore(planned: Callable[[], Sequence[Planned]]) -> None:
    """An automatic checkpoint, if something would change. Outside of a transaction: in one all writers would wait."""
    if store.head() and any(one.forward for one in planned()):
        create_automatic("before restore")


def restore_keys(planned: Callable[[], Sequence[Planned]], author: Author) -> Written:
    """Do what was planned, as one revision, after an automatic checkpoint; neither, if nothing would change."""
    keep_before_restore(planned)
    written = store.commit(planned, author)
    _note_restore(author, written)
    return written


def restore_all(contents: FixtureContents, planned: Callable[[], Sequence[Planned]], author: Author) -> Restored:
    """As `restore_keys`, and what is missing of conversations comes back too: revisions of their own, in one batch."""
    keep_before_restore(planned)
    batch = uuid.uuid4().hex
    author = replace(author, info={**author.info, "batch": batch})
    with write_transaction():
        restored = Restored(store.commit(planned, author), restore_parts(contents, author), batch)
    _note_restore(author, restored.written, sum(restored.brought_back.values()))
    return restored


def _note_restore(author: Author, written: Written, brought_back: int = 0) -> None:
    """Write it down in the security log, too."""
    if written.changed or brought_back:
        more = f", and {brought_back} rows of conversations" if brought_back else ""
        keys = f"{len(written.changed)} keys in revision {written.revision}{more}"
        record_event(Event.RESTORED, author.actor, keys)


def restore_parts(contents: FixtureContents, author: Author | None) -> dict[str, int]:
    """Bring back what is missing of conversations, in revisions of their own; without an author only say how many."""
    counts: dict[str, int] = {}
    for name, rows in contents.parts.items():
        counts |= PARTS[name].restore(rows, author)
    return counts


def compare_documents(old: Mapping[str, Document], new: Mapping[str, Document]) -> dict[str, list[Op]]:
    """For each key that differs, the JSON Patch from the one to the other; the path "" adds or removes the key."""
    patches: dict[str, list[Op]] = {}
    for key in sorted(old.keys() | new.keys(), key=str.encode):
        if key not in new:
            patches[key] = [{"op": "remove", "path": ""}]
        elif key not in old:
            patches[key] = [{"op": "add", "path": "", "value": new[key].value}]
        elif old[key].text != new[key].text:
            patches[key] = diff_values(old[key].value, new[key].value)[0]
    return patches


def read_documents() -> dict[str, Document]:
    """The documents of all keys as they are now."""
    state: Any = parse_json(store.read_all().text, MAX_DEPTH + 1).value
    return {key: make_document(value) for key, value in state.items()}


def diff_since(contents: FixtureContents) -> dict[str, list[Op]]:
    """What has changed since a checkpoint was taken; where it holds some keys only, of those."""
    now = read_documents()
    if not contents.is_whole:
        now = {key: document for key, document in now.items() if key in contents.documents}
    return compare_documents(contents.documents, now)


def read_seeds() -> dict[str, Document]:
    """The documents of a new store."""
    found: dict[str, Document] = {}
    for path in sorted(settings.NOLA_SEED_DIR.glob("*.json")):
        found |= read_fixture(path).documents
    return found


def seed_store() -> Written:
    """Fill a new store, as its first revision. A store that has a history is left alone."""
    if store.head():
        return Written(store.head())
    return store.put_keys(read_seeds(), Author("system:first-run", Source.SEED, "A new store begins with its seeds"))
