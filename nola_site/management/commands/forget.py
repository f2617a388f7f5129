import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from access.actors import cli_actor
from nola_site.forget import run
from nola_site.forget.redaction import BadText
from nola_site.forget.run import Forgettable, Forgotten
from state.errors import DamagedDatabase, UnsupportedDatabase
from state.files.atomic import CannotWrite, NoRoom
from state.jsondoc.pointer import BadPointer
from state.progress import Progress
from state.revisions import Author, Source

FAILURES = (run.Busy, DamagedDatabase, NoRoom, CannotWrite, DatabaseError)


class Command(BaseCommand):
    help = (
        "Forget a value for good: in keys, their history, conversations, search, receipts, checkpoints and backups."
        " Shows first what holds it, and asks. A server may be running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "what",
            metavar="POINTER|TEXT",
            help="such as /Persona/address: what is there and ever was; or a text, which goes wherever it stands."
            " - asks for it, so that it stands in no list of commands",
        )
        parser.add_argument("--text", action="store_true", help="it is a text, though it begins with /")
        parser.add_argument(
            "--everywhere", action="store_true", help="with a pointer: whatever was there goes wherever it stands, too"
        )
        parser.add_argument("--reason", default="", help="kept in the history")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, what: str, text: bool, everywhere: bool, reason: str, yes: bool, **_: Any) -> None:
        progress = Progress()
        try:
            wanted = run.parse_forgettable(_read(what), everywhere=everywhere, is_text=text)
            found = run.preview(wanted, progress)
            progress.end()
            self._show(wanted, found)
            if found.is_empty:
                self._list("Still there:", run.clear_files(progress))  # of a run that was killed
                return
            if not (yes or self._agreed()):
                return
            done = run.forget(wanted, Author(cli_actor(), Source.FORGET, reason), progress)
        except (BadText, BadPointer, UnsupportedDatabase) as error:
            raise CommandError(f"{error}.") from None
        except FAILURES as error:
            raise CommandError(f"{error}. Nothing is half done: run the same again.") from None
        finally:
            progress.end()
        self.stdout.write(f"Forgotten{f', in revision {done.revision}' if done.revision else ''}.")
        self._list("Still there:", done.left)

    def _show(self, wanted: Forgettable, found: Forgotten) -> None:
        where = f" at {wanted.address.pointer}" if wanted.address else ""
        if found.is_empty:
            self.stdout.write(f"Nothing holds it{where}.")
        else:
            self._list(f"To be forgotten{where}: {found.masked}", list(found.lines()))
        self._list("Not changed by this:", [*found.left, *run.list_outside()])

    def _list(self, title: str, lines: list[str]) -> None:
        if lines:
            self.stdout.write("\n  ".join([title, *lines]))

    def _agreed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was changed. Say --yes to forget it without being asked.")
        return input("Forget it, for good? [y/N] ").strip().lower() in ("y", "yes")


def _read(what: str) -> str:
    """What the command line names, or what is typed or piped in its place."""
    if what != "-":
        return what
    return getpass("What is to be forgotten: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
