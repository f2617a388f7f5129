"""The files of a folder that is kept in step: listed, read whole or not at all, and written only over what was read."""

import errno
import hashlib
import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from state.files.atomic import PARTIAL, CannotWrite, draft_file, explain_failure, sync_path
from state.files.names import SUFFIX
from state.files.sources import Unreadable, explain_error
from state.jsondoc.encoding import explain_encoding
from state.jsondoc.text import BOM, MAX_DEPTH, Document, NotAcceptable, parse_json
from state.locks import try_lock

TRIES = 5  # at reading a file that changes meanwhile
PAUSE = 0.05  # seconds between them
INDENTED = 4  # times the limit of a document that a file may have: it is indented, and has an envelope
LOCK_SECONDS = 10.0

DRAFT = re.compile(r"\..+\.[0-9a-f]{8}\.partial", re.DOTALL)

Stamp = tuple[int, int, int, int]


class BusyFolder(Exception):
    """Another sync is at work in the folder."""


class MovedFile(Exception):
    """A file was changed after it was read; it stays as it is."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as it was read: its bytes, their hash, and by what a later change of it can be told."""

    path: Path
    raw: bytes
    hash: str
    stamp: Stamp

    def document(self) -> Document:
        """Its JSON. Raises Unreadable, naming line and column."""
        if other := explain_encoding(self.raw):
            raise Unreadable(f"is {other}")
        if not self.raw.strip():
            raise Unreadable("is empty, which is no JSON; nothing is taken from it")
        try:
            return parse_json(self.raw.removeprefix(BOM), MAX_DEPTH + 1)
        except NotAcceptable as error:
            raise Unreadable(explain_error(error)) from None


def list_files(where: Path) -> dict[str, tuple[Path, str]]:
    """The JSON files of a folder by name, each with what keeps it from being read ("" for nothing)."""
    found: dict[str, tuple[Path, str]] = {}
    try:
        entries = sorted(os.scandir(where), key=lambda entry: os.fsencode(entry.name))
    except FileNotFoundError:
        return {}
    for entry in entries:
        if is_key_file(entry.name):
            found[normalize_name(entry.name)] = (Path(entry.path), _obstacle(entry))
    return found


def is_key_file(name: str) -> bool:
    """Whether a file of this name is one of a key."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def normalize_name(name: str) -> str:
    """A name as it is noted; some file systems give it back in another spelling."""
    return unicodedata.normalize("NFC", name)


def _obstacle(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return "is a link, which is neither read nor written through; put the file itself here"
    if not entry.is_file():
        return "is not a regular file"
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8; rename it"
    return ""


def read_file(path: Path) -> SeenFile:
    """A file, whole. Raises Unreadable and FileNotFoundError."""
    for _ in range(TRIES):
        try:
            before, raw, after = _read(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unreadable(f"cannot be opened: {error.strerror or error}") from None
        if before == after:
            return SeenFile(path, raw, hash_bytes(raw), after)
        time.sleep(PAUSE)
    raise Unreadable("is being written just now; sync again")


def _read(path: Path) -> tuple[Stamp, bytes, Stamp]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        limit = INDENTED * settings.NOLA_MAX_BODY_MB * 1024 * 1024
        if before.st_size > limit:
            raise Unreadable(f"has {before.st_size:,} bytes, over the limit; raise NOLA_MAX_BODY_MB")
        raw = file.read()
        return stamp_file(before), raw, stamp_file(os.fstat(descriptor))


def stamp_file(found: os.stat_result) -> Stamp:
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


def hash_bytes(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def write_file(path: Path, raw: bytes, seen: SeenFile | None) -> None:
    """Put a file in place of the one that was seen, or where none was. Raises MovedFile, NoRoom and CannotWrite."""
    with draft_file(path.parent, path.name[:40]) as draft:
        draft.touch(0o600)
        draft.write_bytes(raw)
        if seen:
            _look_like(draft, path)
        sync_path(draft)
        check_unmoved(path, seen)
        draft.replace(path)


def clear_drafts(where: Path) -> None:
    """Remove what a sync that was killed was writing."""
    for path in where.glob(f".*{PARTIAL}"):
        if DRAFT.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def remove_file(path: Path, seen: SeenFile) -> None:
    """Raises MovedFile and CannotWrite."""
    check_unmoved(path, seen)
    try:
        path.unlink()
    except OSError as error:
        raise explain_failure(path, error) from error


def keep_aside(seen: SeenFile, revision: int) -> str:
    """Keep what a file has under a name of its own, before it is replaced; returns the name."""
    for number in range(1, 1000):
        name = f"{seen.path.name}.was-{revision}" + (f"-{number}" if number > 1 else "")
        other = seen.path.with_name(name)
        if not os.path.lexists(other):
            write_file(other, seen.raw, None)
            return name
        if other.is_file() and not other.is_symlink() and other.read_bytes() == seen.raw:
            return name
    raise CannotWrite(f"{seen.path} has too many copies beside it; remove some")


def check_unmoved(path: Path, seen: SeenFile | None) -> None:
    """Raises MovedFile unless a file is as it was seen."""
    try:
        now: Stamp | None = stamp_file(os.lstat(path))
    except FileNotFoundError:
        now = None
    if now != (seen.stamp if seen else None):
        raise MovedFile("was changed in this moment, and stays as it is; sync again")


def _look_like(draft: Path, path: Path) -> None:
    """Owner and permissions of the file it replaces: others may be reading it."""
    with suppress(OSError):
        was = os.stat(path, follow_symlinks=False)
        if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, was.st_uid, was.st_gid)
        draft.chmod(stat.S_IMODE(was.st_mode))


@contextmanager
def lock_folder(where: Path) -> Iterator[None]:
    """Nobody else syncs this folder meanwhile. Raises BusyFolder."""
    try:
        descriptor = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        _lock(descriptor, where)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, where: Path) -> None:
    try:
        is_ours = try_lock(descriptor, LOCK_SECONDS)
    except OSError:  # a network file system without locks
        return
    if not is_ours:
        raise BusyFolder(f"another sync is at work in {where}; wait for it, or stop it")
