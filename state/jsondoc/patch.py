"""JSON Patch (RFC 6902): as clients send it, and as history keeps it, with what takes each operation back.

An `add` or `move` may carry "position", the place among the members of an object; without it a new member goes to the
end. RFC 6902 §4 lets others ignore it. Documents are bytes and edited by splicing; None is "no document".
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op
from state.jsondoc.errors import InTheWay, Malformed, Unprocessable
from state.jsondoc.pointer import (
    Blocked,
    Missing,
    Place,
    Tokens,
    count_children,
    escape_token,
    find_nearest,
    format_pointer,
    get_node,
    insert_item,
    is_array,
    locate_node,
    parse_pointer,
    put_node,
    remove_node,
)
from state.jsondoc.text import NOTHING, JSONValue, Nothing, dump_json
from state.jsondoc.trees.moves import diff_values

MOST_OPS = 10_000  # in one patch
NEEDS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}


class BadPatch(Malformed):
    """Not a JSON Patch document: not a list of operations with the members they need."""


class UnknownOp(Unprocessable):
    """An operation that RFC 6902 does not have."""


class PatchFailed(InTheWay):
    """An operation cannot be applied; `index` counts from 0. None of the patch was applied."""

    def __init__(self, index: int, pointer: str, reason: str) -> None:
        super().__init__(f"operation {index} at {pointer or 'the root'}: {reason}")
        self.index, self.pointer = index, pointer

    @property
    def members(self) -> dict[str, Any]:
        return {"op_index": self.index, "pointer": self.pointer}


class AppliedOp(NamedTuple):
    """One applied operation: the document after it, what history keeps of it, and what takes it back.

    `merge_ops` is what a merge carries over: what leaves things as they are is there too, such as a test.
    """

    data: bytes
    forward: list[Op]
    inverse: list[Op]
    guard: Sequence[Op] = ()

    @property
    def merge_ops(self) -> list[Op]:
        return [*self.guard, *self.forward]


def check_patch(patch: JSONValue) -> list[Op]:
    """The operations of a patch document. Raises BadPatch, UnknownOp and BadPointer."""
    if not isinstance(patch, list):
        raise BadPatch("a JSON Patch is an array of operations")
    if len(patch) > MOST_OPS:
        raise BadPatch(
            f"{len(patch):,} operations are too many; {MOST_OPS:,} are taken at once. PUT what comes of them"
        )
    return [_checked(number, op) for number, op in enumerate(patch)]


def _checked(number: int, op: JSONValue) -> Op:
    if not isinstance(op, dict) or not isinstance(op.get("op"), str):
        raise BadPatch(f'operation {number} is not an object with "op"')
    if op["op"] not in NEEDS:
        raise UnknownOp(f"operation {number} is {op['op']!r}; there are: {', '.join(NEEDS)}")
    for name in NEEDS[str(op["op"])]:
        if name not in op:
            raise BadPatch(f'operation {number} ({op["op"]}) has no "{name}"')
        if name != "value":
            _check_pointer(number, op[name])
    position = op.get("position", 0)
    if isinstance(position, bool) or not isinstance(position, int) or position < 0:
        raise BadPatch(f'operation {number}: "position" must be a whole number from 0')
    return op


def _check_pointer(number: int, pointer: JSONValue) -> None:
    if not isinstance(pointer, str):
        raise BadPatch(f"operation {number}: a pointer must be a text")
    parse_pointer(pointer)


def apply_steps(
    data: bytes, patch: Sequence[Op], at: Tokens = (), check_copy: Callable[[bytes, bytes, bytes], None] | None = None
) -> Iterator[AppliedOp]:
    """Apply a checked patch to the node at `at`, operation by operation. Raises PatchFailed and TooCostly.

    `check_copy` may refuse a copy unseen: it gets the document, the node, and what that replaces.
    """
    for number, op in enumerate(patch):
        spend_work(f"operation {number} of {len(patch)}")
        try:
            if check_copy and op["op"] == "copy":
                check_copy(data, get_node(data, _place(op, at, "from")), _replaced(data, _place(op, at)))
            step = _STEPS[op["op"]](data, op, at)
        except (Missing, Blocked, _Refused) as error:
            raise PatchFailed(number, op["path"], str(error)) from None
        yield step
        data = step.data


class _Refused(Exception):
    """An operation that would be possible, but is not allowed, or whose test failed."""


def _replaced(data: bytes, tokens: Tokens) -> bytes:
    """What a new value at `tokens` would take the place of."""
    known, start, end = find_nearest(data, tokens)
    return data[start:end] if known == len(tokens) and not (tokens and is_array(data, tokens[:-1])) else b""


def _place(op: Op, at: Tokens, name: str = "path") -> Tokens:
    return at + parse_pointer(op[name])


def _text(value: JSONValue) -> bytes:
    return dump_json(value).encode()


def _test(data: bytes, op: Op, at: Tokens) -> AppliedOp:
    tokens = _place(op, at)
    value = json.loads(get_node(data, tokens))
    if not equal_values(value, op["value"]):
        raise _Refused(f"the test failed: there is {_short(value)}")
    return AppliedOp(data, [], [], [{"op": "replace", "path": format_pointer(tokens), "value": value}])


def _remove(data: bytes, op: Op, at: Tokens) -> AppliedOp:
    tokens = _place(op, at)
    if tokens == at:
        raise _Refused("the root cannot be removed by a patch; use DELETE")
    old = json.loads(get_node(data, tokens))
    rest, place = remove_node(data, tokens)
    pointer = format_pointer(tokens)
    back = _added(pointer, old, _position(data, tokens, place))
    return AppliedOp(rest, [{"op": "remove", "path": pointer}], [back])


def _replace(data: bytes, op: Op, at: Tokens) -> AppliedOp:
    tokens = _place(op, at)
    old = json.loads(get_node(data, tokens))
    pointer = format_pointer(tokens)
    forward, inverse = diff_values(old, op["value"], pointer)
    return AppliedOp(put_node(data, tokens, _text(op["value"])), forward, inverse, guard_ops(pointer, forward, old))


def guard_ops(pointer: str, forward: Sequence[Op], value: JSONValue) -> list[Op]:
    """What a merge has to carry over of a leaf that was set to what it was: it is meant to be so."""
    is_leaf = not value or not isinstance(value, dict | list)
    return [{"op": "replace", "path": pointer, "value": value}] if is_leaf and not forward else []


def _add(data: bytes, op: Op, at: Tokens) -> AppliedOp:
    tokens, value = _place(op, at), op["value"]
    if tokens == at or _is_member(data, tokens):
        return _overwrite(data, op, at)
    tokens = _resolved(data, tokens)
    pointer = format_pointer(tokens)
    position = _free_position(data, tokens, op.get("position"))
    if is_array(data, tokens[:-1]):
        new = insert_item(data, tokens, _text(value))
    else:
        new = put_node(data, tokens, _text(value), position)
    return AppliedOp(new, [_added(pointer, value, position)], [{"op": "remove", "path": pointer}])


def _copy(data: bytes, op: Op, at: Tokens) -> AppliedOp:
    value = json.loads(get_node(data, _place(op, at, "from")))
    return _add(data, {**op, "op": "add", "value": value}, at)


def _move(data: bytes, op: Op, at: Tokens) -> AppliedOp:
    source, target = _place(op, at, "from"), _place(op, at)
    if source == at:
        raise _Refused("the root cannot be moved")
    if source == target[: len(source)] and source != target:
        raise _Refused("a value cannot be moved into itself")
    value = get_node(data, source)
    if target == source[: len(target)] != source:  # over what it is in
        if target == at:
            return _overwrite(data, {**op, "value": json.loads(value)}, at)
        return _move_up(data, op, source, target) if _is_member(data, target) else _moved(data, op, source, target)
    rest, _ = remove_node(data, source)
    if source == target or not _is_member(rest, target):
        return _moved(data, op, source, target)
    return _move_onto(data, op, source, _unshifted(data, target, source), target)


def _move_onto(data: bytes, op: Op, source: Tokens, taken: Tokens, target: Tokens) -> AppliedOp:
    """A move onto a member, which goes; what is moved stays what it is, and takes its place unless one is asked for."""
    place = locate_node(data, taken).position
    if source[:-1] == taken[:-1]:
        place -= locate_node(data, source).position < place
    gone = _remove(data, {"path": format_pointer(taken)}, ())
    return _then(gone, _moved(gone.data, {"position": place, **op}, source, target))


def _move_up(data: bytes, op: Op, source: Tokens, target: Tokens) -> AppliedOp:
    """A move onto the member that it is in: beside it first."""
    place, aside = {"position": locate_node(data, target).position}, target
    while _is_member(data, aside):
        aside = (*aside[:-1], aside[-1] + "~")
    out = _moved(data, place, source, aside)
    gone = _then(out, _remove(out.data, {"path": format_pointer(target)}, ()))
    return _then(gone, _moved(gone.data, place | op, aside, target))


def _unshifted(data: bytes, target: Tokens, source: Tokens) -> Tokens:
    """Where a place that is told as it is after the removal of `source` is before it."""
    last = len(source) - 1
    if len(target) <= last or target[:last] != source[:last] or not is_array(data, source[:-1]):
        return target
    index = int(target[last])
    return (*target[:last], str(index + (index >= int(source[last]))), *target[last + 1 :])


def _moved(data: bytes, op: Op, source: Tokens, target: Tokens) -> AppliedOp:
    """A move to where nothing stands, or of a member within its object."""
    wanted = op.get("position")
    if source == target and wanted is None:
        return AppliedOp(data, [], [])
    value = get_node(data, source)
    rest, was = remove_node(data, source)
    target = _resolved(rest, target)
    position = _free_position(rest, target, wanted, explicit=source == target)
    in_array = is_array(rest, target[:-1])
    new = insert_item(rest, target, value) if in_array else put_node(rest, target, value, position)
    home = was.position if source == target else _position(data, source, was)
    there, back = format_pointer(target), format_pointer(source)
    forward = _at({"op": "move", "from": back, "path": there}, position)
    return AppliedOp(new, [forward], [_at({"op": "move", "from": there, "path": back}, home)])


def _overwrite(data: bytes, op: Op, at: Tokens) -> AppliedOp:
    """An add or move onto a member that is there: its value is replaced, and its place kept unless one is asked for."""
    step = _replace(data, op, at)
    tokens = _place(op, at)
    if "position" not in op or tokens == at:
        return step
    return _then(step, _moved(step.data, op, tokens, tokens))


def _then(first: AppliedOp, second: AppliedOp) -> AppliedOp:
    return AppliedOp(second.data, first.forward + second.forward, second.inverse + first.inverse)


_STEPS = {"test": _test, "remove": _remove, "replace": _replace, "add": _add, "copy": _copy, "move": _move}


def _is_member(data: bytes, tokens: Tokens) -> bool:
    """Whether an object has that member already, so that adding it would replace it."""
    known, _, _ = find_nearest(data, tokens)
    return known == len(tokens) and not is_array(data, tokens[:-1])


def _resolved(data: bytes, tokens: Tokens) -> Tokens:
    """The tokens with a last `-` as the index behind the last item, if it stands for one."""
    if tokens[-1] != "-" or not is_array(data, tokens[:-1]):
        return tokens
    return (*tokens[:-1], str(count_children(data, tokens[:-1])))


def _free_position(data: bytes, tokens: Tokens, wanted: int | None, explicit: bool = False) -> int | None:
    """The position to record for a new member: None where it goes to the end, unless it must be `explicit`."""
    if wanted is None or is_array(data, tokens[:-1]):
        return None
    size = count_children(data, tokens[:-1])
    return min(wanted, size) if wanted < size or explicit else None


def _position(data: bytes, tokens: Tokens, place: Place) -> int | None:
    """The position that puts a member back where it stood; None for the last one and for items of arrays."""
    return None if place.is_last or is_array(data, tokens[:-1]) else place.position


def _added(path: str, value: JSONValue, position: int | None) -> Op:
    return _at({"op": "add", "path": path, "value": value}, position)


def _at(op: Op, position: int | None) -> Op:
    return op if position is None else op | {"position": position}


def equal_values(one: JSONValue, other: JSONValue) -> bool:
    """Equality of JSON values (RFC 6902 §4.6): 1 is 1.0 and not true, members have no order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal_values(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal_values, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def apply_merge_patch(target: JSONValue, patch: JSONValue) -> JSONValue:
    """What a JSON Merge Patch makes of a value (RFC 7396): null removes a member, all but objects replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_merge_patch(result.get(name), value)
    return result


def merge_patch_ops(data: bytes, patch: dict[str, JSONValue], at: str = "") -> Iterator[Op]:
    """What `apply_merge_patch` does to an object, as operations on its stored text; only members it names are read."""
    for name, value in patch.items():
        path = f"{at}/{escape_token(name)}"
        try:
            member = get_node(data, [name])
        except Missing:
            if value is not None:
                yield {"op": "add", "path": path, "value": apply_merge_patch(None, value)}
            continue
        if value is None:
            yield {"op": "remove", "path": path}
        elif isinstance(value, dict) and member.startswith(b"{"):
            yield from merge_patch_ops(member, value, path)
        else:
            yield {"op": "replace", "path": path, "value": apply_merge_patch(None, value)}


def count_names(patch: JSONValue) -> int:
    """How many names a merge patch has, at all depths."""
    return sum(1 + count_names(value) for value in patch.values()) if isinstance(patch, dict) else 0


def replay_ops(document: JSONValue | Nothing, ops: Sequence[Op]) -> JSONValue | Nothing:
    """The document after operations from the history, to the byte once dumped. What is passed in is changed."""
    for op in ops:
        document = _replayed(document, op)
    return document


def _replayed(document: Any, op: Op) -> Any:
    tokens = parse_pointer(op["path"])
    if not tokens:
        return NOTHING if op["op"] == "remove" else op["value"]
    match op["op"]:
        case "remove":
            take_node(document, tokens)
        case "replace":
            parent = find_parent(document, tokens)
            parent[int(tokens[-1]) if isinstance(parent, list) else tokens[-1]] = op["value"]
        case "add":
            place_node(document, tokens, op["value"], op.get("position"))
        case "move":
            value = take_node(document, parse_pointer(op["from"]))
            place_node(document, tokens, value, op.get("position"))
    return document


def find_parent(document: Any, tokens: Tokens) -> Any:
    """The object or array that the last token names a member or item of."""
    return find_node(document, tokens[:-1])


def find_node(document: Any, tokens: Tokens) -> Any:
    """The node at `tokens`, which exists."""
    for token in tokens:
        document = document[int(token) if isinstance(document, list) else token]
    return document


def take_node(document: Any, tokens: Tokens) -> Any:
    """Remove the node at `tokens` (not the root), and return it."""
    parent = find_parent(document, tokens)
    return parent.pop(int(tokens[-1]) if isinstance(parent, list) else tokens[-1])


def place_node(document: Any, tokens: Tokens, value: Any, position: int | None = None) -> None:
    """Insert an item, or a member at `position` or at the end."""
    parent = find_parent(document, tokens)
    if isinstance(parent, list):
        parent.insert(int(tokens[-1]), value)
        return
    behind = list(parent)[position:] if position is not None else []
    parent[tokens[-1]] = value
    for name in behind:  # what stands behind it moves behind it
        parent[name] = parent.pop(name)


def _short(value: JSONValue) -> str:
    text = dump_json(value)
    return text if len(text) <= 60 else text[:57] + "..."
