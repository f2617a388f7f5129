from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

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

    def handle(self, *, to: Path | None, **_: Any) -> None:
        progress = Progress()
        try:
            made = create_backup(to and to.expanduser(), progress=progress)
        except (DamagedDatabase, UnsupportedDatabase, NoRoom, CannotWrite) as error:
            raise CommandError(f"No backup was made: {error}") from None
        finally:
            progress.end()
        self.stdout.write(f"{made.path} holds revision {made.revision} in {made.size:,} bytes, and is verified.")
