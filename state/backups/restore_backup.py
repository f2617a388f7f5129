"""Putting a backup back: in one transaction where the database in use is sound, as a file where it is not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection as live
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from access.database import engine
from access.security import Event, record_event
from state import clock
from state.backups.contents import check_ours, verify_contents
from state.backups.files import create_backup, is_dump, verify_database
from state.clock import Clock
from state.database.postgres.dumps import open_dump, suspend_triggers
from state.database.sql import read_at_once
from state.database.sqlite.files import attach_database, drop_sessions, make_settings
from state.database.tables import list_tables, open_beside, replace_rows
from state.errors import DamagedDatabase, UnsupportedDatabase
from state.files.atomic import draft_file, place_file, sync_path
from state.guards import TABLES, drop_guards, ensure_guards
from state.history.audit import OnProgress, show_nothing
from state.locks import try_lock
from state.revisions import Author, Source
from state.write_lock import write_transaction

# Who may come in stays as it is now, unless it is asked for: a key that was revoked since must not come back to life.
ACCESS = ("access_", "auth_", "django_")
ALWAYS_KEPT = "security_"  # who came in stays written down, whatever is put back
ALIAS = "putback"


def restore_backup(path: Path, actor: str, progress: OnProgress = show_nothing, *, with_access: bool = False) -> int:
    """Make a backup the database again, brought up to date. Returns the revision that is made for it.

    People and API keys stay as they are now, unless it is `with_access`, or the database in use cannot be read.
    What was there is backed up or set aside before. The clock goes on above both, in a new epoch. Raises Damaged,
    Unsupported, NoRoom and CannotWrite; then nothing has changed.
    """
    made, was = _restore(path, actor, progress, with_access)
    record_event(Event.RESTORED, actor, f"the backup {path.name}, of revision {was}, in revision {made}")
    return made


def _restore(path: Path, actor: str, progress: OnProgress, with_access: bool) -> tuple[int, int]:
    database = engine().find_file()
    if database is None:
        return _restore_tables(path, actor, progress, with_access)
    if is_dump(path):
        raise UnsupportedDatabase(
            f"{path.name} is a dump of a PostgreSQL. Set DATABASE_URL to one to restore it there; ./nola move brings a"
            " memory from there into a file"
        )
    was = verify_database(path, progress=progress)
    author = _author(path, actor, was)
    with _copied(path, database.parent, progress) as draft:
        with _opened(draft, progress):
            pass
        if is_usable():
            progress("replacing what is stored")
            return _replace_rows(draft, was.seq, author, with_access), was.seq
        check_no_server()
        set_aside(database)
        place_file(draft, database)
    head = clock.read_head_file()
    made = clock.continue_above(max(was.seq, head.seq if head else 0), author)
    clock.note_head(anew=True)
    return made, was.seq


def _author(path: Path, actor: str, was: Clock) -> Author:
    return Author(actor, Source.RESTORE, info={"backup": path.name, "backup_revision": was.seq})


def _restore_tables(path: Path, actor: str, progress: OnProgress, with_access: bool) -> tuple[int, int]:
    """The same for a database that is no file: from a dump, or from a file of SQLite."""
    was = verify_database(path, thorough=False, progress=progress)
    with _beside(path, progress) as other:
        with read_at_once(other):
            verify_contents(path.name, other, thorough=True, progress=progress)
        call_command("migrate", interactive=False, verbosity=0)
        progress("replacing what is stored")
        with write_transaction():
            create_backup(why="before restorebackup", thorough=False)
            now, head = clock.read(), clock.read_head_file()
            with suspend_triggers(live, [*TABLES]):
                replace_rows(other, live, [one for one in list_tables() if _is_replaced(one.name, with_access)])
            above = max(was.seq, now.seq if now else 0, head.seq if head else 0)
            made = clock.continue_above(above, _author(path, actor, was))
    clock.note_head(anew=True)
    return made, was.seq


@contextmanager
def _beside(path: Path, progress: OnProgress) -> Iterator[BaseDatabaseWrapper]:
    """What a backup holds, as a database with all migrations applied."""
    if not is_dump(path):
        with _copied(path, settings.NOLA_DB_DIR, progress) as draft, _opened(draft, progress) as connection:
            yield connection
        return
    progress("restoring it into a database of its own")
    with open_dump(path) as connection:
        call_command("migrate", database=connection.alias, interactive=False, verbosity=0)
        yield connection


def _is_replaced(table: str, with_access: bool) -> bool:
    return (with_access or not table.startswith(ACCESS)) and not table.startswith(ALWAYS_KEPT)


def is_usable() -> bool:
    """Whether there is a database in use that can be read to its end, and written."""
    database = engine().find_file()
    try:
        if database:
            verify_database(database, thorough=False)
        else:
            check_ours(engine().describe(), live)
    except DamagedDatabase:
        return False
    return True


def check_no_server() -> None:
    """Raises Damaged while a server uses a database that cannot be replaced under it."""
    with (settings.NOLA_DB_DIR / ".lock").open("a+") as lock:
        if not try_lock(lock):
            raise DamagedDatabase(
                "the database in use is damaged, and a server is running on it; stop the server first"
            )


@contextmanager
def _copied(path: Path, folder: Path, progress: OnProgress) -> Iterator[Path]:
    """A copy of a backup that is a file."""
    with draft_file(folder, "putback.sqlite3") as draft:
        progress("preparing a copy of the backup")
        shutil.copyfile(path, draft)
        drop_sessions(draft)  # older releases have kept them
        yield draft


@contextmanager
def _opened(draft: Path, progress: OnProgress) -> Iterator[BaseDatabaseWrapper]:
    """It, with all migrations applied."""
    with open_beside(ALIAS, make_settings(draft)) as connection:
        call_command("migrate", database=ALIAS, interactive=False, verbosity=0)
        yield connection


def _replace_rows(draft: Path, seq: int, author: Author, with_access: bool) -> int:
    """All rows of all tables, in one transaction, so that a server that is running sees one moment or the other."""
    call_command("migrate", interactive=False, verbosity=0)
    with attach_database(draft) as other, transaction.atomic():
        create_backup(why="before restorebackup", thorough=False)
        now, head = clock.read(), clock.read_head_file()
        drop_guards()
        for table in other.list_tables():
            if _is_replaced(table, with_access):
                other.copy_table(table)
        ensure_guards()
        made = clock.continue_above(max(seq, now.seq if now else 0, head.seq if head else 0), author)
    clock.note_head(anew=True)
    return made


def set_aside(database: Path, suffixes: tuple[str, ...] = ("", "-wal", "-shm", "-journal")) -> Path | None:
    """Move a database that cannot be used, with what belongs to it, into a directory beside it; never delete it.

    Returns the directory, None where there was nothing to move.
    """
    found = [path for suffix in suffixes if (path := Path(f"{database}{suffix}")).exists()]
    if not found:
        return None
    live.close()
    folder = find_free_folder(database)
    folder.mkdir(mode=0o700)
    for path in found:
        path.rename(folder / path.name)
    sync_path(folder)
    sync_path(database.parent)
    return folder


def find_free_folder(database: Path) -> Path:
    """A directory, not yet there, for what is set aside now."""
    stem = f"set-aside-{timezone.now():%Y%m%dT%H%M%SZ}"
    names = (stem, *(f"{stem}-{n}" for n in range(2, 1000)))
    return next(folder for folder in (database.parent / name for name in names) if not folder.exists())
