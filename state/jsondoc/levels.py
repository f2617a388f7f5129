"""Context levels: how much of a value a reader sees. The full value is stored once; a level is a way of reading it.

A levelled node is an object with a member `level_1`, `level_2` or `level_3`. Detail deeper than asked never shows.
"""

from collections.abc import Container, Sequence

from state.jsondoc.errors import Unprocessable
from state.jsondoc.pointer import Missing
from state.jsondoc.text import NOTHING, JSONValue, Nothing

LEVELS = {"level_1": 1, "level_2": 2, "level_3": 3}
STIMULI = {"realtime": 1, "conversational": 2, "analytical": 3}


class BadLevel(Unprocessable):
    """There is no such level."""


Shown = JSONValue | Nothing


def parse_stimuli(stimuli: str) -> int:
    """The level a kind of stimulus is answered at; an unknown kind counts as conversational."""
    return STIMULI.get(stimuli, 2)


def show_at_level(value: JSONValue, level: int) -> Shown:
    """What of a value shows at a level, NOTHING if nothing does. Raises BadLevel."""
    check_level(level)
    return _view(value, level)


def check_way(tokens: Sequence[str], level: int) -> None:
    """Refuse a way through deeper detail, whether it is stored or not. Raises BadLevel and Missing."""
    check_level(level)
    for token in tokens:
        if LEVELS.get(token, 0) > level:
            raise Missing(f"{token!r} does not show at level {level}")


def is_shown(value: JSONValue, level: int) -> bool:
    """Whether anything of a value shows at a level; found without making the view."""
    if not isinstance(value, dict) or LEVELS.keys().isdisjoint(value):
        return True
    pick = pick_level(value, level)
    return _has_others(value, level) or (pick is not None and is_shown(value[pick], level))


def find_stored(
    value: JSONValue, tokens: Sequence[str | int], level: int, memo: dict[int, list[int]] | None = None
) -> list[str]:
    """Where a node of the view stands in the value: the view leaves items out, and shows picks in place of nodes.

    `tokens` lead to the node in the view, and what is returned to where it is read, at that level, in the value.
    `memo` keeps what was found out about the arrays of a value from one call to the next.
    """
    memo = {} if memo is None else memo
    way: list[str] = []
    for token in tokens:
        while isinstance(value, dict) and (pick := _alone(value, level)):
            way.append(pick)
            value = value[pick]
        if isinstance(value, list):
            if id(value) not in memo:
                memo[id(value)] = [number for number, item in enumerate(value) if is_shown(item, level)]
            token = memo[id(value)][int(token)]
            value = value[token]
        elif isinstance(value, dict):
            value = value[str(token)]
        way.append(str(token))
    return way


def _alone(node: dict[str, JSONValue], level: int) -> str | None:
    """The pick that shows in place of the node; None if the node shows as an object."""
    return None if LEVELS.keys().isdisjoint(node) or _has_others(node, level) else pick_level(node, level)


def _has_others(node: dict[str, JSONValue], level: int) -> bool:
    return any(is_shown(value, level) for name, value in node.items() if name not in LEVELS)


def pick_level(node: Container[str], level: int) -> str | None:
    """The deepest level of a levelled node that is not deeper than asked, by its name; None if there is none."""
    return max((name for name, deep in LEVELS.items() if name in node and deep <= level), default=None)


def check_level(level: int) -> None:
    """Raises BadLevel."""
    if level not in LEVELS.values():
        raise BadLevel(f"there is no level {level}; the levels are 1, 2 and 3")


def _view(value: JSONValue, level: int) -> Shown:
    if isinstance(value, dict):
        return _members(value, level) if LEVELS.keys().isdisjoint(value) else _levelled(value, level)
    if isinstance(value, list):
        return [seen for item in value if (seen := _view(item, level)) is not NOTHING]
    return value


def _levelled(node: dict[str, JSONValue], level: int) -> Shown:
    """The other members with the pick among them, or the pick alone when no other shows."""
    pick = pick_level(node, level)
    shown = _members({name: value for name, value in node.items() if name == pick or name not in LEVELS}, level)
    if shown.keys() - LEVELS.keys():
        return shown
    return shown.get(pick, NOTHING) if pick else NOTHING


def _members(node: dict[str, JSONValue], level: int) -> dict[str, JSONValue]:
    return {name: seen for name, value in node.items() if (seen := _view(value, level)) is not NOTHING}
