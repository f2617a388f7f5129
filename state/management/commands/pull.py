from argparse import BooleanOptionalAction
from typing import Any

from django.core.management.base import CommandParser

from state.management.sync_command import MirrorCommand, conclude, folder_of
from state.sync.options import SyncOptions


class Command(MirrorCommand):
    help = "Bring the files of a folder up to date: one JSON file for each key. The memory is only read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", help="made if it is not there")
        super().add_arguments(parser)
        self.add_keys(parser)
        parser.add_argument(
            "--level", type=int, choices=[1, 2, 3], help="only this much of each key; such a folder is never pushed"
        )
        parser.add_argument(
            "--envelope", action=BooleanOptionalAction, default=None, help='write {"metadata": .., "data": value}'
        )
        parser.add_argument("--prefer", choices=["file", "db"], help="who wins where both changed the same")

    def handle(self, *, folder: str, verbosity: int, **options: Any) -> None:
        one = SyncOptions(folder=folder_of(folder), pushes=False, **self.options_of(**options))
        conclude([self.keep(one, "Pull into", verbosity=verbosity)])
