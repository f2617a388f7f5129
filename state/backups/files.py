"""Backups: whole copies of the database, taken while it is in use, and verified. SQLite only."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from access.database import engine
from state import clock
from state.clock import Clock
from state.database.sql import fetch_rows, read_at_once
from state.database.sqlite.files import (
    FAILURES,
    check_structure,
    copy_database,
    drop_sessions,
    explain_damage,
    open_database,
)
from state.errors import DamagedDatabase, ForeignDatabase, NewerDatabase, UnsupportedDatabase
from state.files.atomic import draft_file, place_file
from state.history import audit
from state.history.audit import OnProgress, show_nothing
from state.locks import lock_copies

AUTOMATIC = "auto-"  # how the names begin of those that are made, and pruned, by themselves
OURS = {"state_meta", "state_revision", "state_change", "state_storage", "django_migrations"}


@dataclass(frozen=True)
class Backup:
    """A backup file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def revision(self) -> int:
        """The revision that its name says it holds; 0 for one that was renamed."""
        found = re.search(r"-r(\d+)(?:-|$)", self.name)
        return int(found[1]) if found else 0


def database_path() -> Path:
    """The live database's file. Raises UnsupportedDatabase."""
    database = engine().find_file()
    if database is None:
        raise UnsupportedDatabase(
            "this store is not a SQLite file; back it up with its own tools (pg_dump, pg_restore)"
        )
    return database


def list_backups(folder: Path | None = None) -> list[Backup]:
    """All in backups/, newest first."""
    found = map(Backup, (folder or settings.NOLA_BACKUP_DIR).glob("[!.]*.sqlite3"))
    return sorted(found, key=lambda one: (one.path.stat().st_mtime_ns, one.revision), reverse=True)


def create_backup(
    to: Path | None = None, *, why: str = "", thorough: bool = True, progress: OnProgress = show_nothing
) -> Backup:
    """Copy the database as it is now into a file of its own, and verify that. Writers are not kept waiting.

    With `why`, which ends its name, it counts as made automatically. Raises UnsupportedDatabase,
    DamagedDatabase, NoRoom and CannotWrite.
    """
    source, folder = database_path(), Path(to or settings.NOLA_BACKUP_DIR)
    with lock_copies(source.parent), draft_file(folder, "backup.sqlite3") as draft:
        progress("copying the database")
        copy_database(source, draft)
        drop_sessions(draft)
        now = verify_database(draft, thorough=thorough, progress=progress)
        path = folder / f"{_free_name(folder, now.seq, why)}.sqlite3"
        place_file(draft, path)
    return Backup(path)


def _free_name(folder: Path, revision: int, why: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", why.lower()).strip("-")[:40]
    prefix, suffix = (AUTOMATIC, f"-{words}") if words else ("nola-", "")
    stem = f"{prefix}{timezone.now():%Y%m%dT%H%M%SZ}-r{revision}{suffix}"
    taken = {one.name for one in list_backups(folder)}
    return next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, 10_000))) if name not in taken)


# Verifying


def verify_database(path: Path, *, thorough: bool = True, progress: OnProgress = show_nothing) -> Clock:
    """Check a database file: its structure, and, if thorough, that its history verifies and makes its state.

    Returns its clock. Raises DamagedDatabase, ForeignDatabase and NewerDatabase.
    """
    if not path.exists():
        raise DamagedDatabase(f"there is no file {path}")
    if not path.stat().st_size:
        raise ForeignDatabase(f"{path.name} is not a SQLite database: it is empty")
    try:
        with open_database(path) as connection, read_at_once(connection):
            progress("checking the structure")
            check_structure(connection, thorough=thorough)
            check_ours(path, connection)
            flaw = next((audit.find_flaws if thorough else audit.find_tail_flaws)(connection, progress), None)
            now = clock.read(connection)
    except (*FAILURES, ValueError) as error:
        raise explain_damage(path, error) from None
    if flaw:
        raise DamagedDatabase(f"{path.name} is not what its history says: {flaw}")
    return now or Clock("", "", 0, "", "")


def check_ours(path: Path, connection: BaseDatabaseWrapper) -> None:
    """Raises ForeignDatabase and NewerDatabase."""
    if not set(connection.introspection.table_names()) >= OURS:
        raise ForeignDatabase(f"{path.name} is a database of something else: it has none of Nola's tables")
    unknown = find_unknown_migrations(connection)
    if unknown:
        raise NewerDatabase(
            f"{path.name} was written by a newer Nola (it has {unknown[0]}). Install that release, or a newer one"
        )


def find_unknown_migrations(connection: BaseDatabaseWrapper) -> list[str]:
    """What was applied to a database that this release does not know."""
    on_disk = MigrationLoader(None).disk_migrations
    known = {*on_disk, *(old for one in on_disk.values() for old in one.replaces)}
    apps = {app for app, _ in known}
    applied = fetch_rows(connection, "SELECT app, name FROM django_migrations ORDER BY app, name")
    return [f"{app}.{name}" for app, name in applied if app in apps and (app, name) not in known]


# Removing


def prune_backups() -> list[Backup]:
    """Remove the oldest automatic backups. Returns what went."""
    gone = [one for one in list_backups() if one.name.startswith(AUTOMATIC)][settings.NOLA_KEEP_BACKUPS :]
    for one in gone:
        one.path.unlink(missing_ok=True)
    return gone
