"""The mark of a database that a store is moved into: until it is whole there, nobody may use it."""

from typing import NamedTuple

from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper

from state.database.sql import fetch_rows

TABLE = "nola_move"  # beside the tables of models, since it is there before those are


class Mark(NamedTuple):
    """Which store is moved into the database, and whether all of it is there."""

    store: str
    is_whole: bool


def read(connection: BaseDatabaseWrapper = live) -> Mark | None:
    """The mark of a database; None where nothing was moved into it, or it has been used since."""
    if TABLE not in connection.introspection.table_names():
        return None
    for store, is_whole in fetch_rows(connection, f"SELECT store, is_whole FROM {TABLE}"):
        return Mark(store, bool(is_whole))
    return None


def mark(connection: BaseDatabaseWrapper, store: str, *, is_whole: bool = False) -> None:
    """Set it, in one step."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (id integer PRIMARY KEY, store text, is_whole integer)")
        cursor.execute(
            f"INSERT INTO {TABLE} VALUES (1, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET store = excluded.store, is_whole = excluded.is_whole",
            [store, int(is_whole)],
        )


def is_unfinished(connection: BaseDatabaseWrapper = live) -> bool:
    """Whether a part of what is moved into it may be missing."""
    found = read(connection)
    return found is not None and not found.is_whole


def clear(connection: BaseDatabaseWrapper = live) -> None:
    """Take the mark away, since the database is in use from here."""
    if TABLE in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {TABLE}")
