"""Edits: what a write does to one key, computed from what is stored there, without touching the database."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from django.conf import settings

from state.jsondoc.diff import Op, diff_values
from state.jsondoc.patch import (
    NOTHING,
    AppliedOp,
    Nothing,
    apply_merge_patch,
    apply_steps,
    count_names,
    guard_ops,
    merge_patch_ops,
    replay_ops,
)
from state.jsondoc.pointer import (
    Missing,
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
from state.jsondoc.text import MAX_DEPTH, Document, JSONValue, count_bytes, dump_json, make_document, measure_depth

FEW_OPS = 64  # up to so many are applied one by one to the text, more of the history's own to the parsed document
MOST_WORK = 500_000_000  # characters that the operations of one patch may go through
FEW_NAMES = 16  # up to so many a merge patch is applied member by member, and nothing else is parsed


class NotFound(LookupError):
    """No such key, or nothing at that place inside it."""


class TooLarge(ValueError):
    """The resulting document would be over the limit."""


class TooDeep(ValueError):
    """The resulting document would nest too deep."""


class Address(NamedTuple):
    """A key, and the way to a node inside its document."""

    key: str
    tokens: Tokens = ()

    @property
    def pointer(self) -> str:
        return format_pointer((self.key, *self.tokens))


class Stored(NamedTuple):
    """A key's document as it was when a write was planned, and the revision that had last changed it."""

    text: str
    revision: int


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
    meant: Sequence[
        Op
    ] = ()  # what a merge carries over where it is more than `forward`: tests, and leaves set to what they were


def put(address: Address, was: Stored | None, document: Document) -> Edit:
    """Put a document at an address; missing object parents are made. Raises Blocked, TooLarge and TooDeep."""
    _check_depth(document.value, address)
    edit = _put(address, was, document)
    _check_size(address.key, count_bytes(edit.text or ""), was)
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
    return Edit(key, was, document.text, forward, inverse, meant=guard_ops("", forward, document.value))


def _put_inside(address: Address, was: Stored, document: Document) -> Edit:
    key, tokens = address
    data = was.text.encode()
    known, start, end = find_nearest(data, tokens)
    path = format_pointer(tokens[: known + 1])
    if known == len(tokens):
        forward, inverse = diff_values(json.loads(data[start:end]), document.value, path)
        new = splice_bytes(data, start, end, document.text.encode())
        meant = guard_ops(path, forward, document.value)
        return Edit(key, was, new.decode(), forward, inverse, meant=meant)
    value = _nested(tokens[known + 1 :], document.value)
    new = add_child(data, start, end, tokens[known], dump_json(value).encode())
    return Edit(key, was, new.decode(), [_add_op(path, value)], [_remove_op(path)], creates=True)


def merge(address: Address, was: Stored | None, patch: JSONValue) -> Edit:
    """Apply a JSON Merge Patch (RFC 7396) to a node, which is made if it is not there. Raises as `put` does."""
    node = node_or_none(address, was)
    if was and node and node.startswith("{") and isinstance(patch, dict) and count_names(patch) <= FEW_NAMES:
        return _patched(address, was, list(merge_patch_ops(node.encode(), patch)))
    value = apply_merge_patch(None if node is None else json.loads(node), patch)
    return put(address, was, make_document(value))


def remove(address: Address, was: Stored) -> Edit:
    """Remove the key, or a node inside its document. Raises NotFound."""
    key, tokens = address
    path = format_pointer(tokens)
    if not tokens:
        return Edit(key, was, None, [_remove_op("")], [_add_op("", json.loads(was.text))])
    data = was.text.encode()
    old = json.loads(_node(address, data))
    rest, place = remove_node(data, tokens)
    back = _add_op(path, old)
    if not place.is_last and not is_array(data, tokens[:-1]):
        back["position"] = place.position
    return Edit(key, was, rest.decode(), [_remove_op(path)], [back])


def patch(address: Address, was: Stored, ops: Sequence[Op]) -> Edit:
    """Apply checked operations to the node at an address. Raises NotFound, PatchFailed, TooLarge and TooDeep."""
    _node(address, was.text.encode())
    size = len(was.text)
    most = max(FEW_OPS, MOST_WORK // size)
    if len(ops) > most:
        raise TooLarge(
            f"{len(ops):,} operations on a document of {size:,} characters are too many; {most:,} of them are taken at"
            " once. Send them in parts, or PUT what comes of them"
        )
    return _patched(address, was, ops)


def _patched(address: Address, was: Stored, ops: Sequence[Op]) -> Edit:
    data = was.text.encode()
    done: list[AppliedOp] = []
    for step in apply_steps(data, ops, address.tokens):
        data = step.data
        for op in step.forward:
            _check_step(address.key, op, data)
        _check_size(address.key, len(data), was)
        done.append(step._replace(data=b""))
    text, meant = data.decode(), [op for step in done for op in step.meant]
    if text == was.text:
        return Edit(address.key, was, text, [], [], meant=meant)
    forward = [op for step in done for op in step.forward]
    inverse = [op for step in reversed(done) for op in step.inverse]
    return Edit(address.key, was, text, forward, inverse, meant=meant)


def apply(key: str, was: Stored | None, ops: Sequence[Op]) -> Edit:
    """Apply operations from the history to a key, which they may also make or remove. Raises TooLarge and TooDeep."""
    at_root = any(op["path"] == "" and op["op"] != "replace" for op in ops)
    if was and not at_root and len(ops) <= FEW_OPS and not any(map(_moves_inside, ops)):
        return _patched(Address(key), was, ops)
    new = replay_ops(json.loads(was.text) if was else NOTHING, copy.deepcopy(ops))
    if isinstance(new, Nothing):
        return remove(Address(key), was) if was else Edit(key, None, None, [], [])
    edit = put(Address(key), was, make_document(new))
    return edit if at_root or not edit.forward else replace(edit, forward=[*ops])  # they know what has moved


def _moves_inside(op: Op) -> bool:
    """Whether a move takes back one of an item to the place of the array it was in; no client may ask for that."""
    return op["op"] == "move" and op["path"].startswith(op["from"] + "/")


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


def _check_size(key: str, size: int, was: Stored | None) -> None:
    """Refuse a document that outgrows the limit; one that is over it already may still shrink."""
    limit = settings.NOLA_MAX_BODY_MB * 1024 * 1024
    if size > limit and (was is None or size > count_bytes(was.text)):
        raise TooLarge(f"{key!r} would have {size:,} bytes; the limit (NOLA_MAX_BODY_MB) is {limit:,}")


def node(address: Address, text: str) -> str:
    """The node at an address in the text of its key's document. Raises NotFound."""
    return _node(address, text.encode()).decode() if address.tokens else text


def _node(address: Address, data: bytes) -> bytes:
    try:
        return get_node(data, address.tokens)
    except Missing as error:
        raise NotFound(f"nothing is stored at {address.pointer}: {error}") from None


def node_or_none(address: Address, was: Stored | None) -> str | None:
    """The text of the node at an address, None if nothing is stored there."""
    if was is None or not address.tokens:
        return was and was.text
    try:
        return get_node(was.text.encode(), address.tokens).decode()
    except Missing:
        return None
