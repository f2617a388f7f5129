"""Small charts as the first screen draws them: where each mark stands, and the same figures as a table.

Marks are in a box of WIDE times TALL, which the page stretches; words stand beside it. Colours are the page's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, count
from typing import NamedTuple

WIDE, TALL = 300.0, 100.0
LEAST = 1.5  # how tall what is there is drawn at least
ROUND = (10, 12, 16, 20, 30, 40, 60, 80)
GAP = 0.25  # of the place of a column


class Slot(NamedTuple):
    """The place of a day, and what a pointer on it tells."""

    x: str
    hint: str


class Bar(NamedTuple):
    """What stands for one of several things: how long it is, of WIDE."""

    name: str
    figure: str
    width: str
    link: str = ""


@dataclass(frozen=True)
class Chart:
    """What a page shows of some figures: in a sentence, drawn, and as a table. Nothing drawn: `title` says why."""

    id: str
    title: str
    measure: str
    heads: Sequence[str] = ()
    rows: Sequence[tuple[str, Sequence[str]]] = ()  # the name of each, and its figures
    ticks: Sequence[str] = ()  # of the scale, from above
    days: Sequence[str] = ()  # below it
    slots: Sequence[Slot] = ()
    legend: Sequence[tuple[int, str, str]] = ()  # the number of a series, its name, its total
    paths: Sequence[tuple[int, str]] = ()  # the number of a series, and what is drawn of it
    line: str = ""
    area: str = ""
    bars: Sequence[Bar] = ()

    @property
    def slot(self) -> str:
        """How wide the place of a day is."""
        return f"{WIDE / max(1, len(self.slots)):.1f}"


def find_top(most: float) -> int:
    """A round number at least as large, whose half is whole, for the end of a scale."""
    tens = (digit * 10**power for power in count() for digit in ROUND)
    return next(top for top in chain((2, 4, 6, 8), tens) if top >= most)


def find_top_size(most: int) -> int:
    """The same for a number of bytes, round as people read it: in kB, MB ..."""
    unit = 1
    while most >= 1024 * unit:
        unit *= 1024
    return find_top(most / unit) * unit


def rank_series(days: Sequence[Counter[str]], most: int) -> list[str]:
    """The names with the largest sums, as many as there is room for."""
    total: Counter[str] = Counter()
    for counts in days:
        total.update(counts)
    return [name for name, _ in sorted(total.items(), key=lambda one: (-one[1], one[0])) if name][:most]


def stack_columns(values: Sequence[Sequence[int]], top: int) -> list[str]:
    """For each series a path of its parts of all columns, of which there is one for each day; the first is lowest."""
    slot = WIDE / len(values)
    paths: list[list[str]] = [[] for _ in values[0]]
    for number, counts in enumerate(values):
        x, width, floor = (number + GAP / 2) * slot, (1 - GAP) * slot, TALL
        total = sum(counts)
        scale = max(TALL * total / top, LEAST) / total if total else 0.0
        for series, amount in enumerate(counts):
            if amount:
                floor -= amount * scale
                paths[series].append(f"M{x:.1f},{floor:.1f}h{width:.1f}v{amount * scale:.1f}h-{width:.1f}z")
    return ["".join(one) for one in paths]


def place_hints(hints: Sequence[str]) -> list[Slot]:
    """The places of days beside each other."""
    return [Slot(f"{number * WIDE / len(hints):.1f}", hint) for number, hint in enumerate(hints)]


def draw_line(values: Sequence[int], top: int) -> tuple[str, str]:
    """The points of a line through these values, and of the area below it."""
    slot = WIDE / len(values)
    points = [((number + 0.5) * slot, TALL * (1 - value / top)) for number, value in enumerate(values)]
    points = [(0.0, points[0][1]), *points, (WIDE, points[-1][1])]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return line, f"0,{TALL:g} {line} {WIDE:g},{TALL:g}"


def draw_bar(name: str, figure: str, share: float, link: str = "") -> Bar:
    """A bar that is a share of the longest one."""
    return Bar(name, figure, f"{max(share * WIDE, LEAST):.1f}", link)


def name_day(day: date) -> str:
    """A day in words: "Fri 27 Nov"."""
    return f"{day:%a} {day.day} {day:%b}"


def pick_days(days: Sequence[date]) -> list[str]:
    """The days that stand below a scale: the first, the one in the middle, the last."""
    return [f"{day.day} {day:%b}" for day in (days[0], days[(len(days) - 1) // 2], days[-1])]
