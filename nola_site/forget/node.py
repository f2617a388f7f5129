"""One node of the state, at a pointer, through all of its past: what it was, and its key's history without it.

It is followed back to where it was: over items put in or taken out before it, over moves and renames.
"""

import json
from bisect import bisect_right
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from nola_site.forget.redaction import MARK, list_texts
from state.address import Address
from state.database.sql import fetch_rows
from state.history.timeline import touches_node, trace_origin
from state.jsondoc.patch import find_node, replay_ops
from state.jsondoc.pointer import Tokens, format_pointer
from state.jsondoc.text import NOTHING, Nothing, dump_json
from state.jsondoc.trees.moves import diff_values

CHANGES = "SELECT id, revision, forward, inverse FROM state_change WHERE kind = 'state' AND key = %s ORDER BY id"


class NodeStep(NamedTuple):
    """A change of the key: where the node is after it and before it, None where it has not come into being yet."""

    number: int
    revision: int
    forward: str
    inverse: str
    after: Tokens | None
    before: Tokens | None


class PastNode:
    """A node and its past, in one database."""

    def __init__(self, database: BaseDatabaseWrapper, address: Address) -> None:
        self.database, self.address = database, address
        stored = fetch_rows(database, "SELECT value_json FROM state_storage WHERE key_name = %s", [address.key])
        self.head: str | None = stored[0][0] if stored else None
        self.steps = self._trace()
        self.values: set[str] = set()  # the texts that the node has had, and those below it
        self.rewritten: dict[int, tuple[str, str]] = {}  # forward and inverse without it, where they differ, by id
        self._rewrite()

    def _trace(self) -> list[NodeStep]:
        """All changes of the key, the first one first."""
        document: Any = NOTHING if self.head is None else json.loads(self.head)
        tokens: Tokens | None = self.address.tokens
        found = []
        for number, revision, forward, inverse in reversed(fetch_rows(self.database, CHANGES, [self.address.key])):
            after = tokens
            if tokens:
                tokens, _ = trace_origin(tokens, json.loads(forward), document)
            document = replay_ops(document, json.loads(inverse))
            found.append(NodeStep(number, revision, forward, inverse, after, tokens))
        return found[::-1]

    def _rewrite(self) -> None:
        document: Any = NOTHING
        for step in self.steps:
            ops = json.loads(step.forward)
            is_touched = any(
                touches_node(op, tokens) for op in ops for tokens in (step.before, step.after) if tokens is not None
            )
            old, was_there = self._without(document, step.before) if is_touched else (NOTHING, False)
            document = replay_ops(document, ops)
            if not is_touched:
                continue
            new, is_there = self._without(document, step.after)
            if was_there or is_there:
                forward, inverse = _difference(old, new, step)
                self.rewritten[step.number] = dump_json(forward), dump_json(inverse)
        if self.head is not None:
            self.head = dump_json(self._without(json.loads(self.head), self.address.tokens)[0])

    def _without(self, document: Any, tokens: Tokens | None) -> tuple[Any, bool]:
        """A copy of a document with the mark in place of the node, and whether there was one; what it was is noted."""
        if isinstance(document, Nothing):
            return document, False
        copy = json.loads(dump_json(document))
        node = NOTHING if tokens is None else read_node(copy, tokens)
        if node is NOTHING or node == MARK or tokens is None:
            return copy, False
        self.values.update(list_texts(node))
        return mark_node(copy, tokens), True

    def tokens_at(self, revision: int) -> Tokens | None:
        """Where the node was at a revision."""
        place = bisect_right(self.steps, revision, key=lambda step: step.revision)
        if place:
            return self.steps[place - 1].after
        return self.steps[0].before if self.steps else self.address.tokens


def read_node(document: Any, tokens: Tokens) -> Any:
    """The node at a place in a document, NOTHING where there is none."""
    try:
        return find_node(document, tokens)
    except (LookupError, TypeError, ValueError):
        return NOTHING


def mark_node(document: Any, tokens: Tokens) -> Any:
    """A document with the mark in place of a node that is there. What is passed in is changed."""
    return replay_ops(document, [{"op": "replace", "path": format_pointer(tokens), "value": MARK}])


def _difference(old: Any, new: Any, step: NodeStep) -> tuple[list[Any], list[Any]]:
    """What leads from one to the other, and back; where nothing is left of it, that the mark was set."""
    if isinstance(old, Nothing) or isinstance(new, Nothing):
        one = [] if isinstance(new, Nothing) else [{"op": "add", "path": "", "value": new}]
        back = [] if isinstance(old, Nothing) else [{"op": "add", "path": "", "value": old}]
        gone = [{"op": "remove", "path": ""}]
        return one or gone, back or gone
    forward, inverse = diff_values(old, new)
    if forward or step.after is None or step.after != step.before or step.forward == "[]":
        return forward, inverse
    if read_node(new, step.after) is NOTHING:
        return forward, inverse
    mark = [{"op": "replace", "path": format_pointer(step.after), "value": MARK}]
    return mark, mark
