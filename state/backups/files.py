"""Backups: whole copies of the database, taken while it is in use, and verified. SQLite only.

A database file is only ever read through SQLite here: to open and close it by other means gives up the locks that this
process holds on it (POSIX), after which another process may remove the -wal from under us.
"""

import errno
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from state import clock
from state.clock import Clock
from state.database.sql import fetch_rows, read_at_once
from state.files.atomic import draft_file, place_file
from state.history import audit
from state.history.audit import OnProgress, show_nothing
from state.locks import lock_copies

AUTOMATIC = "auto-"  # how the names begin of those that are made, and pruned, by themselves
OURS = {"state_meta", "state_revision", "state_change", "state_storage", "django_migrations"}


class DamagedDatabase(Exception):
    """A database file that must not be used; the message says what is wrong with it."""


class ForeignDatabase(DamagedDatabase):
    """A sound database, and none of Nola's."""


class NewerDatabase(DamagedDatabase):
    """A sound database, of a newer release than this one."""


class UnsupportedDatabase(Exception):
    """This kind of database has tools of its own."""


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
    if live.vendor != "sqlite":
        raise UnsupportedDatabase(
            "this store is not a SQLite file; back it up with its own tools (pg_dump, pg_restore)"
        )
    return Path(live.settings_dict["NAME"])


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


def copy_database(source: Path, target: Path) -> None:
    """A copy in one moment of a database that may be in use, without free pages. Raises DamagedDatabase and OSError."""
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as database:
            database.execute("VACUUM INTO ?", [str(target)])
    except sqlite3.Error as error:
        raise _explain(source, error) from None


def _explain(path: Path, error: sqlite3.Error) -> Exception:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, "No space left on device")
    return DamagedDatabase(f"{path.name} cannot be read to its end: {error}")


def drop_sessions(path: Path) -> None:
    """Sign everybody out in a database file that nothing uses: whoever finds a copy must not come in with it.

    Raises DamagedDatabase and OSError.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_session'").fetchone():
                database.execute("PRAGMA secure_delete = ON")
                database.execute("DELETE FROM django_session")
    except sqlite3.Error as error:
        raise _explain(path, error) from None


# Verifying


@contextmanager
def open_database(path: Path, *, to_write: bool = False) -> Iterator[BaseDatabaseWrapper]:
    """A database file, not the live one, as Django sees it."""
    mode = "rw" if to_write else "ro"
    name = f"{path.absolute().as_uri()}?mode={mode}"
    connection = DatabaseWrapper({**live.settings_dict, "NAME": name, "OPTIONS": {"uri": True}}, "file")
    try:
        yield connection
    finally:
        connection.close()


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
            check_structure(connection, "integrity_check" if thorough else "quick_check")
            check_ours(path, connection)
            flaw = next((audit.find_flaws if thorough else audit.find_tail_flaws)(connection, progress), None)
            now = clock.read(connection)
    except (DatabaseError, sqlite3.Error, ValueError) as error:
        if getattr(error.__cause__ or error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
            raise ForeignDatabase(f"{path.name} is not a SQLite database") from None
        raise DamagedDatabase(f"{path.name} is damaged: {error}") from None
    if flaw:
        raise DamagedDatabase(f"{path.name} is not what its history says: {flaw}")
    return now or Clock("", "", 0, "", "")


def check_structure(connection: BaseDatabaseWrapper, check: str) -> None:
    """Raises DamagedDatabase for pages or indexes that do not fit together."""
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {check}(1)")
        [(verdict,)] = cursor.fetchall()
        if verdict != "ok":
            raise DamagedDatabase(f"its structure is damaged: {' '.join(verdict.split())}")


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
