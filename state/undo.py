"""Undo: what some revisions did is taken back by a new one; what came after them and is unrelated stays."""

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from state import diffs, history, jsontext, patches, store
from state.diffs import Op
from state.edits import Address, Edit
from state.jsontext import JSONValue
from state.models import Change, Revision
from state.patches import NOTHING, Nothing
from state.rebase import Clash, Conflict, rebase

Prefer = Literal["mine", "theirs"] | None  # mine: the undo wins; theirs: what came later stays
MOST = 10_000  # revisions undone at once


class CannotUndo(ValueError):
    """No such revisions, or none that can be undone."""


class Met(NamedTuple):
    """A later change that stands where an undo would write."""

    revision: int
    key: str
    clash: Clash


class UndoConflict(Exception):
    """Later changes meet what is to be undone; nothing was changed."""

    def __init__(self, met: list[Met]) -> None:
        places = ", ".join(Address(one.key).pointer + one.clash.pointer for one in met[:5])
        more = f" and {len(met) - 5} more" if len(met) > 5 else ""
        super().__init__(f"later changes stand in the way at {places}{more}; say which side wins with prefer")
        self.met = met


def chosen(revision: int | None, actor: str | None, first: int, last: int) -> list[int]:
    """The revisions to undo: one, or all of an actor in (first, last], newest first. Raises CannotUndo."""
    if actor is None:
        rows = Revision.objects.filter(seq=revision or 0)
    else:
        rows = Revision.objects.filter(actor=actor, seq__gt=first, seq__lte=last)
    found = list(rows.order_by("-seq").values_list("seq", flat=True)[: MOST + 1])
    if not found:
        raise CannotUndo(f"revision {revision} does not exist" if actor is None else f"{actor} made no such revision")
    if len(found) > MOST:
        raise CannotUndo(f"more than {MOST:,} revisions are too many at once; choose a shorter time")
    other = Change.objects.filter(revision_id__in=found[:500]).exclude(kind="state").first()
    if other:
        raise CannotUndo(f"revision {other.revision_id} changed a conversation, which cannot be undone here")
    return found


def plan(revisions: Sequence[int], prefer: Prefer = None) -> Callable[[], list[Edit]]:
    """What takes the revisions back. The plan raises UndoConflict."""

    def planned() -> list[Edit]:
        changes = Change.objects.filter(kind="state", revision_id__in=revisions).order_by("-revision_id")
        by_key: dict[str, list[Change]] = {}
        for change in changes:
            by_key.setdefault(change.key, []).append(change)
        met: list[Met] = []
        edits = [_undone(key, of_key, prefer, met) for key, of_key in sorted(by_key.items())]
        if met:
            raise UndoConflict(met)
        return edits

    return planned


def _undone(key: str, changes: Sequence[Change], prefer: Prefer, met: list[Met]) -> Edit:
    """The edit of one key that takes the changes back, newest first; where it cannot, `met` says so."""
    was = store.stored(key)
    ops: list[Op] = []
    for change in changes:
        later = [op for forward in history.forwards(key, change.revision_id, was and was.revision) for op in forward]
        base = history.document_at(key, change.revision_id)
        try:
            ops += copy.deepcopy(rebase(change.inverse, later + ops, base, prefer=prefer))
        except Conflict as conflict:
            met += [Met(change.revision_id, key, clash) for clash in conflict.conflicts]
    old: JSONValue | Nothing = json.loads(was.text) if was else NOTHING
    new = patches.replay(copy.deepcopy(old), copy.deepcopy(ops)) if not met else old
    forward, inverse = _difference(old, new, ops)
    return Edit(key, was, None if isinstance(new, Nothing) else jsontext.dump(new), forward, inverse)


def _difference(old: Any, new: Any, ops: list[Op]) -> tuple[list[Op], list[Op]]:
    """The operations to record, and those that lead back: `ops` keep blame where a difference would not."""
    if isinstance(old, Nothing) or isinstance(new, Nothing):
        there: list[Op] = [] if isinstance(new, Nothing) else [{"op": "add", "path": "", "value": new}]
        back: list[Op] = [] if isinstance(old, Nothing) else [{"op": "add", "path": "", "value": old}]
        gone: list[Op] = [{"op": "remove", "path": ""}]
        return (there or gone, back or gone) if there or back else ([], [])
    if jsontext.dump(old) == jsontext.dump(new):
        return [], []
    return ops, diffs.diff(new, old)[0]
