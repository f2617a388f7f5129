import signal
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from state.management.sync_command import MirrorCommand, conclude, folder_of, run_or_refuse
from state.report import Finding, Report, make_printable
from state.sync.options import SyncOptions
from state.sync.watch import Watch


class Command(MirrorCommand):
    help = "Keep a folder of JSON files and the memory in step, both ways; what both changed is merged."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", help="made if it is not there")
        super().add_arguments(parser)
        self.add_keys(parser)
        parser.add_argument("--prefer", choices=["file", "db"], help="who wins where both changed the same")
        parser.add_argument("--watch", action="store_true", help="go on, whenever one side changes, until Ctrl+C")

    def handle(self, *, folder: str, watch: bool, verbosity: int, **options: Any) -> None:
        if watch and (options["dry_run"] or options["prefer"]):
            # to prefer one side for good would let it overwrite what nobody has seen yet
            raise CommandError("--watch goes with neither --dry-run nor --prefer; run those once, and then watch")
        one = SyncOptions(folder=folder_of(folder), **self.options_of(**options))
        report = self.keep(one, "Sync of", verbosity=verbosity)
        if watch:
            self.watch(one, report)
        else:
            conclude([report])

    def watch(self, one: SyncOptions, report: Report) -> None:
        """Keep in step until Ctrl+C or SIGTERM, and say what is done."""
        ends: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: ends.append(number))
        self.say("Watching both sides. Ctrl+C ends it.")
        run_or_refuse(lambda: Watch(one, report, self.tell).run(lambda: not ends))
        self.say("Ended.")

    def tell(self, finding: Finding) -> None:
        self.say(f"{finding.category}: {finding.file}: {finding.text}")

    def say(self, text: str) -> None:
        self.stdout.write(f"{timezone.localtime():%H:%M:%S} {make_printable(text)}")
        self.stdout.flush()
