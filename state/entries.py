"""What is stored now: entries of keys, and the clock they belong to in one statement. The past is in `history`."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast

from state import texts
from state.database.sql import fetch_row, for_update, run_statement, to_column
from state.models import StateEntry

AT_ONCE = 500  # keys in one statement
UPDATE = "UPDATE state_storage SET value_json = %s, updated_at = %s, revision = %s WHERE key_name = %s"


class Stored(NamedTuple):
    """A key's document as it was when it was read, and the revision that had last changed it."""

    text: str
    revision: int


class StateNow(NamedTuple):
    """Keys at one moment: store and epoch ("" in a new store), the newest revision (0), and the entries by key."""

    store: str
    epoch: str
    revision: int
    entries: dict[str, Stored]


def head() -> int:
    """The newest revision; 0 in a new store."""
    row = fetch_row("SELECT last_seq FROM state_meta")
    return row[0] if row else 0


def read_state(keys: Sequence[str] | None = None, *, texts: bool = True) -> StateNow:
    """All entries, or those of some keys, in byte order and in one statement; `texts`: with documents."""
    text = "s.value_json" if texts else "''"
    which = "1 = 1" if keys is None else f"s.key_name IN ({','.join(['%s'] * len(keys)) or 'NULL'})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.store_id, m.epoch, m.last_seq, s.key_name, {text}, s.revision"
            f" FROM state_meta m LEFT JOIN state_storage s ON {which} ORDER BY s.key_name",
            keys or [],
        )
        rows = cursor.fetchall()
    store, epoch, revision = rows[0][:3] if rows else ("", "", 0)
    return StateNow(store, epoch, revision, {row[3]: Stored(*row[4:]) for row in rows if row[3] is not None})


def read_entry(key: str) -> Stored | None:
    """The entry of a key."""
    if kept := texts.read_kept(key):
        return Stored(kept.text.data.decode(), kept.name.revision)
    row = fetch_row("SELECT value_json, revision FROM state_storage WHERE key_name = %s", key)
    return Stored(*row) if row else None


def read_entries(keys: Iterable[str]) -> dict[str, Stored]:
    """The entries of those of the keys that are there, whatever number they are."""
    found: dict[str, Stored] = {}
    for some in _portions(keys):
        rows = StateEntry.objects.filter(pk__in=some).order_by()
        columns = rows.values_list("pk", Cast("value_json", TextField()), "revision")
        found.update((key, Stored(*row)) for key, *row in columns)
    return found


def lock_entries(keys: Iterable[str]) -> dict[str, int]:
    """The revision of each of the keys that exists, locked in their order for the rest of the transaction."""
    found: dict[str, int] = {}
    for some in _portions(sorted(keys)):
        which = ",".join(["%s"] * len(some))
        rows = f"SELECT key_name, revision FROM state_storage WHERE key_name IN ({which}) ORDER BY key_name"
        with connection.cursor() as cursor:
            cursor.execute(rows + for_update(), some)
            found.update(cursor.fetchall())
    return found


def write_entry(key: str, text: str | None, at: datetime, revision: int, *, is_new: bool) -> None:
    """Store a key's document as of a revision and its time; None removes the key."""
    if text is None:
        run_statement("DELETE FROM state_storage WHERE key_name = %s", key)
    elif is_new:
        run_statement(
            "INSERT INTO state_storage (value_json, updated_at, revision, created_at, key_name)"
            " VALUES (%s, %s, %s, %s, %s)",
            text, to_column(at), revision, to_column(at), key,
        )  # fmt: skip
    else:
        run_statement(UPDATE, text, to_column(at), revision, key)
        if len(text) >= texts.LARGE:
            run_statement(UPDATE, "", to_column(at), 0, "")  # no such key: SQLite would hold the text till the next one


def _portions(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, AT_ONCE)):
        yield some
