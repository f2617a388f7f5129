"""Which items of two arrays are the same thing, changed: so that an edit of one is not taken for an edit of another.

Objects are told by the first of the members that name them which both have, else by how much of them is equal; arrays
by their common items. Scalars have nothing that makes them the same but their place, which counts where as many went as
came.
"""

from collections.abc import Iterator
from typing import Any

from state.jsondoc.text import JSONValue, dump_json

NAMES = ("id", "_id", "uuid", "key", "name")  # of members that say which thing an object is
ALIKE = 0.5  # of the members or items, from where two are the same thing
MOST_PAIRS = 10_000  # beyond so many, only names and places are looked at

Pairs = list[tuple[int, int]]


def align_items(old: list[JSONValue], new: list[JSONValue]) -> Pairs:
    """Index pairs of items that are the same thing, in order. None of the items of one side is equal to the other's."""
    if len(old) == len(new) == 1:
        return [(0, 0)] if may_be_same(old[0], new[0]) else []
    if len(old) * len(new) > MOST_PAIRS:
        return _by_place(old, new)
    ours, theirs = [_traits(item) for item in old], [_traits(item) for item in new]
    pairs = _best([[_alike(one, other) for other in theirs] for one in ours])
    return list(_filled(old, new, pairs))


def _by_place(old: list[JSONValue], new: list[JSONValue]) -> Pairs:
    if len(old) != len(new):
        return []
    return [(n, n) for n in range(len(old)) if may_be_same(old[n], new[n])]


def _filled(old: list[JSONValue], new: list[JSONValue], pairs: Pairs) -> Iterator[tuple[int, int]]:
    """The pairs, and between them those that pair by their place."""
    i = j = 0
    for one, other in [*pairs, (len(old), len(new))]:
        yield from ((i + a, j + b) for a, b in _by_place(old[i:one], new[j:other]))
        if one < len(old):
            yield one, other
        i, j = one + 1, other + 1


def may_be_same(old: JSONValue, new: JSONValue) -> bool:
    """Whether nothing says that they are two things."""
    if isinstance(old, dict) and isinstance(new, dict):
        name = next((name for name in NAMES if name in old and name in new), None)
        return name is None or _text(old[name]) == _text(new[name])
    return True


def find_identity(item: JSONValue) -> tuple[str, str] | None:
    """The member that says which thing an object is, wherever it goes, with its text."""
    members = item if isinstance(item, dict) else {}
    names = (name for name in NAMES if name in members and not isinstance(members[name], dict | list))
    return next(((name, _text(members[name])) for name in names), None)


def _traits(item: JSONValue) -> dict[Any, str] | None:
    """The parts of an item by which it is known; None for a scalar."""
    if isinstance(item, dict):
        return {name: _text(value) for name, value in item.items()}
    if isinstance(item, list):
        return dict(enumerate(map(_text, item)))
    return None


def _alike(one: dict[Any, str] | None, other: dict[Any, str] | None) -> float:
    """How much two items are the same thing, 0 to 2; 0 where they are not."""
    if not one or not other:
        return 0
    for name in NAMES:
        if name in one and name in other:
            return 2 if one[name] == other[name] else 0
    shared = sum(other.get(name) == value for name, value in one.items()) / max(len(one), len(other))
    return shared if shared >= ALIKE else 0


def _best(scores: list[list[float]]) -> Pairs:
    """The pairs in order that make the highest sum (Needleman and Wunsch 1970, gaps cost nothing)."""
    width = len(scores[0])
    best = [[0.0] * (width + 1)]
    for row in scores:
        line = [0.0]
        for j, score in enumerate(row):
            line.append(max(best[-1][j + 1], line[j], best[-1][j] + score))
        best.append(line)
    pairs: Pairs = []
    i, j = len(scores), width
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]


def _text(value: JSONValue) -> str:
    return dump_json(value)
