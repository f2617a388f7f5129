"""Django's SQLite backend, with a cursor that costs a fifth. Each read makes two of them, and each write ten.

Django finds a cursor's statement, its errors and its wrappers anew for each use. Where nobody listens to the queries,
one object does it all.
"""

import re
import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Self

from django.db.backends.sqlite3 import base

from state.database.sqlite.engine import Engine


class Cursor(sqlite3.Cursor):
    """A cursor that takes statements with %s or %(name)s and raises Django's errors."""

    database: "DatabaseWrapper"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def execute(self, statement: str, parameters: Any = None) -> Self:
        self.database.validate_no_broken_transaction()
        with self.database.wrap_database_errors:
            if parameters is None:
                super().execute(statement)
            else:
                super().execute(_mark_parameters(statement), parameters)
        return self

    def executemany(self, statement: str, rows: Iterable[Any]) -> Self:
        self.database.validate_no_broken_transaction()
        with self.database.wrap_database_errors:
            super().executemany(_mark_parameters(statement), rows)
        return self

    def fetchone(self) -> Any:
        with self.database.wrap_database_errors:
            return super().fetchone()

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        with self.database.wrap_database_errors:
            return super().fetchmany(size)

    def fetchall(self) -> list[Any]:
        with self.database.wrap_database_errors:
            return super().fetchall()

    def __next__(self) -> Any:
        with self.database.wrap_database_errors:
            return super().__next__()


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection."""

    def __init__(self, *settings: Any, **named: Any) -> None:
        super().__init__(*settings, **named)
        self.engine = Engine(self)

    def cursor(self) -> Any:
        """A cursor; Django's own where queries are logged or wrapped, or the connection is still to be opened."""
        if self.connection is None or self.queries_logged or self.execute_wrappers:
            return super().cursor()
        self.validate_thread_sharing()
        cursor = self.connection.cursor(Cursor)  # made so, a connection forgets it when it is gone
        cursor.database = self
        return cursor


@lru_cache(1024)
def _mark_parameters(statement: str) -> str:
    """The statement with ? for %s and :name for %(name)s, as SQLite has them, and % for %%."""
    return _PARAMETER.sub(_mark, statement)


def _mark(found: re.Match[str]) -> str:
    return "%" if found[0] == "%%" else f":{found[1]}" if found[1] else "?"


_PARAMETER = re.compile(r"%(?:%|\((\w+)\)s|s)")
