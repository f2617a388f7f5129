"""Forgetting from beginning to end: a preview, the copies, the database, its files. It can be run again at any time.

The copies come first: as long as the database still knows what is to be forgotten, a run that was killed can be
repeated. A server may be running; its writers wait while the database is rewritten.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from django.db import connection, transaction

from access.database import engine, find_folder
from access.security import Event, record_event
from conversations import traces
from nola_site.forget import database, files
from nola_site.forget.database import DatabasePlan, apply_plan, next_number, plan_database
from nola_site.forget.files import Target
from nola_site.forget.redaction import check_text, show_masked
from nola_site.forget.spots import Spot, list_spots
from nola_site.safety import growth, reads
from state import clock, guards
from state.address import Address
from state.database.sql import read_at_once
from state.errors import Unprocessable
from state.history import replay
from state.history.audit import OnProgress, show_nothing
from state.jsondoc.pointer import parse_pointer
from state.locks import lock_copies
from state.models import Snapshot
from state.revisions import Author
from state.write_lock import write_transaction

SPOTS = 12  # that a preview names


class Forgettable(NamedTuple):
    """What is to be forgotten: a text, wherever it is, or a node; `everywhere`: and what it ever was, wherever."""

    text: str = ""
    address: Address | None = None
    everywhere: bool = False


@dataclass
class Forgotten:
    """What holds it, or was done to it: counts by what the rows are, the copies with a word each, and what stays."""

    counts: Counter[str] = field(default_factory=Counter)
    names: int = 0
    copies: dict[str, str] = field(default_factory=dict)  # by the file's name
    left: list[str] = field(default_factory=list)
    masked: str = ""
    spots: list[Spot] = field(default_factory=list)  # the first of them, in a preview
    more: int = 0  # spots beyond those
    revision: int = 0  # that says so; 0 where the database did not hold it

    @property
    def is_empty(self) -> bool:
        return not (self.counts or self.copies)

    def lines(self) -> Iterator[str]:
        """For people."""
        for what, count in sorted(self.counts.items()):
            yield f"{what}: {count:,}"
        if self.names:
            yield f"names of keys and members, which are renamed: {self.names:,}"
        for name, word in self.copies.items():
            yield f"{name}: {word}"


class Busy(Unprocessable):
    """Something is being forgotten already."""


def parse_forgettable(argument: str, *, everywhere: bool = False, is_text: bool = False) -> Forgettable:
    """What a person has named: a pointer, which begins with /, or a text. Raises BadText and BadPointer."""
    if not argument.startswith("/") or is_text:
        return Forgettable(check_text(argument))
    key, *tokens = parse_pointer(argument)
    return Forgettable("", Address(key, tuple(tokens)), everywhere)


def preview(what: Forgettable, progress: OnProgress = show_nothing) -> Forgotten:
    """What holds it, by place. Nothing is changed."""
    with read_at_once(connection):
        plan = _plan(what, next_number(connection), progress)
    found = _about(plan)
    spots = list_spots(plan)
    found.spots = list(islice(spots, SPOTS))
    found.more = sum(1 for _ in spots)
    found.copies = _copies(plan, what, None, progress)
    found.left += _list_others(plan, found.copies, progress)
    return found


def forget(what: Forgettable, author: Author, progress: OnProgress = show_nothing, *, waits: bool = True) -> Forgotten:
    """Do it, for good. Raises Busy, NoRoom and CannotWrite; then the same can be run again.

    Unless it `waits`, the files of a large database are left to the schedule of the server.
    """
    with _alone():
        files.remove_drafts()
        with read_at_once(connection):
            plan = _plan(what, number := next_number(connection), progress)
        copies = _copies(plan, what, author, progress)
        progress("rewriting the database")
        found = _rewrite(what, author, number, copies, progress)
        copies |= _copies(plan, what, author, progress)  # those that were made meanwhile
        found.left += clear_files(progress, waits=waits)
        found.left += _list_others(plan, copies, progress)
    return found


def clear_files(progress: OnProgress = show_nothing, *, waits: bool = True) -> list[str]:
    """Leave nothing of what was erased in a file of the database, also by a run that was killed; what is in the way."""
    progress("clearing the files of the database")
    note = traces.clear() if waits else traces.clear_soon()
    return [note] if note else []


def _plan(what: Forgettable, number: int, progress: OnProgress) -> DatabasePlan:
    progress("looking for it in the database")
    return plan_database(connection, [what.text] if what.text else [], what.address, what.everywhere, number)


def _about(plan: DatabasePlan) -> Forgotten:
    texts = plan.redaction.originals or sorted(plan.node.values if plan.node else ())
    return Forgotten(plan.counts, plan.names, left=[*plan.left], masked=show_masked(texts))


@contextmanager
def _alone() -> Iterator[None]:
    lock = engine().open_lock("forget")
    if not lock.take():
        raise Busy("something is being forgotten just now; try again when that is done")
    try:
        yield
    finally:
        lock.release()


def _copies(plan: DatabasePlan, what: Forgettable, author: Author | None, progress: OnProgress) -> dict[str, str]:
    """What is done with checkpoints and backups, or would be without an author."""
    target = Target(plan.redaction, what.address, plan.node, what.everywhere)
    found = {}
    for path in files.list_checkpoints():
        progress(f"looking into {path.name}")
        found[path.name] = files.redact_checkpoint(path, target, dry_run=author is None)
    for path in files.list_backup_files():
        progress(f"looking into {path.name}")
        found[path.name] = files.redact_backup(path, target, author, plan.redaction.number, progress)
    return {name: word for name, word in found.items() if word}


def _rewrite(what: Forgettable, author: Author, number: int, copies: dict[str, str], progress: OnProgress) -> Forgotten:
    """The database, in one transaction."""
    with lock_copies(find_folder(), alone=True), traces.note_erasure(), write_transaction():
        plan = _plan(what, number, progress)
        found = _about(plan)
        found.copies = copies
        if found.is_empty:
            return found
        shown = plan.redaction.pointer(what.address.pointer) if what.address else "a text"
        detail = {"forgotten": shown, "rows": dict(found.counts), "copies": len(copies)}
        if plan.holds_it:
            if guards.find_missing():  # they are of a release before
                guards.ensure_guards()
            snapshots = _list_snapshots(plan)
            database.replace_words(plan)
            found.revision = apply_plan(plan, replace(author, info={**author.info, **detail}))
            transaction.on_commit(lambda: _settle(snapshots))
        record_event(Event.FORGOTTEN, plan.redaction.text(author.actor), _sentence(shown, found))
    return found


def _sentence(shown: str, found: Forgotten) -> str:
    rows = [f"{name}: {count}" for name, count in sorted(found.counts.items())]
    return f"{shown}. {', '.join([*rows, f'checkpoints and backups: {len(found.copies)}'])}"


def _list_snapshots(plan: DatabasePlan) -> list[tuple[str, int]]:
    """The snapshots that go, with the names that their keys will have."""
    keys = [key for kind, key in plan.history.keys if kind == "state"]
    rows = Snapshot.objects.filter(key__in=keys).order_by("revision").values_list("key", "revision")
    return [(plan.redaction.name(key), revision) for key, revision in rows]


def _settle(snapshots: Sequence[tuple[str, int]]) -> None:
    """Once it is done: the cache of the past made anew, and what is kept beside the database of the old epoch."""
    clock.note_head(anew=True)
    growth.remove_growth()
    reads.remove_reads()
    for key, revision in snapshots:
        replay.make_snapshot(key, revision)


def _list_others(plan: DatabasePlan, copies: dict[str, str], progress: OnProgress) -> list[str]:
    aside = [
        f"{path} may hold it, and is not looked into: remove it once you need it no more"
        for path in files.list_set_aside()
    ] + [
        f"{path} may hold it: it is a dump that cannot be looked into here (it takes pg_restore and a PostgreSQL)"
        for path in files.list_closed()
    ]
    if not plan.redaction.spellings:
        return aside
    others = files.find_others(plan.redaction, progress, lambda path: path.name in copies)
    return aside + [f"{path} holds it, and is not changed: remove it yourself" for path in others]


def list_outside() -> list[str]:
    """What may hold it and is out of reach, in words."""
    return [
        "exports, downloads, folders that are kept in sync, and copies of files elsewhere are not changed",
        "what was sent to a model, or to anybody else, is not taken back",
    ]
