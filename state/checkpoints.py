"""Fixture documents: the seeds of a new store, and what restores one. `manage.py loaddata` reads the same files."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.serializers.base import DeserializationError

from state import jsontext, paths, serializers, store
from state.edits import Address, Edit
from state.jsontext import Document
from state.revisions import Author, Source
from state.store import Written


class UnknownCheckpoint(LookupError):
    """No checkpoint or seed has that name."""


class BadCheckpoint(ValueError):
    """A fixture document that cannot be restored; nothing was."""


def find(name: str) -> Path:
    """The file of a checkpoint: in checkpoints/ first, then among the seeds. Raises UnknownCheckpoint."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", name):
        raise UnknownCheckpoint(
            f"{name[:80]!r} is no checkpoint's name: letters, digits, dot, dash and underscore only"
        )
    for folder in settings.FIXTURE_DIRS:
        path = folder / f"{name}.json"
        if path.is_file():
            return path
    known = ", ".join(names()) or "none"
    raise UnknownCheckpoint(f"there is no checkpoint {name!r}; there are: {known}")


def names() -> list[str]:
    """The names of all checkpoints and seeds."""
    return sorted({path.stem for folder in settings.FIXTURE_DIRS for path in folder.glob("*.json")})


def read(path: Path) -> dict[str, Document]:
    """The documents of a fixture file by key. Raises BadCheckpoint."""
    try:
        return documents(serializers.rows(path.read_bytes()))
    except (DeserializationError, BadCheckpoint) as error:
        raise BadCheckpoint(f"the checkpoint {path.stem!r} cannot be read: {error}") from None


def documents(rows: list[dict[str, Any]]) -> dict[str, Document]:
    """The documents in the rows of a fixture by key. Raises BadCheckpoint for a row that is not a key."""
    found: dict[str, Document] = {}
    for number, row in enumerate(rows, 1):
        if row["model"].lower() != serializers.ENTRY:
            raise BadCheckpoint(f"row {number} is a {row['model']}; restore takes rows of {serializers.ENTRY} only")
        found[row["pk"]] = jsontext.document(row["fields"]["value_json"])
    return found


def seeds() -> dict[str, Document]:
    """The documents of a new store."""
    found: dict[str, Document] = {}
    for path in sorted(settings.NOLA_SEED_DIR.glob("*.json")):
        found |= read(path)
    return found


def select(available: Mapping[str, Document], keys: Iterable[str]) -> dict[str, Document]:
    """Only these keys. Raises BadCheckpoint for one that the checkpoint lacks."""
    wanted = list(keys)
    for key in wanted:
        if key not in available:
            raise BadCheckpoint(f"the checkpoint has no key {key!r}; it has: {', '.join(available)}")
    return {key: available[key] for key in wanted}


def plan(available: Mapping[str, Document], pointer: str | None = None) -> Callable[[], list[Edit]]:
    """What restoring does: all documents whole, or only the node at `pointer`, whose first token is the key.

    Raises BadCheckpoint and paths.BadPointer.
    """
    if pointer is None:
        return partial(store.plan_keys, available)
    key, *tokens = paths.parse_pointer(pointer) or [""]
    document = select(available, [key])[key]
    try:
        node = paths.get(document.text.encode(), tokens)
    except paths.Missing as error:
        raise BadCheckpoint(f"the checkpoint has nothing at {pointer}: {error}") from None
    return lambda: [store.plan_put(Address(key, tuple(tokens)), jsontext.load(node))]


def seed() -> Written:
    """Fill a new store, as its first revision. A store that has a history is left alone."""
    if store.head():
        return Written(store.head())
    return store.put_keys(seeds(), Author("system:first-run", Source.SEED, "A new store begins with its seeds"))
