"""What Nola asks of its database that is not said alike in every SQL: an engine for each kind, in `state.database`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from django.conf import settings
from django.db import Error, transaction
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")


class Fault(Enum):
    """Why a database does not do what it is asked, where that is no fault of the question."""

    BUSY = "busy"
    FULL = "full"
    READONLY = "readonly"
    DAMAGED = "damaged"
    CROSSED = "crossed"  # two waited for each other, and this one was given up
    AWAY = "away"  # it cannot be reached just now
    UNSURE = "unsure"  # it went away while a transaction was to be kept, which may or may not have been


PASSING = {Fault.AWAY, Fault.CROSSED}  # what a second try may not meet


Query = tuple[str, Sequence[Any]]  # a statement with %s for its parameters, and these


class Reader(Protocol):
    """A connection for reading alone, in the thread of an event loop."""

    Error: type[Exception]

    async def fetch(self, *queries: Query) -> list[Any]:
        """The first row of each query, None if there is none. Raises Error, also while it is not open yet."""

    def open(self) -> None:
        """Open it, however long that takes; `fetch` sees to it by itself."""

    def close(self) -> None:
        """Close it; it opens again at its next use."""


class Lock(Protocol):
    """A lock by name, which one process of all that use the database holds; it falls with its holder."""

    def take(self, seconds: float = 0) -> bool:
        """Take it, if it is free or becomes so within that time; True where it is held already."""

    def is_held(self) -> bool:
        """Whether it is still ours: a lost connection gives it away."""

    def release(self) -> None:
        """Let go of it, if it is held."""


Phrase = tuple[Sequence[str], bool]  # words that follow one another, and whether the last may go on


class WordSearch(Protocol):
    """A question to a word index."""

    rows: str  # in place of the table, in SQL
    condition: str  # for one of them
    values: list[Any]  # the parameters of both

    def list_newest(self, where: str, values: Sequence[Any], most: int, limit: int, skip: int) -> tuple[list[int], int]:
        """A page of what is found, the newest first, and how many are found, where `most` + 1 are counted at most.

        `where` is a query behind its SELECT, with the rows and the condition in it.
        """

    def rank(self, where: str, values: Sequence[Any], most: int, limit: int, skip: int) -> tuple[list[int], int]:
        """The same of the newest `most`, the best first by bm25, of equals the newest."""


class WordIndex(Protocol):
    """A table that tells which words are in which text, by the numbers of the texts, which are its `rowid`.

    A text is what `conversations.search.tokenize` makes of it.
    """

    def create(self) -> None:
        """Make the table, if it is not there."""

    def clear(self) -> None:
        """Forget all texts."""

    def add(self, texts: Iterable[tuple[int, str]]) -> None:
        """Take in texts, in the transaction that writes them."""

    def remove(self, texts: Iterable[tuple[int, str]]) -> None:
        """Forget texts; it must be told the very words that it was given."""

    def squeeze(self, pages: int, *, begin: bool) -> bool:
        """Rewrite so many pages so that no word of a forgotten text is left in them; whether all is done."""

    def search(self, asked: Sequence[Phrase]) -> WordSearch:
        """The rows of the table whose texts have all that is asked for."""


class Engine(Protocol):
    """What is particular to a kind of database, for one connection to it."""

    begin_reading: str  # begins a transaction in which all reads see one moment
    queues_writers: bool  # whether who waited longest writes next
    holds_values: bool  # whether the values of a statement stay in memory until it is run again
    find_text: str  # the function that says where in a text another begins, from 1, or 0
    commits: int  # counts the transactions that were kept for this thread, where the database can go away

    def describe(self) -> str:
        """What to call it in a message: the path of its file, or its name and where it is; without a password."""

    def find_obstacle(self) -> str:
        """Why Nola cannot work with it at all, and the way out, where a look from outside tells; else ""."""

    def find_file(self) -> Path | None:
        """The file of the database, if it is one."""

    def read_version(self) -> int:
        """A number that is another one when another connection has written since, and at times when none has."""

    def run_together(self, statements: Sequence[Query]) -> bool:
        """Run statements, none of which sees what another does, in one message. False: it takes them one by one."""

    def take_turn(self) -> None:
        """In a transaction: from here to its end no other may write, so that what it reads cannot change.

        Writers take turns since each revision needs the number and the hash of the one before it.
        """

    def join_servers(self, mark: str) -> set[str]:
        """Show others from here on, for as long as this process runs, that a server with this mark uses the database.

        Returns the marks of all servers that run now, ours among them; none where there can be no other.
        """

    def migrating(self) -> AbstractContextManager[None]:
        """Around migrations: others do not write meanwhile, and a table that is not to be had soon is not waited for.

        Raises DatabaseError then: all who come later would wait behind us.
        """

    def open_lock(self, name: str) -> Lock:
        """A lock among all processes, on whatever machines, that use this database; not taken yet."""

    def open_words(self, table: str) -> WordIndex:
        """The index of words in that table."""

    def format_lookups(self, *tables: tuple[str, str]) -> str:
        """What joins to each row those of other tables, each as "message m" with a condition for few of its rows."""

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

    def format_announcement(self, table: str) -> list[str]:
        """The statements after which `read_version` hears of each change of this table; none where it always does."""

    def find_orphans(self) -> Iterator[tuple[str, str]]:
        """Tables with a row that refers to one which is not there, and the table that it lacks in."""

    def measure(self) -> int:
        """The bytes that it takes on its disk."""

    def find_notable(self) -> Iterator[tuple[str, str]]:
        """What a server tells of how it keeps the database, and what to do about it; "" for what is good."""

    def read_counter(self, table: str, column: str) -> int:
        """The highest number that a new row was given, whether it is still there or not; 0 where none was."""

    def set_counter(self, table: str, column: str, number: int) -> None:
        """Let new rows have higher numbers than this."""

    def open_reader(self) -> Reader:
        """A connection for reading, which opens at its first use."""

    def rewrite(self, patience: int) -> bool:
        """Write the whole database anew, so that nothing which was deleted is left in it. Not within a transaction.

        Returns whether that is so: what somebody reads in a transaction that began before is kept for that, and has
        these milliseconds to end.
        """

    def empty_log(self, patience: int) -> bool:
        """Leave nothing in what the database writes before its pages; readers have these milliseconds to end.

        Returns whether it is empty.
        """

    def explain(self, error: BaseException) -> Fault | None:
        """Why the database raised this, or what it was raised from; None for any other reason."""


def engine(connection: BaseDatabaseWrapper = live) -> Engine:
    """The engine of a connection."""
    return cast(Engine, cast(Any, connection).engine)


def try_twice(work: Callable[[], T]) -> T:
    """Do something; once more on a new connection, where the first try ended before anything was kept."""
    commits = engine().commits
    try:
        return work()
    except Error as error:
        if engine().explain(error) not in PASSING or engine().commits != commits:
            raise
    live.close()
    return work()


def find_folder() -> Path:
    """Where the database lies, if it is a file; else where what belongs beside it is kept."""
    database = engine().find_file()
    return database.parent if database else Path(settings.NOLA_DB_DIR)


@contextmanager
def write_in_turn() -> Iterator[None]:
    """A transaction in which what is read cannot change before it is written; inside of another, a part of that."""
    with transaction.atomic():
        engine().take_turn()
        yield


def write_without_waiting(write: Callable[[], object]) -> None:
    """Write now or not at all. Raises DatabaseError where another writes, or the database is read-only."""
    commits = engine().commits
    with engine().without_waiting(), transaction.atomic():  # in a transaction of the request, only this is taken back
        write()
    engine().commits = commits  # a note beside what is asked for, which may be made twice
