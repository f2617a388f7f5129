"""Files that chats come in: plain, or a zip with `conversations.json` in it."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

WANTED = re.compile(r"(?:^|/)conversations(?:[-_]\d+)?\.jsonl?$", re.IGNORECASE)
OTHERS = re.compile(r"\.jsonl?$", re.IGNORECASE)
BOMB_BYTES, BOMB_RATIO = 64 << 20, 200  # of all that is read; text shrinks to a tenth, seldom to a fiftieth


class UnreadableArchive(ValueError):
    """A file that is no archive of chats; says why."""


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file to read, by its name in the archive ("" for a plain file), with its size in bytes."""

    name: str
    size: int
    stream: BinaryIO


class ArchiveStream:
    """A member of a zip whose faults are told in words."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.stream, self.name = stream, name

    def read(self, size: int = -1) -> bytes:
        """Bytes of the member. Raises UnreadableArchive."""
        try:
            return self.stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise UnreadableArchive(f"the zip is damaged at {self.name}: {error}") from None


def open_members(file: BinaryIO, size: int) -> Iterator[ArchiveMember]:
    """The files with chats in them. Raises UnreadableArchive."""
    file.seek(0)
    if file.read(4)[:2] != b"PK":
        file.seek(0)
        yield ArchiveMember("", size, file)
        return
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnreadableArchive(f"the zip cannot be read, download it again: {error}") from None
    wanted = _wanted(archive)
    unpacked = sum(info.file_size for info in wanted)
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * size:  # members may lie one over the other in the file
        names = f"{wanted[0].filename} and {len(wanted) - 1:,} more" if len(wanted) > 1 else wanted[0].filename
        raise UnreadableArchive(
            f"{names} would grow from the {size:,} bytes of the zip to {unpacked:,}, as no chats do;"
            " if you trust it, unpack it and import the files"
        )
    for info in wanted:
        try:
            stream = archive.open(info)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile, OSError) as error:
            raise UnreadableArchive(f"{info.filename} in the zip cannot be opened: {error}") from None
        with stream:
            yield ArchiveMember(info.filename, info.file_size, cast(BinaryIO, ArchiveStream(stream, info.filename)))


def _wanted(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    found = [info for info in files if WANTED.search(info.filename)]
    if not found and len(others := [info for info in files if OTHERS.search(info.filename)]) == 1:
        found = others
    if not found:
        raise UnreadableArchive("there is no conversations.json in the zip")
    return sorted(found, key=lambda info: info.filename)
