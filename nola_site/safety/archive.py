"""The whole memory in one zip file of open formats, and a new store made from one: equal, with its chain.

Inside are JSON lines, one row each, and state.json, a checkpoint that `loaddata` reads; nola.json says what they hold.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, models, transaction

from access.database import engine
from conversations.models import Conversation, Message
from conversations.order import settle_all
from conversations.search import index
from conversations.users import fill_users
from nola_site.safety import recovery
from state import clock
from state.backups.contents import OURS, verify_contents
from state.backups.files import verify_file
from state.checkpoints.files import write_draft
from state.checkpoints.serializers import parse_rows
from state.clock import Clock
from state.database.sql import read_at_once
from state.database.sqlite.files import make_settings
from state.database.tables import open_beside, raise_counters
from state.entries import recount_totals
from state.files.atomic import check_room, draft_file, place_file, write_atomically
from state.files.zips import ZIP_FAULTS
from state.history.audit import OnProgress, show_nothing
from state.jsondoc.text import dump_json
from state.models import Change, Proposal, Receipt, Revision, StateEntry, StoreMeta
from state.write_lock import write_transaction

FORMAT = 3
READ = {  # formats that can be read, and what each of them lacks
    1: {"receipts.jsonl", "proposals.jsonl"},
    2: {"proposals.jsonl"},
    FORMAT: set(),
}
TABLES: dict[str, type[models.Model]] = {
    "revisions.jsonl": Revision,
    "changes.jsonl": Change,
    "keys.jsonl": StateEntry,
    "conversations.jsonl": Conversation,
    "messages.jsonl": Message,
    "receipts.jsonl": Receipt,
    "proposals.jsonl": Proposal,
}
STATE, ABOUT = "state.json", "nola.json"
ALIAS = "archive"
BATCH = 500
CHUNK = 1 << 20


class BadArchive(ValueError):
    """Not an archive, or one that is damaged; nothing was made of it."""


class NotEmpty(Exception):
    """There is a store already."""


# Out


def write_archive(path: Path, progress: OnProgress = show_nothing) -> Clock:
    """Write everything to a zip file, as it is in one moment. Raises NoRoom and CannotWrite."""
    with write_atomically(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with read_at_once(connection):
            now = clock.read()
            if now is None:
                raise BadArchive("nothing has been written yet")
            counts = {name: _write_table(archive, name, model, progress) for name, model in TABLES.items()}
            with tempfile.TemporaryDirectory() as folder:
                state = write_draft(Path(folder) / STATE, "export")
                archive.write(state, STATE)
        about = {"format": FORMAT, "store": now.store, "seq": now.seq, "chain": now.chain, "at": now.at, "rows": counts}
        hashes = {name: _sha256(archive, name) for name in archive.namelist()}
        archive.writestr(ABOUT, json.dumps({**about, "sha256": hashes}, indent=2))
    return now


def _write_table(archive: zipfile.ZipFile, name: str, model: type[models.Model], progress: OnProgress) -> int:
    count = 0
    with archive.open(name, "w", force_zip64=True) as member:
        for row in model._default_manager.order_by("pk").iterator(chunk_size=BATCH):
            member.write(dump_json(_fields(row)).encode() + b"\n")
            count += 1
            progress(f"{name}: {count:,} rows")
    return count


def _fields(row: models.Model) -> dict[str, Any]:
    """A row by column; the documents of the state are in state.json."""
    names = [field.attname for field in row._meta.concrete_fields if field.attname != "value_json"]
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _sha256(archive: zipfile.ZipFile, name: str) -> str:
    found = hashlib.sha256()
    with archive.open(name) as member:
        while chunk := member.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


# In


def read_archive(path: Path, progress: OnProgress = show_nothing) -> Clock:
    """Make the database of this data directory from an archive, whole or not at all.

    Raises NotEmpty, BadArchive, DamagedDatabase (its history does not verify), NoRoom and CannotWrite.
    """
    database = engine().find_file()
    _check_empty(database)
    with _checked(path, progress) as (archive, now):
        if database:
            _make_file(database, path, archive, now, progress)
        else:
            _fill_tables(path, archive, now, progress)
    clock.note_head(anew=True)
    return now


def _check_empty(database: Path | None) -> None:
    if database:
        if not recovery.is_empty(database):
            raise NotEmpty(f"{database} holds a memory already. Set NOLA_DATA_DIR to a directory that is empty or new")
        return
    there = set(connection.introspection.table_names())
    if there and (not there >= OURS or Revision.objects.exists() or clock.read()):
        raise NotEmpty(f"the database {engine().describe()} is not empty. Name another one in DATABASE_URL")


def _make_file(database: Path, path: Path, archive: zipfile.ZipFile, now: Clock, progress: OnProgress) -> None:
    with draft_file(database.parent, "import.sqlite3") as draft:
        with _explained(path, draft), _new_database(draft):
            _fill(ALIAS, archive, now, progress)
        _check_chain(path, verify_file(draft, progress=progress), now)
        place_file(draft, database)


def _fill_tables(path: Path, archive: zipfile.ZipFile, now: Clock, progress: OnProgress) -> None:
    """Fill a database that is no file, in one transaction."""
    call_command("migrate", interactive=False, verbosity=0)
    with _explained(path, path), write_transaction():
        _fill(DEFAULT_DB_ALIAS, archive, now, progress)
        raise_counters(connection)
        _check_chain(path, verify_contents(path.name, connection, thorough=True, progress=progress), now)


def _check_chain(path: Path, made: Clock, now: Clock) -> None:
    if made.chain != now.chain:
        raise BadArchive(f"{path.name} does not hold the history that its {ABOUT} names")


@contextmanager
def _explained(path: Path, draft: Path) -> Iterator[None]:
    try:
        yield
    except BadArchive:
        raise
    except (DatabaseError, ValueError, TypeError, KeyError) as error:
        check_room(draft, error)
        raise BadArchive(f"{path.name} does not fit together: {error}") from error


@contextmanager
def _checked(path: Path, progress: OnProgress) -> Iterator[tuple[zipfile.ZipFile, Clock]]:
    """An archive that proved to be as it was written, and the moment it holds. Raises BadArchive."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
            now = _check(archive, progress)
        except BadArchive:
            raise
        except FileNotFoundError:
            raise BadArchive(f"there is no file {path}") from None
        except ZIP_FAULTS as error:
            raise BadArchive(f"{path.name} is not a zip file, or a damaged one: {error}") from None
        yield archive, now


def _check(archive: zipfile.ZipFile, progress: OnProgress) -> Clock:
    """What an archive says it holds, once all of it has proved to be as it was written. Raises BadArchive."""
    try:
        about = json.loads(archive.read(ABOUT))
        hashes, version = dict(about["sha256"]), int(about["format"])
        now = Clock(about["store"], "", about["seq"], about["chain"], about["at"])
    except (KeyError, ValueError, TypeError):
        raise BadArchive(f"it is not an export of Nola: its {ABOUT} is missing or unreadable") from None
    if version not in READ:
        raise BadArchive(f"it has format {version}, and this release reads formats {', '.join(map(str, READ))}")
    for name in {STATE, *TABLES} - READ[version]:
        progress(f"checking {name}")
        if name not in archive.namelist() or _sha256(archive, name) != hashes.get(name):
            raise BadArchive(f"{name} in it is missing, or was altered or damaged since it was written")
    return now


@contextmanager
def _new_database(path: Path) -> Iterator[None]:
    with open_beside(ALIAS, make_settings(path)):
        call_command("migrate", database=ALIAS, interactive=False, verbosity=0)
        with transaction.atomic(using=ALIAS):
            yield


def _fill(alias: str, archive: zipfile.ZipFile, now: Clock, progress: OnProgress) -> None:
    documents = {row["pk"]: row["fields"]["value_json"] for row in parse_rows(archive.read(STATE))}
    for name, model in TABLES.items():
        rows = _rows(archive, name, model, documents)
        count = 0
        while batch := list(islice(rows, BATCH)):
            model._default_manager.using(alias).bulk_create(batch)
            count += len(batch)
            progress(f"{name}: {count:,} rows")
    last = datetime.fromisoformat(now.at)
    StoreMeta.objects.using(alias).create(store_id=now.store, last_seq=now.seq, last_at=last, last_chain=now.chain)
    recount_totals(connections[alias])
    index.ensure(alias)  # which words are in which message is not archived
    settle_all(Message.objects.using(alias))  # archives of releases before say nothing of places
    fill_users(alias)


def _rows(
    archive: zipfile.ZipFile, name: str, model: type[models.Model], documents: dict[str, Any]
) -> Iterator[models.Model]:
    if name not in archive.namelist():  # of a format that did not have it; see _check
        return
    with archive.open(name) as member:
        for line in io.TextIOWrapper(member, "utf-8", newline="\n"):
            fields = json.loads(line)
            if model is StateEntry:
                fields["value_json"] = documents[fields["key_name"]]
            yield model(
                **{
                    field.attname: _value(field, fields[field.attname])
                    for field in model._meta.concrete_fields
                    if field.attname in fields
                }
            )


def _value(field: models.Field, stored: Any) -> Any:
    if isinstance(field, models.BinaryField):
        return b64decode(stored)
    is_time = isinstance(field, models.DateTimeField) and stored is not None
    return datetime.fromisoformat(stored) if is_time else stored
