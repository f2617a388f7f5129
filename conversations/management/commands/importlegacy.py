import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError

from access.actors import cli_actor
from conversations import importing
from state.folder import NoFolder, printable
from state.report import Category, Report

WAY_OUT = (
    "If Nola is new here, start it once (make run) before the import. What was imported before this is complete;"
    " running the import again goes on from there."
)


class Command(BaseCommand):
    help = "Bring over a folder of JSON files, such as the predecessor kept. Running it twice adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder; it is only read")
        parser.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
        parser.add_argument(
            "--replace", action="store_true", help="let the files win over what was changed or deleted in Nola since"
        )

    def handle(self, *, folder: Path, dry_run: bool, replace: bool, verbosity: int, **_: Any) -> None:
        progress, end = self._progress()
        try:
            report = importing.bring_folder(
                folder.expanduser(), cli_actor(), replace=replace, dry_run=dry_run, progress=progress
            )
        except NoFolder as error:
            raise CommandError(str(error), returncode=2) from None
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(f"the database says: {error}. {WAY_OUT}") from error
        finally:
            end()
        if verbosity:
            dry = " (dry run: nothing was written)" if dry_run else ""
            self.stdout.write(f"Import of {printable(folder)}{dry}\n\n")
            for line in report.lines(everything=verbosity > 1):
                self.stdout.write(line)
            self.stdout.write("\n" + _outcome(report, dry_run))
        _conclude(report, dry_run)

    def _progress(self) -> tuple[Callable[[str], None], Callable[[], None]]:
        """Where the work is, on one line of a terminal, and how to clear it; elsewhere nothing."""
        if not sys.stdout.isatty():
            return lambda text: None, lambda: None

        def show(text: str) -> None:
            self.stdout.write(f"\r\033[K{text}", ending="")
            self.stdout.flush()

        return show, lambda: show("")


def _outcome(report: Report, dry_run: bool) -> str:
    if not report.findings:
        return "There is nothing to import in that folder."
    if not report.count(Category.ADDED) + report.count(Category.UPDATED):
        return "Nothing new: no revision was made."
    return "Nothing was written." if dry_run else f"Its revisions carry the batch {report.batch}."


def _conclude(report: Report, dry_run: bool) -> None:
    failed = report.count(Category.FAILED)
    if failed:
        rest = "can be" if dry_run else "was"
        raise CommandError(f"{failed} failed, as listed above; everything else {rest} brought over.")
