"""What push, pull and sync share: their options, a question at a terminal, the report, and how they end."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError

from access.actors import cli_actor
from state import store
from state.checkpoints.verify import DamagedCheckpoint
from state.files.atomic import CannotWrite, NoRoom
from state.files.sources import NoFolder
from state.progress import Progress
from state.report import Category, Report, Unit, format_count, make_printable
from state.sync.folder import BusyFolder
from state.sync.notes import BadNotes
from state.sync.options import SyncOptions
from state.sync.run import NoDatabase, OtherMemory, run_sync

T = TypeVar("T")
REFUSALS = (
    NoFolder,
    OtherMemory,
    NoDatabase,
    BadNotes,
    BusyFolder,
    store.Overtaken,
    NoRoom,
    CannotWrite,
    DamagedCheckpoint,
)


class MirrorCommand(BaseCommand):
    """A command that keeps a folder in step."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
        parser.add_argument("--delete", action="store_true", help="what is gone on one side goes on the other, too")

    def add_keys(self, parser: CommandParser) -> None:
        parser.add_argument("--keys", nargs="+", metavar="KEY", help="only these keys")
        parser.add_argument(
            "--all", action="store_true", dest="everything", help="every key, also where the folder had only some"
        )

    def options_of(self, *, dry_run: bool, delete: bool, **options: Any) -> dict[str, Any]:
        """What of the options a run takes."""
        known = ("keys", "everything", "level", "envelope", "prefer")
        asks = None if delete or not sys.stdin.isatty() else self.ask
        return {
            "actor": cli_actor(),
            "dry_run": dry_run,
            "delete": delete,
            "ask": asks,
            **{name: options[name] for name in known if options.get(name) is not None},
        }

    def ask(self, keys: int, gone: int) -> bool:
        """Ask whether deletions are carried over."""
        what = [f"{keys} keys whose files are gone"] * bool(keys) + [f"{gone} files whose keys are gone"] * bool(gone)
        return input(f"Delete {' and '.join(what)}? [y/N] ").strip().lower() in ("y", "yes")

    def keep(self, one: SyncOptions, what: str, *, verbosity: int) -> Report:
        """Run, print the report, and end as it went."""
        progress = Progress()
        one = replace(one, progress=progress)
        try:
            report = run_or_refuse(lambda: run_sync(one))
        finally:
            progress.end()
        if verbosity:
            dry = " (dry run: nothing was written)" if one.dry_run else ""
            self.stdout.write(f"{what} {make_printable(one.folder)}{dry}\n\n")
            for line in report.lines(everything=verbosity > 1):
                self.stdout.write(line)
            self.stdout.write("\n" + describe_outcome(report, one.dry_run))
        return report


def run_or_refuse(run: Callable[[], T]) -> T:
    """Run, with what it refuses as a command says it."""
    try:
        return run()
    except REFUSALS as error:
        raise CommandError(str(error), returncode=2 if isinstance(error, NoFolder) else 1) from None
    except (OperationalError, ProgrammingError) as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise CommandError("the database is busy: others are writing to it. Try again") from None
        raise CommandError(f"the database says: {text}. If there is none yet, start Nola once (make run)") from None


def describe_outcome(report: Report, dry_run: bool) -> str:
    if dry_run:
        return "Nothing was written."
    done = [Category.ADDED, Category.UPDATED, Category.DELETED]
    keys, gone = (sum(report.count(category, unit) for category in done) for unit in (Unit.KEYS, Unit.FILES))
    if not keys and not gone:
        return "Nothing was changed."
    parts = [f"{format_count(keys, 'key')} changed in one revision, which undo takes back as a whole"] * bool(keys)
    return ", and ".join([*parts, *[f"{format_count(gone, 'file')} changed"] * bool(gone)]) + "."


def conclude(reports: list[Report]) -> None:
    """Raises CommandError where something is left for a person to do."""
    failed = sum(report.count(Category.FAILED) for report in reports)
    met = sum(report.count(Category.CONFLICTING) for report in reports)
    left = [f"{failed} failed"] * bool(failed) + [f"{met} in conflict"] * bool(met)
    if left:
        has_places = any(report.count(Category.CONFLICTING, Unit.KEYS) for report in reports)
        way_out = " --prefer settles a conflict of a key." if has_places else ""
        raise CommandError(f"{' and '.join(left)}, as listed above; everything else is done.{way_out}")


def folder_of(text: str) -> Path:
    """The folder an argument names. Raises CommandError."""
    if not text.strip():
        raise CommandError("name the folder; . is the current one", returncode=2)
    return Path(os.path.expanduser(text)).resolve()
