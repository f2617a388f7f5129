"""What is kept beside the database, for the doctor: checkpoints, backups, files that nothing uses, room on the disk."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings

from access.database import engine, find_folder
from conversations import traces
from nola_site.safety import schedule
from nola_site.safety.finding import ERROR, NOTE, OK, WARNING, DoctorFinding
from state.backups.files import is_dump, list_backups, verify_database
from state.checkpoints.files import read_checkpoints
from state.checkpoints.verify import find_problem
from state.database.postgres.dumps import drop_scratch, list_scratch
from state.errors import DamagedDatabase, UnsupportedDatabase
from state.files.atomic import PARTIAL
from state.history.audit import OnProgress

LEAST_FREE = 100 * 1024 * 1024  # bytes
SECRETS = ("secret-key", "admin-password", "api-key")
BELONGS = {
    "nola.sqlite3",
    "nola.sqlite3-wal",
    "nola.sqlite3-shm",
    "head",
    "directory",
    "recovered",
    "schedule",
    "growth",
    "reads",
    *SECRETS,
}
COMMANDS = {"checkpoint": "checkpoint create", "backup": "backup"}


def examine(database: Path | None, progress: OnProgress) -> Iterator[DoctorFinding]:
    """All findings; `database` is its file, if it is one."""
    yield from _checkpoints(progress)
    yield from _backups(progress)
    yield from _schedule()
    yield from _traces()
    yield from _strays(database)
    if database is None and not engine().find_obstacle():
        yield from _scratch()
    yield from _secrets()
    yield from _room(database)


def _checkpoints(progress: OnProgress) -> Iterator[DoctorFinding]:
    found = read_checkpoints()
    for number, one in enumerate(found, 1):
        progress(f"verifying checkpoint {number} of {len(found)}")
        problem = find_problem(one.path)
        if problem:
            yield DoctorFinding("checkpoints", ERROR, f"{one.name}: {problem}", f"delete {one.path}, or accept it")
    yield from _age("checkpoints", [one.at for one in found], "checkpoint create")


def _backups(progress: OnProgress) -> Iterator[DoctorFinding]:
    found = list_backups()
    for number, one in enumerate(found, 1):
        progress(f"verifying backup {number} of {len(found)}")
        try:
            verify_database(one.path, thorough=number == 1 and not is_dump(one.path))
        except DamagedDatabase as error:
            yield DoctorFinding("backups", ERROR, str(error), f"move {one.path} away, and run: ./nola backup")
        except UnsupportedDatabase as error:
            yield DoctorFinding("backups", WARNING, f"{one.name} is not looked into: {error}")
    if any(is_dump(one.path) for one in found):
        text = "dumps can be read to their end; that their history verifies, ./nola backup --verify tells"
        yield DoctorFinding("backups", OK, text)
    yield from _age("backups", [one.at for one in found], "backup")


def _age(check: str, times: list[datetime], command: str) -> Iterator[DoctorFinding]:
    if not times:
        yield DoctorFinding(
            check, NOTE, "there are none yet", f"./nola {command} makes one; a server makes them by itself"
        )
    else:
        yield DoctorFinding(check, OK, f"{len(times)}, the newest from {max(times):%Y-%m-%d %H:%M} UTC")


def _schedule() -> Iterator[DoctorFinding]:
    for what, last in schedule.read_record().items():
        if "failed" in last:
            do = f"set that right; the server tries again every 5 minutes, or run: ./nola {COMMANDS[what]}"
            yield DoctorFinding("schedule", ERROR, f"the last scheduled {what} failed: {last['failed']}", do)


def _traces() -> Iterator[DoctorFinding]:
    """Erasures that are not through with the files of the database."""
    if not traces.list_notes():
        return

    def fix() -> str:
        return traces.clear() or "no word of it is left"

    text = "the files of the database may still hold words that were erased"
    yield DoctorFinding("erasures", WARNING, text, "a running server goes on with it, or: ./nola doctor --fix", fix)


def _strays(database: Path | None) -> Iterator[DoctorFinding]:
    """Files that nothing uses any more."""
    for folder in (
        settings.NOLA_DATA_DIR,
        settings.NOLA_DB_DIR,
        settings.NOLA_CHECKPOINT_DIR,
        settings.NOLA_BACKUP_DIR,
    ):
        for path in sorted(folder.glob("*")) if folder.is_dir() else []:
            yield from _stray(path, database)


def _stray(path: Path, database: Path | None) -> Iterator[DoctorFinding]:
    if path.name.endswith(PARTIAL):

        def fix() -> str:
            path.unlink(missing_ok=True)
            return "removed"

        yield DoctorFinding("strays", WARNING, f"{path} was never finished", "./nola doctor --fix removes it", fix)
    elif path.name.startswith("set-aside-"):
        yield DoctorFinding(
            "strays", NOTE, f"{path} holds what could not be used", "delete it once you need it no more"
        )
    elif path.parent == settings.NOLA_DB_DIR and path.is_file() and not _belongs(path.name):
        yield DoctorFinding("strays", NOTE, f"{path} is none of Nola's", "move it away if you do not know it")
    elif (path.parent == settings.NOLA_DATA_DIR and path.suffix in (".sqlite3", ".db")) or _is_left(path, database):
        text = f"{path} is a database that is not in use: {engine().describe()} is"
        yield DoctorFinding("strays", WARNING, text, "move it away")


def _is_left(path: Path, database: Path | None) -> bool:
    """Whether it is the file of before, where the database is none any more."""
    return database is None and path == settings.NOLA_DB_DIR / "nola.sqlite3"


def _scratch() -> Iterator[DoctorFinding]:
    """Databases that verifying or restoring a dump has left, since it was killed."""
    for name in list_scratch():

        def fix(name: str = name) -> str:
            drop_scratch(name)
            return "dropped"

        text = f"the database {name} was left by something that was killed"
        yield DoctorFinding("strays", WARNING, text, "./nola doctor --fix drops it", fix)


def _belongs(name: str) -> bool:
    return name in BELONGS or name.startswith((".", traces.NOTE))


def _secrets() -> Iterator[DoctorFinding]:
    for name in SECRETS:
        path = settings.NOLA_DB_DIR / name
        if path.exists() and path.stat().st_mode & 0o077:

            def fix(path: Path = path) -> str:
                path.chmod(0o600)
                return "now only its owner can read it"

            yield DoctorFinding("secrets", WARNING, f"others can read {path}", "./nola doctor --fix, or chmod 600", fix)


def _room(database: Path | None) -> Iterator[DoctorFinding]:
    size, free = engine().measure() if database else 0, shutil.disk_usage(find_folder()).free
    if free < max(LEAST_FREE, 2 * size):
        text = f"{free:,} bytes are free; the database has {size:,}, and a backup needs as much"
        yield DoctorFinding("disk", WARNING, text, "free some space, or move the data directory (NOLA_DATA_DIR)")
    elif database:
        yield DoctorFinding("disk", OK, f"{free:,} bytes are free")
    else:
        text = f"{free:,} bytes are free for backups; how much the server of the database has is not seen from here"
        yield DoctorFinding("disk", OK, text)
