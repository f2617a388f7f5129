import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from access.actors import cli_actor
from access.database import engine
from state import clock
from state.backups.files import is_dump, list_backups, verify_database
from state.backups.restore_backup import is_usable, restore_backup
from state.clock import Clock
from state.errors import DamagedDatabase, UnsupportedDatabase
from state.files.atomic import CannotWrite, NoRoom
from state.progress import Progress


class Command(BaseCommand):
    help = "Put a backup back, with the server stopped or running. What is there now is backed up or set aside before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a backup's name in backups/, or the path of one")
        parser.add_argument("--with-access", action="store_true", help="take people and API keys from the backup too")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, file: str, yes: bool, with_access: bool, **_: Any) -> None:
        progress = Progress()
        try:
            path = find_backup(file)
            was = verify_database(path, thorough=not is_dump(path), progress=progress)  # a dump is, once it is restored
            progress.end()
            if not (yes or self._agreed(path, was)):
                return
            made = restore_backup(path, cli_actor(), progress, with_access=with_access)
        except (DamagedDatabase, UnsupportedDatabase, NoRoom, CannotWrite, DatabaseError) as error:
            raise CommandError(f"Nothing was restored: {error}") from None
        finally:
            progress.end()
        self.stdout.write(
            f"The memory is as it was at revision {was.seq} ({was.at[:19]} UTC); this is revision {made}."
            " Revisions in between are gone, and answer 410."
        )

    def _agreed(self, path: Path, was: Clock) -> bool:
        now = clock.read() if is_usable() else None
        here = f"is at revision {now.seq}, and is backed up before" if now else _describe_unusable()
        self.stdout.write(f"{path} is sound: revision {was.seq}, {was.at[:19]} UTC. What is there now {here}.")
        if not sys.stdin.isatty():
            raise CommandError("Nothing was changed. Say --yes to restore without being asked.")
        return input("Restore it? [y/N] ").strip().lower() in ("y", "yes")


def _describe_unusable() -> str:
    return "cannot be used, and is set aside" if engine().find_file() else "is no memory yet"


def find_backup(file: str) -> Path:
    """The path of a backup. Raises CommandError."""
    for path in (
        Path(file).expanduser(),
        settings.NOLA_BACKUP_DIR / file,
        settings.NOLA_BACKUP_DIR / f"{file}.sqlite3",
        settings.NOLA_BACKUP_DIR / f"{file}.dump",
    ):
        if path.is_file():
            return path
    known = ", ".join(one.name for one in list_backups()[:10]) or "none"
    raise CommandError(f"there is no file {file}, and no backup of that name; there are: {known}")
