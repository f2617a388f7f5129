"""The rows of a checkpoint, read in one moment, by plain SQL that works on the tables of older releases too."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from access.rights import Right
from state.database.sql import fetch_rows, stream_rows
from state.jsondoc.text import dump_json
from state.revisions import Author


@dataclass(frozen=True, slots=True)
class CheckpointPart:
    """What an app can add to a checkpoint: its rows, whether rows are good (else ValueError), and bringing them back.

    `rows` takes names to keep to, None for all. `restore` takes an author, or None to only count; it returns how many
    of what are brought back. `reads` and `writes` are the rights that it takes to see or to bring back its rows.
    """

    models: frozenset[str]
    rows: Callable[[BaseDatabaseWrapper, Sequence[str] | None], Iterator[str]]
    check: Callable[[Sequence[Any]], None]
    restore: Callable[[Sequence[Any], Author | None], dict[str, int]]
    reads: Right
    writes: Right


PARTS: dict[str, CheckpointPart] = {}  # by the name that a header's contents have


def entry_rows(connection: BaseDatabaseWrapper, keys: list[str] | None = None) -> Iterator[str]:
    """The keys of the state as compact rows of a fixture, in byte order; all of them, or some."""
    for key, text in stream_rows(connection, "SELECT key_name, value_json FROM state_storage ORDER BY key_name"):
        if keys is None or key in keys:
            name = dump_json(key)
            yield f'{{"model":"state.stateentry","pk":{name},"fields":{{"value_json":{text}}}}}'


def read_store_clock(connection: BaseDatabaseWrapper) -> tuple[str, int, Any]:
    """Store id, newest revision and its time; raises LookupError in a database that has never been written."""
    for row in fetch_rows(connection, "SELECT store_id, last_seq, last_at FROM state_meta"):
        return row
    raise LookupError("nothing has been written yet")
