"""Undo: what some revisions did is taken back by a new one; what came after them and is unrelated stays."""

import copy
import json
import time
from collections.abc import Callable, Sequence
from itertools import groupby

from django.db.models import QuerySet

from state import edits, store
from state import merging as merges
from state import registry as kinds
from state.edits import Edit
from state.jsondoc import patch as patches
from state.jsondoc import text as jsontext
from state.jsondoc.diff import Op
from state.jsondoc.node_tree import Seen
from state.jsondoc.patch import NOTHING, Nothing
from state.jsondoc.text import JSONValue
from state.merging import Later
from state.models import Change, Revision
from state.registry import Conflicts, Met, Planned, Prefer, Undoing
from state.revisions import Source

MOST = 10_000  # revisions undone at once
MOST_WORK = 1_000_000  # operations that are looked at for one key, in all
LONGEST = 10.0  # seconds that one key may take: whoever asks waits for the answer
TOO_MUCH = (
    "what is to be undone of {!r} lies among so many later changes of the same parts that it would take too long;"
    " undo it in several parts, the newest first"
)


class CannotUndo(ValueError):
    """No such revisions, or none that can be undone."""


class UndoConflict(Conflicts):
    """Later changes meet what is to be undone; nothing was changed."""

    def __init__(self, met: list[Met]) -> None:
        super().__init__("later changes stand in the way", met, "say which side wins with prefer")


def of_revision(revision: int) -> list[int]:
    """One revision, to be undone. Raises CannotUndo."""
    return _chosen(Revision.objects.filter(seq=revision), f"revision {revision} does not exist")


def of_revisions(revisions: Sequence[int]) -> list[int]:
    """Several revisions, newest first. Raises CannotUndo."""
    wanted = set(revisions)
    found = _chosen(Revision.objects.filter(seq__in=sorted(wanted)[: MOST + 1]), "no such revisions exist")
    missing = wanted.difference(found)
    if missing:
        raise CannotUndo(f"revision {min(missing)} does not exist")
    return found


def of_actor(actor: str, first: int, last: int) -> list[int]:
    """All that an actor did in (first, last], newest first. Raises CannotUndo."""
    return _chosen(Revision.objects.filter(actor=actor, seq__gt=first, seq__lte=last), f"{actor} made no such revision")


def of_batch(batch: str) -> list[int]:
    """All revisions of one import, or of a restore with conversations, newest first. Raises CannotUndo."""
    sources = (Source.IMPORT.value, Source.RESTORE.value)
    rows = Revision.objects.filter(source__in=sources, info__contains=f'"batch":{jsontext.dump(batch)}')
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
            kinds.of(kind).undo(Undoing(key, of_key, revisions, prefer))
            for (kind, key), of_key in sorted(changes.items())
        ]
        met = [one for _, more in undone for one in more]
        if met:
            raise UndoConflict(met)
        return [one for one, _ in undone]

    return planned


def of_key(undoing: Undoing) -> tuple[Edit, list[Met]]:
    """The edit of one key of the state that takes its changes back, or where it cannot.

    The log is read backwards; `over` leads from the document as it was then to what it is to be.
    """
    key, revisions = undoing.key, set(undoing.revisions)
    was = store.stored(key)
    document: JSONValue | Nothing = json.loads(was.text) if was else NOTHING
    ops: list[Op] = []
    met: list[Met] = []
    over: list[Later] = []
    work, until = 0, time.monotonic() + LONGEST
    log = reversed(merges.changes_since(key, was, undoing.changes[-1].revision_id - 1))
    for is_undone, run in groupby(log, lambda change: change.revision_id in revisions):
        changes = list(run)
        if is_undone:  # those that follow one another are taken back together
            inverse = [op for change in changes for op in change.inverse]
            near = merges.related(inverse, over)
            work += len(near) + len(over) // 20
            if work > MOST_WORK or time.monotonic() > until:
                raise CannotUndo(TOO_MUCH.format(key))
            by = {id(op): change.revision_id for change in changes for op in change.inverse}
            back, clashes = merges.carry(key, inverse, near, document, prefer=undoing.prefer, undoing=by)
            found = copy.deepcopy(list(back))  # what it shares with the document is changed below
            ops, met = ops + found, met + clashes
            over = [*over, *merges.later(found)] if near else over
        if not is_undone or near:  # else they have nothing to do with anything later
            for change in changes:
                over = merges.before(over, change)
        for change in changes:
            document = patches.replay(document, copy.deepcopy(change.inverse))
    if met:
        return Edit(key, was, was and was.text, [], []), _by_place(met)
    return edits.apply(key, was, ops), []


def _by_place(met: Sequence[Met]) -> list[Met]:
    """One for each place: where several undone changes follow one another there, from the newest back to the oldest."""
    found: list[Met] = []
    at: dict[tuple[str, int | None], int] = {}
    for one in met:
        place = one.pointer, one.by
        if place in at and _same(found[at[place]].yours, one.base):
            found[at[place]] = found[at[place]]._replace(yours=one.yours)
        else:
            at[place] = len(found)
            found.append(one)
    return found


def _same(one: Seen, other: Seen) -> bool:
    if isinstance(one, Nothing) or isinstance(other, Nothing):
        return one is other
    return jsontext.dump(one) == jsontext.dump(other)
