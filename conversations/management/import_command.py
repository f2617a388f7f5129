"""What the import commands share: progress on a terminal, the report, and how they end."""

import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError

from access.database import engine
from conversations.imports.legacy_chats import ImportBusy
from conversations.imports.summary import is_whole, summarize
from state.checkpoints.verify import DamagedCheckpoint
from state.files.atomic import CannotWrite, NoRoom
from state.jsondoc.text import format_json
from state.report import Category, Report, make_printable, name_undo

BUSY = "the database is busy: others are writing to it. Try again; the import goes on from where it stopped."
START = "start Nola once (make run), and import then"


class ImportCommand(BaseCommand):
    """A command that imports what its last argument names."""

    tells_loss = False  # at the end, if anything was left out

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
        parser.add_argument(
            "--replace", action="store_true", help="let the files win over what was changed or deleted in Nola since"
        )

    def run(
        self,
        bring: Callable[[Report, Callable[[str], None]], object],
        what: object,
        *,
        dry_run: bool,
        verbosity: int,
        all_or_nothing: bool = False,
        json: bool = False,
        **_: Any,
    ) -> None:
        """Import with progress, print the report, and end as it went."""
        check_database()
        progress, end = self._progress()
        report = Report()
        problem = ""
        try:
            bring(report, progress)
        except (OperationalError, ProgrammingError, ImportBusy) as error:
            problem = explain_database(error)
        except (NoRoom, CannotWrite, DamagedCheckpoint) as error:
            problem = f"{error}; before an import a checkpoint is taken."
        finally:
            end()
        if json:
            self.stdout.write(format_json(summarize(report)))
        elif verbosity:
            self._print(report, str(what), dry_run=dry_run, everything=verbosity > 1)
        _conclude(report, problem, dry_run, all_or_nothing)

    def _print(self, report: Report, what: str, *, dry_run: bool, everything: bool) -> None:
        dry = " (dry run: nothing was written)" if dry_run else ""
        self.stdout.write(f"Import of {make_printable(what)}{dry}\n\n")
        for line in report.lines(everything=everything):
            self.stdout.write(line)
        if self.tells_loss and not is_whole(report):
            self.stdout.write("\nNot all of the file is in Nola as it stands there: see what is listed above.")
        self.stdout.write("\n" + _outcome(report, dry_run))

    def _progress(self) -> tuple[Callable[[str], None], Callable[[], None]]:
        """Where the work is, on one line of a terminal, and how to clear it; elsewhere nothing."""
        if not sys.stdout.isatty():
            return lambda text: None, lambda: None

        def show(text: str) -> None:
            self.stdout.write(f"\r\033[K{text}", ending="")
            self.stdout.flush()

        return show, lambda: show("")


def check_database() -> None:
    """Stop before a connection would make an empty database file."""
    database = engine().find_file()
    if database and not database.exists():
        raise CommandError(f"there is no database yet; {START}")


def explain_database(error: Exception) -> str:
    """Why the database ended an import, and what to do."""
    text = str(error)
    if isinstance(error, ImportBusy) or "locked" in text or "busy" in text:
        return BUSY
    way_out = f"; {START}" if "no such table" in text or "does not exist" in text else ""
    return f"the database says: {text}{way_out}"


def _outcome(report: Report, dry_run: bool) -> str:
    if not report.findings:
        return "There is nothing to import in it."
    if dry_run:
        return "Nothing was written."
    if not report.revisions:
        return "Nothing new: no revision was made."
    return f"Its revisions carry the batch {report.batch}. {name_undo(0, report.batch)}"


def _conclude(report: Report, problem: str, dry_run: bool, all_or_nothing: bool) -> None:
    if problem:
        raise CommandError(f"stopped before the end: {problem}" if report.revisions else problem)
    failed = report.count(Category.FAILED)
    if failed:
        rest = "everything else can be" if dry_run else "everything else was"
        if all_or_nothing:
            rest = "nothing can be" if dry_run else "nothing was"
        raise CommandError(f"{failed} failed, as listed above; {rest} brought over.")
