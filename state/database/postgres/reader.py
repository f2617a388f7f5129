"""A connection to PostgreSQL for the thread of an event loop, which must not wait for a database that is away.

It speaks to libpq itself: a third of what a cursor costs, which is half of what a plain read would. What comes while it
waits for an answer is asked together, in one message, so that the more there is to do the less each of it costs.
"""

import asyncio
import os
import re
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from django.db import DatabaseError
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from access.database import Query
from state.database.postgres.values import hide_nul

PATIENCE = 0.25  # seconds for an answer; then it is given up, and asked for in the usual way
PAUSE = 1.0  # seconds after which it is tried again


class Reader:
    """See access.database.Reader. It opens in a thread of its own; until it is open, `fetch` raises at once."""

    Error = psycopg.Error

    def __init__(self, connection: Any) -> None:
        self.live = connection
        self.session: Session | None = None
        self.opening: threading.Thread | None = None
        self.not_before = 0.0

    async def fetch(self, *queries: Query) -> list[Any]:
        session = self.session
        if session is None:
            self._open_soon()
            raise psycopg.OperationalError("it is not open yet")
        try:
            return await session.ask(queries)
        except Exception:
            if session is self.session:
                self.close()
                self.not_before = time.monotonic() + PAUSE
            raise

    def _open_soon(self) -> None:
        if time.monotonic() < self.not_before or (self.opening and self.opening.is_alive()):
            return
        self.not_before = time.monotonic() + PAUSE
        self.opening = threading.Thread(target=self._try_open, name="nola-reader", daemon=True)
        self.opening.start()

    def _try_open(self) -> None:
        try:
            self.open()
        except (DatabaseError, psycopg.Error):  # others say so
            return

    def open(self) -> None:
        self.session = Session(self.live.get_new_connection(self.live.get_connection_params()))

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None


class Asked(NamedTuple):
    """Queries, and who waits for the first row of each."""

    queries: Sequence[tuple[str, list[bytes]]]
    rows: "asyncio.Future[list[Any]]"


class Session:
    """A connection that is open, with what it has prepared, and one message under way."""

    def __init__(self, database: psycopg.Connection) -> None:
        database.autocommit = True
        database.execute("SET default_transaction_read_only TO on")
        self.database, self.server = database, database.pgconn
        self.socket = os.dup(self.server.socket)  # libpq closes its own once the connection is lost
        self.transformer = Transformer(database)
        self.names: dict[str, bytes] = {}
        self.server.enter_pipeline_mode()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.waiting: list[Asked] = []  # for the next message
        self.sent: list[Asked] = []  # in the message that is under way, since `sent_at`
        self.sent_at = 0.0
        self.results: list[PGresult] = []  # that have come of it
        self.is_due = False  # the next message, when all that the loop has at hand has been asked
        self.failed: Exception | None = None

    async def ask(self, queries: Sequence[Query]) -> list[Any]:
        """The first row of each query. Raises psycopg.Error."""
        if self.failed:
            raise self.failed
        loop = asyncio.get_running_loop()
        if loop is not self.loop:
            self.loop, self.timer = loop, None
            loop.add_reader(self.socket, self._hear)
        encoded = [(text, [hide_nul(str(value)).encode() for value in values]) for text, values in queries]
        asked = Asked(encoded, loop.create_future())
        self.waiting.append(asked)
        if not self.sent and not self.is_due:
            self.is_due = True
            loop.call_soon(self._send)
        return await asked.rows

    def _send(self) -> None:
        self.is_due = False
        if self.failed:
            return
        self.sent, self.waiting = self.waiting, []
        try:
            for asked in self.sent:
                for statement, values in asked.queries:
                    self.server.send_query_prepared(self.names.get(statement) or self._prepare(statement), values)
            self.server.pipeline_sync()
            while self.server.flush():
                pass
        except Exception as error:  # they wait for it
            return self._fail(error)
        assert self.loop
        self.sent_at = self.loop.time()
        if self.timer is None:
            self.timer = self.loop.call_later(PATIENCE, self._look)

    def _prepare(self, statement: str) -> bytes:
        numbers = iter(range(1, statement.count("%s") + 1))
        text = "".join(f"${next(numbers)}" if part == "%s" else part for part in re.split("(%s)", statement))
        name = self.names[statement] = b"read%d" % len(self.names)
        self.server.send_prepare(name, text.encode())
        return name

    def _hear(self) -> None:
        """Take what has come."""
        if self.failed:
            return
        try:
            self.server.consume_input()
            while self.sent and not self.server.is_busy():
                self._take(self.server.get_result())
        except Exception as error:  # somebody waits for it
            self._fail(error)

    def _take(self, result: PGresult | None) -> None:
        if result is None:  # between the results of two queries
            if self.server.status == ConnStatus.BAD:
                raise psycopg.OperationalError("the connection is lost")
        elif result.status == ExecStatus.PIPELINE_SYNC:
            self._answer()
        elif result.status == ExecStatus.TUPLES_OK:
            self.results.append(result)
        elif result.status != ExecStatus.COMMAND_OK:  # of a statement that was prepared
            raise error_from_result(result)

    def _answer(self) -> None:
        results = iter(self.results)
        found = [[self._load(next(results)) for _ in asked.queries] for asked in self.sent]
        sent, self.sent, self.results = self.sent, [], []
        for asked, rows in zip(sent, found, strict=True):
            if not asked.rows.done():  # who asked has not gone
                asked.rows.set_result(rows)
        if self.waiting:
            self._send()

    def _load(self, result: PGresult) -> Any:
        self.transformer.set_pgresult(result)
        return self.transformer.load_row(0, tuple) if result.ntuples else None

    def _look(self) -> None:
        """Whether an answer is late. There is one timer at a time, not one for each message."""
        assert self.loop
        self.timer = None
        if self.sent and not self.failed:
            left = self.sent_at + PATIENCE - self.loop.time()
            if left <= 0:
                return self._fail(psycopg.OperationalError("it does not answer"))
            self.timer = self.loop.call_later(left, self._look)

    def _fail(self, error: Exception) -> None:
        if self.failed:
            return
        self.failed = error
        if self.loop and not self.loop.is_closed():
            self.loop.remove_reader(self.socket)
        os.close(self.socket)
        for asked in (*self.sent, *self.waiting):
            if not asked.rows.done():
                asked.rows.set_exception(error)

    def close(self) -> None:
        self._fail(psycopg.OperationalError("it is closed"))
        self.database.close()
