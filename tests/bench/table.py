"""Figures and their spread, as tables on the terminal and in the docs."""

import statistics
import sys
from collections.abc import Iterable
from typing import NamedTuple


class Spread(NamedTuple):
    """The median of several figures, and how far they lie apart."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)}-{number(self.high)})"


def spread(values: Iterable[float]) -> Spread:
    values = list(values)
    return Spread(statistics.median(values), min(values), max(values))


def number(value: float) -> str:
    """With as many digits as tell something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Table:
    """Rows that are shown as they come, and kept for the docs."""

    def __init__(self, title: str, *columns: str, widths: tuple[int, ...] = ()) -> None:
        self.title, self.columns = title, columns
        self.widths = widths or (46, *[18] * (len(columns) - 1))
        self.rows: list[tuple[str, ...]] = []
        self.notes: list[str] = []
        say(f"\n{title}\n")
        self._say(columns)

    def add(self, *cells: str) -> None:
        self.rows.append(cells)
        self._say(cells)

    def note(self, text: str) -> None:
        self.notes.append(text)
        say(text)

    def _say(self, cells: Iterable[str]) -> None:
        progress("")
        say("".join(f"{cell:<{width}}" for cell, width in zip(cells, self.widths, strict=False)).rstrip())

    def markdown(self, heading: str = "### ") -> str:
        """The table and its notes, under its title; without a heading, alone."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        title = [heading + self.title] if heading else []
        return "\n\n".join([*title, table, *self.notes]) + "\n"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def progress(text: str) -> None:
    """Say what is done right now, where somebody looks on."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text[:100]}")
        sys.stderr.flush()
