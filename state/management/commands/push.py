from typing import Any

from django.core.management.base import CommandError, CommandParser

from state.management.sync_command import MirrorCommand, conclude, folder_of
from state.sync.options import SyncOptions
from state.sync.run import group_by_folder


class Command(MirrorCommand):
    help = "Bring what changed in JSON files into the memory, merged with what changed there. The files are only read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="+", metavar="FILE|DIR", help="files, or folders of them")
        super().add_arguments(parser)
        parser.add_argument("--key", help="the key that a file goes to, where its name does not say so")
        parser.add_argument("--prefer", choices=["file"], help="the file wins where both changed the same")

    def handle(self, *, what: list[str], key: str | None, verbosity: int, **options: Any) -> None:
        paths = [folder_of(one) for one in what]
        if key is not None and (len(paths) != 1 or paths[0].is_dir()):
            raise CommandError("--key goes with one file", returncode=2)
        reports = []
        for folder, names in group_by_folder(paths).items():
            links = {name: key for name in names or [] if key is not None}
            one = SyncOptions(folder=folder, names=names, links=links, pulls=False, **self.options_of(**options))
            reports.append(self.keep(one, "Push from", verbosity=verbosity))
        conclude(reports)
