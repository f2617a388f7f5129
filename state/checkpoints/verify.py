"""Whether a checkpoint file can be restored from: it is loaded into a scratch database, and the same must come out."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.core.serializers.base import DeserializationError
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper

from state.checkpoints import header, serializers
from state.checkpoints import rows as dumps
from state.checkpoints.header import Header
from state.fields import JSONText
from state.jsondoc import text as jsontext


class Damaged(ValueError):
    """A checkpoint file that cannot be restored from."""


class Edited(Damaged):
    """The same, for nothing else than that it is not as it was written: `accept` lets it count as it stands."""


def verify(path: Path) -> Header | None:
    """Load a file into a scratch database, and see that the same comes out. Returns its header. Raises Damaged."""
    try:
        found, read_rows = serializers.opened(path.read_bytes())
    except header.Edited as error:
        raise Edited(str(error)) from None
    except DeserializationError as error:
        raise Damaged(str(error)) from None
    entries = [row for row in read_rows if row["model"].lower() == serializers.ENTRY]
    try:
        for name, some in by_part(read_rows).items():
            dumps.PARTS[name].check(some)
    except ValueError as error:
        raise Damaged(str(error)) from None
    with scratch() as connection:
        _load(entries, connection)
        stored = sha256("".join(dumps.entries(connection)).encode())
    ordered = sorted(entries, key=lambda row: row["pk"].encode())
    wanted = sha256("".join(jsontext.dump(_plain(row)) for row in ordered).encode())
    if stored.digest() != wanted.digest():
        raise Damaged("what came out of a scratch database is not what was loaded into it")
    return found


def by_part(read_rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows that are no keys, by the part of a checkpoint they belong to. Raises ValueError for any others."""
    parts = {model: name for name, part in dumps.PARTS.items() for model in part.models}
    found: dict[str, list[dict[str, Any]]] = {}
    for number, row in enumerate(read_rows, 1):
        model = row["model"].lower()
        if model in parts:
            found.setdefault(parts[model], []).append(row)
        elif model != serializers.ENTRY:
            raise ValueError(
                f"row {number} is a {row['model']}; restore takes rows of {serializers.ENTRY}"
                + "".join(f" and {known}" for known in sorted(parts))
            )
    return found


def problem_of(path: Path) -> str:
    """Why a file cannot be restored from; "" if it can."""
    try:
        verify(path)
    except (Damaged, OSError) as error:
        return str(error)
    return ""


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {"model": serializers.ENTRY, "pk": row["pk"], "fields": {"value_json": row["fields"]["value_json"]}}


@contextmanager
def scratch() -> Iterator[BaseDatabaseWrapper]:
    """A database in memory with an empty table of the state."""
    connection = DatabaseWrapper({**live.settings_dict, "NAME": ":memory:", "OPTIONS": {}}, "scratch")
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE state_storage (key_name text NOT NULL PRIMARY KEY, value_json text NOT NULL)")
        yield connection
    finally:
        connection.connection.close()  # its own close() keeps databases in memory


def _load(entries: list[dict[str, Any]], connection: BaseDatabaseWrapper) -> None:
    values = [(row["pk"], JSONText(jsontext.dump(row["fields"]["value_json"]))) for row in entries]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO state_storage VALUES (%s, %s)", values)
