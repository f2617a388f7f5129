"""Blame: for each leaf of a document the revision that last set it; and who wrote a value, counted over its leaves.

A blame mirrors its document: a number stands for a whole subtree that one revision set; an object or array with parts
of different age is mirrored member by member. It is carried through a replay beside the document, op by op.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from state.jsondoc.diff import Op
from state.jsondoc.patch import find_node, find_parent, place_node, take_node
from state.jsondoc.pointer import Tokens, escape_token, parse_pointer
from state.jsondoc.text import NOTHING, JSONValue
from state.models import Revision

SHOWN = 20  # leaves of one author that are named

Blame = Any  # int | dict[str, Blame] | list[Blame]


def replay_blame(document: Any, blame: Blame, ops: Sequence[Op], revision: int) -> tuple[Any, Blame]:
    """Document and blame after the operations of a revision. What is passed in is changed."""
    for op in ops:
        document, blame = _replayed(document, blame, op, revision)
    return document, blame


def list_leaves(document: JSONValue, blame: Blame, at: str = "") -> Iterator[tuple[str, int]]:
    """Pointer and revision of each leaf: a scalar, or an empty object or array."""
    if isinstance(document, dict) and document:
        for name, value in document.items():
            inner = blame[name] if isinstance(blame, dict) else blame
            yield from list_leaves(value, inner, f"{at}/{escape_token(name)}")
    elif isinstance(document, list) and document:
        for number, value in enumerate(document):
            inner = blame[number] if isinstance(blame, list) else blame
            yield from list_leaves(value, inner, f"{at}/{number}")
    else:
        yield at, blame


def _replayed(document: Any, blame: Blame, op: Op, revision: int) -> tuple[Any, Blame]:
    tokens = parse_pointer(op["path"])
    if not tokens:
        return (NOTHING if op["op"] == "remove" else op["value"]), revision
    value, by = op.get("value"), revision
    if op["op"] in ("remove", "move"):
        source = parse_pointer(op["from"] if op["op"] == "move" else op["path"])
        blame = _opened(document, blame, source[:-1])
        value, by = take_node(document, source), take_node(blame, source)
        if op["op"] == "remove" or source[:-1] != tokens[:-1]:
            blame = _closed(document, blame, source[:-1], revision)
    if op["op"] == "remove":
        return document, blame
    blame = _opened(document, blame, tokens[:-1])
    for tree, new in ((document, value), (blame, by)):
        if op["op"] == "replace":
            parent = find_parent(tree, tokens)
            parent[int(tokens[-1]) if isinstance(parent, list) else tokens[-1]] = new
        else:
            place_node(tree, tokens, new, op.get("position"))
    return document, blame


def _opened(document: Any, blame: Blame, tokens: Tokens) -> Blame:
    """The blame, mirrored member by member down to the container at `tokens`."""
    root = [blame]
    holder: Any = root
    key: Any = 0
    for depth in range(len(tokens) + 1):
        by = holder[key]
        if isinstance(by, int):
            holder[key] = [by] * len(document) if isinstance(document, list) else dict.fromkeys(document, by)
        if depth < len(tokens):
            holder = holder[key]
            key = int(tokens[depth]) if isinstance(document, list) else tokens[depth]
            document = document[key]
    return root[0]


def _closed(document: Any, blame: Blame, tokens: Tokens, revision: int) -> Blame:
    """The blame once the container at `tokens` may have become empty: then it is a leaf, set by this revision."""
    if find_node(document, tokens):
        return blame
    if not tokens:
        return revision
    parent = find_parent(blame, tokens)
    parent[int(tokens[-1]) if isinstance(parent, list) else tokens[-1]] = revision
    return blame


# Who wrote it


@dataclass
class Writer:
    """One of those who wrote a value: how many leaves are theirs, their last change, and pointers to the newest."""

    actor: str
    last: Revision
    leaves: int = 0
    newest: list[str] = field(default_factory=list)


def count_leaves(leaves: Sequence[tuple[str, int]]) -> list[Writer]:
    """The authors of leaves, given as pointer and revision; who wrote last comes first."""
    revisions = Revision.objects.in_bulk({seq for _, seq in leaves})
    found: dict[str, Writer] = {}
    for pointer, seq in sorted(leaves, key=lambda leaf: -leaf[1]):
        revision = revisions[seq]
        author = found.setdefault(revision.actor, Writer(revision.actor, revision))
        author.leaves += 1
        if len(author.newest) < SHOWN:
            author.newest.append(pointer)
    return list(found.values())
