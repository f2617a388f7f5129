"""What happened to a key, or to a node inside it: the revisions that touched it, newest first.

A node is followed back to where it was: over items put in or taken out before it, over moves and renames.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from state.address import NotFound
from state.history import replay
from state.jsondoc.diff import Op
from state.jsondoc.old_values import with_old_values
from state.jsondoc.patch import find_node, replay_ops
from state.jsondoc.pointer import Tokens, format_pointer, parse_index, parse_pointer
from state.jsondoc.projection import Ways
from state.jsondoc.text import NOTHING, dump_json
from state.jsondoc.trees.moves import diff_values
from state.models import Change, Revision

LOOKED = 2000  # changes that a brief page looks through


class NodeEvent(NamedTuple):
    """One revision of a key: what of it touched the node, and where that was afterwards and before."""

    revision: Revision
    patch: list[Op]
    after: Tokens
    before: Tokens | None  # None: it is an item of an array that came into being here


def read_page(found: Iterator[NodeEvent], limit: int) -> tuple[list[NodeEvent], NodeEvent | None]:
    """The next events, and the one before which more is to be looked for; None where that was all."""
    events: list[NodeEvent] = []
    for event in found:
        if not event.patch:
            return events, event
        if len(events) == limit:
            return events, events[-1]
        events.append(event)
    return events, None


def find_events(
    key: str,
    tokens: Tokens = (),
    before: int | None = None,
    ways: Ways = None,
    *,
    with_was: bool = False,
    brief: bool = False,
) -> Iterator[NodeEvent]:
    """The revisions that touched a key, or the node that is at `tokens` now, or was before revision `before`.

    `brief`: what was set or removed around the node is told as what became of the node, and is left out if nothing did;
    now and then comes an event without a patch, where one may stop and go on later.
    """
    changes = replay.changes_before(key, before, ways)
    if not tokens:
        for change in changes:
            if change.forward:  # else it did nothing but what a redaction has to tell
                yield NodeEvent(change.revision, _ops(change, with_was), (), ())
        return
    document: Any = NOTHING
    for number, change in enumerate(changes):
        if not number:  # items shift only in arrays, so what is an array must be known
            document = replay.document_at(key, change.revision_id, ways)
        before_it, patch = trace_origin(tokens, _ops(change, with_was), document)
        is_around = brief and any(_is_around(op, tokens, before_it) for op in patch)
        now = _text(document, tokens) if is_around else None
        inverse = copy.deepcopy(change.inverse) if with_was and patch else change.inverse  # `was` is of one moment
        document = replay_ops(document, inverse)
        if is_around:
            was_it = None if before_it is None else _text(document, before_it)
            patch = [op for op in patch if op["op"] == "move"] + _difference(was_it, now, tokens, with_was)
        if patch or (brief and number % LOOKED == LOOKED - 1):
            yield NodeEvent(change.revision, patch, tokens, before_it)
        if before_it is None:
            return
        tokens = before_it


def _ops(change: Change, with_was: bool) -> Any:
    return with_old_values(change.forward, change.inverse) if with_was else change.forward


def _is_around(op: Op, after: Tokens, before: Tokens | None) -> bool:
    """Whether an operation put, set or removed something that the node lies in."""
    path = parse_pointer(op["path"])
    return op["op"] != "move" and (after[: len(path)] == path != after or (before or ())[: len(path)] == path != before)


def _text(document: Any, tokens: Tokens) -> str | None:
    """The text of a node, None where there is none."""
    try:
        found = find_node(document, tokens)
    except (LookupError, TypeError, ValueError):
        return None
    return None if found is NOTHING else dump_json(found)


def _difference(old: str | None, new: str | None, at: Tokens, with_was: bool) -> list[Op]:
    """What turns a node of one text into one of the other."""
    path = format_pointer(at)
    if old == new:
        return []
    if new is None:
        return [{"op": "remove", "path": path, **({"was": json.loads(old or "null")} if with_was else {})}]
    if old is None:
        return [{"op": "add", "path": path, "value": json.loads(new)}]
    forward, inverse = diff_values(json.loads(old), json.loads(new), path)
    return list(with_old_values(forward, inverse)) if with_was else forward


def touches_node(op: Op, tokens: Tokens) -> bool:
    """Whether an operation names the node, something inside it, or something it lies in."""
    return any(_meets(parse_pointer(op[name]), tokens) for name in ("path", "from") if name in op)


def _meets(place: Tokens, tokens: Tokens) -> bool:
    return place[: len(tokens)] == tokens[: len(place)]


def trace_origin(tokens: Tokens, ops: Sequence[Op], document: Any) -> tuple[Tokens | None, list[Op]]:
    """Where the node was before the operations that led to `document`, and those of them that touched it.

    Nowhere, if it came as an item of an array, or in one; a member that was put in may have been there before.
    """
    touched: list[Op] = []
    for op in reversed(ops):
        path = parse_pointer(op["path"])
        gone = path if op["op"] == "remove" else parse_pointer(op["from"]) if op["op"] == "move" else None
        came = path if op["op"] in ("add", "move") else None
        was = _before(tokens, came, gone, document) if came != gone else tokens
        if (op["op"] != "remove" and _meets(path, tokens)) or (gone is not None and _meets(gone, was)):
            touched.append(op)
        if op["op"] == "add" and path and tokens[: len(path)] == path and _is_item(path, document):
            return None, touched[::-1]
        tokens = was
    return tokens, touched[::-1]


def _before(tokens: Tokens, came: Tokens | None, gone: Tokens | None, document: Any) -> Tokens:
    """The tokens before something came to one place, and went from another."""
    if came is not None and gone is not None and tokens[: len(came)] == came:
        return gone + tokens[len(came) :]
    if came is not None:
        tokens = _shifted(tokens, came, -1, document)
    return tokens if gone is None else _shifted(tokens, gone, 1, document)


def _shifted(tokens: Tokens, place: Tokens, by: int, document: Any) -> Tokens:
    """The tokens with an index moved, if an item of the same array came or went at `place`, before it."""
    last = len(place) - 1
    if last < 0 or len(tokens) <= last or tokens[:last] != place[:last]:
        return tokens
    ours, theirs = parse_index(tokens[last]), parse_index(place[last])
    if ours is None or theirs is None or not _is_item(place, document):
        return tokens
    if ours > theirs or (ours == theirs and by > 0):
        return (*tokens[:last], str(ours + by), *tokens[last + 1 :])
    return tokens


def _is_item(place: Tokens, document: Any) -> bool:
    """Whether an array is what a place is in; by its look, where the operations after it took that away."""
    for token in place[:-1]:
        index = parse_index(token)
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list) and index is not None and index < len(document):
            document = document[index]
        else:
            return parse_index(place[-1]) is not None
    return isinstance(document, list)


def check_known(key: str, ways: Ways = None) -> None:
    """Raises NotFound for a key that history has never seen."""
    if next(replay.changes_before(key, ways=ways), None) is None:
        raise NotFound(f"history knows no key {key!r}")
