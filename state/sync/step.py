"""The steps of a sync: a key with its file, what becomes of both, and what to say where they do not go together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

from state.edits import Edit
from state.entries import Stored
from state.jsondoc.pointer import escape_token
from state.jsondoc.text import NOTHING, JSONValue, Nothing, dump_json
from state.registry import Conflict
from state.report import Category, Unit
from state.sync.folder import SeenFile
from state.sync.notes import Note

SideText = Literal["file", "db"]
MOST_PLACES = 5  # of a conflict that are listed
MOST_SHOWN = 60  # characters of a value in a list


class Common(Enum):
    """What a file and its key have in common once a step is done."""

    AS_BEFORE = "as before"
    ALL = "all"  # the file has what is stored
    STORED = "stored"  # the file has what is stored, and edits of its own
    FILE = "file"  # the key has what is in the file, and edits of its own
    NOTHING = "nothing"  # one of them is gone, or both


class Target(Enum):
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class SyncTerms:
    """How two sides are brought together, and in which direction."""

    pushes: bool
    pulls: bool
    prefer: SideText | None = None
    delete: bool = False
    level: int | None = None
    envelope: bool | None = None  # None: as the file is, or as the folder's new files are
    new_enveloped: bool = False


@dataclass(slots=True)
class SyncItem:
    """A key and its file, either of which may be missing. `last` is the revision of the key when it was looked at."""

    key: str
    name: str
    path: Path
    note: Note | None
    seen: SeenFile | None
    last: int | None

    @property
    def is_same(self) -> bool:
        """Whether the file is as it was when both were last in step."""
        return bool(self.note and self.seen and self.seen.hash == self.note.file)

    @property
    def is_active(self) -> bool:
        """Whether anything is to be decided: not where both are as they were."""
        return not (self.is_same and self.is_stored(self.last))

    def is_stored(self, revision: int | None) -> bool:
        """Whether the key is as it was then."""
        return bool(self.note and isinstance(self.note.base, Nothing) and self.note.revision == revision)


@dataclass(slots=True)
class SyncStep:
    """What is to be done, and said, about one file and its key."""

    item: SyncItem
    was: Stored | None = None
    common: Common = Common.AS_BEFORE
    edit: Edit | None = None
    target: str | Target = Target.KEEP  # the text of the value that the file is to have
    opened: str | None = None  # the text of the value that it has
    is_enveloped: bool = False
    says: list[tuple[Category, Unit, str]] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    is_overruled: bool = False  # what the file has of its own is to be replaced
    asks: Unit | None = None  # which of the two is still there, so that only a person can say whether it goes too

    def say(self, category: Category, unit: Unit, text: str) -> "SyncStep":
        self.says.append((category, unit, text))
        return self


def note_conflict(step: SyncStep, conflicts: Sequence[Conflict], why: str) -> SyncStep:
    step = SyncStep(step.item, step.was, is_enveloped=step.is_enveloped, conflicts=[*conflicts])
    lines = [f"{why}; both stay as they are:", *(_place(one) for one in conflicts[:MOST_PLACES])]
    if len(conflicts) > MOST_PLACES:
        lines.append(f"and {len(conflicts) - MOST_PLACES} more places")
    return step.say(Category.CONFLICTING, Unit.KEYS, " ".join(lines))


def _place(one: Conflict) -> str:
    by = f" (revision {one.by})" if one.by else ""
    return f"[{one.pointer or 'all of it'}: Nola has {_short(one.theirs)}{by}, the file {_short(one.yours)}]"


def _short(value: JSONValue | Nothing) -> str:
    if isinstance(value, Nothing):
        return "nothing"
    text = dump_json(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."


def leaf_conflicts(key: str, pointer: str, theirs: JSONValue, yours: JSONValue, by: int) -> list[Conflict]:
    """The smallest members in which two values differ; arrays as a whole, and nothing for another order of members."""
    if not isinstance(theirs, dict) or not isinstance(yours, dict):
        differs = dump_json(theirs) != dump_json(yours)
        return [Conflict("state", key, pointer, NOTHING, theirs, yours, by)] if differs else []
    found: list[Conflict] = []
    for name in dict.fromkeys([*theirs, *yours]):
        at = f"{pointer}/{escape_token(name)}"
        if name in theirs and name in yours:
            found += leaf_conflicts(key, at, theirs[name], yours[name], by)
        else:
            found.append(Conflict("state", key, at, NOTHING, theirs.get(name, NOTHING), yours.get(name, NOTHING), by))
    return found


def list_changes(edit: Edit) -> str:
    count = len(edit.forward)
    return f"{count} change{'s' if count != 1 else ''} brought into {edit.key}"
