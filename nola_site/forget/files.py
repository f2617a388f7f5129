"""The copies beside the database: checkpoints and backups, rewritten and verified, and what cannot be.

Each file is done by itself, whole or not at all; one that is done does not change when it is done again.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.serializers.base import DeserializationError
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import engine, find_folder
from conversations.search import index
from nola_site.forget import database
from nola_site.forget.node import PastNode, mark_node, read_node
from nola_site.forget.places import COLUMNS
from nola_site.forget.redaction import MARK, Redaction
from state.address import Address
from state.backups.contents import OURS, find_unknown_migrations
from state.backups.dumps import verify_dump
from state.backups.files import is_dump, list_backups, verify_database
from state.checkpoints.files import write_checkpoint
from state.checkpoints.header import Header
from state.checkpoints.serializers import ENTRY, open_fixture
from state.checkpoints.verify import verify_checkpoint
from state.database.postgres.dumps import dump_database, find_tool, holds_any, open_dump
from state.database.sql import fetch_rows
from state.database.sqlite.files import copy_database, open_database, write_quickly
from state.errors import DamagedDatabase, ForeignDatabase, NewerDatabase, UnsupportedDatabase
from state.files.atomic import PARTIAL, draft_file, place_file
from state.guards import create_guards, lift_guards
from state.history.audit import OnProgress
from state.jsondoc.text import NOTHING, dump_json
from state.revisions import Author

DRAFT = "forgetting-"  # how the names of drafts begin
REMOVED = "removed, since it is damaged and cannot be rewritten"
CHUNK = 1 << 20
SUFFIXES = ("", "-wal", "-shm", "-journal")  # of the database's own files
NAMED = {"session_id", "client_id"}  # columns of rows in checkpoints that name something
TEXTS = COLUMNS["conversation"].keys() | COLUMNS["conversation_history"].keys()


class Target(NamedTuple):
    """What is to be forgotten: texts, or a node, which is at `address` in the live database."""

    redaction: Redaction
    address: Address | None = None
    node: PastNode | None = None
    everywhere: bool = False

    def address_at(self, revision: int) -> Address | None:
        """Where the node was at a revision; None where it was not there yet."""
        if self.node is None or self.address is None:
            return self.address
        tokens = self.node.tokens_at(revision)
        return None if tokens is None else Address(self.address.key, tokens)


def remove_drafts() -> None:
    """Drafts that a killed run has left."""
    for folder in (settings.NOLA_CHECKPOINT_DIR, settings.NOLA_BACKUP_DIR):
        for path in folder.glob(f".{DRAFT}*{PARTIAL}*") if folder.is_dir() else ():
            path.unlink(missing_ok=True)


# Checkpoints


def list_checkpoints() -> list[Path]:
    """All files in checkpoints/."""
    return sorted(settings.NOLA_CHECKPOINT_DIR.glob("[!.]*.json"))


def redact_checkpoint(path: Path, target: Target, *, dry_run: bool = False) -> str:
    """What is done with a checkpoint, in a word: "" where it does not hold it. Raises NoRoom and CannotWrite."""
    raw = path.read_bytes()
    name = path.with_name(f"{_file_name(path.stem, target.redaction)}.json")
    try:
        header, rows = open_fixture(raw)
    except DeserializationError:
        if not target.redaction.is_in(raw.decode(errors="replace")) and name == path:
            return ""
        if not dry_run:
            path.unlink(missing_ok=True)
        return REMOVED
    new = [_redact_row(row, header, target) for row in rows]
    made = header and replace(header, why=target.redaction.text(header.why))
    if (made, new, name) == (header, rows, path):
        return ""
    if not dry_run:
        _write(path, name, made, new)
    return "rewritten"


def _file_name(stem: str, redaction: Redaction) -> str:
    return redaction.name(stem).replace(MARK, "redacted").replace(" ", "-") if redaction.is_in(stem) else stem


def _redact_row(row: dict[str, Any], header: Header | None, target: Target) -> dict[str, Any]:
    redaction, key = target.redaction, row.get("pk")
    fields = {name: _redact_field(redaction, name, one) for name, one in row["fields"].items()}
    if row["model"].lower() == ENTRY:
        at = target.address_at(header.revision) if header else target.address
        if at and at.key == key and read_node(row["fields"]["value_json"], at.tokens) is not NOTHING:
            document = mark_node(json.loads(dump_json(row["fields"]["value_json"])), at.tokens)
            fields["value_json"] = redaction.value(document)
    return {**row, **({"pk": redaction.name(key)} if isinstance(key, str) else {}), "fields": fields}


def _redact_field(redaction: Redaction, name: str, one: Any) -> Any:
    if name in NAMED and isinstance(one, str):
        return redaction.name(one)
    if name in ("value_json", "metadata"):
        return redaction.value(one)
    return redaction.text(one) if isinstance(one, str) and name in TEXTS else one


def _write(path: Path, name: Path, header: Header | None, rows: list[dict[str, Any]]) -> None:
    with draft_file(path.parent, f"{DRAFT}{path.name}") as draft:
        if header:
            write_checkpoint(draft, header, map(dump_json, rows))
        else:
            draft.write_bytes(b"[\n" + b",\n".join(dump_json(row).encode() for row in rows) + b"\n]\n")
        verify_checkpoint(draft)
        _place(draft, path, name)


def _place(draft: Path, path: Path, name: Path) -> None:
    """Put a draft in the place of a file, as old as that: the order by age stays."""
    stat = path.stat()
    os.utime(draft, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    place_file(draft, name)
    if name != path:
        path.unlink()


# Backups


def redact_backup(path: Path, target: Target, author: Author | None, number: int, progress: OnProgress) -> str:
    """The same for a backup. It is rewritten in a draft, in which the same is done as in the live database.

    Without an author nothing is changed.
    """
    if is_dump(path):
        return _redact_dump(path, target, author, number, progress)
    try:
        verify_database(path, thorough=False)
        with open_database(path) as connection:
            found = _plan(connection, target, number)
        if found.holds_it and author:
            _rewrite(path, target, author, number, progress)
    except (ForeignDatabase, NewerDatabase):
        return ""  # not ours to change; it is told of if it holds it as it stands
    except DamagedDatabase:
        if _is_sound(path):  # the fault is not its own
            raise
        if author:
            path.unlink(missing_ok=True)
        return REMOVED
    return "rewritten" if found.holds_it else ""


def _redact_dump(path: Path, target: Target, author: Author | None, number: int, progress: OnProgress) -> str:
    """The same for a dump, in a database that it is restored into and dumped from."""
    try:
        with open_dump(path) as connection:
            if not set(connection.introspection.table_names()) >= OURS or find_unknown_migrations(connection):
                return ""
            plan = _plan(connection, target, number)
            if plan.holds_it and author:
                with transaction.atomic(using=connection.alias):
                    _apply(connection, plan, author)
                _dump_anew(connection, path, progress)
    except DamagedDatabase:
        if author:
            path.unlink(missing_ok=True)
        return REMOVED
    except UnsupportedDatabase:
        return ""  # it cannot be looked into here, which is told
    return "rewritten" if plan.holds_it else ""


def _dump_anew(connection: BaseDatabaseWrapper, path: Path, progress: OnProgress) -> None:
    with draft_file(path.parent, f"{DRAFT}{path.name}") as draft:
        dump_database(draft, connection)
        verify_dump(draft, path.name, thorough=True, progress=progress)
        _place(draft, path, path)


def _apply(connection: BaseDatabaseWrapper, plan: database.DatabasePlan, author: Author) -> None:
    lift_guards(connection)
    database.apply_plan(plan, author)
    if plan.rows.get("conversation_history") and index.TABLE in connection.introspection.table_names():
        index.make_anew(connection)
    create_guards(connection)


def _is_sound(path: Path) -> bool:
    try:
        verify_database(path)
    except DamagedDatabase:
        return False
    return True


def _plan(connection: Any, target: Target, number: int) -> database.DatabasePlan:
    [(seq,)] = fetch_rows(connection, "SELECT coalesce(max(last_seq), 0) FROM state_meta")
    texts = target.redaction.originals
    return database.plan_database(connection, texts, target.address_at(seq), target.everywhere, number)


def _rewrite(path: Path, target: Target, author: Author, number: int, progress: OnProgress) -> None:
    with (
        draft_file(path.parent, f"{DRAFT}{path.name}") as draft,
        draft_file(path.parent, f"{DRAFT}new-{path.name}") as made,
    ):
        shutil.copyfile(path, draft)
        with open_database(draft, to_write=True) as connection, connection.cursor() as cursor:
            write_quickly(connection)
            _apply(connection, _plan(connection, target, number), author)
            cursor.execute("COMMIT")
        copy_database(draft, made)
        verify_database(made, progress=progress)
        _place(made, path, path)


def list_backup_files() -> list[Path]:
    """All backups, the oldest first."""
    return [one.path for one in reversed(list_backups())]


# What is not ours to change


def find_others(redaction: Redaction, progress: OnProgress, skip: Callable[[Path], bool]) -> Iterator[Path]:
    """Files of the data directory that hold it as they stand, and are neither the database nor its copies."""
    folders = {settings.NOLA_DATA_DIR, settings.NOLA_DB_DIR, settings.NOLA_CHECKPOINT_DIR, settings.NOLA_BACKUP_DIR}
    found = {path.resolve() for folder in folders if folder.is_dir() for path in folder.rglob("*")}
    wanted = [one.encode("utf-8", "surrogatepass") for one in redaction.spellings]
    # to open and close the database here would give up the locks that this process holds on it
    database = engine().find_file()
    ours = {Path(f"{database.resolve()}{suffix}") for suffix in SUFFIXES} if database else set()
    for path in sorted(found - ours):
        if path.is_file() and not skip(path):
            progress(f"looking into {path.name}")
            with suppress(OSError, UnsupportedDatabase):
                if (holds_any if is_dump(path) else _holds)(path, wanted):
                    yield path


def list_closed() -> list[Path]:
    """Dumps that cannot be looked into: without the tools, or a PostgreSQL to restore them on."""
    dumps = [path for path in list_backup_files() if is_dump(path)]
    try:
        return [] if engine().find_file() is None and (not dumps or find_tool("pg_restore")) else dumps
    except UnsupportedDatabase:
        return dumps


def list_set_aside() -> list[Path]:
    """Directories with databases that could not be used, and so not be looked into either."""
    return sorted(path for path in find_folder().glob("set-aside-*") if path.is_dir())


def _holds(path: Path, wanted: list[bytes]) -> bool:
    most = max(map(len, wanted), default=1)
    with path.open("rb") as file:
        rest = b""
        while chunk := file.read(CHUNK):
            data = rest + chunk
            if any(one in data for one in wanted):
                return True
            rest = data[-most:]
    return False
