import os
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from access.actors import cli_actor
from conversations.imports.chats import FileImport, import_file
from conversations.management.import_command import ImportCommand


class Command(ImportCommand):
    help = (
        "Bring over chats: an export of ChatGPT or Claude (the zip, or its conversations.json), one of Nola, or JSON"
        " lines of messages. Running it twice adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the file; it is only read")
        super().add_arguments(parser)
        parser.add_argument(
            "--all-or-nothing", action="store_true", help="read all of it first, and write nothing if anything is wrong"
        )

    def handle(self, *, file: str, dry_run: bool, replace: bool, all_or_nothing: bool, **options: Any) -> None:
        path = Path(os.path.expanduser(file))
        if not os.path.isfile(path):
            problem = "is a folder; manage.py importlegacy takes folders" if os.path.isdir(path) else "is not there"
            raise CommandError(f"the file {file!r} {problem}", returncode=2)
        self.run(
            lambda report, progress: import_file(
                FileImport(cli_actor(), path, replace, dry_run, all_or_nothing, progress, report)
            ),
            path,
            dry_run=dry_run,
            all_or_nothing=all_or_nothing,
            **options,
        )
