"""Where chats come in: a plain file, a zip, or the folder that somebody unpacked one into."""

import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, BinaryIO, cast

from state.files.zips import ZIP_FAULTS
from state.report import Category, Report, Unit, make_printable

FIRST = re.compile(r"(?:^|/)conversations(?:[-_]\d+)?\.jsonl?$", re.IGNORECASE)
READ = re.compile(r"\.(?:jsonl?|ndjson|af)$", re.IGNORECASE)
AS_HTML = re.compile(r"(?:^|/)My ?Activity\.html$", re.IGNORECASE)
BOMB_BYTES, BOMB_RATIO = 64 << 20, 200  # of all that is read; text shrinks to a tenth, seldom to a fiftieth


class UnreadableArchive(ValueError):
    """A file that is no archive of chats; says why."""


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file to read, by its name in the archive or folder ("" for a plain file), with its size in bytes."""

    name: str
    size: int
    stream: BinaryIO

    @property
    def must_hold_chats(self) -> bool:
        """Whether nothing else is expected in it."""
        return not self.name or bool(FIRST.search(self.name))


class ArchiveStream:
    """A member of a zip whose faults are told in words."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.stream, self.name = stream, name

    def read(self, size: int = -1) -> bytes:
        """Bytes of the member. Raises UnreadableArchive."""
        try:
            return self.stream.read(size)
        except ZIP_FAULTS as error:
            raise UnreadableArchive(f"the zip is damaged at {self.name}: {error}") from None


def open_members(path: Path, label: str, report: Report) -> Iterator[ArchiveMember]:
    """The files that may hold chats; what else is there is told. Raises UnreadableArchive and OSError."""
    if path.is_dir():
        yield from _open_folder(path, label, report)
        return
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(4)[:2] == b"PK":
            file.seek(0)
            yield from _open_zip(file, size, label, report)
        else:
            file.seek(0)
            yield ArchiveMember("", size, file)


def _open_folder(folder: Path, label: str, report: Report) -> Iterator[ArchiveMember]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(folder)))
    names = {path.relative_to(folder).as_posix(): path for path in found}
    for name in _wanted(list(names), label, report, "the folder"):
        with names[name].open("rb") as file:
            yield ArchiveMember(name, os.fstat(file.fileno()).st_size, file)


def _is_hidden(path: PurePath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _open_zip(file: BinaryIO, size: int, label: str, report: Report) -> Iterator[ArchiveMember]:
    try:
        archive = zipfile.ZipFile(file)
    except ZIP_FAULTS as error:
        raise UnreadableArchive(f"the zip cannot be read, download it again: {error}") from None
    infos = {
        one.filename: one for one in archive.infolist() if not one.is_dir() and not _is_hidden(PurePath(one.filename))
    }
    wanted = [infos[name] for name in _wanted(list(infos), label, report, "the zip")]
    unpacked = sum(info.file_size for info in wanted)
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * size:  # members may lie one over the other in the file
        names = f"{wanted[0].filename} and {len(wanted) - 1:,} more" if len(wanted) > 1 else wanted[0].filename
        raise UnreadableArchive(
            f"{names} would grow from the {size:,} bytes of the zip to {unpacked:,}, as no chats do;"
            " if you trust it, unpack it and import the folder"
        )
    for info in wanted:
        try:
            stream = archive.open(info)
        except ZIP_FAULTS as error:
            raise UnreadableArchive(f"{info.filename} in the zip cannot be opened: {error}") from None
        with stream:
            yield ArchiveMember(info.filename, info.file_size, cast(BinaryIO, ArchiveStream(stream, info.filename)))


def _wanted(names: list[str], label: str, report: Report, where: str) -> list[str]:
    """Those that are read, conversations first. Raises UnreadableArchive if there are none."""
    wanted = sorted((name for name in names if READ.search(name)), key=lambda name: (not FIRST.search(name), name))
    others = Counter(PurePath(name).suffix.casefold() or name for name in names if not READ.search(name))
    for name in filter(AS_HTML.search, names):
        text = "an activity as a web page, not read; if it is Gemini's, ask Takeout for it as JSON"
        report.add(Category.SKIPPED, Unit.FILES, f"{label}/{make_printable(name)}", text)
        others[".html"] -= 1
    if not wanted:
        html = " (what is there is HTML: ask for JSON)" if any(name.endswith(".html") for name in names) else ""
        raise UnreadableArchive(f"there is no conversations.json in {where}, nor any other JSON file{html}")
    if others := +others:
        kinds = ", ".join(make_printable(suffix) for suffix, _ in others.most_common(6))
        report.add(
            Category.NOTED, Unit.FILES, label, f"{others.total()} other files not read ({kinds})", others.total()
        )
    return wanted
