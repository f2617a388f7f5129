"""Undo: what some revisions did is taken back by a new one; what came after them and is unrelated stays."""

import copy
import json
import time
from collections.abc import Callable, Sequence
from itertools import groupby

from django.db.models import QuerySet

from state import edits, merging, registry
from state.edits import Edit
from state.entries import read_entry
from state.errors import Unprocessable
from state.jsondoc.diff import Op
from state.jsondoc.node_tree import NodeValue
from state.jsondoc.patch import replay_ops
from state.jsondoc.text import NOTHING, JSONValue, Nothing, dump_json
from state.merging import LaterOp
from state.models import Change, Revision
from state.registry import Conflict, ConflictError, Planned, Prefer, UndoRequest
from state.revisions import Source

MOST = 10_000  # revisions undone at once
MOST_WORK = 1_000_000  # operations that are looked at for one key, in all
LONGEST = 10.0  # seconds that one key may take: whoever asks waits for the answer
TOO_MUCH = (
    "what is to be undone of {!r} lies among so many later changes of the same parts that it would take too long;"
    " undo it in several parts, the newest first"
)


class CannotUndo(Unprocessable):
    """No such revisions, or none that can be undone."""


class UndoConflict(ConflictError):
    """Later changes meet what is to be undone; nothing was changed."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__("later changes stand in the way", conflicts, "say which side wins with prefer")


def find_revision(revision: int) -> list[int]:
    """One revision, to be undone. Raises CannotUndo."""
    return _chosen(Revision.objects.filter(seq=revision), f"revision {revision} does not exist")


def find_revisions(revisions: Sequence[int]) -> list[int]:
    """Several revisions, newest first. Raises CannotUndo."""
    wanted = set(revisions)
    found = _chosen(Revision.objects.filter(seq__in=sorted(wanted)[: MOST + 1]), "no such revisions exist")
    missing = wanted.difference(found)
    if missing:
        raise CannotUndo(f"revision {min(missing)} does not exist")
    return found


def find_by_actor(actor: str, first: int, last: int) -> list[int]:
    """All that an actor did in (first, last], newest first. Raises CannotUndo."""
    return _chosen(Revision.objects.filter(actor=actor, seq__gt=first, seq__lte=last), f"{actor} made no such revision")


def find_batch(batch: str) -> list[int]:
    """All revisions of one import, or of a restore with conversations, newest first. Raises CannotUndo."""
    sources = (Source.IMPORT.value, Source.RESTORE.value)
    rows = Revision.objects.filter(source__in=sources, info__contains=f'"batch":{dump_json(batch)}')
    return _chosen(rows, f"no import or restore has the batch {batch!r}")


def _chosen(rows: QuerySet[Revision], missing: str) -> list[int]:
    found = list(rows.order_by("-seq").values_list("seq", flat=True)[: MOST + 1])
    if not found:
        raise CannotUndo(missing)
    if len(found) > MOST:
        raise CannotUndo(f"more than {MOST:,} revisions are too many at once; choose a shorter time")
    return found


def plan(revisions: Sequence[int], prefer: Prefer = None) -> Callable[[], list[Planned]]:
    """What takes the revisions back, whatever kinds of memory they changed. The plan raises UndoConflict."""

    def planned() -> list[Planned]:
        changes: dict[tuple[str, str], list[Change]] = {}
        for change in Change.objects.filter(revision_id__in=revisions).order_by("-revision_id", "-id"):
            changes.setdefault((change.kind, change.key), []).append(change)
        undone = [
            registry.get(kind).undo(UndoRequest(key, of_key, revisions, prefer))
            for (kind, key), of_key in sorted(changes.items())
        ]
        conflicts = [one for _, more in undone for one in more]
        if conflicts:
            raise UndoConflict(conflicts)
        return [one for one, _ in undone]

    return planned


def undo_key(undoing: UndoRequest) -> tuple[Edit, list[Conflict]]:
    """The edit of one key of the state that takes its changes back, or where it cannot.

    The log is read backwards; `over` leads from the document as it was then to what it is to be.
    """
    key, revisions = undoing.key, set(undoing.revisions)
    was = read_entry(key)
    document: JSONValue | Nothing = json.loads(was.text) if was else NOTHING
    ops: list[Op] = []
    conflicts: list[Conflict] = []
    over: list[LaterOp] = []
    work, until = 0, time.monotonic() + LONGEST
    log = reversed(merging.list_changes(key, was, undoing.changes[-1].revision_id - 1))
    for is_undone, run in groupby(log, lambda change: change.revision_id in revisions):
        changes = list(run)
        if is_undone:  # those that follow one another are taken back together
            inverse = [op for change in changes for op in change.inverse]
            near = merging.related_later(inverse, over)
            work += len(near) + len(over) // 20
            if work > MOST_WORK or time.monotonic() > until:
                raise CannotUndo(TOO_MUCH.format(key))
            by = {id(op): change.revision_id for change in changes for op in change.inverse}
            back, more = merging.rebase_ops(key, inverse, near, document, prefer=undoing.prefer, undoing=by)
            found = copy.deepcopy(list(back))  # what it shares with the document is changed below
            ops, conflicts = ops + found, conflicts + more
            over = [*over, *merging.list_later(found)] if near else over
        if not is_undone or near:  # else they have nothing to do with anything later
            for change in changes:
                over = merging.prepend_change(over, change)
        for change in changes:
            document = replay_ops(document, copy.deepcopy(change.inverse))
    if conflicts:
        return Edit(key, was, was and was.text, [], []), _by_place(conflicts)
    return edits.apply(key, was, ops), []


def _by_place(conflicts: Sequence[Conflict]) -> list[Conflict]:
    """One for each place: where several undone changes follow one another there, from the newest back to the oldest."""
    found: list[Conflict] = []
    at: dict[tuple[str, int | None], int] = {}
    for one in conflicts:
        place = one.pointer, one.by
        if place in at and _same(found[at[place]].yours, one.base):
            found[at[place]] = found[at[place]]._replace(yours=one.yours)
        else:
            at[place] = len(found)
            found.append(one)
    return found


def _same(one: NodeValue, other: NodeValue) -> bool:
    if isinstance(one, Nothing) or isinstance(other, Nothing):
        return one is other
    return dump_json(one) == dump_json(other)
