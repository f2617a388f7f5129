"""A whole store, copied into another database: the same store goes on there, in the same epoch.

It is copied in portions, so that a run which was killed goes on where it stood, and what is there is compared before it
counts. A table of its own in the target says so until then; see `state.database.unfinished`.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from access.database import engine
from conversations.search import index
from state import clock
from state.backups.contents import OURS, find_unknown_migrations
from state.clock import Clock
from state.database import unfinished
from state.database.sql import read_at_once
from state.database.tables import (
    Row,
    Table,
    copy_counters,
    count_rows,
    delete_rows,
    find_last,
    list_tables,
    open_beside,
    pair_rows,
    read_portions,
    read_row,
    update_row,
    write_rows,
)
from state.guards import create_guards, lift_guards
from state.history import audit
from state.history.audit import OnProgress, show_nothing

SOURCE, TARGET = "move_from", "move_to"
MESSAGES = "conversation_history"


class CannotMove(Exception):
    """Nothing was moved, or not all of it; the message says why, and what to do."""


@dataclass(frozen=True)
class Moved:
    """What a move has copied, and how many revisions the source has had since."""

    clock: Clock
    tables: int
    rows: int
    copied: int
    since: int


def move_store(source: dict[str, Any], target: dict[str, Any], progress: OnProgress = show_nothing) -> Moved:
    """Copy the store of a database into another, as it is in one moment. Both as DATABASES has them.

    The source is only read. The target must be empty, or hold what a move of the same store has left. Raises
    CannotMove.
    """
    try:
        return _move(source, target, progress)
    except DatabaseError as error:
        raise CannotMove(
            f"{' '.join(str(error).split()).rstrip('.')}. Once that is set right, the same command goes on"
        ) from error


def _move(source: dict[str, Any], target: dict[str, Any], progress: OnProgress) -> Moved:
    if _place(source) == _place(target):
        raise CannotMove("this is the database that is to be moved. Name another one")
    with _open(SOURCE, source) as old, ExitStack() as stack:
        _check_source(old)
        with read_at_once(old):
            if (now := clock.read(old)) is None:
                raise CannotMove("nothing was ever written to it. Start Nola on the new database")
            new = stack.enter_context(_locked(TARGET, target))
            _check_target(new, old, now)
            _check_history(old, "what is to be moved", progress)
            unfinished.mark(new, now.store)
            progress("making the tables")
            call_command("migrate", database=TARGET, interactive=False, verbosity=0)
            copied = _copy(old, new, progress)
            rows = sum(_compare(old, new, table, progress) for table in list_tables())
        progress("indexing the words")
        with transaction.atomic(using=TARGET):  # else a file waits for the disk at each message
            index.ensure(TARGET)
        _check_history(new, "what was copied", progress)
        unfinished.mark(new, now.store, is_whole=True)
        later = clock.read(old)
    return Moved(now, len(list_tables()), rows, copied, later.seq - now.seq if later else 0)


def _place(database: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(database.get(name, "")) for name in ("ENGINE", "NAME", "HOST", "PORT"))


@contextmanager
def _open(alias: str, database: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    with open_beside(alias, database) as connection:
        try:
            connection.ensure_connection()
        except DatabaseError:
            raise _cannot(connection, "--from") from None
        yield connection


@contextmanager
def _locked(alias: str, database: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    """A database that can be written, and that nobody else moves into."""
    if isinstance(database["NAME"], Path):
        database["NAME"].parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_beside(alias, database) as connection:
        if engine(connection).find_obstacle():
            raise _cannot(connection, "--to")
        lock = engine(connection).open_lock("move")
        if not lock.take():
            raise CannotMove(f"something is moved into {engine(connection).describe()} just now. Let it end")
        try:
            yield connection
        finally:
            lock.release()


def _cannot(connection: BaseDatabaseWrapper, option: str) -> CannotMove:
    return CannotMove(engine(connection).find_obstacle().rstrip(".").replace("DATABASE_URL", option))


# Before


def _check_source(old: BaseDatabaseWrapper) -> None:
    if not set(old.introspection.table_names()) >= OURS:
        raise CannotMove("there is no memory in what is to be moved. Say which one it is with --from")
    if unknown := find_unknown_migrations(old):
        raise CannotMove(f"the memory was written by a newer Nola (it has {unknown[0]}). Move it with that release")
    executor = MigrationExecutor(old)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CannotMove("the memory is of an older release. Start Nola on it once, which brings it up to date")
    if unfinished.is_unfinished(old):
        raise CannotMove("what is to be moved is itself what an unfinished move has left. Finish that one first")


def _check_target(new: BaseDatabaseWrapper, old: BaseDatabaseWrapper, now: Clock) -> None:
    tables = set(new.introspection.table_names())
    mark = unfinished.read(new)
    if mark is None:
        _check_empty(new, tables, now)
    elif mark.store != now.store:
        raise CannotMove("a move of another memory into it was begun. Finish that, or empty it, or choose another one")
    elif mark.is_whole and (there := clock.read(new)) and clock.read_chain(there.seq, old) != there.chain:
        raise CannotMove("the memory was moved into it before, and has been written there since. Nothing was changed")
    if tables >= OURS and (unknown := find_unknown_migrations(new)):
        raise CannotMove(f"it was made by a newer Nola (it has {unknown[0]}). Move with that release")


def _check_empty(new: BaseDatabaseWrapper, tables: set[str], now: Clock) -> None:
    if not tables:
        return
    if not tables >= OURS:
        raise CannotMove(f"it is not empty: it has the table {min(tables)}. Choose a database of its own")
    there = clock.read(new)
    if there and there.store == now.store:
        raise CannotMove("it holds this very memory already, or a copy of it. Choose an empty one")
    held = ("state_meta", "state_revision", MESSAGES, "access_apikey", "auth_user")
    if there or any(count_rows(new, table) for table in list_tables() if table.name in held):
        raise CannotMove("it holds another memory already. Choose an empty one")


def _check_history(connection: BaseDatabaseWrapper, what: str, progress: OnProgress) -> None:
    for flaw in audit.find_flaws(connection, progress):
        raise CannotMove(f"{what} is not what its history says: {flaw}. See ./nola doctor")


# Copying


def _copy(old: BaseDatabaseWrapper, new: BaseDatabaseWrapper, progress: OnProgress) -> int:
    """Bring over what is not there yet. Returns how many rows that were."""
    copied = _renew(old, new, progress)
    for table in list_tables():
        total, done = count_rows(old, table), count_rows(new, table)
        for rows in read_portions(old, table, after=find_last(new, table)):
            with transaction.atomic(using=TARGET):
                write_rows(new, table, _hide_later(table, rows))
            copied, done = copied + len(rows), done + len(rows)
            progress(f"{table.name}: {done:,} of {total:,} rows")
    with transaction.atomic(using=TARGET):
        for table in list_tables():
            _show_later(old, new, table)
        copy_counters(old, new, list_tables())
    return copied


def _renew(old: BaseDatabaseWrapper, new: BaseDatabaseWrapper, progress: OnProgress) -> int:
    """Of what an earlier run has left, bring over anew what the source has changed since. Returns how many rows."""
    changed = {table: _find_changed(old, new, table, progress) for table in list_tables()}
    if not any(changed.values()):
        return 0
    renewed = 0
    with transaction.atomic(using=TARGET):
        lift_guards(new)
        for table, keys in changed.items():
            delete_rows(new, table, keys)
        for table, keys in changed.items():
            for key in keys:
                rows = read_row(old, table, key)
                write_rows(new, table, [_without(table, row) for row in rows])
                renewed += len(rows)
        if any(table.name == MESSAGES and keys for table, keys in changed.items()):
            index.ensure(TARGET)
            index.make_anew(new)
        create_guards(new)
    return renewed


def _find_changed(old: BaseDatabaseWrapper, new: BaseDatabaseWrapper, table: Table, progress: OnProgress) -> list[Any]:
    """The keys of rows that the target has otherwise, or should not have, or lacks among those that it has."""
    last = find_last(new, table)
    if last is None:
        return []
    progress(f"{table.name}: comparing what is there")
    kept = table._replace(columns=tuple(name for name in table.columns if name not in table.late))
    return [key for key, one, other in pair_rows(old, new, kept, until=last) if one != other]


def _without(table: Table, row: Row) -> Row:
    """A row without what it refers to that may not be there yet."""
    return tuple(None if name in table.late else one for name, one in zip(table.columns, row, strict=True))


def _hide_later(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    return [_without(table, row) for row in rows] if table.late else rows


def _show_later(old: BaseDatabaseWrapper, new: BaseDatabaseWrapper, table: Table) -> None:
    """Set what was left out, once all rows are there."""
    for column in table.late:
        narrow = table._replace(columns=(table.key, column), sized=())
        for key, one, other in pair_rows(old, new, narrow):
            if one and one != other:
                update_row(new, table, key, column, one[1])


def _compare(old: BaseDatabaseWrapper, new: BaseDatabaseWrapper, table: Table, progress: OnProgress) -> int:
    """How many rows a table has, the same in both. Raises CannotMove."""
    count = 0
    for key, one, other in pair_rows(old, new, table):
        if one != other:
            raise CannotMove(f"the row {key!r} of {table.name} is not there as it was. Run the same again")
        count += 1
        if count % 1000 == 0:
            progress(f"{table.name}: {count:,} rows are the same")
    return count
