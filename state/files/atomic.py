"""Files that are there whole or not at all, whatever dies meanwhile."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from access.database import Fault, engine
from state.errors import StorageFull, Unavailable

PARTIAL = ".partial"  # how the name of a file that is still being written ends


class NoRoom(StorageFull):
    """The disk is full; what was there before is as it was."""


class CannotWrite(Unavailable):
    """The directory cannot be written; what was there before is as it was."""


class Taken(Exception):
    """There is a file of that name already, which stays as it is."""


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once the block has ended well. Raises NoRoom and CannotWrite."""
    with place_draft_file(path) as draft, draft.open("w+b") as file:
        yield file


@contextmanager
def place_draft_file(path: Path) -> Iterator[Path]:
    """A path for a draft that takes the place of `path` once the block ends well. Raises as `write_atomically` does."""
    with draft_file(path.parent, path.name) as draft:
        yield draft
        place_file(draft, path)


@contextmanager
def draft_file(folder: Path, name: str) -> Iterator[Path]:
    """A path for a draft in a folder, gone at the end unless it was placed. Raises as `write_atomically` does."""
    draft = folder / f".{name}.{secrets.token_hex(4)}{PARTIAL}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield draft
    except OSError as error:
        raise explain_failure(folder / name, error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def place_file(draft: Path, path: Path) -> None:
    """Give a finished draft its name, so that a power cut leaves it whole or not at all. Raises OSError."""
    draft.chmod(0o600)  # what is remembered is nobody else's
    sync_path(draft)
    draft.replace(path)
    sync_path(path.parent)


def place_new_file(draft: Path, path: Path) -> None:
    """The same, unless there is a file of that name. Raises Taken and OSError."""
    draft.chmod(0o600)
    sync_path(draft)
    try:
        os.link(draft, path)  # which, unlike a rename, never takes the place of another
    except FileExistsError:
        raise Taken(path.name) from None
    except OSError as error:  # a file system without links
        if path.exists() or error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        draft.replace(path)
    sync_path(path.parent)


def explain_failure(path: Path, error: OSError) -> Exception:
    """What to say of a failed write."""
    if error.errno is None:
        return CannotWrite(f"{path} cannot be written ({error})")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NoRoom(f"the disk is full: {path.name} could not be written to {path.parent}. Free some space")
    return CannotWrite(f"{path} cannot be written ({error.strerror}). Make its directory writable for this user")


def check_room(path: Path, error: Exception) -> None:
    """Raises NoRoom if a failed write of a database was for want of room."""
    if engine().explain(error) is Fault.FULL:
        raise explain_failure(path, OSError(errno.ENOSPC, "No space left on device")) from error


def sync_path(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
