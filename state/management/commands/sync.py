from typing import Any

from django.core.management.base import CommandParser

from state.management.mirrors import MirrorCommand, conclude, folder_of
from state.mirror import Run


class Command(MirrorCommand):
    help = "Keep a folder of JSON files and the memory in step, both ways; what both changed is merged."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", help="made if it is not there")
        super().add_arguments(parser)
        self.add_keys(parser)
        parser.add_argument("--prefer", choices=["file", "db"], help="who wins where both changed the same")

    def handle(self, *, folder: str, verbosity: int, **options: Any) -> None:
        one = Run(folder=folder_of(folder), **self.options_of(**options))
        conclude([self.keep(one, "Sync of", verbosity=verbosity)])
