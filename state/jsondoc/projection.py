"""Projection: what of documents, and of their changes, lies in some places, for readers who may see no more.

A place is a pointer whose first token is a key. Around it shows the way to it alone: objects with nothing else in them.
A way that leads through an array, or through anything else that is no object, leads nowhere; and an object in which no
place is found is not there either.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import msgspec

from state.jsondoc.diff import Op
from state.jsondoc.pointer import RAW_OBJECT, Blocked, Tokens, parse_index, parse_pointer
from state.jsondoc.text import NOTHING, JSONValue, Nothing
from state.jsondoc.trees.moves import diff_values

Ways = dict[str, "Ways"] | None  # from a node on to the places in it, by member; None: all of it is in a place
NOWHERE: Ways = {}
SHOWN = 10  # places that a message names


@dataclass(frozen=True, slots=True)
class Places:
    """Parts of the state, as pointers."""

    pointers: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """The keys that they are in, in byte order."""
        return sorted(self._ways, key=str.encode)

    @property
    def _ways(self) -> dict[str, Ways]:
        return _find_ways(self.pointers)

    def find_ways(self, key: str) -> Ways:
        """The ways from a key to its places."""
        return self._ways.get(key, NOWHERE)

    def reach(self, key: str) -> bool:
        """Whether a key has a place in it, or is one."""
        return key in self._ways

    def hold(self, tokens: Sequence[str]) -> bool:
        """Whether a node is at a place, or in one."""
        return bool(tokens) and _leads_inside(tokens[1:], self.find_ways(tokens[0]))

    def hold_surely(self, tokens: Sequence[str]) -> bool:
        """The same, where no token on the way could name an item: what is found there shows."""
        return bool(tokens) and _leads_inside(tokens[1:], self.find_ways(tokens[0]), names_only=True)

    def __str__(self) -> str:
        more = f" and {len(self.pointers) - SHOWN} more" if len(self.pointers) > SHOWN else ""
        return ", ".join(self.pointers[:SHOWN]) + more


def find_ways(places: Places | None, key: str) -> Ways:
    """The ways from a key to what of it lies in the places: to all of it, where there is no limit."""
    return None if places is None else places.find_ways(key)


@lru_cache(1024)
def _find_ways(pointers: tuple[str, ...]) -> dict[str, Ways]:
    found: dict[str, Ways] = {}
    for pointer in sorted(pointers, key=len):
        *way, last = parse_pointer(pointer)
        at: Ways = found
        for token in way:
            at = None if at is None else at.setdefault(token, {})
        if at is not None:  # else it lies in a place that was there before
            at[last] = None
    return found


def _leads_inside(tokens: Sequence[str], ways: Ways, *, names_only: bool = False) -> bool:
    for token in tokens:
        if ways is None:
            return True
        if names_only and parse_index(token) is not None:
            return False
        ways = ways.get(token, NOWHERE)
    return ways is None


def list_ways(ways: Ways) -> list[Tokens]:
    """The places of a key, as tokens from its root on."""
    if ways is None:
        return [()]
    return [(name, *way) for name, inner in ways.items() for way in list_ways(inner)]


def find_place(value: Any, tokens: Tokens) -> Any:
    """What stands at a place, NOTHING where nothing shows. Raises Blocked where something else is in the way."""
    for token in tokens:
        if value is NOTHING:
            return NOTHING
        if not isinstance(value, dict):
            raise Blocked("what should lead to the place is not made of objects alone")
        value = value.get(token, NOTHING)
    return value


# Values and texts


def project_value(value: Any, ways: Ways) -> Any:
    """What of a value lies in the places, NOTHING where nothing does. Its parts are those of the value."""
    if ways is None or value is NOTHING:
        return value
    if not isinstance(value, dict):
        return NOTHING
    parts = ((name, project_value(part, ways[name])) for name, part in value.items() if name in ways)
    return {name: part for name, part in parts if part is not NOTHING} or NOTHING


def project_text(text: str, ways: Ways) -> str | None:
    """The same of stored text, which it leaves as it stands; None where nothing lies in the places."""
    if ways is None:
        return text
    found = _project_raw(text.encode(), ways) if ways else None
    return None if found is None else found.decode()


def _project_raw(raw: bytes | msgspec.Raw, ways: Ways) -> bytes | None:
    data = bytes(raw)
    if ways is None:
        return data
    if not data.startswith(b"{"):
        return None
    members = ((name, part) for name, part in RAW_OBJECT.decode(data).items() if name in ways)
    parts = ((name, _project_raw(part, ways[name])) for name, part in members)
    shown = [encode_basestring(name).encode() + b":" + part for name, part in parts if part is not None]
    return b"{" + b",".join(shown) + b"}" if shown else None


def strip_places(value: Any, ways: Ways) -> Any:
    """What of a value lies outside of the places; objects that hold nothing else are left out with them."""
    if ways is None or not isinstance(value, dict):
        return NOTHING if ways is None else value
    parts = ((name, strip_places(part, ways[name]) if name in ways else part) for name, part in value.items())
    return {name: part for name, part in parts if part is not NOTHING} or NOTHING


# Changes


class _Spot(Enum):
    INSIDE = "inside"
    OUTSIDE = "outside"
    UNCLEAR = "unclear"  # at a place or above it, where the documents alone tell what shows


def project_ops(ops: Sequence[Op], ways: Ways) -> list[Op] | None:
    """Those of the operations that lie in the places; None where that is not told by their paths."""
    kept: list[Op] = []
    for op in ops:
        spots = {_locate(op, parse_pointer(op[name]), ways) for name in ("path", "from") if name in op}
        if len(spots) > 1 or _Spot.UNCLEAR in spots:
            return None
        if _Spot.INSIDE in spots:
            kept.append(op)
    return kept


def _locate(op: Op, tokens: Tokens, ways: Ways) -> _Spot:
    for token in tokens:
        if ways is None:
            return _Spot.INSIDE
        if token not in ways:
            return _Spot.OUTSIDE
        if parse_index(token) is not None:  # an item, perhaps, and then it does not show
            return _Spot.UNCLEAR
        ways = ways[token]
    return _Spot.INSIDE if ways is None and op["op"] == "replace" else _Spot.UNCLEAR


def diff_documents(before: JSONValue | Nothing, after: JSONValue | Nothing) -> tuple[list[Op], list[Op]]:
    """What leads from one document to another, and back; "" adds or removes it."""
    if before is NOTHING or after is NOTHING:
        add, remove = [{"op": "add", "path": ""}], [{"op": "remove", "path": ""}]
        if before is after:
            return [], []
        if isinstance(before, Nothing):
            return [add[0] | {"value": copy.deepcopy(after)}], remove
        return remove, [add[0] | {"value": copy.deepcopy(before)}]
    return copy.deepcopy(diff_values(before, after))
