"""Which operations can have to do with each other, judged by their paths alone: far fewer need a closer look.

The area of an operation is the pointer below which it reads, changes or shifts anything. Two operations whose areas lie
apart (neither in the other) can be done in any order, with the same paths and the same result.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from state.jsondoc.diff import Op
from state.jsondoc.pointer import Tokens, parse_index, parse_pointer

T = TypeVar("T")


class Areas:
    """A set of areas, to be asked whether another one overlaps with any of them."""

    def __init__(self) -> None:
        self._areas: set[Tokens] = set()
        self._above: set[Tokens] = set()  # and all that they lie in

    def add(self, areas: Iterable[Tokens]) -> None:
        for area in areas:
            if area not in self._areas:
                self._areas.add(area)
                self._above.update(area[:depth] for depth in range(len(area) + 1))

    def overlap(self, areas: Iterable[Tokens]) -> bool:
        return any(area in self._above or self._lies_in_one(area) for area in areas)

    def _lies_in_one(self, area: Tokens) -> bool:
        return any(area[:depth] in self._areas for depth in range(len(area)))


def list_areas(op: Op) -> list[Tokens]:
    """Where an operation reads, changes or shifts something."""
    return [_area(op, parse_pointer(op[name])) for name in ("path", "from") if name in op]


def _area(op: Op, tokens: Tokens) -> Tokens:
    # What may be an item of an array has to do with its neighbours; a position, with all members of an object.
    if tokens and (parse_index(tokens[-1]) is not None or "position" in op):
        return tokens[:-1]
    return tokens


def find_related(ops: Iterable[Op], others: Sequence[T], area_of: Callable[[T], Sequence[Tokens]]) -> list[T]:
    """Those of `others`, in order, that have to do with `ops`, directly or through one another."""
    near = Areas()
    for op in ops:
        near.add(list_areas(op))
    kept: set[int] = set()
    left = list(enumerate(others))
    while found := [(number, area_of(one)) for number, one in left if near.overlap(area_of(one))]:
        for number, places in found:
            kept.add(number)
            near.add(places)
        left = [(number, one) for number, one in left if number not in kept]
    return [others[number] for number in sorted(kept)]
