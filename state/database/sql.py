"""Plain SQL: for what every read and write does, which the ORM would put together anew each time; and on a database
that may be an older release's, and may not be the live one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import Query, engine

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


def fetch_rows(connection: BaseDatabaseWrapper, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """The rows of a query that has few."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def stream_rows(connection: BaseDatabaseWrapper, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
    """The rows of a query that may have very many: some at a time, as they are in the first moment."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(FETCHED):
            yield from rows


def fetch_row(statement: str, *parameters: Any) -> Any:
    """The first row of a query on the live database; None if there is none."""
    with live.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()


def run_statements(statements: Sequence[Query]) -> None:
    """Statements on the live database, in a transaction; none of them has to see what another does."""
    if engine().run_together(statements):
        return
    with live.cursor() as cursor:
        for statement, alike in groupby(statements, itemgetter(0)):
            rows = [values for _, values in alike]
            if len(rows) == 1:
                cursor.execute(statement, rows[0])
            else:
                cursor.executemany(statement, rows)


def to_column(at: datetime) -> Any:
    """A time as the live database keeps it."""
    return live.ops.adapt_datetimefield_value(at)


def from_column(kept: datetime) -> datetime:
    """A time that the live database has kept, with its zone: SQLite keeps none."""
    return kept if kept.tzinfo else kept.replace(tzinfo=UTC)
