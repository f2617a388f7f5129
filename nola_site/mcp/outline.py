"""Values cut to a size: whole where they fit, else in outline, and where that is too much, a page of it.

What lies deeper is shown as {"…": "12 names"}, so that nobody takes an outline for the value.
"""

from itertools import islice
from typing import NamedTuple

from state.errors import Malformed
from state.jsondoc.text import JSONValue, dump_json, measure_depth

MARK = "…"
MOST_DEPTH = 20
LONG = 400  # characters of a text that are shown in an outline


class BadCursor(Malformed):
    """Not a cursor that an answer before has given."""


class Outline(NamedTuple):
    """What is shown of a value, whether something of it is cut, and where to go on; None at its end."""

    value: JSONValue
    is_cut: bool
    next: int | None


def cut_value(value: JSONValue, limit: int, depth: int | None = None, start: int = 0) -> Outline:
    """As much of a value as a number of characters holds, from a member, item or character on. Raises BadCursor."""
    if isinstance(value, str):
        return _cut_text(value, limit, start)
    if not isinstance(value, dict | list):
        return Outline(value, False, None)
    if start > max(0, len(value) - 1):
        raise BadCursor("the cursor leads behind the end; leave it out to begin again")
    rest = _slice(value, start, len(value)) if start else value
    if depth is None and _fits(rest, limit):
        return Outline(rest, start > 0, None)
    shown = _deepest(rest, limit) if depth is None else show_depth(rest, depth)
    if _fits(shown, limit):
        return Outline(shown, start > 0 or shown != rest, None)
    return _page(rest, limit, 1 if depth is None else depth, start)


def show_depth(value: JSONValue, depth: int) -> JSONValue:
    """A value to a depth; what lies deeper, and all but the beginning of long texts, is a mark."""
    if isinstance(value, str) and len(value) > LONG:
        return {MARK: f"{len(value):,} characters", "begins": value[:LONG]}
    if not isinstance(value, dict | list) or not value:
        return value
    if depth <= 0:
        return {MARK: count(len(value), "name" if isinstance(value, dict) else "item")}
    if isinstance(value, dict):
        return {name: show_depth(member, depth - 1) for name, member in value.items()}
    return [show_depth(item, depth - 1) for item in value]


def count(number: int, what: str) -> str:
    """A number with its noun: "1 name", "12 names"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _deepest(value: JSONValue, limit: int) -> JSONValue:
    """The deepest outline that fits; that of depth 1 where none does."""
    best = show_depth(value, 1)
    for depth in range(2, min(MOST_DEPTH, measure_depth(value)) + 1):
        shown = show_depth(value, depth)
        if not _fits(shown, limit):
            break
        best = shown
    return best


def _page(value: dict[str, JSONValue] | list[JSONValue], limit: int, depth: int, start: int) -> Outline:
    """As many members as fit at a depth, one at least."""
    room = limit
    count = 0
    entries = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for name, one in entries:
        shown = show_depth(one, depth - 1)
        room -= len(dump_json(shown)) + 1 + (len(dump_json(name)) + 1 if name is not None else 0)
        if room < 0 and not count and depth > 1:
            return _page(value, limit, 1, start)  # not even one fits so deep
        if room < 0 and count:
            break
        count += 1
    page = show_depth(_slice(value, 0, count), depth)
    return Outline(page, True, start + count if count < len(value) else None)


def _slice(
    value: dict[str, JSONValue] | list[JSONValue], start: int, end: int
) -> dict[str, JSONValue] | list[JSONValue]:
    return dict(islice(value.items(), start, end)) if isinstance(value, dict) else value[start:end]


def _fits(value: JSONValue, limit: int) -> bool:
    return len(dump_json(value)) <= limit


def _cut_text(value: str, limit: int, start: int) -> Outline:
    if start and start >= len(value):
        raise BadCursor("the cursor leads behind the end; leave it out to begin again")
    end = start + limit
    return Outline(value[start:end], start > 0 or end < len(value), end if end < len(value) else None)
