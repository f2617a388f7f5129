"""Choosing what goes into a prompt: sections that each have a few forms, shallow to deep, in a number of characters.

All that may be taken stands in one fixed order of steps, and as many of them are taken, from the first on, as fit. So
more room never takes away what less room gave. The order is

1. the shallowest form of each section,
2. its deeper forms,
3. and the same two again for sections that are LARGE even in their shallowest form, which would crowd out all others,

each time by characters per weight, the least first: of equal weights the small ones come first, and a section of weight
3 may be three times as large to come in the same place.
"""

from collections.abc import Sequence
from typing import NamedTuple

LARGE = 8000  # characters: more than the budget that is usual, 2,000 tokens


class BudgetForm(NamedTuple):
    """One way to show a section: the level at which it shows so, and how many characters that takes."""

    level: int
    size: int


class Section(NamedTuple):
    """What may be taken. Each form is deeper and longer than the one before it; there is at least one."""

    weight: float
    forms: Sequence[BudgetForm]


class Picked(NamedTuple):
    """The number of the form picked for each section, None for none; and the section of the first step not taken."""

    forms: list[int | None]
    stopped_at: int | None
    left: int  # characters


class _Step(NamedTuple):
    """One form more of one section. Sorted as the order above has it; equal ones as their sections were given."""

    is_large: bool
    is_deeper: bool
    cost: float  # characters per weight; of a deeper form at least as much as of the one before it
    form: int
    section: int
    size: int


def list_forms(sizes: Sequence[tuple[int, int | None]]) -> list[BudgetForm]:
    """The forms of a section from its size at each level, None where nothing shows there.

    Where a deeper one takes no more room, a shallower one is of no use.
    """
    forms: list[BudgetForm] = []
    for level, size in sorted(sizes, reverse=True):
        if size is not None and (not forms or size < forms[-1].size):
            forms.append(BudgetForm(level, size))
    return forms[::-1]


def pick_forms(sections: Sequence[Section], room: int) -> Picked:
    """What of the sections is taken within so many characters. Those of weight 0 are not."""
    picked: list[int | None] = [None] * len(sections)
    for step in sorted(step for number, one in enumerate(sections) if one.weight > 0 for step in _steps(number, one)):
        if step.size > room:
            return Picked(picked, step.section, room)
        room -= step.size
        picked[step.section] = step.form
    return Picked(picked, None, room)


def _steps(number: int, section: Section) -> list[_Step]:
    is_large = section.forms[0].size > LARGE
    steps: list[_Step] = []
    before = 0
    for form, (_, size) in enumerate(section.forms):
        cost = (size - before) / section.weight
        if form > 1:
            cost = max(cost, steps[-1].cost)
        steps.append(_Step(is_large, form > 0, cost, form, number, size - before))
        before = size
    return steps
