"""Plain SQL on a database that may be an older release's, and may not be the live one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

FETCHED = 500  # rows at once


@contextmanager
def read_at_once(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """All reads inside see the database as it was at the first of them; writers are not kept waiting."""
    if connection.in_atomic_block:
        yield
        return
    isolation = "" if connection.vendor == "sqlite" else " ISOLATION LEVEL REPEATABLE READ READ ONLY"
    with connection.cursor() as cursor:
        cursor.execute(f"BEGIN{isolation}")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def fetch_rows(connection: BaseDatabaseWrapper, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
    """The rows of a query, some at a time."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(FETCHED):
            yield from rows
