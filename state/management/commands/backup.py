from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from access.database import engine
from state.backups.files import create_backup
from state.errors import DamagedDatabase, UnsupportedDatabase
from state.files.atomic import CannotWrite, NoRoom
from state.progress import Progress


class Command(BaseCommand):
    help = "Copy the whole database, while it is in use, into one file, and verify that."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to", type=Path, metavar="DIR", help="where to; backups/ in the data directory, if not said"
        )

        parser.add_argument(
            "--verify",
            action="store_true",
            help="restore a dump of PostgreSQL into a database of its own, to replay its history; a file always is",
        )

    def handle(self, *, to: Path | None, verify: bool, **_: Any) -> None:
        progress = Progress()
        thorough = verify or engine().find_file() is not None
        try:
            made = create_backup(to and to.expanduser(), thorough=thorough, progress=progress)
        except (DamagedDatabase, UnsupportedDatabase, DatabaseError, NoRoom, CannotWrite) as error:
            raise CommandError(f"No backup was made: {error}") from None
        finally:
            progress.end()
        seen = "is verified" if thorough else "could be read to its end; --verify replays its history too"
        self.stdout.write(f"{made.path} holds revision {made.revision} in {made.size:,} bytes, and {seen}.")
