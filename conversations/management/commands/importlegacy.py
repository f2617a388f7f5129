import os
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from access.actors import cli_actor
from conversations.imports.legacy_chats import import_folder
from conversations.management.import_command import ImportCommand
from state.files.sources import NoFolder


class Command(ImportCommand):
    help = "Bring over a folder of JSON files, such as the predecessor kept. Running it twice adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", help="the folder; it is only read")
        super().add_arguments(parser)

    def handle(self, *, folder: str, dry_run: bool, replace: bool, **options: Any) -> None:
        if not folder.strip():
            raise CommandError("name the folder to import; . is the current one", returncode=2)
        path = Path(os.path.expanduser(folder))
        try:
            self.run(
                lambda report, progress: import_folder(
                    path, cli_actor(), replace=replace, dry_run=dry_run, progress=progress, report=report
                ),
                path,
                dry_run=dry_run,
                **options,
            )
        except NoFolder as error:
            raise CommandError(str(error), returncode=2) from None
