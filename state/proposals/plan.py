"""What accepting a proposal would do now: all of it, or the operations at some pointers."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from state import edits, merging
from state.address import Address
from state.edits import Edit
from state.entries import Stored, read_entry
from state.errors import InTheWay, Unprocessable
from state.history import replay
from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op
from state.jsondoc.old_values import with_old_values
from state.jsondoc.pointer import Tokens, escape_token, parse_pointer
from state.jsondoc.text import NOTHING, Nothing, dump_json, make_document
from state.jsondoc.trees.omission import LogStep, replay_without
from state.merging import MergeConflict
from state.models import Proposal
from state.registry import Conflict, ConflictError, Prefer

MOST_ALONE = 50  # operations on one key of which it is told one by one what stands there
Taken = Mapping[str, Sequence[bool]]  # of each key, which of its operations


class NoSuchOperation(Unprocessable):
    """A pointer at which a proposal does nothing."""


class ProposalConflict(ConflictError):
    """What a proposal would change was changed since; nothing was changed."""

    def __init__(self, base: int, conflicts: Sequence[Conflict]) -> None:
        super().__init__(
            f"changed since revision {base}", conflicts, "say which side wins with prefer, or leave it out"
        )


class NeedsMore(InTheWay):
    """What is to be accepted builds on what is not."""


def locate_op(key: str, op: Op) -> str:
    """The pointer at which an operation of a proposal is, by which it is chosen."""
    return f"/{escape_token(key)}{op['path']}"


def choose_operations(proposal: Proposal, pointers: Sequence[str] | None) -> Taken:
    """Those at the pointers and below them; all without pointers. Raises NoSuchOperation and BadPointer."""
    wanted = None if pointers is None else {pointer: parse_pointer(pointer) for pointer in pointers}
    places = {key: [parse_pointer(locate_op(key, op)) for op in ops] for key, ops in proposal.patches.items()}
    for pointer, tokens in (wanted or {}).items():
        if not any(_is_in(place, [tokens]) for some in places.values() for place in some):
            raise NoSuchOperation(f"proposal {proposal.pk} does nothing at {pointer!r}")
    if wanted == {}:
        raise NoSuchOperation("pointers names nothing; to accept none of it, reject it")
    return {key: [wanted is None or _is_in(place, wanted.values()) for place in some] for key, some in places.items()}


def _is_in(place: Tokens, areas: Iterable[Tokens]) -> bool:
    return any(place[: len(area)] == area for area in areas)


def plan_accept(proposal: Proposal, taken: Taken, prefer: Prefer = None) -> Callable[[], list[Edit]]:
    """The edits that carry the chosen operations over what has changed since their base.

    The plan raises ProposalConflict, with all conflicts, NeedsMore, TooLarge and TooDeep.
    """

    def planned() -> list[Edit]:
        found: list[Edit] = []
        conflicts: list[Conflict] = []
        for key, ops in proposal.patches.items():
            if any(taken[key]):
                spend_work()
                apply = partial(_apply, key, ops, taken[key])
                try:
                    found.append(merging.rebase_edit(Address(key), read_entry(key), proposal.base, apply, prefer))
                except MergeConflict as error:
                    conflicts += error.conflicts
        if conflicts:
            raise ProposalConflict(proposal.base, conflicts)
        return found

    return planned


def _apply(key: str, ops: Sequence[Op], taken: Sequence[bool], was: Stored | None) -> Edit:
    """The edit of the chosen operations on a key as it was at the base."""
    if all(taken):
        return edits.apply(key, was, ops)
    log = [LogStep(number, [op], not is_taken) for number, (op, is_taken) in enumerate(zip(ops, taken, strict=True))]
    found = replay_without(json.loads(was.text) if was else NOTHING, log)
    if found.meetings:
        meeting = found.meetings[0]
        needed = "" if meeting.omitted is None else f" and {locate_op(key, ops[meeting.omitted])}"
        needing = locate_op(key, ops[meeting.by])
        raise NeedsMore(f"{needing}{needed} can only be accepted together; nothing was changed")
    if isinstance(found.document, Nothing):
        return edits.remove(Address(key), was) if was else Edit(key, None, None, [], [])
    return edits.put(Address(key), make_document(found.document), was)


def is_still(proposal: Proposal, edits: Sequence[Edit]) -> bool:
    """Whether accepting it now would do just what these edits do."""
    try:
        found = plan_accept(proposal, choose_operations(proposal, None))()
    except InTheWay:
        return False
    return [(edit.key, edit.forward) for edit in found] == [(edit.key, edit.forward) for edit in edits]


class Outlook(NamedTuple):
    """What accepting all of a proposal would do now: the edits of keys, and what is in the way of others."""

    edits: Mapping[str, Edit]
    conflicts: Sequence[Conflict]


def look_ahead(proposal: Proposal) -> Outlook:
    """Each key for itself. Raises TooLarge and TooDeep."""
    found: dict[str, Edit] = {}
    conflicts: list[Conflict] = []
    for key in proposal.patches:
        try:
            taken = {one: [one == key] * len(ops) for one, ops in proposal.patches.items()}
            [found[key]] = plan_accept(proposal, taken)()
        except ProposalConflict as error:
            conflicts += error.conflicts
        except InTheWay:  # of what it was made for too little is left, as after a redaction
            continue
    return Outlook(found, conflicts)


def count_left(outlook: Outlook) -> int | None:
    """How many operations accepting all of it would do now; None where something is in the way."""
    return None if outlook.conflicts else sum(len(edit.forward) for edit in outlook.edits.values())


def list_operations(proposal: Proposal, outlook: Outlook | None = None) -> list[Op]:
    """The operations with their pointers, and what stands now where they replace or remove.

    `done` is one that changes nothing any more. Where it cannot be told what stands there, it is left out. Without an
    outlook it is what stood there at the base.
    """
    found: list[Op] = []
    for key, ops in proposal.patches.items():
        shown = _show_at_base(proposal, key, ops) if outlook is None else _show_now(proposal, key, ops, outlook)
        found += [{"pointer": locate_op(key, op), **one} for op, one in zip(ops, shown, strict=True)]
    return found


def _show_at_base(proposal: Proposal, key: str, ops: Sequence[Op]) -> Sequence[Op]:
    base = replay.document_at(key, proposal.base)
    with suppress(InTheWay):
        edit = edits.apply(key, None if isinstance(base, Nothing) else Stored(dump_json(base), proposal.base), ops)
        if len(edit.forward) == len(ops):
            shown: Sequence[Op] = with_old_values(edit.forward, edit.inverse)
            return shown
    return ops


def _show_now(proposal: Proposal, key: str, ops: Sequence[Op], outlook: Outlook) -> Sequence[Op]:
    edit = outlook.edits.get(key)
    if edit and len(edit.forward) == len(ops):
        shown: Sequence[Op] = with_old_values(edit.forward, edit.inverse)
        return shown
    if edit and not edit.forward:
        return [{**op, "done": True} for op in ops]
    if len(ops) > MOST_ALONE:
        return ops
    return [_show_alone(proposal, key, number) for number in range(len(ops))]


def _show_alone(proposal: Proposal, key: str, number: int) -> Op:
    """One operation, as if no other were proposed and it had its way."""
    op: Op = proposal.patches[key][number]
    taken = {one: [(one, at) == (key, number) for at in range(len(ops))] for one, ops in proposal.patches.items()}
    try:
        [edit] = plan_accept(proposal, taken, "mine")()
    except InTheWay:  # it builds on another one
        return op
    if not edit.forward:
        return {**op, "done": True}
    [*now] = with_old_values(edit.forward, edit.inverse)
    return now[0] | {"path": op["path"]} if len(now) == 1 and now[0]["op"] == op["op"] else op
