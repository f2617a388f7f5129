"""Database files of SQLite beside the one in use: opened, copied, looked at.

A database file is only ever read through SQLite: to open and close it by other means gives up the locks that this
process holds on it (POSIX), after which another process may remove the -wal from under us.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper

from state.database.sqlite.base import DatabaseWrapper
from state.errors import DamagedDatabase, ForeignDatabase

FAILURES = (DatabaseError, sqlite3.Error)  # what reading a damaged one raises


@contextmanager
def open_database(path: Path, *, to_write: bool = False) -> Iterator[BaseDatabaseWrapper]:
    """A database file, not the live one, as Django sees it."""
    mode = "rw" if to_write else "ro"
    name = f"{path.absolute().as_uri()}?mode={mode}"
    connection = DatabaseWrapper({**live.settings_dict, "NAME": name, "OPTIONS": {"uri": True}}, "file")
    try:
        yield connection
    finally:
        connection.close()


def make_settings(path: Path) -> dict[str, Any]:
    """What DATABASES would say of a file that nothing else uses."""
    return {"ENGINE": "state.database.sqlite", "NAME": str(path), "OPTIONS": {}}


@contextmanager
def open_scratch() -> Iterator[BaseDatabaseWrapper]:
    """An empty database in memory."""
    connection = DatabaseWrapper({**live.settings_dict, "NAME": ":memory:", "OPTIONS": {}}, "scratch")
    try:
        connection.ensure_connection()
        yield connection
    finally:
        connection.connection.close()  # its own close() keeps databases in memory


def write_quickly(connection: BaseDatabaseWrapper) -> None:
    """Begin a transaction in a draft, which needs no file to go back to if all goes wrong."""
    with connection.cursor() as cursor:
        for statement in ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", "BEGIN IMMEDIATE"):
            cursor.execute(statement)


class AttachedDatabase:
    """A database file beside the live one, on its connection."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def list_tables(self) -> list[str]:
        """Those of the live one with rows of their own: also the tables behind a virtual table, but not that itself."""
        self.cursor.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%%'"
            " AND sql NOT LIKE 'CREATE VIRTUAL%%'"
        )
        return [name for (name,) in self.cursor.fetchall()]

    def copy_table(self, table: str) -> None:
        """Put its rows in the place of those that the live one has."""
        self.cursor.execute(f'PRAGMA beside.table_info("{table}")')
        columns = ", ".join(f'"{row[1]}"' for row in self.cursor.fetchall())
        self.cursor.execute(f'DELETE FROM main."{table}"')
        self.cursor.execute(f'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM beside."{table}"')


@contextmanager
def attach_database(path: Path) -> Iterator[AttachedDatabase]:
    """A database file, to copy from within transactions of the live one."""
    with live.cursor() as cursor:
        cursor.execute("ATTACH DATABASE %s AS beside", [str(path)])
        try:
            yield AttachedDatabase(cursor)
        finally:
            cursor.execute("DETACH DATABASE beside")


def copy_database(source: Path, target: Path) -> None:
    """A copy in one moment of a database that may be in use, without free pages. Raises DamagedDatabase and OSError."""
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as database:
            database.execute("VACUUM INTO ?", [str(target)])
    except sqlite3.Error as error:
        raise _explain(source, error) from None


def drop_sessions(path: Path) -> None:
    """Sign everybody out in a database file that nothing uses: whoever finds a copy must not come in with it.

    Raises DamagedDatabase and OSError.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_session'").fetchone():
                database.execute("PRAGMA secure_delete = ON")
                database.execute("DELETE FROM django_session")
    except sqlite3.Error as error:
        raise _explain(path, error) from None


def check_structure(connection: BaseDatabaseWrapper, *, thorough: bool) -> None:
    """Raises DamagedDatabase for pages or indexes that do not fit together."""
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {'integrity_check' if thorough else 'quick_check'}(1)")
        [(verdict,)] = cursor.fetchall()
        if verdict != "ok":
            raise DamagedDatabase(f"its structure is damaged: {' '.join(verdict.split())}")


def explain_damage(path: Path, error: BaseException) -> DamagedDatabase:
    """What to say of a file that could not be read."""
    if getattr(error.__cause__ or error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
        return ForeignDatabase(f"{path.name} is not a SQLite database")
    return DamagedDatabase(f"{path.name} is damaged: {error}")


def _explain(path: Path, error: sqlite3.Error) -> Exception:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, "No space left on device")
    return DamagedDatabase(f"{path.name} cannot be read to its end: {error}")
