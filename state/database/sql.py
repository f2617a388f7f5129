"""Plain SQL: for what every read and write does, which the ORM would put together anew each time; and on a database
that may be an older release's, and may not be the live one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import engine

FETCHED = 500  # rows at once


@contextmanager
def read_at_once(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """All reads inside see the database as it was at the first of them; writers are not kept waiting."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(engine(connection).begin_reading)
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


def fetch_row(statement: str, *parameters: Any) -> Any:
    """The first row of a query on the live database; None if there is none."""
    with live.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()


def run_statement(statement: str, *parameters: Any) -> None:
    """A statement on the live database."""
    with live.cursor() as cursor:
        cursor.execute(statement, parameters)


def to_column(at: datetime) -> Any:
    """A time as the live database keeps it."""
    return live.ops.adapt_datetimefield_value(at)


def from_column(kept: datetime) -> datetime:
    """A time that the live database has kept, with its zone: SQLite keeps none."""
    return kept if kept.tzinfo else kept.replace(tzinfo=UTC)
