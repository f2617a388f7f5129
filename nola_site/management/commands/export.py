from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from nola_site.safety import archive
from state.checkpoints.verify import DamagedCheckpoint
from state.files.atomic import CannotWrite, NoRoom
from state.progress import Progress


class Command(BaseCommand):
    help = "Write everything that is remembered to one zip file: state, history and conversations, in open formats."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="such as memory.zip")

    def handle(self, *, file: Path, **_: Any) -> None:
        path = file.expanduser()
        if path.exists():
            raise CommandError(f"{path} is there already; choose another name, or move it away.")
        progress = Progress()
        try:
            now = archive.write_archive(path, progress)
        except (archive.BadArchive, DamagedCheckpoint, NoRoom, CannotWrite) as error:
            raise CommandError(f"Nothing was exported: {error}") from None
        finally:
            progress.end()
        self.stdout.write(
            f"{path} holds everything up to revision {now.seq}, in {path.stat().st_size:,} bytes."
            " People and API keys are not in it."
        )
