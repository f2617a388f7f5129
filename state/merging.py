"""Writes that were meant for an earlier revision, carried over what has changed the key since."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

from state import edits
from state.address import Address
from state.edits import Edit
from state.entries import Stored
from state.history import replay, timeline
from state.jsondoc.diff import Op
from state.jsondoc.overlap import find_related, list_areas
from state.jsondoc.patch import find_node, replay_ops
from state.jsondoc.pointer import Tokens, format_pointer, parse_pointer
from state.jsondoc.projection import Ways
from state.jsondoc.text import NOTHING, Nothing, dump_json
from state.jsondoc.trees.moves import diff_values
from state.jsondoc.trees.nodes import NodeValue
from state.jsondoc.trees.rebase import NodeConflict, RebaseConflict, follow_node, rebase_patch
from state.models import Change
from state.registry import Conflict, ConflictError, Prefer

EditFrom = Callable[[Stored | None], Edit]


class MergeConflict(ConflictError):
    """The key was changed since the revision a write is based on, where that write changes it too."""

    def __init__(self, base: int, conflicts: list[Conflict]) -> None:
        super().__init__(f"changed since revision {base}", conflicts, "look at both, and write again with a newer base")


class LaterOp(NamedTuple):
    """An operation that came after the base, its areas, and its revision; None for one of the writer's own."""

    op: Op
    areas: list[Tokens]
    revision: int | None


def list_later(ops: Sequence[Op], revision: int | None = None) -> list[LaterOp]:
    """The operations of a revision, as ones that came later."""
    return [LaterOp(op, list_areas(op), revision) for op in ops]


def rebase_edit(
    address: Address,
    was: Stored | None,
    base: int | None,
    edit_from: EditFrom,
    prefer: Prefer = None,
    *,
    ways: Ways = None,
) -> Edit:
    """The edit of a key as its writer meant it at revision `base`, to apply to what is stored now.

    Changes to other leaves since then stay, and `Edit.at` says where the node is now. `prefer` says whose change stands
    where both changed the same; without it MergeConflict is raised. Raises what `edit_from` raises, too.
    """
    over = [] if base is None else _since(address.key, was, base, ways)
    if base is None or not over:
        return edit_from(was)
    return _carried(address, was, base, over, replay.document_at(address.key, base, ways), edit_from, prefer)


def rebase_edit_on_text(key: str, was: Stored, base: str, edit_from: EditFrom, prefer: Prefer = None) -> Edit:
    """As `rebase_edit`, for a base that no revision has; how `was` came of it nobody has written down."""
    document = json.loads(base)
    over = list_later(diff_values(document, json.loads(was.text))[0], was.revision)
    return _carried(Address(key), was, was.revision, over, document, edit_from, prefer) if over else edit_from(was)


def _carried(
    address: Address,
    was: Stored | None,
    base: int,
    over: Sequence[LaterOp],
    document: NodeValue,
    edit_from: EditFrom,
    prefer: Prefer,
) -> Edit:
    key, tokens = address
    mine = edit_from(None if isinstance(document, Nothing) else Stored(dump_json(document), base))
    wanted = mine.merge_ops or mine.forward
    ops, conflicts = rebase_ops(key, wanted, over, document)
    if conflicts:
        document, wanted, ops, conflicts = _with_objects_of_both(key, mine, was, document, over, conflicts, prefer)
    if conflicts:
        raise MergeConflict(base, conflicts)
    at = _place(tokens, wanted, ops, over, document)
    if at is None and not _removes(wanted, tokens):
        raise MergeConflict(base, [_gone(address, over, document)])
    if at is not None and not _stays_inside(wanted, tokens, ops, at):
        raise MergeConflict(base, [_split(address, over, document, was, mine)])
    return replace(edits.apply(key, was, ops), creates=mine.creates, at=at)


def _stays_inside(wanted: Sequence[Op], tokens: Tokens, ops: Sequence[Op], at: Tokens) -> bool:
    """Whether what was meant for the inside of a node is still there: nothing of it has been moved out."""
    if not all(_is_inside(op, tokens) for op in wanted):
        return True  # the node itself is made or goes
    return all(_is_inside(op, at) for op in ops)


def _is_inside(op: Op, tokens: Tokens) -> bool:
    return all(parse_pointer(op[name])[: len(tokens)] == tokens for name in ("path", "from") if name in op)


def _split(address: Address, over: Sequence[LaterOp], document: NodeValue, was: Stored | None, mine: Edit) -> Conflict:
    """A node that was written whole, with something changed in it that has been moved out of it since."""
    pointer = format_pointer(address.tokens)
    base, theirs, yours = (
        _find(value, address.tokens) for value in (document, _value(was and was.text), _value(mine.text))
    )
    return Conflict("state", address.key, pointer, base, theirs, yours, _toucher(over, {"path": pointer}))


def _find(document: NodeValue, tokens: Tokens) -> NodeValue:
    try:
        return NOTHING if isinstance(document, Nothing) else find_node(document, tokens)
    except (LookupError, TypeError, ValueError):
        return NOTHING


def _removes(ops: Sequence[Op], tokens: Tokens) -> bool:
    """Whether the node is to go, so that it is as well if it has gone already."""
    return list(ops) == [{"op": "remove", "path": format_pointer(tokens)}]


def _place(
    tokens: Tokens, wanted: Sequence[Op], ops: Sequence[Op], over: Sequence[LaterOp], document: NodeValue
) -> Tokens | None:
    """Where the node of an address is once `wanted` has become `ops`; None if it is gone."""
    if len(wanted) == len(ops) == 1 and wanted[0]["op"] == ops[0]["op"] == "add":
        made = parse_pointer(wanted[0]["path"])
        if tokens[: len(made)] == made:  # it is what was added, or inside it
            return parse_pointer(ops[0]["path"]) + tokens[len(made) :]
    node = [{"op": "replace", "path": format_pointer(tokens)}]
    return follow_node(tokens, [one.op for one in related_later(node, over)], document)


def _gone(address: Address, over: Sequence[LaterOp], document: NodeValue) -> Conflict:
    """A node that the write leaves as it was, and that somebody has removed since."""
    pointer = format_pointer(address.tokens)
    value = _find(document, address.tokens)
    by = _toucher(over, {"path": pointer})
    return Conflict("state", address.key, pointer, value, NOTHING, value, by)


def related_later(ops: Sequence[Op], over: Sequence[LaterOp]) -> list[LaterOp]:
    """What of `over` has to do with `ops`."""
    return find_related(ops, over, attrgetter("areas"))


def rebase_ops(
    key: str, ops: Sequence[Op], over: Sequence[LaterOp], document: NodeValue, *, prefer: Prefer = None
) -> tuple[Sequence[Op], list[Conflict]]:
    """`ops` moved over later ones, both from `document`; or where they meet, and then no operations.

    Where they have nothing to do with each other, it returns `ops` itself.
    """
    near = related_later(ops, over)
    if not near:
        return ops, []
    try:
        return rebase_patch(ops, [one.op for one in near], document, prefer=prefer), []
    except RebaseConflict as error:
        return [], [_locate_conflict(key, one, near) for one in error.conflicts]


def _locate_conflict(key: str, conflict: NodeConflict, over: Sequence[LaterOp]) -> Conflict:
    by = next((one.revision for one in over if one.op is conflict.their_op), None)
    base, theirs, mine = copy.deepcopy((conflict.base, conflict.theirs, conflict.mine))
    return Conflict("state", key, conflict.pointer, base, theirs, mine, by)


def _since(key: str, was: Stored | None, base: int, ways: Ways) -> list[LaterOp]:
    """What changed the key after the base, up to what is stored."""
    return [
        one for change in list_changes(key, was, base, ways) for one in list_later(change.forward, change.revision_id)
    ]


def list_changes(key: str, was: Stored | None, after: int, ways: Ways = None) -> list[Change]:
    """The changes of a key after a revision that lead to what is stored, oldest first."""
    if was:
        return replay.changes_since(key, after, was.revision, ways) if was.revision > after else []
    found = replay.changes_since(key, after, ways=ways)
    while found and found[-1].forward[-1:] != [{"op": "remove", "path": ""}]:
        found.pop()  # it has come back while we look; the commit will see that
    return found


def _with_objects_of_both(
    key: str,
    mine: Edit,
    was: Stored | None,
    document: NodeValue,
    over: Sequence[LaterOp],
    conflicts: list[Conflict],
    prefer: Prefer,
) -> tuple[NodeValue, Sequence[Op], Sequence[Op], list[Conflict]]:
    """Once more, where both made an object under one name: what they put into it may well go together.

    Returns the base with those objects in it, and what is wanted from there; then as `rebase_ops` does. Whoever is
    preferred wins where it still does not.
    """
    start: Any = copy.deepcopy(document)
    ours, theirs = _value(mine.text), _value(was and was.text)
    wanted, between = mine.merge_ops or mine.forward, over
    ops: Sequence[Op] = []
    while shared := [one.pointer for one in conflicts if _both_objects(one)]:
        for pointer in shared:
            start = replay_ops(start, [{"op": "add", "path": pointer, "value": {}}])
        between = [one for op in diff_values(start, theirs)[0] for one in list_later([op], _toucher(over, op))]
        wanted = diff_values(start, ours)[0]
        ops, conflicts = rebase_ops(key, wanted, between, start)
        if not conflicts:
            return start, wanted, ops, []
    if prefer:
        ops, conflicts = rebase_ops(key, wanted, between, start, prefer=prefer)
    return start, wanted, ops, conflicts


def _both_objects(one: Conflict) -> bool:
    return isinstance(one.base, Nothing) and isinstance(one.theirs, dict) and isinstance(one.yours, dict)


def _value(text: str | None) -> Any:
    return NOTHING if text is None else json.loads(text)


def _toucher(over: Sequence[LaterOp], op: Op) -> int | None:
    """The last revision that touched what an operation touches, or something in or above it."""
    tokens = parse_pointer(op["path"])
    return next((one.revision for one in reversed(over) if timeline.touches_node(one.op, tokens)), None)
