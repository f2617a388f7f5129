from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.actors import cli_actor
from state import store, undo
from state.errors import Refusal
from state.files.atomic import CannotWrite, NoRoom
from state.history import replay
from state.jsondoc.text import dump_json
from state.registry import Planned
from state.report import name_undo
from state.revisions import Author, Source


class Command(BaseCommand):
    help = "Take back what revisions did, as a new revision; what came later elsewhere stays. Undo of it is a redo."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("revisions", nargs="*", type=int, default=[], metavar="REVISION", help="one or several")
        what.add_argument("--batch", help="all of an import, or of a restore with conversations")
        what.add_argument("--by", metavar="ACTOR", help="all that an actor did, such as key:planner")
        parser.add_argument("--since", default="0", metavar="WHEN", help="with --by: after this revision or time")
        parser.add_argument("--until", default="", metavar="WHEN", help="with --by: up to this revision or time")
        parser.add_argument(
            "--prefer", choices=["mine", "theirs"], help="where later changes are in the way: let the undo win, or them"
        )
        parser.add_argument("--reason", default="", help="kept in the history")
        parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")

    def handle(self, *, prefer: Any, reason: str, dry_run: bool, **options: Any) -> None:
        try:
            revisions = find_revisions(**options)
            plan = undo.plan(revisions, prefer)
            if dry_run:
                self._show(plan())
                return
            written = store.commit(plan, Author(cli_actor(), Source.UNDO, reason, {"undoes": revisions}))
        except (Refusal, NoRoom, CannotWrite) as error:
            raise CommandError(f"Nothing was changed: {error}") from None
        if not written.changed:
            self.stdout.write("All is as it was before; nothing changed.")
            return
        names = ", ".join(dict.fromkeys(one.key for one in written.changed))
        self.stdout.write(f"Revision {written.revision} took it back, in {names}. {name_undo(written.revision)}")

    def _show(self, planned: Sequence[Planned]) -> None:
        changing = [one for one in planned if one.forward]
        for one in changing:
            self.stdout.write(f"{one.key}\n  {dump_json(one.forward)}")
        if not changing:
            self.stdout.write("Nothing would change.")


def find_revisions(
    revisions: list[int], batch: str | None, by: str | None, since: str, until: str, **_: Any
) -> list[int]:
    """The revisions that are named, newest first. Raises CannotUndo, and UnknownMoment for no time."""
    if batch is not None:
        return undo.find_batch(batch)
    if by is not None:
        last = replay.revision_at(until) if until else store.head()
        return undo.find_by_actor(by, replay.revision_at(since), last)
    return undo.find_revisions(revisions)
