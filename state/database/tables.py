"""The rows of all tables, read in portions and written into another database, of whatever kind that is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection as live
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import engine
from state.database.sql import fetch_rows

PORTION = 500  # rows at once, fewer where they are large
LARGEST = 4_000_000  # characters and bytes of a portion, unless one row has more

Row = tuple[Any, ...]
DERIVED: list[Callable[[str], None]] = []  # what keeps up with the rows of a database (an alias), and is in no model


class Table(NamedTuple):
    """A table: its rows are told apart by `key`. What `late` columns refer to may come after the row."""

    name: str
    key: str
    columns: tuple[str, ...]
    sized: tuple[str, ...]
    refers: frozenset[str]
    late: tuple[str, ...]
    has_counter: bool


@cache
def list_tables() -> tuple[Table, ...]:
    """All tables that have a model, each after those that its rows must refer to."""
    found = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    needs = {name: {_referred(one) for one in _references(model) if not one.null} for name, model in found.items()}
    order = list(TopologicalSorter({name: sorted(needs[name]) for name in sorted(found)}).static_order())
    return tuple(_describe(found[name], order[: number + 1]) for number, name in enumerate(order))


def _describe(model: type[models.Model], before: Sequence[str]) -> Table:
    name, fields = model._meta.db_table, model._meta.concrete_fields
    late = [one.column for one in _references(model) if _referred(one) == name or _referred(one) not in before]
    return Table(
        name,
        str(model._meta.pk.column),
        tuple(str(field.column) for field in fields),
        tuple(str(one.column) for one in fields if isinstance(one, models.TextField | models.BinaryField)),
        frozenset(map(_referred, _references(model))),
        tuple(map(str, late)),
        isinstance(model._meta.pk, models.AutoField),
    )


def _references(model: type[models.Model]) -> list[Any]:
    fields: list[Any] = [one for one in model._meta.concrete_fields if isinstance(one, models.ForeignKey)]
    return [one for one in fields if one.db_constraint]


def _referred(field: Any) -> str:
    return str(field.related_model._meta.db_table)


@contextmanager
def open_beside(alias: str, database: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    """A database beside the live one, under an alias of Django's, by what DATABASES would say of it."""
    connections.settings[alias] = {**live.settings_dict, "TEST": {}, **database}
    connections.settings[alias]["TEST"] = {**live.settings_dict["TEST"], "NAME": None}
    try:
        yield connections[alias]
    finally:
        connections[alias].close()
        del connections[alias], connections.settings[alias]


# Rows


def read_portions(
    connection: BaseDatabaseWrapper, table: Table, *, after: Any = None, until: Any = None
) -> Iterator[list[Row]]:
    """The rows of a table by its key, some at a time, between two keys."""
    while rows := _read_portion(connection, table, after, until):
        yield rows
        after = rows[-1][table.columns.index(table.key)]


def _read_portion(connection: BaseDatabaseWrapper, table: Table, after: Any, until: Any) -> list[Row]:
    last = _find_end(connection, table, after, until) if table.sized else until
    condition, parameters = _between(table, after, last)
    columns = ", ".join(f'"{name}"' for name in table.columns)
    statement = f'SELECT {columns} FROM "{table.name}"{condition} ORDER BY "{table.key}" LIMIT {PORTION}'
    return [tuple(map(_plain, row)) for row in fetch_rows(connection, statement, parameters)]


def _find_end(connection: BaseDatabaseWrapper, table: Table, after: Any, until: Any) -> Any:
    """The key of the last row that goes into a portion, by how large the rows are; `until` where there is none."""
    condition, parameters = _between(table, after, until)
    size = " + ".join(f'coalesce(length("{name}"), 0)' for name in table.sized)
    statement = f'SELECT "{table.key}", {size} FROM "{table.name}"{condition} ORDER BY "{table.key}" LIMIT {PORTION}'
    last, total = until, 0
    for number, (key, length) in enumerate(fetch_rows(connection, statement, parameters)):
        total += length
        if number and total > LARGEST:
            break
        last = key
    return last


def _between(table: Table, after: Any, until: Any) -> tuple[str, list[Any]]:
    bounds = [(f'"{table.key}" > %s', after), (f'"{table.key}" <= %s', until)]
    given = [(condition, value) for condition, value in bounds if value is not None]
    text = " AND ".join(condition for condition, _ in given)
    return f" WHERE {text}" if text else "", [value for _, value in given]


def _plain(value: Any) -> Any:
    """A value alike from all databases."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return bytes(value) if isinstance(value, memoryview) else value


def write_rows(connection: BaseDatabaseWrapper, table: Table, rows: Sequence[Row]) -> None:
    """Add rows, as they were read."""
    columns, marks = ", ".join(f'"{name}"' for name in table.columns), ", ".join(["%s"] * len(table.columns))
    adapt = connection.ops.adapt_datetimefield_value
    adapted = [[adapt(one) if isinstance(one, datetime) else one for one in row] for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', adapted)


def read_row(connection: BaseDatabaseWrapper, table: Table, key: Any) -> list[Row]:
    """The row with that key, if there is one."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    found = fetch_rows(connection, f'SELECT {columns} FROM "{table.name}" WHERE "{table.key}" = %s', [key])
    return [tuple(map(_plain, row)) for row in found]


def update_row(connection: BaseDatabaseWrapper, table: Table, key: Any, column: str, value: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{table.name}" SET "{column}" = %s WHERE "{table.key}" = %s', [value, key])


def delete_rows(connection: BaseDatabaseWrapper, table: Table, keys: Sequence[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(f'DELETE FROM "{table.name}" WHERE "{table.key}" = %s', [[key] for key in keys])


def pair_rows(
    left: BaseDatabaseWrapper, right: BaseDatabaseWrapper, table: Table, until: Any = None
) -> Iterator[tuple[Any, Row | None, Row | None]]:
    """The rows of two databases side by side, each with its key, up to one; None where only the other has it."""
    at = table.columns.index(table.key)
    streams = [_by_key(connection, table, at, until) for connection in (left, right)]
    heads = [next(stream, None) for stream in streams]
    while there := [head[0] for head in heads if head]:
        rank = min(there)
        found = [head if head and head[0] == rank else None for head in heads]
        one, other = (head and head[1] for head in found)
        yield (one or other or ())[at], one, other
        heads = [next(stream, None) if mine else head for stream, mine, head in zip(streams, found, heads, strict=True)]


def _by_key(connection: BaseDatabaseWrapper, table: Table, at: int, until: Any) -> Iterator[tuple[Any, Row]]:
    """Rows with what orders their keys: texts go by their bytes."""
    for rows in read_portions(connection, table, until=until):
        for row in rows:
            key = row[at]
            yield (key.encode() if isinstance(key, str) else key), row


def replace_rows(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: Sequence[Table]) -> None:
    """Put all rows of tables in the place of those of another database, in the transaction that is open there."""
    with target.cursor() as cursor:
        for table in reversed(tables):
            cursor.execute(f'DELETE FROM "{table.name}"')
    _derive(target)
    for table in tables:
        for rows in read_portions(source, table):
            write_rows(target, table, rows)
    copy_counters(source, target, tables)
    _derive(target)


def _derive(connection: BaseDatabaseWrapper) -> None:
    for keep_up in DERIVED:
        keep_up(connection.alias)


def count_rows(connection: BaseDatabaseWrapper, table: Table) -> int:
    [(count,)] = fetch_rows(connection, f'SELECT count(*) FROM "{table.name}"')
    return int(count)


def find_last(connection: BaseDatabaseWrapper, table: Table) -> Any:
    """The highest key; None where there is no row."""
    [(last,)] = fetch_rows(connection, f'SELECT max("{table.key}") FROM "{table.name}"')
    return last


def copy_counters(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: Sequence[Table]) -> None:
    """Let the numbers of new rows go on where they stand there, and above all that are used."""
    for table in tables:
        if table.has_counter:
            used = engine(source).read_counter(table.name, table.key)
            engine(target).set_counter(table.name, table.key, max(used, find_last(target, table) or 0))


def raise_counters(connection: BaseDatabaseWrapper) -> None:
    """Let the numbers of new rows go on above all that are used."""
    for table in list_tables():
        if table.has_counter:
            used = engine(connection).read_counter(table.name, table.key)
            engine(connection).set_counter(table.name, table.key, max(used, find_last(connection, table) or 0))
