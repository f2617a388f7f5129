"""Whether a checkpoint file can be restored from: it is loaded into a scratch database, and the same must come out."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from django.core.serializers.base import DeserializationError
from django.db.backends.base.base import BaseDatabaseWrapper

from state.checkpoints.header import EditedHeader, Header
from state.checkpoints.rows import PARTS, entry_rows
from state.checkpoints.serializers import ENTRY, open_fixture
from state.database.sqlite.files import open_scratch
from state.errors import Unprocessable
from state.fields import JSONText
from state.jsondoc.text import dump_json
from state.models import StateEntry

FIELDS = {field.name for field in StateEntry._meta.concrete_fields}  # of which value_json is taken


class DamagedCheckpoint(Unprocessable):
    """A checkpoint file that cannot be restored from."""


class EditedCheckpoint(DamagedCheckpoint):
    """The same, for nothing else than that it is not as it was written: `accept` lets it count as it stands."""


def verify_checkpoint(path: Path) -> Header | None:
    """The header of a file, loaded into a scratch database to see that the same comes out. Raises DamagedCheckpoint."""
    try:
        found, read_rows = open_fixture(path.read_bytes())
    except EditedHeader as error:
        raise EditedCheckpoint(str(error)) from None
    except DeserializationError as error:
        raise DamagedCheckpoint(str(error)) from None
    entries = [row for row in read_rows if row["model"].lower() == ENTRY]
    try:
        for name, some in group_by_part(read_rows).items():
            PARTS[name].check(some)
    except ValueError as error:
        raise DamagedCheckpoint(str(error)) from None
    with open_scratch() as connection:
        _load(entries, connection)
        stored = sha256("".join(entry_rows(connection)).encode())
    ordered = sorted(entries, key=lambda row: row["pk"].encode())
    wanted = sha256("".join(dump_json(_plain(row)) for row in ordered).encode())
    if stored.digest() != wanted.digest():
        raise DamagedCheckpoint("what came out of a scratch database is not what was loaded into it")
    return found


def group_by_part(read_rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows that are no keys, by the part of a checkpoint they belong to. Raises ValueError for any others."""
    parts = {model: name for name, part in PARTS.items() for model in part.models}
    found: dict[str, list[dict[str, Any]]] = {}
    for number, row in enumerate(read_rows, 1):
        model = row["model"].lower()
        if model in parts:
            found.setdefault(parts[model], []).append(row)
        elif model != ENTRY:
            raise ValueError(
                f"row {number} is a {row['model']}; restore takes rows of {ENTRY}"
                + "".join(f" and {known}" for known in sorted(parts))
            )
        elif unknown := sorted(row["fields"].keys() - FIELDS):
            raise ValueError(f"row {number}, the key {row['pk']!r}, has a field {unknown[0]!r}, which keys do not have")
    return found


def find_problem(path: Path) -> str:
    """Why a file cannot be restored from; "" if it can."""
    try:
        verify_checkpoint(path)
    except (DamagedCheckpoint, OSError) as error:
        return str(error)
    return ""


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {"model": ENTRY, "pk": row["pk"], "fields": {"value_json": row["fields"]["value_json"]}}


def _load(entries: list[dict[str, Any]], connection: BaseDatabaseWrapper) -> None:
    values = [(row["pk"], JSONText(dump_json(row["fields"]["value_json"]))) for row in entries]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE state_storage (key_name text NOT NULL PRIMARY KEY, value_json text NOT NULL)")
        cursor.executemany("INSERT INTO state_storage VALUES (%s, %s)", values)
