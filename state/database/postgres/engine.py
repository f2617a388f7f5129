"""What is particular to PostgreSQL."""

import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from django.db import DatabaseError, OperationalError

from access.database import Fault, Query
from state.database.postgres.checkup import find_notable, measure
from state.database.postgres.obstacles import describe, find_obstacle
from state.database.postgres.reader import Reader
from state.database.postgres.words import WordIndex

WRITERS = 0x6E6F6C61  # the number of the advisory lock that who writes holds
CHANNEL = "nola"  # on which it is told that something was written
PAUSE = 0.05  # seconds between two tries for a lock
MIGRATING = 1000  # milliseconds in which a migration has a lock, or fails
SERVER = " server:"  # in the name of a connection: behind it stands the mark of the server
MOST_NAME = 25  # characters of what stands before that; PostgreSQL keeps 63 of all
MARKS = (
    "SELECT DISTINCT split_part(application_name, %s, 2) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE %s"
)
SAFETY = 0.5  # seconds after which it is looked for all the same

FAULTS = {  # by SQLSTATE, or the class that it begins with
    "40001": Fault.CROSSED,  # a serialization failure
    "40P01": Fault.CROSSED,  # a deadlock
    "55P03": Fault.BUSY,  # a lock that is not to be had at once
    "57014": Fault.BUSY,  # it took longer than somebody allows
    "53100": Fault.FULL,
    "25006": Fault.READONLY,
    "42501": Fault.READONLY,  # a role that may not write
    "XX001": Fault.DAMAGED,
    "XX002": Fault.DAMAGED,
    "08": Fault.AWAY,
    "57P": Fault.AWAY,  # it shuts down, or starts
    "53": Fault.AWAY,  # it has no connection or no memory left
    "25P03": Fault.AWAY,  # it has given us up
    "28": Fault.AWAY,  # it does not let us in any more
    "3D": Fault.AWAY,  # nor is there what we are looking for
}

SEEN_BY_OTHERS = """
    SELECT pg_snapshot_xmin(pg_current_snapshot()) <= %(now)s::xid8 OR EXISTS (
        SELECT FROM pg_stat_activity WHERE (datname = current_database() OR backend_type = 'walsender')
        AND pid <> pg_backend_pid() AND age(backend_xmin) > age(%(now)s::xid8::xid)
    )
"""  # a transaction that began before one is open: it writes, to whatever database of the server, or it reads this one

KNOWN = "SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = current_schema() AND tablename = ANY(%s)"
MOST_TOGETHER = 6  # statements in one message: a write of one key has four

_joined: list[psycopg.Connection] = []  # of this process, for as long as it runs


class LostAtCommit(OperationalError):
    """The connection was lost while a transaction was to be kept, which may or may not have been."""


class Engine:
    """See access.database.Engine."""

    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    queues_writers = True
    holds_values = False
    commits = 0
    find_text = "strpos"

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.listening: psycopg.Connection | None = None
        self.heard = 0
        self.known: set[str] = set()

    def describe(self) -> str:
        return describe(self.connection)

    def find_obstacle(self) -> str:
        return find_obstacle(self.connection)

    def find_file(self) -> Path | None:
        return None

    def read_version(self) -> int:
        self.connection.ensure_connection()
        live = self.connection.connection
        with self.connection.wrap_database_errors:
            if live is not self.listening:
                live.add_notify_handler(self._hear)  # what comes while a query is answered
                live.execute(f"LISTEN {CHANNEL}")
                self.listening = live
                self.heard += 1
            live.pgconn.consume_input()
            while live.pgconn.notifies():
                self.heard += 1
        return (self.heard << 40) + int(time.monotonic() / SAFETY)

    def _hear(self, notification: object) -> None:
        self.heard += 1

    def run_together(self, statements: Sequence[Query]) -> bool:
        texts = tuple(statement for statement, _ in statements)
        is_ordered = len({*texts}) == len(texts)  # rows of two inserts into one table would have ids in any order
        if not is_ordered or len(texts) > MOST_TOGETHER or self.connection.wants_each_query():
            return False
        together = _join(texts)
        with self.connection.cursor() as cursor:
            cursor.execute(together, [value for _, values in statements for value in values])
        return True

    def take_turn(self) -> None:
        begin = "BEGIN; " if self.connection.drop_begin() else ""
        self._run(f"{begin}SELECT pg_advisory_xact_lock({WRITERS})")

    def join_servers(self, mark: str) -> set[str]:
        options = self.connection.settings_dict["OPTIONS"]
        options["application_name"] = f"{options['application_name'].partition(SERVER)[0][:MOST_NAME]}{SERVER}{mark}"
        with self.connection.wrap_database_errors:
            if not _joined:  # the workers, which are connected for as long as they run, begin later
                _joined.append(self.connection.get_new_connection(self.connection.get_connection_params()))
                _joined[0].autocommit = True
            rows = _joined[0].execute(MARKS, [SERVER, f"%{SERVER}%"]).fetchall()
        return {mark for (mark,) in rows}

    @contextmanager
    def migrating(self) -> Iterator[None]:
        self._run(f"SET lock_timeout = {MIGRATING}")
        try:
            self._run(f"SELECT pg_advisory_lock({WRITERS})")
            yield
        finally:
            with suppress(DatabaseError):  # of a connection that is lost, as both are then
                self._run(f"SELECT pg_advisory_unlock({WRITERS})")
                self._run("RESET lock_timeout")

    def open_lock(self, name: str) -> "AdvisoryLock":
        return AdvisoryLock(self.connection, name)

    def open_words(self, table: str) -> WordIndex:
        return WordIndex(self.connection, table)

    def format_lookups(self, *tables: tuple[str, str]) -> str:
        # What has an OFFSET is planned by itself: else it would read a whole table for each row, thinking it empty.
        alone = "CROSS JOIN LATERAL (SELECT * FROM {0} WHERE {1} OFFSET 0) AS {2}"
        form = "JOIN {0} ON {1}" if self._knows([table.split()[0] for table, _ in tables]) else alone
        return " ".join(form.format(table, condition, table.split()[1]) for table, condition in tables)

    def _knows(self, tables: Sequence[str]) -> bool:
        """Whether the planner has ever looked at tables; it does so a minute after much has been written."""
        if not self.known.issuperset(tables):
            with self.connection.cursor() as cursor:
                cursor.execute(KNOWN, [tables])
                self.known.update(table for (table,) in cursor.fetchall())
        return self.known.issuperset(tables)

    def cast_to_bytes(self, column: str) -> str:
        return f"convert_to({column}, 'UTF8')"

    @contextmanager
    def without_waiting(self) -> Iterator[None]:
        self._run("SET lock_timeout = 1")  # millisecond
        try:
            yield
        finally:
            with suppress(DatabaseError):  # in a transaction that has failed; its end resets it
                self._run("RESET lock_timeout")

    def format_trigger(self, table: str, event: str, condition: str) -> list[str]:
        function, body = f"{table}_{event}", _body(table, event, condition)
        return [
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
            *(
                f"CREATE OR REPLACE TRIGGER {name} BEFORE {name.rpartition('_')[2].upper()} ON {table}"
                f" FOR EACH {each} EXECUTE FUNCTION {function}()"
                for name, each in _triggers(table, event)
            ),
        ]

    def drop_trigger(self, table: str, event: str) -> str:
        return "; ".join(f"DROP TRIGGER IF EXISTS {name} ON {table}" for name, _ in _triggers(table, event))

    def has_trigger(self, table: str, event: str, condition: str) -> bool:
        names = [name for name, _ in _triggers(table, event)]
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
                " WHERE t.tgrelid = to_regclass(%s) AND t.tgname = ANY(%s) AND t.tgenabled IN ('O', 'A')",
                [table, names],
            )
            found = cursor.fetchall()
        return found == [(_body(table, event, condition),)] * len(names)

    def format_announcement(self, table: str) -> list[str]:
        name = f"{table}_news"
        return [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN NOTIFY {CHANNEL}; RETURN NULL; END $$",
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = '{table}'::regclass"
            f" AND tgname = '{name}') THEN CREATE TRIGGER {name} AFTER INSERT OR UPDATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {name}(); END IF; END $$",  # to make one waits for all readers
        ]

    def find_orphans(self) -> Iterator[tuple[str, str]]:
        return iter(())  # it does not let it come to that

    def measure(self) -> int:
        return measure(self.connection)

    def find_notable(self) -> Iterator[tuple[str, str]]:
        return find_notable(self.connection)

    def read_counter(self, table: str, column: str) -> int:
        [(sequence,)] = self._fetch(f"SELECT pg_get_serial_sequence('{table}', '{column}')")
        [(last, is_used)] = self._fetch(f"SELECT last_value, is_called FROM {sequence}")
        return int(last) if is_used else 0

    def set_counter(self, table: str, column: str, number: int) -> None:
        is_used = str(number > 0).lower()
        self._run(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {max(number, 1)}, {is_used})")

    def open_reader(self) -> Reader:
        return Reader(self.connection)

    def rewrite(self, patience: int) -> bool:
        if not self._wait_for_readers(patience):
            return False
        self._run("VACUUM (FULL, ANALYZE)")  # what is known of columns has samples of their texts
        if not self._wait_for_readers(patience):  # such as an analysis that the server makes by itself
            return False
        self._run("VACUUM FULL pg_statistic")
        return True

    def _wait_for_readers(self, patience: int) -> bool:
        """Whether all transactions that may see what was deleted have ended."""
        until = time.monotonic() + patience / 1000
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()::text")
            (now,) = cursor.fetchone()
            while True:
                cursor.execute(SEEN_BY_OTHERS, {"now": now})
                if cursor.fetchone() == (False,):
                    return True
                if time.monotonic() >= until:
                    return False
                time.sleep(PAUSE)

    def empty_log(self, patience: int) -> bool:
        return True  # its log is its own, and is written over by itself

    def explain(self, error: BaseException) -> Fault | None:
        if isinstance(error, LostAtCommit):
            return Fault.UNSURE
        cause = error.__cause__ or error
        state = getattr(cause, "sqlstate", None)
        if state is None:
            return Fault.AWAY if isinstance(cause, psycopg.OperationalError) else None
        return next((fault for begin, fault in FAULTS.items() if state.startswith(begin)), None)

    def _run(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)

    def _fetch(self, statement: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            found: list[Any] = cursor.fetchall()
        return found


@lru_cache(64)
def _join(statements: tuple[str, ...]) -> str:
    """Statements as one, each of which sees what was there before all of them."""
    *first, last = statements
    parts = ", ".join(f"part{number} AS ({statement})" for number, statement in enumerate(first))
    return f"WITH {parts} {last}" if first else last


def _triggers(table: str, event: str) -> list[tuple[str, str]]:
    """The names of the triggers that an event needs, and what each of them runs for: a TRUNCATE deletes past rows'."""
    more = [(f"{table}_truncate", "STATEMENT")] if event == "delete" else []
    return [(f"{table}_{event}", "ROW"), *more]


def _body(table: str, event: str, condition: str) -> str:
    row = "OLD" if event == "delete" else "NEW"
    return (
        f" BEGIN IF {condition} THEN RAISE EXCEPTION '{table} is append-only'"
        f" USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {row}; END "
    )


class AdvisoryLock:
    """An advisory lock on a connection of its own, which the server frees when that is gone."""

    def __init__(self, connection: Any, name: str) -> None:
        self.live, self.number = connection, zlib.crc32(name.encode()) << 8
        self.database: psycopg.Connection | None = None

    def take(self, seconds: float = 0) -> bool:
        if self.is_held():
            return True
        with self.live.wrap_database_errors:
            database = self.live.get_new_connection(self.live.get_connection_params())
            database.autocommit = True
            until = time.monotonic() + seconds
            while not database.execute("SELECT pg_try_advisory_lock(%s)", [self.number]).fetchone()[0]:
                if time.monotonic() >= until:
                    database.close()
                    return False
                time.sleep(PAUSE)
        self.database = database
        return True

    def is_held(self) -> bool:
        try:
            return self.database is not None and bool(self.database.execute("SELECT 1"))
        except psycopg.Error:
            self.release()
            return False

    def release(self) -> None:
        if self.database is not None:
            self.database.close()
            self.database = None
