from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from nola_site.safety import archive, first_run
from nola_site.safety.recovery import CannotStart
from state.backups.restore_backup import check_no_server
from state.errors import DamagedDatabase
from state.files.atomic import CannotWrite, NoRoom
from state.progress import Progress


class Command(BaseCommand):
    help = "Make a new memory from a zip file that export wrote: an equal one, with its history."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a file that export wrote")

    def handle(self, *, file: Path, **_: Any) -> None:
        progress = Progress()
        try:
            first_run.make_directories()
            check_no_server()
            now = archive.read_archive(file.expanduser(), progress)
        except (archive.BadArchive, archive.NotEmpty, DamagedDatabase, NoRoom, CannotWrite, CannotStart) as error:
            raise CommandError(f"Nothing was imported: {error}") from None
        finally:
            progress.end()
        self.stdout.write(f"The memory is here, up to revision {now.seq}, and its history verifies. Start it: make run")
