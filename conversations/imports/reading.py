"""A file of chats, read piece by piece: what its values are, and all that is to be said of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, BinaryIO, NamedTuple

from conversations.imports.archives import FIRST, ArchiveMember, UnreadableArchive, open_members
from conversations.imports.formats import explain_unknown, find_reader, spread
from conversations.imports.json_stream import StreamItem, read_items
from conversations.imports.legacy_chat_files import Chat, NotAChat
from conversations.imports.messages import ChatReading, ImportedState, Note, Reader, report_notes
from state.files.sources import SourceFile
from state.report import Category, Report, Unit, make_printable

DEEPEST = 4  # values within values that no reader claims as they are
WRONG_SHAPE = (TypeError, KeyError, AttributeError, IndexError, ValueError, RecursionError)
Notes = dict[tuple[Category, Unit, str], Note]


class Found(NamedTuple):
    """A conversation, or a piece of one, or a document of the state, with the notes of its reading."""

    reader: Reader
    what: Chat | ImportedState
    file: SourceFile
    place: str
    notes: Notes


def read_file(
    path: Path, label: str, report: Report, progress: Callable[[float, int], None], *, bounded: bool
) -> Iterator[Found]:
    """What is in a file, a zip or a folder; what cannot be read is reported. `progress` is told how much is done."""
    try:
        for member in open_members(path, label, report):
            name = f"{label}/{make_printable(member.name)}" if member.name else label
            report.add(Category.READ, Unit.FILES, name)
            yield from _MemberReading(path, member, name, report, progress, bounded).read()
    except UnreadableArchive as error:
        report.add(Category.FAILED, Unit.FILES, label, str(error))
    except OSError as error:
        report.add(Category.FAILED, Unit.FILES, label, f"cannot be opened: {error.strerror or error}")


def find_export(file: SourceFile) -> str:
    """The service whose export of chats a file is, by its name and its first conversation; "" if it is none."""
    if not FIRST.search(file.path.name):
        return ""
    try:
        with file.path.open("rb") as stream:
            first = next(read_items(stream))
    except OSError:
        return ""
    return name_export(first.value)


def name_export(value: Any) -> str:
    """The service whose export a value is, or a list of what it exports; "" for none."""
    reader = find_reader(value[0] if isinstance(value, list) and value else value)
    return reader.name if reader and reader.is_service else ""


@dataclass
class _MemberReading:
    """One file that is read, with what is still to be told of it."""

    path: Path
    member: ArchiveMember
    label: str
    report: Report
    progress: Callable[[float, int], None]
    bounded: bool
    gathered: dict[Reader, list[tuple[int | str, Any]]] = field(default_factory=dict)
    unknown: list[tuple[str, str]] = field(default_factory=list)  # places and what is there
    has_found: bool = False
    calls: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file = SourceFile(self.path, self.label, (), 0)
        self.stem = PurePath(self.member.name or PurePath(self.label).name).with_suffix("").as_posix()

    def read(self) -> Iterator[Found]:
        counted = _Counted(self.member.stream)
        for item in read_items(counted, bounded=self.bounded):  # type: ignore[arg-type]
            self.progress(min(1.0, counted.done / self.member.size) if self.member.size else 1.0, item.number)
            if item.left_out:
                self.tell_left_out(item.left_out)
            elif item.problem:
                self.report.add(Category.FAILED, Unit.CONVERSATIONS, f"{self.label}:{item.number}", item.problem)
            else:
                yield from self.read_value(item.value, item.number, self.notes_of(item))
        for reader, lines in self.gathered.items():
            yield from self.read_by(reader, lines, lines[0][0], {})
        self.tell_unknown()

    def tell_left_out(self, names: Any) -> None:
        text = f"members beside the conversations, not read: {', '.join(map(make_printable, names))}"
        self.report.add(Category.SKIPPED, Unit.FILES, self.label, text, 0)

    def notes_of(self, item: StreamItem) -> Notes:
        text = "halves of surrogate pairs, which are no characters, are written as �"
        return {(Category.NOTED, Unit.MESSAGES, text): Note(item.halves)} if item.halves else {}

    def read_value(self, value: Any, number: int | str, notes: Notes, depth: int = 0) -> Iterator[Found]:
        """A value by the reader that claims it; else what is in it; else it is unknown."""
        reader = find_reader(value)
        if self.gathered and isinstance(value, dict):
            going = next((one for one in self.gathered if one.goes_on(value)), None)
            unnamed = next(iter(self.gathered)) if reader is None and "type" in value else None  # it names the kind
            reader = going or reader or unnamed
        if reader is not None and reader.gathers:
            self.has_found = True
            self.gathered.setdefault(reader, []).append((number, value))
        elif reader is not None:
            self.has_found = True
            yield from self.read_by(reader, value, number, notes)
        elif depth < DEEPEST and (inner := spread(value)) is not None and inner[0]:
            if inner[1]:
                self.tell_left_out(inner[1])
            for place, one in enumerate(inner[0], 1):
                yield from self.read_value(one, f"{number}.{place}", {}, depth + 1)
        else:
            self.unknown.append((f"{self.label}:{number}", explain_unknown(value)))

    def read_by(self, reader: Reader, value: Any, number: int | str, notes: Notes) -> Iterator[Found]:
        reading = ChatReading(self.file, number, self.stem, notes, self.calls)
        try:
            found = reader.read(value, reading)
        except NotAChat as error:
            self.report.add(Category.FAILED, Unit.CONVERSATIONS, reading.place, str(error))
            return
        except WRONG_SHAPE as error:
            text = f"it looks like {reader.name}, but its shape is another than that has: {error!r}"
            self.report.add(Category.FAILED, Unit.CONVERSATIONS, reading.place, text)
            return
        if not found:
            if not reading.notes:
                reading.leave_out(f"{reader.name}, with nothing in it", count=1, unit=Unit.CONVERSATIONS)
            report_notes(reading.notes, reading.place, self.report)
        for place, one in enumerate(found):
            yield Found(reader, one, self.file, reading.place, reading.notes if not place else {})

    def tell_unknown(self) -> None:
        """Values that no reader claims: in a file in which there are chats, or nothing else was expected, a failure."""
        if self.has_found or self.member.must_hold_chats:
            for place, text in self.unknown:
                self.report.add(Category.FAILED, Unit.CONVERSATIONS, place, text)
        elif self.unknown:
            self.report.add(Category.SKIPPED, Unit.FILES, self.label, f"not read: {self.unknown[0][1]}")


class _Counted:
    """A stream that counts what was read of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.done = stream, 0

    def read(self, size: int = -1) -> bytes:
        found = self.stream.read(size)
        self.done += len(found)
        return found
