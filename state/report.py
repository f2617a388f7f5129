"""What an import did and found, to be counted and listed. Nothing that was left out goes unsaid."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath


class Category(StrEnum):
    READ = "read"
    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    FAILED = "failed"
    NOTED = "noted"


class Unit(StrEnum):
    FILES = "files"
    KEYS = "state keys"
    SECTIONS = "copied parts"
    CONVERSATIONS = "conversations"
    MESSAGES = "messages"


def name_undo(revision: int, batch: str = "") -> str:
    """The command that takes back what was just done, for the end of what another one says."""
    return f"To take it back: ./nola undo {f'--batch {batch}' if batch else revision}"


def format_count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where there are none or several."""
    return f"{number:,} {noun}" + ("s" if number != 1 else "")


HEADINGS = {
    Category.FAILED: "Failed (correct these and run it again; what is done already is not done twice):",
    Category.CONFLICTING: "Conflicting (nothing was merged or overwritten unless it says so):",
    Category.DELETED: "Deleted:",
    Category.UPDATED: "Updated:",
    Category.SKIPPED: "Skipped:",
    Category.NOTED: "To know:",
    Category.DUPLICATE: "Duplicate (the same content is there already):",
    Category.ADDED: "Added:",
}
LISTED_WHOLE = [Category.FAILED, Category.CONFLICTING, Category.DELETED, Category.UPDATED]
LISTED_SHORT = [Category.SKIPPED, Category.NOTED]
SHOWN_ALIKE = 3  # of findings with the same text, where the list is short
OF_IMPORTS = tuple(one for one in Category if one not in (Category.DELETED, Category.NOTED))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `file` is relative to the folder; `count` says for how many of its unit it stands: 0 if what
    it tells of is counted elsewhere, so that each thing read is counted once.
    """

    category: Category
    unit: Unit
    file: str
    text: str
    count: int = 1


@dataclass(slots=True)
class Report:
    batch: str = ""  # what the import's revisions carry in common
    findings: list[Finding] = field(default_factory=list)
    revisions: int = 0  # made so far
    columns: Sequence[Category] = OF_IMPORTS  # of the table of counts
    rows: Sequence[Unit] = tuple(Unit)

    def add(self, category: Category, unit: Unit, file: str, text: str = "", count: int = 1) -> None:
        self.findings.append(Finding(category, unit, file, text, count))

    def select(self, category: Category, unit: Unit | None = None) -> list[Finding]:
        return [one for one in self.findings if one.category == category and unit in (None, one.unit)]

    def count(self, category: Category, unit: Unit | None = None) -> int:
        return sum(one.count for one in self.select(category, unit))

    def lines(self, *, everything: bool = False) -> Iterator[str]:
        """The report for people: a table of counts, then what a person must look at, or all of it."""
        yield from self._table()
        for category, heading in HEADINGS.items():
            found = [one for one in self.select(category) if one.text]
            if found and (everything or category in LISTED_WHOLE + LISTED_SHORT):
                yield ""
                yield heading
                short = category in LISTED_SHORT and not everything
                yield from _listed(found, SHOWN_ALIKE if short else len(found))
        hidden = self.count(Category.DUPLICATE)
        if hidden and not everything:
            yield ""
            yield f"{hidden} duplicates are not listed; -v 2 lists everything."

    def _table(self) -> Iterator[str]:
        yield " " * 13 + "".join(f"{column:>12}" for column in self.columns)
        for unit in self.rows:
            counts = (self.count(column, unit) for column in self.columns)
            yield f"{unit:13}" + "".join(f"{count or '-':>12}" for count in counts)


def make_printable(text: str | PurePath) -> str:
    """Text that every terminal and database takes, whatever bytes a file system or a file holds."""
    decoded = os.fsencode(text).decode(errors="backslashreplace").replace(os.sep, "/")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in decoded)


def _listed(findings: list[Finding], most: int) -> Iterator[str]:
    """One line each; many findings with the same text become a few and a number."""
    alike: dict[str, list[Finding]] = {}
    for one in findings:
        alike.setdefault(one.text, []).append(one)
    for text, group in alike.items():
        yield from (make_printable(f"  {one.file}: {text}{_number(text, one.count)}") for one in group[:most])
        if len(group) > most:
            rest = sum(one.count for one in group[most:])
            yield make_printable(f"  ... and {len(group) - most} more: {text}{_number(text, rest)}")


def _number(text: str, count: int) -> str:
    """How many it stands for, unless the text says it or it is but one."""
    return f" ({count:,})" if count > 1 and not text[:1].isdigit() else ""
