"""What is stored now: entries of keys, and the clock they belong to in one statement. The past is in `history`."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import TextField
from django.db.models.functions import Cast

from access.database import Query, engine
from state import texts
from state.database.sql import fetch_row, fetch_rows, read_at_once, stream_rows, to_column
from state.jsondoc.names import caseless_order
from state.jsondoc.text import count_bytes, dump_json
from state.models import StateEntry

AT_ONCE = 500  # keys in one statement
INSERT = (
    "INSERT INTO state_storage (value_json, updated_at, revision, created_at, key_name) VALUES (%s, %s, %s, %s, %s)"
)
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


KEYS = """
    SELECT m.last_seq, m.keys, m.bytes, m.characters,
        EXISTS (SELECT 1 FROM state_storage WHERE key_name = %s),
        EXISTS (SELECT 1 FROM state_storage WHERE key_name > %s ORDER BY key_name LIMIT 1 OFFSET %s),
        s.key_name, s.value_json
    FROM state_meta m LEFT JOIN state_storage s ON s.key_name > %s
    WHERE m.id = 1 ORDER BY s.key_name LIMIT %s
"""

LAST_KEYS = """
    SELECT m.last_seq, m.keys, m.bytes, m.characters, s.key_name, s.value_json
    FROM state_meta m LEFT JOIN (
        SELECT key_name, value_json FROM state_storage ORDER BY key_name DESC LIMIT %s
    ) s ON 1 = 1
    WHERE m.id = 1 ORDER BY s.key_name
"""


NAMES = """
    SELECT m.last_seq, m.keys, m.bytes, m.characters, s.key_name
    FROM state_meta m LEFT JOIN state_storage s ON 1 = 1 WHERE m.id = 1
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """How much is stored: how many keys, and how long they are as members of one object, with a comma behind each."""

    keys: int = 0
    bytes: int = 0
    characters: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.keys + other.keys, self.bytes + other.bytes, self.characters + other.characters)

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(self.keys - other.keys, self.bytes - other.bytes, self.characters - other.characters)

    def __str__(self) -> str:
        return f"{self.keys} keys, {self.bytes} bytes and {self.characters} characters"


class KeysPage(NamedTuple):
    """Some keys in byte order with their texts, and of the same moment the revision and the totals.

    `is_there`: the key after which it begins is. `has_more`: keys follow.
    """

    revision: int
    totals: Totals
    found: list[tuple[str, str]]
    is_there: bool
    has_more: bool


def measure_entry(key: str, text: str | None) -> Totals:
    """What an entry is in the totals; None is no entry."""
    if text is None:
        return Totals()
    label = dump_json(key)
    return Totals(1, count_bytes(label) + count_bytes(text) + 2, len(label) + len(text) + 2)  # a colon, a comma


def count_entries(connection: BaseDatabaseWrapper) -> Totals:
    """The totals of a database, counted anew."""
    rows = stream_rows(connection, "SELECT key_name, value_json FROM state_storage")
    return sum((measure_entry(*row) for row in rows), Totals())


def read_totals(connection: BaseDatabaseWrapper) -> Totals:
    """The totals of a database, as every write has kept them."""
    return sum(
        (Totals(*row) for row in fetch_rows(connection, "SELECT keys, bytes, characters FROM state_meta")), Totals()
    )


def recount_totals(connection: BaseDatabaseWrapper) -> None:
    """Keep the totals as they are counted, for rows that came in another way than by a write."""
    found = count_entries(connection)
    with connection.cursor() as cursor:
        statement = "UPDATE state_meta SET keys = %s, bytes = %s, characters = %s"
        cursor.execute(statement, [found.keys, found.bytes, found.characters])


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
            f" FROM state_meta m LEFT JOIN state_storage s ON {which} WHERE m.id = 1 ORDER BY s.key_name",  # no sorting
            keys or [],
        )
        rows = cursor.fetchall()
    store, epoch, revision = rows[0][:3] if rows else ("", "", 0)
    return StateNow(store, epoch, revision, {row[3]: Stored(*row[4:]) for row in rows if row[3] is not None})


def read_keys(after: str | None, limit: int) -> KeysPage:
    """Keys in byte order with their documents, so many at most, from the first one or from behind one on.

    In one statement, whose cost does not grow with the number of keys. Without a limit it would read one key, so then
    it begins behind no key at all.
    """
    begin = after or ""
    with connection.cursor() as cursor:
        cursor.execute(KEYS, [after, begin, limit, begin if limit else None, limit or 1])
        rows = cursor.fetchall()
    if not rows:  # a new store
        return KeysPage(0, Totals(), [], is_there=False, has_more=False)
    revision, keys, size, characters, is_there, has_more = rows[0][:6]
    found = [(key, text) for *_, key, text in rows if key is not None]
    return KeysPage(revision, Totals(keys, size, characters), found, is_there=bool(is_there), has_more=bool(has_more))


def read_last_keys(limit: int) -> KeysPage:
    """The last keys in byte order with their documents, so many at most; this too whatever the number of keys."""
    rows = fetch_rows(connection, LAST_KEYS, [limit])
    revision, *totals = rows[0][:4] if rows else (0, 0, 0, 0)
    found = [(key, text) for *_, key, text in rows if key is not None]
    return KeysPage(revision, Totals(*totals), found, is_there=False, has_more=False)


def read_keys_caseless(after: str | None, limit: int, *, is_last: bool = False) -> KeysPage:
    """Keys in the order of `caseless_order`, which no index has: the names of all are read and sorted.

    `is_last`: the last of them.
    """
    with read_at_once(connection):
        rows = fetch_rows(connection, NAMES)
        revision, *totals = rows[0][:4] if rows else (0, 0, 0, 0)
        names = sorted((row[4] for row in rows if row[4] is not None), key=caseless_order)
        is_there = after is not None and bool(fetch_row("SELECT 1 FROM state_storage WHERE key_name = %s", after))
        start = 0 if after is None else bisect_right(names, caseless_order(after), key=caseless_order)
        start = max(0, len(names) - limit) if is_last else start
        shown = names[start : start + limit]
        texts = {key: one.text for key, one in read_entries(shown).items()}
    found = [(key, texts[key]) for key in shown]
    return KeysPage(revision, Totals(*totals), found, is_there, start + len(shown) < len(names))


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


def read_revisions(keys: Iterable[str]) -> dict[str, int]:
    """The revision of each of the keys that exists."""
    found: dict[str, int] = {}
    for some in _portions(sorted(keys)):
        which = ",".join(["%s"] * len(some))
        rows = f"SELECT key_name, revision FROM state_storage WHERE key_name IN ({which}) ORDER BY key_name"
        with connection.cursor() as cursor:
            cursor.execute(rows, some)
            found.update(cursor.fetchall())
    return found


def store_entry(key: str, text: str | None, at: datetime, revision: int, *, is_new: bool) -> list[Query]:
    """The statements that store a key's document as of a revision and its time; None removes the key."""
    if text is None:
        return [("DELETE FROM state_storage WHERE key_name = %s", [key])]
    time = to_column(at)
    if is_new:
        return [(INSERT, [text, time, revision, time, key])]
    update = (UPDATE, [text, time, revision, key])
    if len(text) < texts.LARGE or not engine().holds_values:
        return [update]
    return [update, (UPDATE, ["", time, 0, ""])]  # no such key: the text would be held till the next one


def _portions(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, AT_ONCE)):
        yield some
