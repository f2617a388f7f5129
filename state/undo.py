"""Undo: what some revisions did is taken back by a new one; what came after them and is unrelated stays."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn

from django.db.models import QuerySet

from access.rights import Right
from state import edits, merging, registry
from state.edits import Edit
from state.entries import read_entry
from state.errors import Unprocessable
from state.history import replay
from state.history.sight import Sight
from state.jsondoc.budget import spend_work
from state.jsondoc.patch import equal_values
from state.jsondoc.projection import Places, find_ways, strip_places
from state.jsondoc.text import dump_json
from state.jsondoc.trees.omission import LogStep, replay_without
from state.models import Change, Revision
from state.registry import Conflict, ConflictError, Planned, Prefer, UndoRequest
from state.revisions import Recorder, Source

MOST = 10_000  # revisions undone at once
LONGEST = 2.5  # seconds of computing that the log of one key may take: less than a request gets
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
    rows = Revision.objects.filter(actor=actor, seq__gt=first, seq__lte=last).exclude(source=Source.FORGET.value)
    return _chosen(rows, f"{actor} made no such revision")


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


def find_rights(revisions: Sequence[int]) -> set[Right]:
    """What one needs to take these back, by the kinds of memory they changed."""
    kinds = Change.objects.filter(revision__in=revisions).order_by().values_list("kind", flat=True).distinct()
    return {registry.get(kind).writes for kind in kinds}


def lie_within(revisions: Sequence[int], sight: Sight) -> bool:
    """Whether the revisions changed nothing but what lies within the limits of who may see so much."""
    return all(_lies_within(change, sight) for change in Change.objects.filter(revision__in=revisions))


def _lies_within(change: Change, sight: Sight) -> bool:
    spend_work()
    ways = sight.find_ways(change.key)
    if change.kind != "state" or ways is None or not sight.shows(change.kind, change.key):
        return sight.shows(change.kind, change.key)
    ends = change.revision_id - 1, change.revision_id
    before, after = (strip_places(replay.document_at(change.key, end), ways) for end in ends)
    return equal_values(before, after)


def plan(revisions: Sequence[int], prefer: Prefer = None, places: Places | None = None) -> Callable[[], list[Planned]]:
    """What takes the revisions back, whatever kinds of memory they changed. The plan raises UndoConflict."""

    def planned() -> list[Planned]:
        changes: dict[tuple[str, str], list[Change]] = {}
        for change in Change.objects.filter(revision_id__in=revisions).order_by("-revision_id", "-id"):
            changes.setdefault((change.kind, change.key), []).append(change)
        undone = [
            registry.get(kind).undo(UndoRequest(key, of_key, revisions, prefer, find_ways(places, key)))
            for (kind, key), of_key in sorted(changes.items())
        ]
        conflicts = [one for _, more in undone for one in more]
        if conflicts:
            raise UndoConflict(conflicts)
        return [one for one, _ in undone]

    return planned


def write_redaction(planned: Sequence[Planned], recorder: Recorder) -> NoReturn:
    """Redactions are no plans: they rewrite what is there, see `nola_site.forget`."""
    raise NotImplementedError


def refuse_redaction(undoing: UndoRequest) -> NoReturn:
    """Raises CannotUndo for a revision in which something was forgotten."""
    raise CannotUndo("what was forgotten is gone for good, and cannot be brought back")


def undo_key(undoing: UndoRequest) -> tuple[Edit, list[Conflict]]:
    """The edit of one key of the state that takes its changes back, or where it cannot: its log without them."""
    key, revisions, ways = undoing.key, set(undoing.revisions), undoing.ways
    stored, before = read_entry(key), undoing.changes[-1].revision_id - 1
    was = edits.project_entry(stored, ways)
    log = _without_redone(merging.list_changes(key, was, before, ways), revisions)
    steps = (LogStep(change.revision_id, change.forward, change.revision_id in revisions) for change in log)
    found = replay_without(replay.document_at(key, before, ways), _in_time(key, steps), undoing.prefer)
    if found.meetings and undoing.prefer is None:
        return Edit(key, was, was and was.text, [], []), [Conflict("state", key, *one) for one in found.meetings]
    edit = edits.lead(key, was, found.document, copy.deepcopy(found.forward), copy.deepcopy(found.inverse))
    return edits.widen(edit, stored, ways), []


def _without_redone(log: Sequence[Change], revisions: set[int]) -> list[Change]:
    """The changes but for each undo with the redo right after it, which say nothing of their own."""
    seqs = [change.revision_id for change in log]
    infos = dict(Revision.objects.filter(source=Source.UNDO, seq__in=seqs).values_list("seq", "info"))
    kept: list[Change] = []
    for change in log:
        last = kept[-1] if kept else None
        undoes = infos.get(change.revision_id, {}).get("undoes")
        is_redo = last is not None and undoes == [last.revision_id] and last.revision_id in infos
        if is_redo and last and not revisions & {last.revision_id, change.revision_id}:
            kept.pop()
        else:
            kept.append(change)
    return kept


def _in_time(key: str, steps: Iterable[LogStep]) -> Iterator[LogStep]:
    """The steps, as long as whoever asks may wait. Raises CannotUndo."""
    until = time.thread_time() + LONGEST
    for step in steps:
        if time.thread_time() > until:
            raise CannotUndo(TOO_MUCH.format(key))
        yield step
