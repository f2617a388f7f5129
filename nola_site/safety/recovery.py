"""What a start does about the database it finds: damaged, gone, older than it was, or of another release.

None of it ever ends in a fresh store that looks normal: either the start stops with the way out, or what was done is
said in the log, in /readyz and in the admin, for a week.
"""

import json
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest
from django.utils import timezone

from access.database import engine
from nola_site.safety import doctor, schedule
from state import clock, store
from state.backups.contents import verify_contents
from state.backups.files import create_backup, list_backups, verify_database
from state.backups.restore_backup import find_free_folder, set_aside
from state.checkpoints.files import create_automatic, find_newest_sound
from state.checkpoints.restore import read_fixture, read_seeds, restore_parts, seed_store
from state.checkpoints.verify import DamagedCheckpoint
from state.clock import Clock
from state.database import unfinished
from state.database.sql import read_at_once
from state.database.sqlite.files import FAILURES, open_database
from state.database.sqlite.wal import unreplayed_transactions
from state.errors import DamagedDatabase, ForeignDatabase, NewerDatabase, UnsupportedDatabase
from state.files.atomic import CannotWrite, NoRoom, write_atomically
from state.models import StoreMeta
from state.revisions import Author, Source
from state.write_lock import write_transaction

ACTOR = "system:first-run"
ELSEWHERE = "directory"  # in db/, of a data directory whose memory is on a server
SHOWN = timedelta(days=7)
SAME_START = timedelta(minutes=1)  # what one start has to say is shown together

log = logging.getLogger("nola")


class CannotStart(Exception):
    """Nola cannot run here; the message says why and what to do."""


# Before migrations


def was_used() -> bool:
    """Whether there was a database in this directory before, so that none now means that it is lost."""
    marks = [settings.NOLA_DB_DIR / name for name in ("secret-key", "head")]
    if any(path.exists() for path in marks) or any(settings.NOLA_DB_DIR.glob("set-aside-*")):
        return True
    return bool(list_backups() or find_newest_sound())


def check_database() -> None:
    """See that a database can be worked with at all, by what it says of itself. Raises CannotStart."""
    if obstacle := engine().find_obstacle():
        raise CannotStart(obstacle)


def examine_database() -> bool:
    """Look at what is there before anything is done to it. Returns whether it is a database. Raises CannotStart."""
    database = engine().find_file()
    return examine_file(database) if database else examine_tables()


def examine_tables() -> bool:
    """The same, of a database that is on a server."""
    if not connection.introspection.table_names():
        file = settings.NOLA_DB_DIR / "nola.sqlite3"
        if not is_empty(file):
            raise CannotStart(
                f"the database {engine().describe()} is empty, and there is a memory in {file}. Bring it over"
                " (./nola move --to URL), or set NOLA_DATA_DIR to another directory to begin anew."
            )
        return False
    check_move(connection)
    name = f"the database {engine().describe()}"
    try:
        with read_at_once(connection):
            verify_contents(name, connection, thorough=False)
    except NewerDatabase as error:
        raise CannotStart(f"{error}. The database was left as it is.") from None
    except ForeignDatabase as error:
        raise CannotStart(f"{error}. It was left as it is: name an empty database in DATABASE_URL.") from None
    except (DamagedDatabase, ValueError) as error:
        raise CannotStart(
            f"{error}. It was left as it is. To go on, restore a dump of it, or name another database in DATABASE_URL."
        ) from None
    return True


def examine_file(database: Path) -> bool:
    """The same, of one that is a file."""
    if is_empty(database):
        if (mark := settings.NOLA_DB_DIR / ELSEWHERE).exists():
            raise CannotStart(
                f"the memory of this data directory is in a PostgreSQL (there is {mark}), and DATABASE_URL is not set."
                " Set it as before, or set NOLA_DATA_DIR to another directory to begin anew in a file."
            )
        folder = set_aside(database)  # a -wal without its database must not meet the next one
        if folder and any(path.stat().st_size for path in folder.iterdir()):
            note_recovery(f"The database was gone, and a -wal file was left of it; that is kept in {folder}.")
        return False
    set_stale_wal_aside(database)
    check_wal(database)
    with open_database(database) as connection:
        check_move(connection)
    try:
        verify_database(database, thorough=False)
    except NewerDatabase as error:
        raise CannotStart(f"{error}. The database was left as it is.") from None
    except ForeignDatabase as error:
        raise CannotStart(
            f"{error}. It was left as it is: move {database} away, or set NOLA_DATA_DIR to another directory. If it was"
            f" Nola's: {doctor.explain_way_back(database)}."
        ) from None
    except DamagedDatabase as error:
        raise CannotStart(f"{error}. It was left as it is. To go on: {doctor.explain_way_back(database)}.") from None
    return True


def check_move(connection: BaseDatabaseWrapper) -> None:
    """Raises CannotStart for a database that a memory is moved into, and of which a part may be missing."""
    with suppress(DatabaseError):  # damaged, which is noticed next
        if unfinished.is_unfinished(connection):
            raise CannotStart(
                "a move into this database is unfinished: run the same ./nola move again, which goes on where it stood."
                " What is moved is where it was, as it was."
            )


def is_empty(database: Path) -> bool:
    """Whether there is no database, or one without a table, such as SQLite makes of a name that is not there."""
    if not database.exists() or not database.stat().st_size:
        return True
    try:
        with open_database(database) as connection:
            return not connection.introspection.table_names()
    except DatabaseError:
        return False


def set_stale_wal_aside(database: Path) -> None:
    """A database that was copied here does not go with the -wal that an earlier one left behind."""
    left = Path(f"{database}-wal")
    with database.open("rb") as file:
        mode = file.read(19)[18:19]
    if mode == schedule.WAL_MODE or not left.exists() or not left.stat().st_size:
        return
    folder = set_aside(database, ("-wal", "-shm"))
    note_recovery(f"{left.name} belonged to another database than the one that is there now; it is kept in {folder}.")


def check_wal(database: Path) -> None:
    """Notice that the -wal of a server that died is damaged, so that writes which were acknowledged are gone.

    A revision number that one of them may have had is not used again: db/head gets to know of as many.
    """
    folder = find_free_folder(database)
    copy = folder.with_suffix(".wal")
    try:
        count = unreplayed_transactions(database, copy)
    except (*FAILURES, OSError):
        return  # the file is damaged itself, which is noticed next
    if not count:
        return
    folder.mkdir(mode=0o700)
    copy.rename(folder / f"{database.name}-wal")
    with open_database(database) as connection:
        now = clock.read(connection)
    head = clock.read_head_file()
    if now and (head is None or head.seq < now.seq + count):
        clock.write_head_file(Clock(now.store, now.epoch, now.seq + count, "", now.at))
    note_recovery(
        f"{database.name}-wal is damaged: the last {count} transactions that were written to it, after revision"
        f" {now.seq if now else 0}, cannot be read. It is kept in {folder}."
    )


def keep_before_migrations() -> None:
    """A backup and a checkpoint of a database that is about to be migrated. Raises CannotStart."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    try:
        if clock.read():
            create_automatic("before migration")
        made = create_backup(why="before migration", thorough=False)
    except UnsupportedDatabase as error:
        log.warning("The database is brought up to date without a backup: %s", error)
        return
    except (NoRoom, CannotWrite, DamagedDatabase, DamagedCheckpoint) as error:
        raise CannotStart(f"before a database is migrated it is backed up, and that failed: {error}.") from None
    log.info("The database is brought up to date; as it was it is in %s", made.path)


# After migrations


def fill_or_go_on(was_there: bool, used_before: bool) -> None:
    """Fill a store that has no revision, and notice one that was rewound. Raises NoRoom and CannotWrite."""
    head = clock.read_head_file()  # first: another process may write it on meanwhile
    now = clock.read()
    if store.head():
        if clock.is_rewound(now, head) and head:
            _go_on(head.seq)
    elif was_there or not used_before:
        seed_store()
    else:
        _begin_again(head.seq if head else 0)
    clock.note_head(anew=True)


def _go_on(seq: int) -> None:
    now = store.head()
    reason = f"A database was put here that stands at revision {now}; the one before it had {seq}"
    made = clock.continue_above(seq, Author(ACTOR, Source.RESTORE, reason, {"rewound_from": seq}))
    note_recovery(f"{reason}. Its history goes on at revision {made}; revisions in between are gone, and answer 410.")


def _begin_again(above: int) -> None:
    """The database is lost: the newest checkpoint is what is left, or nothing is."""
    StoreMeta.objects.get_or_create(defaults={"last_seq": above})
    newest = find_newest_sound()
    backup = doctor.find_newest_backup()
    more = f" A backup has conversations and history too: ./nola restorebackup {backup.name}" if backup else ""
    if newest and newest.header:
        about = {"checkpoint": newest.name, "checkpoint_at": newest.header.at, "lost_database": True}
        reason = f"The database was gone; this is the checkpoint {newest.name} of {newest.header.at}"
        author = Author(ACTOR, Source.RESTORE, reason, about)
        contents = read_fixture(newest.path)
        with write_transaction():
            if not store.put_keys(contents.documents, author).changed:
                clock.continue_above(above, author)
            restore_parts(contents, author)
        lacks = "Its history is" if contents.parts else "Conversations and history are"
        note_recovery(f"{reason}. {lacks} not in it.{more}")
        return
    reason = "The database is gone, and there is no checkpoint: a new memory has begun from the seeds"
    store.put_keys(read_seeds(), Author(ACTOR, Source.SEED, reason, {"lost_database": True}))
    note_recovery(
        f"{settings.NOLA_DB_DIR} was in use before, but its database is gone. {reason}. If that is not what you want,"
        f" stop now and put your copy of the folder back.{more}"
    )


# Saying it


def note_recovery(text: str) -> None:
    """Say what was done, in the log and for a week in /readyz and the admin."""
    log.warning(text)
    before = read_recovery()
    if before and timezone.now() - datetime.fromisoformat(before["at"]) < SAME_START:
        text = f"{before['text']} {text}"
    with write_atomically(_note()) as file:
        file.write(json.dumps({"at": timezone.now().isoformat(timespec="seconds"), "text": text}).encode())


def read_recovery() -> dict[str, Any] | None:
    """What was done within the last week, and when."""
    try:
        said: dict[str, Any] = json.loads(_note().read_text())
        is_recent = timezone.now() - datetime.fromisoformat(said["at"]) < SHOWN
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if is_recent else None


def show_badge(request: HttpRequest) -> list[str] | None:
    """If something was done: a label for every page of the admin, and the text for the page of checkpoints."""
    said = read_recovery()
    return ["Memory recovered", "danger", said["text"], said["at"]] if said else None


def _note() -> Path:
    return Path(settings.NOLA_DB_DIR) / "recovered"
