"""What stood where an operation of the history replaces or removes something: told by the operation that takes it back.

The two of a write go in pairs, the first of the one with the last of the other. Only where every pair mirrors itself is
a value told: then both walk through the same documents, in either direction.
"""

from typing import Any

from state.jsondoc.diff import Op

OPPOSITE = {"replace": "replace", "remove": "add", "add": "remove", "move": "move"}


def with_old_values(forward: Any, inverse: Any) -> Any:
    """The operations, with the value before as `was` in each that replaces or removes; as they are if none is known."""
    if not isinstance(forward, list) or not isinstance(inverse, list) or len(forward) != len(inverse):
        return forward
    pairs = list(zip(forward, reversed(inverse), strict=True))
    if not all(_mirrors(op, back) for op, back in pairs):
        return forward
    return [op | {"was": back["value"]} if op["op"] in ("replace", "remove") else op for op, back in pairs]


def _mirrors(op: Op, back: Op) -> bool:
    if OPPOSITE.get(op["op"]) != back["op"]:
        return False
    if op["op"] == "move":
        return bool(op["from"] == back["path"] and op["path"] == back["from"])
    return bool(op["path"] == back["path"])
