"""What is particular to SQLite."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

from access.database import Fault, Query
from state.database.sqlite.words import WordIndex
from state.locks import FileLock

FAULTS = {
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_READONLY: Fault.READONLY,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
}


class Engine:
    """See access.database.Engine."""

    begin_reading = "BEGIN"
    queues_writers = False
    holds_values = True
    commits = 0
    find_text = "instr"

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def describe(self) -> str:
        return str(self.connection.settings_dict["NAME"])

    def find_obstacle(self) -> str:
        return ""

    def find_file(self) -> Path | None:
        name = str(self.connection.settings_dict["NAME"])
        return None if name.startswith(("file:", ":memory:")) else Path(name)

    def read_version(self) -> int:
        return self._read("PRAGMA data_version")[0]

    def take_turn(self) -> None:
        pass  # each transaction begins as IMMEDIATE

    def join_servers(self, mark: str) -> set[str]:
        return set()

    def migrating(self) -> AbstractContextManager[None]:
        return nullcontext()

    def open_lock(self, name: str) -> FileLock:
        return FileLock(Path(self.connection.settings_dict["NAME"]).with_name(f".{name}"))

    def run_together(self, statements: Sequence[Query]) -> bool:
        return False

    def open_words(self, table: str) -> WordIndex:
        return WordIndex(self.connection, table)

    def format_lookups(self, *tables: tuple[str, str]) -> str:
        # CROSS keeps it from beginning with another table
        return " ".join(f"CROSS JOIN {table} ON {condition}" for table, condition in tables)

    def cast_to_bytes(self, column: str) -> str:
        return f"CAST({column} AS BLOB)"

    @contextmanager
    def without_waiting(self) -> Iterator[None]:
        with self.set_patience(0):
            yield

    @contextmanager
    def set_patience(self, milliseconds: int) -> Iterator[None]:
        """For how long others are waited for."""
        usual = int(self.connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
        self._read(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            self._read(f"PRAGMA busy_timeout = {usual}")

    def format_trigger(self, table: str, event: str, condition: str) -> list[str]:
        # A REPLACE fires no delete trigger, hence the guard before inserting an id that exists.
        return [
            self.drop_trigger(table, event),
            f"CREATE TRIGGER {table}_{event} BEFORE {event.upper()} ON {table} WHEN {condition}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        ]

    def drop_trigger(self, table: str, event: str) -> str:
        return f"DROP TRIGGER IF EXISTS {table}_{event}"

    def has_trigger(self, table: str, event: str, condition: str) -> bool:
        name = f"{table}_{event}"
        row = self._read("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = %s", name)
        return bool(row) and row[0] == self.format_trigger(table, event, condition)[1]

    def format_announcement(self, table: str) -> list[str]:
        return []

    def find_orphans(self) -> Iterator[tuple[str, str]]:
        with self.connection.cursor() as cursor:
            cursor.execute("PRAGMA foreign_key_check")
            for table, _, other, _ in cursor:
                yield table, other

    def measure(self) -> int:
        path = Path(self.connection.settings_dict["NAME"])
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))

    def find_notable(self) -> Iterator[tuple[str, str]]:
        return iter(())

    def read_counter(self, table: str, column: str) -> int:
        row = self._read("SELECT seq FROM sqlite_sequence WHERE name = %s", table)
        return int(row[0]) if row else 0

    def set_counter(self, table: str, column: str, number: int) -> None:
        self._read("DELETE FROM sqlite_sequence WHERE name = %s", table)
        self._read("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", table, number)

    def open_reader(self) -> "Reader":
        return Reader(self.connection.settings_dict["NAME"])

    def rewrite(self, patience: int) -> bool:
        self._read("VACUUM")  # what was moved between pages before leaves copies that nothing else finds
        return True

    def empty_log(self, patience: int) -> bool:
        with self.set_patience(patience):
            is_busy, _, _ = self._read("PRAGMA wal_checkpoint(TRUNCATE)")
        return not is_busy

    def explain(self, error: BaseException) -> Fault | None:
        code = getattr(error.__cause__ or error, "sqlite_errorcode", 0) & 0xFF
        return FAULTS.get(code)

    def _read(self, statement: str, *parameters: Any) -> Any:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchone()


class Reader:
    """A connection for reading alone."""

    Error = sqlite3.Error

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.uri = f"file:{quote(Path(path).as_posix())}?mode=ro"
        self.database: sqlite3.Connection | None = None

    async def fetch(self, *queries: Query) -> list[Any]:
        if self.database is None:
            self.open()
        assert self.database
        return [self.database.execute(text.replace("%s", "?"), values).fetchone() for text, values in queries]

    def open(self) -> None:
        self.database = sqlite3.connect(self.uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)

    def close(self) -> None:
        if self.database is not None:
            self.database.close()
            self.database = None
