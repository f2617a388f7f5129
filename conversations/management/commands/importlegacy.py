import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError, connection

from access.actors import cli_actor
from conversations import importing
from state import checkpoint_files, files
from state.folder import NoFolder
from state.report import Category, Report, printable

BUSY = "the database is busy: others are writing to it. Try again; the import goes on from where it stopped."
START = "start Nola once (make run), and import then"


class Command(BaseCommand):
    help = "Bring over a folder of JSON files, such as the predecessor kept. Running it twice adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", help="the folder; it is only read")
        parser.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
        parser.add_argument(
            "--replace", action="store_true", help="let the files win over what was changed or deleted in Nola since"
        )

    def handle(self, *, folder: str, dry_run: bool, replace: bool, verbosity: int, **_: Any) -> None:
        if not folder.strip():
            raise CommandError("name the folder to import; . is the current one", returncode=2)
        _check_database()
        progress, end = self._progress()
        report = Report()
        path = Path(os.path.expanduser(folder))
        problem = ""
        try:
            importing.bring_folder(
                path, cli_actor(), replace=replace, dry_run=dry_run, progress=progress, report=report
            )
        except NoFolder as error:
            raise CommandError(str(error), returncode=2) from None
        except (OperationalError, ProgrammingError, importing.Busy) as error:
            problem = _problem(error)
        except (files.NoRoom, files.CannotWrite, checkpoint_files.Damaged) as error:
            problem = f"{error}; before an import a checkpoint is taken."
        finally:
            end()
        if verbosity:
            self._print(report, path, dry_run=dry_run, everything=verbosity > 1)
        _conclude(report, problem, dry_run)

    def _print(self, report: Report, path: Path, *, dry_run: bool, everything: bool) -> None:
        dry = " (dry run: nothing was written)" if dry_run else ""
        self.stdout.write(f"Import of {printable(path)}{dry}\n\n")
        for line in report.lines(everything=everything):
            self.stdout.write(line)
        self.stdout.write("\n" + _outcome(report, dry_run))

    def _progress(self) -> tuple[Callable[[str], None], Callable[[], None]]:
        """Where the work is, on one line of a terminal, and how to clear it; elsewhere nothing."""
        if not sys.stdout.isatty():
            return lambda text: None, lambda: None

        def show(text: str) -> None:
            self.stdout.write(f"\r\033[K{text}", ending="")
            self.stdout.flush()

        return show, lambda: show("")


def _check_database() -> None:
    """Stop before a connection would make an empty database file."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith("file:") and not os.path.exists(name):
        raise CommandError(f"there is no database yet; {START}")


def _problem(error: Exception) -> str:
    text = str(error)
    if isinstance(error, importing.Busy) or "locked" in text or "busy" in text:
        return BUSY
    way_out = f"; {START}" if "no such table" in text or "does not exist" in text else ""
    return f"the database says: {text}{way_out}"


def _outcome(report: Report, dry_run: bool) -> str:
    if not report.findings:
        return "There is nothing to import in that folder."
    if dry_run:
        return "Nothing was written."
    if not report.revisions:
        return "Nothing new: no revision was made."
    return f"Its revisions carry the batch {report.batch}."


def _conclude(report: Report, problem: str, dry_run: bool) -> None:
    if problem:
        raise CommandError(f"stopped before the end: {problem}" if report.revisions else problem)
    failed = report.count(Category.FAILED)
    if failed:
        rest = "can be" if dry_run else "was"
        raise CommandError(f"{failed} failed, as listed above; everything else {rest} brought over.")
