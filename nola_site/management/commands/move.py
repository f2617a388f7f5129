import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from nola_site.safety.move import CannotMove, Moved, move_store
from state.database.url import BadDatabaseURL, find_other, hide_password
from state.progress import Progress

FORMS = "postgres://user:password@host:5432/database, a data directory, or sqlite:///path/of/nola.sqlite3"


class Command(BaseCommand):
    help = "Copy the whole memory into another database, where it goes on. What is there now is only read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", required=True, metavar="URL", help=FORMS)
        parser.add_argument("--from", metavar="URL", help="the same; the database in use, if not said")

    def handle(self, *, to: str, **options: Any) -> None:
        os.umask(0o077)  # what is written is nobody else's
        progress = Progress()
        try:
            source = _find("from", options["from"]) if options["from"] else _find_live()
            moved = move_store(source, _find("to", to), progress)
        except CannotMove as error:
            raise CommandError(f"The memory was not moved: {error}.") from None
        finally:
            progress.end()
        self.stdout.write(format_moved(moved, to))


def _find(option: str, text: str) -> dict[str, Any]:
    try:
        found = find_other(text, to_read=option == "from")
    except BadDatabaseURL as error:
        raise CommandError(f"The memory was not moved: --{option} {error}.") from None
    path = found["NAME"]
    if option == "from" and isinstance(path, Path) and not path.is_file():
        raise CommandError(f"The memory was not moved: there is no file {path}.")
    return found


def _find_live() -> dict[str, Any]:
    url = os.environ.get("DATABASE_URL", "")
    return _find("from", url or str(settings.NOLA_DATA_DIR))


def format_moved(moved: Moved, to: str) -> str:
    """What was moved, and what to do next."""
    new = f"{moved.copied:,} of them in this run, " if moved.copied != moved.rows else ""
    lines = [
        f"All is there: {moved.rows:,} rows of {moved.tables} tables, {new}up to revision {moved.clock.seq}."
        " Each row was compared, and the history verifies on both sides. What was moved is as it was."
    ]
    if moved.since:
        lines.append(
            f"Meanwhile {moved.since:,} revisions were written that are not there. Stop the server, and run the same"
            " again: it brings over what is new."
        )
    if "://" in to and not to.startswith("sqlite"):
        lines.append(f"To go on there: DATABASE_URL='{hide_password(to)}' ./nola serve")
    else:
        lines.append(f"To go on there, without DATABASE_URL: {_name_folder(to)}./nola serve")
    return "\n".join(lines)


def _name_folder(to: str) -> str:
    folder = Path(find_other(to)["NAME"]).parent.parent
    return "" if folder == settings.NOLA_DATA_DIR else f"NOLA_DATA_DIR={folder} "
