"""Backups: whole copies of the database, taken while it is in use, and verified: files of SQLite, or dumps."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from access.database import engine, find_folder
from state.backups.contents import verify_contents
from state.backups.dumps import verify_dump
from state.clock import Clock
from state.database.postgres import dumps
from state.database.sql import read_at_once
from state.database.sqlite.files import (
    FAILURES,
    check_structure,
    copy_database,
    drop_sessions,
    explain_damage,
    open_database,
)
from state.errors import DamagedDatabase, ForeignDatabase
from state.files.atomic import draft_file, place_file
from state.history.audit import OnProgress, show_nothing
from state.locks import lock_copies

FILE = ".sqlite3"
AUTOMATIC = "auto-"  # how the names begin of those that are made, and pruned, by themselves


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


def list_backups(folder: Path | None = None) -> list[Backup]:
    """All in backups/, newest first."""
    there = folder or settings.NOLA_BACKUP_DIR
    found = [Backup(path) for suffix in (FILE, dumps.SUFFIX) for path in there.glob(f"[!.]*{suffix}")]
    return sorted(found, key=lambda one: (one.path.stat().st_mtime_ns, one.revision), reverse=True)


def create_backup(
    to: Path | None = None, *, why: str = "", thorough: bool = True, progress: OnProgress = show_nothing
) -> Backup:
    """Copy the database as it is now into a file of its own, and verify that. Writers are not kept waiting.

    With `why`, which ends its name, it counts as made automatically. Raises UnsupportedDatabase,
    DamagedDatabase, NoRoom and CannotWrite.
    """
    source, folder = engine().find_file(), Path(to or settings.NOLA_BACKUP_DIR)
    suffix = FILE if source else dumps.SUFFIX
    with lock_copies(find_folder()), draft_file(folder, f"backup{suffix}") as draft:
        progress("copying the database")
        if source:
            copy_database(source, draft)
            drop_sessions(draft)
            now = verify_file(draft, thorough=thorough, progress=progress)
        else:
            dumps.dump_database(draft)
            now = verify_dump(draft, "the dump", thorough=thorough, progress=progress)
        path = folder / f"{_free_name(folder, now.seq, why)}{suffix}"
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
    """Check a database file or a dump: its structure, and, if thorough, that its history makes its state.

    Returns its clock. Raises DamagedDatabase, ForeignDatabase and NewerDatabase; for a dump, UnsupportedDatabase.
    """
    if is_dump(path):
        return verify_dump(path, path.name, thorough=thorough, progress=progress)
    return verify_file(path, thorough=thorough, progress=progress)


def is_dump(path: Path) -> bool:
    """Whether it is one of PostgreSQL. By its name: no database file is opened but through SQLite."""
    return path.suffix == dumps.SUFFIX


def verify_file(path: Path, *, thorough: bool = True, progress: OnProgress = show_nothing) -> Clock:
    """The same for a file of SQLite, whatever its name."""
    if not path.exists():
        raise DamagedDatabase(f"there is no file {path}")
    if not path.stat().st_size:
        raise ForeignDatabase(f"{path.name} is not a SQLite database: it is empty")
    try:
        with open_database(path) as connection, read_at_once(connection):
            progress("checking the structure")
            check_structure(connection, thorough=thorough)
            return verify_contents(path.name, connection, thorough=thorough, progress=progress)
    except (*FAILURES, ValueError) as error:
        raise explain_damage(path, error) from None


# Removing


def prune_backups() -> list[Backup]:
    """Remove the oldest automatic backups. Returns what went."""
    gone = [one for one in list_backups() if one.name.startswith(AUTOMATIC)][settings.NOLA_KEEP_BACKUPS :]
    for one in gone:
        one.path.unlink(missing_ok=True)
    return gone
