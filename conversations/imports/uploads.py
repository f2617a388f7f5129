"""Files of chats that a person brings in the browser: kept beside the database until they are imported, a day at most.

An upload is a few files beside each other: `<token>.json` says what is to come, `<token>.<n>` are the files as they
came, `<token>.state` is what became of it, which `work` writes. Who works on it holds the lock on `<token>.lock`.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from state.errors import InTheWay, Unprocessable
from state.files.atomic import NoRoom, write_atomically
from state.locks import try_lock
from state.report import make_printable

MOST_FILES = 20
MOST_BYTES = 4 << 30  # of all files of an upload
SPARED = 256 << 20  # bytes of the disk that an upload leaves to others
KEPT = 24 * 3600.0  # seconds
PATIENCE = 5.0  # seconds for a process that is done to be gone, and for who only asks where it is
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
START = "import django; django.setup(); from conversations.imports import work; import sys; work.run(sys.argv[1])"


class BadUpload(Unprocessable):
    """An upload that cannot be taken; says why."""


class WrongTurn(InTheWay):
    """What is asked for does not go with where the upload is."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file: its name and size as the browser says them."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Upload:
    """What somebody brings: files, and whether they may bring what is no talk into the state."""

    token: str
    actor: str
    at: float
    files: tuple[UploadedFile, ...]
    with_state: bool = False

    @property
    def path(self) -> Path:
        return read_folder() / f"{self.token}.json"

    def part(self, suffix: object) -> Path:
        return self.path.with_suffix(f".{suffix}")

    def count_bytes(self, number: int) -> int:
        """How much of a file has come."""
        try:
            return self.part(number).stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def is_here(self) -> bool:
        """Whether all of it has come, and is still there."""
        return all(
            self.part(number).exists() and self.count_bytes(number) == one.size for number, one in enumerate(self.files)
        )

    @property
    def is_worked_on(self) -> bool:
        """Whether a process is at work on it."""
        try:
            with self.part("lock").open("rb") as file:
                return not try_lock(file)
        except FileNotFoundError:
            return False

    def read_state(self) -> dict[str, Any]:
        """Where it is. A process that died in the middle has left what it was at: then it has `stopped`."""
        is_alive = self.is_worked_on  # before: a process that ends meanwhile has written its last word
        try:
            state: dict[str, Any] = json.loads(self.part("state").read_bytes())
        except FileNotFoundError:
            return {"stage": "uploading", "kept": [self.count_bytes(number) for number in range(len(self.files))]}
        if state["stage"] in WORKING and not is_alive:
            state |= {"stage": "stopped", "was": state["stage"]}
        return state

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Note where it is. Raises NoRoom and CannotWrite."""
        with write_atomically(self.part("state")) as file:
            file.write(json.dumps(state).encode())


WORKING = ("waiting", "looking", "importing", "undoing")


def read_folder() -> Path:
    return Path(settings.NOLA_DATA_DIR) / "imports"


def begin_upload(actor: str, files: Sequence[Any], *, with_state: bool) -> Upload:
    """Get ready for files to come. Raises BadUpload, NoRoom and CannotWrite."""
    sweep()
    found = tuple(_read_file(one) for one in files)
    if not 0 < len(found) <= MOST_FILES:
        raise BadUpload(f"choose 1 to {MOST_FILES} files")
    if len({one.name for one in found}) < len(found):
        raise BadUpload("two of the files have the same name; bring them one after the other")
    size = sum(one.size for one in found)
    if size > MOST_BYTES:
        raise BadUpload(
            f"these are {size:,} bytes, and {MOST_BYTES >> 30} GB come at most in the browser;"
            " ./nola importchats takes files of any size"
        )
    folder = read_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if size + SPARED > (free := shutil.disk_usage(folder).free):
        raise NoRoom(f"the disk of the server has {free:,} bytes left, which is too little for {size:,} more")
    upload = Upload(secrets.token_urlsafe(16), actor, time.time(), found, with_state)
    with write_atomically(upload.path) as file:
        file.write(json.dumps(asdict(upload)).encode())
    for number in range(len(found)):
        upload.part(number).touch(mode=0o600)
    return upload


def _read_file(one: Any) -> UploadedFile:
    name, size = (one.get("name"), one.get("size")) if isinstance(one, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadUpload("each file has a name and a size")
    if not size:
        raise BadUpload(f"there is nothing in {make_printable(name)[:200]}: it is empty")
    return UploadedFile(make_printable(name.replace("\\", "/").rpartition("/")[2])[:200] or "upload", size)


def find_upload(token: str, actor: str) -> Upload | None:
    """The upload of somebody by its token."""
    upload = find_any(token)
    return upload if upload and upload.actor == actor else None


def find_any(token: str) -> Upload | None:
    """An upload by its token, whoever brings it."""
    if not TOKEN.fullmatch(token):
        return None
    try:
        found = json.loads((read_folder() / f"{token}.json").read_bytes())
    except FileNotFoundError:
        return None
    return Upload(**{**found, "files": tuple(UploadedFile(**one) for one in found["files"])})


def list_uploads(actor: str) -> list[Upload]:
    """What somebody has brought and not put away, newest first."""
    found = (find_upload(path.stem, actor) for path in read_folder().glob("*.json"))
    return sorted((one for one in found if one), key=lambda one: -one.at)


def add_piece(upload: Upload, number: int, at: int, piece: bytes) -> int:
    """Add the next bytes of a file; how many it has then. Raises WrongTurn and BadUpload."""
    if number >= len(upload.files) or upload.part("state").exists():
        raise WrongTurn("this file is not waited for")
    with upload.part(number).open("r+b") as file:
        there = file.seek(0, os.SEEK_END)
        if at != there:
            raise WrongTurn(f"{there:,} bytes of this file are here, and the piece begins at {at:,}")
        if there + len(piece) > upload.files[number].size:
            raise BadUpload("the file is larger than it was said to be; choose it again")
        try:
            file.write(piece)
        except OSError as error:
            raise NoRoom(f"the disk of the server is full: {error.strerror}") from None
        return there + len(piece)


def start_work(upload: Upload, stage: str, **asked: Any) -> None:
    """Let a process of its own look at the files, import them or take that back, so that the server goes on answering.
    It ends with the server. Raises WrongTurn, NoRoom and CannotWrite.
    """
    if stage != "undoing" and not upload.is_here:
        raise WrongTurn("the files are not all here; choose them again")
    with upload.part("lock").open("a") as lock:
        if not try_lock(lock, PATIENCE):
            raise WrongTurn("this is being worked on already")
        upload.part("stop").unlink(missing_ok=True)
        upload.write_state({"stage": "waiting", "for": stage, "part": 0.0, **asked})
        process = subprocess.Popen(
            [sys.executable, "-c", START, upload.token],
            cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, pass_fds=[lock.fileno()],
        )  # fmt: skip
    threading.Thread(target=process.wait, daemon=True).start()  # nobody else asks how it ended


def stop_work(upload: Upload) -> None:
    """Let the process end at the next moment at which all it has begun is whole."""
    upload.part("stop").touch()


def drop_files(upload: Upload) -> None:
    """Remove the files as they came; what became of them stays to be read."""
    for number in range(len(upload.files)):
        upload.part(number).unlink(missing_ok=True)


def remove_upload(upload: Upload) -> None:
    """Remove all of it. A process that works on it ends."""
    stop_work(upload)
    drop_files(upload)
    for suffix in ("state", "json", "lock", "stop"):
        upload.part(suffix).unlink(missing_ok=True)


def sweep(older: float = KEPT) -> None:
    """Remove what was left behind, and what nobody has put away for a day."""
    for path in _list_old(older):
        with suppress(OSError):
            path.unlink()


def _list_old(older: float) -> Iterator[Path]:
    groups: dict[str, list[Path]] = {}
    for path in read_folder().glob("*"):
        groups.setdefault(path.name.lstrip(".").partition(".")[0], []).append(path)
    for token, paths in groups.items():
        with suppress(FileNotFoundError):
            is_old = max(path.stat().st_mtime for path in paths) < time.time() - older
            lock = next((path for path in paths if path.name == f"{token}.lock"), None)
            if is_old and not (lock and _is_locked(lock)):
                yield from paths


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        return not try_lock(file)
