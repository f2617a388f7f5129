"""What Nola asks of its database that is not said alike in every SQL: an engine for each kind, in `state.database`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, cast

from django.db import connection as live
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper


class Fault(Enum):
    """Why a database does not do what it is asked, where that is no fault of the question."""

    BUSY = "busy"
    FULL = "full"
    READONLY = "readonly"
    DAMAGED = "damaged"


class Reader(Protocol):
    """A connection of its own, for reading alone, in any thread but one at a time."""

    Error: type[Exception]

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row of a query, None if there is none. Raises Error."""

    def close(self) -> None:
        """Close it; it opens again at its next use."""


class Engine(Protocol):
    """What is particular to a kind of database, for one connection to it."""

    begin_reading: str  # begins a transaction in which all reads see one moment
    row_lock: str  # what ends a query of rows that are to be locked
    locks_whole: bool  # whether who writes keeps all others from writing, so that nothing it has read can change
    queues_writers: bool  # whether who waited longest writes next

    def find_file(self) -> Path | None:
        """The file of the database, if it is one."""

    def read_version(self) -> int | None:
        """A number that changes when another connection has written; None where there is none."""

    def cast_to_bytes(self, column: str) -> str:
        """The expression for a text as its bytes in UTF-8."""

    def without_waiting(self) -> AbstractContextManager[None]:
        """Around a transaction: a write that would have to wait for another fails at once, with DatabaseError."""

    def format_trigger(self, table: str, event: str, condition: str) -> list[str]:
        """The statements that make a trigger anew, which refuses an event of a row where the condition holds."""

    def drop_trigger(self, table: str, event: str) -> str:
        """The statement that drops it, if it is there."""

    def has_trigger(self, table: str, event: str, condition: str) -> bool:
        """Whether it is there as it was made."""

    def find_orphans(self) -> Iterator[tuple[str, str]]:
        """Tables with a row that refers to one which is not there, and the table that it lacks in."""

    def open_reader(self) -> Reader:
        """A connection for reading, which opens at its first use."""

    def rewrite(self) -> None:
        """Write the whole database anew, so that nothing which was deleted is left in it. Not within a transaction."""

    def empty_log(self, patience: int) -> bool:
        """Leave nothing in what the database writes before its pages; readers have these milliseconds to end.

        Returns whether it is empty.
        """

    def explain(self, error: BaseException) -> Fault | None:
        """Why the database raised this, or what it was raised from; None for any other reason."""


def engine(connection: BaseDatabaseWrapper = live) -> Engine:
    """The engine of a connection."""
    return cast(Engine, cast(Any, connection).engine)


def write_without_waiting(write: Callable[[], object]) -> None:
    """Write now or not at all. Raises DatabaseError where another writes, or the database is read-only."""
    with engine().without_waiting(), transaction.atomic():  # in a transaction of the request, only this is taken back
        write()
