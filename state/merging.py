"""Writes that were meant for an earlier revision, carried over what has changed the key since."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

from state import edits
from state.edits import Address, Edit, Stored
from state.history import replay as history
from state.history import timeline
from state.jsondoc import diff as diffs
from state.jsondoc import overlap as areas
from state.jsondoc import patch as patches
from state.jsondoc import pointer as paths
from state.jsondoc import text as jsontext
from state.jsondoc.diff import Op
from state.jsondoc.node_tree import Seen
from state.jsondoc.patch import NOTHING, Nothing
from state.jsondoc.pointer import Tokens
from state.jsondoc.rebase import Clash, Conflict, follow, rebase
from state.models import Change
from state.registry import Conflicts, Met, Prefer

Meant = Callable[[Stored | None], Edit]


class MergeConflict(Conflicts):
    """The key was changed since the revision a write is based on, where that write changes it too."""

    def __init__(self, base: int, met: list[Met]) -> None:
        super().__init__(f"changed since revision {base}", met, "look at both, and write again with a newer base")


class Later(NamedTuple):
    """An operation that came after the base, its areas, and its revision; None for one of the writer's own."""

    op: Op
    areas: list[Tokens]
    revision: int | None


def later(ops: Sequence[Op], revision: int | None = None) -> list[Later]:
    """The operations of a revision, as ones that came later."""
    return [Later(op, areas.areas(op), revision) for op in ops]


def onto(address: Address, was: Stored | None, base: int | None, meant: Meant, prefer: Prefer = None) -> Edit:
    """The edit of a key as its writer meant it at revision `base`, to apply to what is stored now.

    Changes to other leaves since then stay, and `Edit.at` says where the node is now. `prefer` says whose change stands
    where both changed the same; without it MergeConflict is raised. Raises what `meant` raises, too.
    """
    over = [] if base is None else _since(address.key, was, base)
    if base is None or not over:
        return meant(was)
    return _carried(address, was, base, over, history.document_at(address.key, base), meant, prefer)


def onto_text(key: str, was: Stored, base: str, meant: Meant, prefer: Prefer = None) -> Edit:
    """As `onto`, for a base that no revision has; `was` follows from it in a way that nobody has written down."""
    document = json.loads(base)
    over = later(diffs.diff(document, json.loads(was.text))[0], was.revision)
    return _carried(Address(key), was, was.revision, over, document, meant, prefer) if over else meant(was)


def _carried(
    address: Address, was: Stored | None, base: int, over: Sequence[Later], document: Seen, meant: Meant, prefer: Prefer
) -> Edit:
    key, tokens = address
    mine = meant(None if isinstance(document, Nothing) else Stored(jsontext.dump(document), base))
    wanted = mine.meant or mine.forward
    ops, met = carry(key, wanted, over, document)
    if met:
        document, wanted, ops, met = _with_objects_of_both(key, mine, was, document, over, met, prefer)
    if met:
        raise MergeConflict(base, met)
    at = _place(tokens, wanted, ops, over, document)
    if at is None and not _removes(wanted, tokens):
        raise MergeConflict(base, [_gone(address, over, document)])
    return replace(edits.apply(key, was, ops), creates=mine.creates, at=at)


def _removes(ops: Sequence[Op], tokens: Tokens) -> bool:
    """Whether the node is to go, so that it is as well if it has gone already."""
    return list(ops) == [{"op": "remove", "path": paths.format_pointer(tokens)}]


def _place(
    tokens: Tokens, wanted: Sequence[Op], ops: Sequence[Op], over: Sequence[Later], document: Seen
) -> Tokens | None:
    """Where the node of an address is once `wanted` has become `ops`; None if it is gone."""
    if len(wanted) == len(ops) == 1 and wanted[0]["op"] == ops[0]["op"] == "add":
        made = paths.parse_pointer(wanted[0]["path"])
        if tokens[: len(made)] == made:  # it is what was added, or inside it
            return paths.parse_pointer(ops[0]["path"]) + tokens[len(made) :]
    node = [{"op": "replace", "path": paths.format_pointer(tokens)}]
    return follow(tokens, [one.op for one in related(node, over)], document)


def _gone(address: Address, over: Sequence[Later], document: Seen) -> Met:
    """A node that the write leaves as it was, and that somebody has removed since."""
    pointer = paths.format_pointer(address.tokens)
    value = NOTHING if isinstance(document, Nothing) else patches.node(document, address.tokens)
    by = _toucher(over, {"path": pointer})
    return Met("state", address.key, pointer, value, NOTHING, value, by)


def related(ops: Sequence[Op], over: Sequence[Later]) -> list[Later]:
    """What of `over` has to do with `ops`."""
    return areas.related(ops, over, attrgetter("areas"))


def carry(
    key: str,
    ops: Sequence[Op],
    over: Sequence[Later],
    document: Seen,
    *,
    prefer: Prefer = None,
    undoing: Mapping[int, int] | None = None,
) -> tuple[Sequence[Op], list[Met]]:
    """`ops` moved over later ones, both from `document`; or where they meet, and then no operations.

    Where they have nothing to do with each other, it returns `ops` itself. `undoing` has the revision that each
    operation takes back, by its identity.
    """
    near = related(ops, over)
    if not near:
        return ops, []
    try:
        return rebase(ops, [one.op for one in near], document, prefer=prefer), []
    except Conflict as conflict:
        return [], [_met(key, clash, near, (undoing or {}).get(id(clash.my_op))) for clash in conflict.conflicts]


def _met(key: str, clash: Clash, over: Sequence[Later], undoing: int | None) -> Met:
    by = next((one.revision for one in over if one.op is clash.their_op), None)
    base, theirs, mine = copy.deepcopy((clash.base, clash.theirs, clash.mine))
    return Met("state", key, clash.pointer, base, theirs, mine, by, undoing)


def _since(key: str, was: Stored | None, base: int) -> list[Later]:
    """What changed the key after the base, up to what is stored."""
    over: list[Later] = []
    for change in reversed(changes_since(key, was, base)):
        over = before(over, change)
    return over


def before(over: list[Later], change: Change) -> list[Later]:
    """What came later, beginning with one more change; if the next one has just taken it back, both drop out."""
    taken_back = len(change.inverse)
    if jsontext.dump([one.op for one in over[:taken_back]]) == jsontext.dump(change.inverse):
        return over[taken_back:]
    return later(change.forward, change.revision_id) + over


def changes_since(key: str, was: Stored | None, after: int) -> list[Change]:
    """The changes of a key after a revision that lead to what is stored, oldest first."""
    if was:
        return history.since(key, after, was.revision) if was.revision > after else []
    found = history.since(key, after)
    while found and found[-1].forward[-1:] != [{"op": "remove", "path": ""}]:
        found.pop()  # it has come back while we look; the commit will see that
    return found


def _with_objects_of_both(
    key: str, mine: Edit, was: Stored | None, document: Seen, over: Sequence[Later], met: list[Met], prefer: Prefer
) -> tuple[Seen, Sequence[Op], Sequence[Op], list[Met]]:
    """Once more, where both made an object under one name: what they put into it may well go together.

    Returns the base with those objects in it, and what is wanted from there; then as `carry` does. Whoever is preferred
    wins where it still does not.
    """
    start: Any = copy.deepcopy(document)
    ours, theirs = _value(mine.text), _value(was and was.text)
    wanted, between = mine.meant or mine.forward, over
    ops: Sequence[Op] = []
    while shared := [one.pointer for one in met if _both_objects(one)]:
        for pointer in shared:
            start = patches.replay(start, [{"op": "add", "path": pointer, "value": {}}])
        between = [one for op in diffs.diff(start, theirs)[0] for one in later([op], _toucher(over, op))]
        wanted = diffs.diff(start, ours)[0]
        ops, met = carry(key, wanted, between, start)
        if not met:
            return start, wanted, ops, []
    if prefer:
        ops, met = carry(key, wanted, between, start, prefer=prefer)
    return start, wanted, ops, met


def _both_objects(one: Met) -> bool:
    return isinstance(one.base, Nothing) and isinstance(one.theirs, dict) and isinstance(one.yours, dict)


def _value(text: str | None) -> Any:
    return NOTHING if text is None else json.loads(text)


def _toucher(over: Sequence[Later], op: Op) -> int | None:
    """The last revision that touched what an operation touches, or something in or above it."""
    tokens = paths.parse_pointer(op["path"])
    return next((one.revision for one in reversed(over) if timeline.touches(one.op, tokens)), None)
