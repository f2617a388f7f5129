import os
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from access.actors import cli_actor
from conversations.imports.chats import STATE, FileImport, import_file
from conversations.management.import_command import ImportCommand


class Command(ImportCommand):
    help = (
        "Bring over chats of ChatGPT, Claude, Gemini and others (the zip, the folder it was unpacked to, or a file in"
        " it), an export of Nola, or JSON lines of messages. Running it twice adds nothing."
    )

    tells_loss = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the file or folder; it is only read")
        super().add_arguments(parser)
        parser.add_argument(
            "--all-or-nothing", action="store_true", help="read all of it first, and write nothing if anything is wrong"
        )
        parser.add_argument(
            "--json", action="store_true", help="print the report as JSON, conversation by conversation"
        )
        parser.add_argument(
            "--state",
            default=STATE,
            metavar="NAME",
            help=f"how the keys begin that get what is no talk, such as memories ({STATE}); empty leaves that out",
        )

    def handle(
        self, *, file: str, dry_run: bool, replace: bool, all_or_nothing: bool, state: str, **options: Any
    ) -> None:
        path = Path(os.path.expanduser(file))
        if not file.strip() or not (os.path.isfile(path) or os.path.isdir(path)):
            raise CommandError(f"the file {file!r} is not there", returncode=2)
        self.run(
            lambda report, progress: import_file(
                FileImport(cli_actor(), path, replace, dry_run, all_or_nothing, progress, report, state=state)
            ),
            path,
            dry_run=dry_run,
            all_or_nothing=all_or_nothing,
            **options,
        )
