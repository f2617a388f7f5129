"""Edits: what a write does to one key, computed from what is stored there, without touching the database."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from django.conf import settings

from state.address import Address, NotFound, find_node_text, read_node_text
from state.entries import Stored
from state.errors import Oversized, Unprocessable
from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op
from state.jsondoc.patch import (
    AppliedOp,
    apply_merge_patch,
    apply_steps,
    count_names,
    guard_ops,
    merge_patch_ops,
    replay_ops,
)
from state.jsondoc.pointer import (
    Tokens,
    add_child,
    find_nearest,
    format_pointer,
    get_node,
    is_array,
    parse_pointer,
    remove_node,
    splice_bytes,
)
from state.jsondoc.projection import Ways, diff_documents, find_place, list_ways, project_ops, project_text
from state.jsondoc.text import (
    MAX_DEPTH,
    MAX_NODES,
    NOTHING,
    Document,
    JSONValue,
    Nothing,
    count_bytes,
    count_nodes,
    dump_json,
    explain_nodes,
    has_many_nodes,
    make_document,
    measure_depth,
)
from state.jsondoc.trees.moves import diff_values

FEW_OPS = 64  # up to so many are applied one by one to the text, more of the history's own to the parsed document
FEW_NAMES = 16  # up to so many a merge patch is applied member by member, and nothing else is parsed


class TooLarge(Oversized):
    """The resulting document would be over the limit."""


class TooDeep(Unprocessable):
    """The resulting document would nest too deep."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A planned write of one key. No `was`: the key is new. No `text`: the key goes."""

    kind: ClassVar[str] = "state"
    key: str
    was: Stored | None
    text: str | None
    forward: list[Op]
    inverse: list[Op]
    creates: bool = False  # something now stands at the address where nothing was
    at: Tokens | None = None  # where the node of the address is, if a merge may have moved it
    merge_ops: Sequence[
        Op
    ] = ()  # what a merge carries over where it is more than `forward`: tests, and leaves set to what they were


def put(address: Address, document: Document, was: Stored | None) -> Edit:
    """Put a document at an address; missing object parents are made. Raises Blocked, TooLarge and TooDeep."""
    spend_work()
    _check_depth(document.value, address)
    if not address.tokens:
        _check_size(address.key, count_bytes(document.text), was)
        _check_nodes(address.key, document.text.encode(), was)  # before the two are compared
        return _put(address, was, document)
    edit = _put(address, was, document)
    text = edit.text or ""
    _check_size(address.key, count_bytes(text), was)
    if any(map(_adds_nodes, edit.forward)):
        _check_nodes(address.key, text.encode(), was)
    return edit


def _put(address: Address, was: Stored | None, document: Document) -> Edit:
    key, tokens = address
    if was is None:
        value = _nested(tokens, document.value)
        text = dump_json(value) if tokens else document.text
        return Edit(key, None, text, [_add_op("", value)], [_remove_op("")], creates=True)
    if tokens:
        return _put_inside(address, was, document)
    same = was.text == document.text
    forward, inverse = ([], []) if same else diff_values(json.loads(was.text), document.value)
    return Edit(key, was, document.text, forward, inverse, merge_ops=guard_ops("", forward, document.value))


def _put_inside(address: Address, was: Stored, document: Document) -> Edit:
    key, tokens = address
    data = was.text.encode()
    known, start, end = find_nearest(data, tokens)
    path = format_pointer(tokens[: known + 1])
    if known == len(tokens):
        forward, inverse = diff_values(json.loads(data[start:end]), document.value, path)
        new = splice_bytes(data, start, end, document.text.encode())
        merge_ops = guard_ops(path, forward, document.value)
        return Edit(key, was, new.decode(), forward, inverse, merge_ops=merge_ops)
    value = _nested(tokens[known + 1 :], document.value)
    new = add_child(data, start, end, tokens[known], dump_json(value).encode())
    return Edit(key, was, new.decode(), [_add_op(path, value)], [_remove_op(path)], creates=True)


def merge(address: Address, patch: JSONValue, was: Stored | None) -> Edit:
    """Apply a JSON Merge Patch (RFC 7396) to a node, which is made if it is not there. Raises as `put` does."""
    spend_work()
    node = find_node_text(address, was and was.text)
    if was and node and node.startswith("{") and isinstance(patch, dict) and count_names(patch) <= FEW_NAMES:
        return _patched(address, list(merge_patch_ops(node.encode(), patch)), was)
    value = apply_merge_patch(None if node is None else json.loads(node), patch)
    return put(address, make_document(value), was)


def remove(address: Address, was: Stored | None) -> Edit:
    """Remove the key, or a node inside its document. Raises NotFound."""
    key, tokens = address
    was = _there(address, was)
    path = format_pointer(tokens)
    if not tokens:
        return Edit(key, was, None, [_remove_op("")], [_add_op("", json.loads(was.text))])
    data = was.text.encode()
    old = json.loads(read_node_text(address, was.text))
    rest, place = remove_node(data, tokens)
    back = _add_op(path, old)
    if not place.is_last and not is_array(data, tokens[:-1]):
        back["position"] = place.position
    return Edit(key, was, rest.decode(), [_remove_op(path)], [back])


def patch(address: Address, ops: Sequence[Op], was: Stored | None) -> Edit:
    """Apply checked operations to the node at an address. Raises NotFound, PatchFailed, TooLarge and TooDeep."""
    was = _there(address, was)
    read_node_text(address, was.text)
    return _patched(address, ops, was)


def _patched(address: Address, ops: Sequence[Op], was: Stored) -> Edit:
    data = was.text.encode()
    done: list[AppliedOp] = []
    check_copy = partial(_check_copy, address.key, was)
    for step in apply_steps(data, ops, address.tokens, check_copy):
        data = step.data
        for op in step.forward:
            if op["op"] != "move" or op is step.forward[-1]:  # what is moved twice is where the last one put it
                _check_step(address.key, op, data)
        _check_size(address.key, len(data), was)
        if any(map(_adds_nodes, step.forward)):
            _check_nodes(address.key, data, was)
        done.append(step._replace(data=b""))
    text, merge_ops = data.decode(), [op for step in done for op in step.merge_ops]
    if text == was.text:
        return Edit(address.key, was, text, [], [], merge_ops=merge_ops)
    forward = [op for step in done for op in step.forward]
    inverse = [op for step in reversed(done) for op in step.inverse]
    return Edit(address.key, was, text, forward, inverse, merge_ops=merge_ops)


def apply(key: str, was: Stored | None, ops: Sequence[Op]) -> Edit:
    """Apply operations from the history to a key, which they may also make or remove. Raises TooLarge and TooDeep."""
    at_root = any(op["path"] == "" and op["op"] != "replace" for op in ops)
    if was and not at_root and len(ops) <= FEW_OPS:
        return _patched(Address(key), ops, was)
    new = replay_ops(json.loads(was.text) if was else NOTHING, copy.deepcopy(ops))
    if isinstance(new, Nothing):
        return remove(Address(key), was) if was else Edit(key, None, None, [], [])
    edit = put(Address(key), make_document(new), was)
    return edit if at_root or not edit.forward else replace(edit, forward=[*ops])  # they know what has moved


def lead(key: str, was: Stored | None, value: JSONValue | Nothing, forward: list[Op], inverse: list[Op]) -> Edit:
    """The edit whose result and operations are known. Raises TooLarge and TooDeep."""
    if isinstance(value, Nothing):
        return Edit(key, was, None, forward, inverse)
    _check_depth(value, Address(key))
    text = dump_json(value)
    _check_size(key, count_bytes(text), was)
    return Edit(key, was, text, forward, inverse)


def join(key: str, was: Stored | None, steps: Sequence[Edit]) -> Edit:
    """The edits of one key, each on what the one before it left, as one; it is idle if together they change nothing."""
    text = steps[-1].text
    merge_ops = [op for edit in steps for op in edit.merge_ops or edit.forward]
    if text == (was.text if was else None):
        return Edit(key, was, text, [], [], merge_ops=merge_ops)
    forward: list[Op] = [op for edit in steps for op in edit.forward]
    inverse: list[Op] = [op for edit in reversed(steps) for op in edit.inverse]
    return Edit(key, was, text, forward, inverse, merge_ops=merge_ops)


# For writers who are limited to places


def project_entry(stored: Stored | None, ways: Ways) -> Stored | None:
    """What of an entry lies in the places: what a writer who may touch no more starts from."""
    text = stored and project_text(stored.text, ways)
    return None if stored is None or text is None else Stored(text, stored.revision)


def widen(edit: Edit, stored: Stored | None, ways: Ways) -> Edit:
    """An edit of what of a key lies in the places, as one of all of the key, which keeps the rest.

    Raises Blocked where a place cannot be made, and TooLarge; neither tells what is there.
    """
    if ways is None:
        return edit
    if not edit.forward:
        return replace(edit, was=stored, text=stored and stored.text)
    try:
        if stored and project_ops(edit.forward, ways) == edit.forward:
            whole = apply(edit.key, stored, copy.deepcopy(edit.forward))
        else:
            whole = _set_places(edit, stored, ways)
    except TooLarge:
        raise TooLarge(f"{edit.key!r} would be larger with it than a key may be") from None
    return replace(whole, creates=edit.creates, at=edit.at)


def _set_places(edit: Edit, stored: Stored | None, ways: Ways) -> Edit:
    """The same, place by place."""
    before, after = (NOTHING if text is None else json.loads(text) for text in (edit.was and edit.was.text, edit.text))
    now, steps = stored, []
    for tokens in list_ways(ways):
        old, new = find_place(before, tokens), find_place(after, tokens)
        if old is not NOTHING and new is NOTHING:
            steps.append(remove(Address(edit.key, tokens), now))
        elif new is not NOTHING and (old is NOTHING or dump_json(old) != dump_json(new)):
            find_place(json.loads(now.text) if now else NOTHING, tokens)
            steps.append(put(Address(edit.key, tokens), make_document(new), now))
        if steps:
            now = Stored(steps[-1].text or "", stored.revision if stored else 0)
    return join(edit.key, stored, steps) if steps else Edit(edit.key, stored, stored and stored.text, [], [])


def show_within(edit: Edit, ways: Ways) -> tuple[list[Op], list[Op]]:
    """What an edit does in the places, and what takes it back."""
    if ways is None:
        return edit.forward, edit.inverse
    texts = edit.was and project_text(edit.was.text, ways), edit.text and project_text(edit.text, ways)
    before, after = (NOTHING if text is None else json.loads(text) for text in texts)
    return diff_documents(before, after)


def _there(address: Address, was: Stored | None) -> Stored:
    """What is edited. Raises NotFound where there is no such key."""
    if was is None:
        raise NotFound(f"there is no key {address.key!r}")
    return was


def _nested(tokens: Tokens, value: JSONValue) -> JSONValue:
    for token in reversed(tokens):
        value = {token: value}
    return value


def _add_op(path: str, value: JSONValue) -> Op:
    return {"op": "add", "path": path, "value": value}


def _remove_op(path: str) -> Op:
    return {"op": "remove", "path": path}


def _check_step(key: str, op: Op, data: bytes) -> None:
    tokens = parse_pointer(op["path"])
    if op["op"] == "move":
        _check_depth(json.loads(get_node(data, tokens)), Address(key, tokens))
    elif op["op"] != "remove":
        _check_depth(op["value"], Address(key, tokens))


def _check_depth(value: JSONValue, address: Address) -> None:
    if measure_depth(value) + len(address.tokens) > MAX_DEPTH:
        raise TooDeep(f"{address.pointer} would nest deeper than {MAX_DEPTH} levels")


def _adds_nodes(op: Op) -> bool:
    """Whether there may be more values after an operation; not where a leaf is set, which is what is done most."""
    return op["op"] == "add" or (op["op"] == "replace" and isinstance(op["value"], dict | list))


def _check_nodes(key: str, data: bytes, was: Stored | None) -> None:
    """Refuse a document that outgrows the limit of values; one that is over it already may still shrink."""
    if has_many_nodes(data) and (nodes := count_nodes(data)) > MAX_NODES and nodes > _count_stored(was):
        raise TooLarge(explain_nodes(f"{key!r} would have", nodes))


def _check_copy(key: str, was: Stored, data: bytes, node: bytes, replaced: bytes) -> None:
    """Refuse a copy that would outgrow a limit, by lengths and counts alone."""
    _check_size(key, len(data) + len(node) - len(replaced), was)
    if len(data) + len(node) < 2 * MAX_NODES:
        return
    nodes = count_nodes(data) + count_nodes(node) - (count_nodes(replaced) if replaced else 0)
    if nodes > MAX_NODES and nodes > _count_stored(was):
        raise TooLarge(explain_nodes(f"{key!r} would have", nodes))


def _count_stored(was: Stored | None) -> int:
    return count_nodes(was.text.encode()) if was else 0


def _check_size(key: str, size: int, was: Stored | None) -> None:
    """The same for the limit of bytes."""
    limit = settings.NOLA_MAX_BODY_MB * 1024 * 1024
    if size > limit and (was is None or size > count_bytes(was.text)):
        raise TooLarge(f"{key!r} would have {size:,} bytes; the limit (NOLA_MAX_BODY_MB) is {limit:,}")
