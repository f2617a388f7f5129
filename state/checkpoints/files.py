"""The files in checkpoints/: written whole, verified after writing, listed, pruned. `state.checkpoints` restores."""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.serializers.base import DeserializationError
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from access.database import find_folder
from state import clock
from state.checkpoints.header import ALL, SOME, Header, read_header
from state.checkpoints.rows import PARTS, entry_rows, read_store_clock
from state.checkpoints.serializers import ENVELOPE, check_rows, open_fixture
from state.checkpoints.verify import DamagedCheckpoint, find_problem, verify_checkpoint
from state.clock import format_time
from state.database.sql import read_at_once
from state.edits import Edit
from state.errors import Unprocessable
from state.files.atomic import Taken, draft_file, place_draft_file, place_new_file
from state.files.sources import explain_error
from state.jsondoc.text import MAX_DEPTH, NotAcceptable, dump_json, parse_json
from state.locks import lock_copies

AUTOMATIC = "auto-"  # how the names begin of those that are made, and pruned, by themselves
KEPT_NEWEST = 48  # automatic ones that stay, whatever their age
VERDICTS = 1000  # files of which it is kept whether they are sound
OPENING = 4096  # bytes in which the header is looked for before the whole file is read


class UnknownCheckpoint(Unprocessable, LookupError):
    """No checkpoint or seed has that name."""


class BadCheckpointName(Unprocessable):
    """Not a name a new checkpoint can have."""


@dataclass(frozen=True)
class Checkpoint:
    """A file that keys can be restored from."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def is_seed(self) -> bool:
        return self.path.parent == settings.NOLA_SEED_DIR

    @property
    def is_automatic(self) -> bool:
        return self.name.startswith(AUTOMATIC)

    @cached_property
    def size(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def header(self) -> Header | None:
        """What it says of itself, not verified; None for a plain fixture, or where no header can be made out."""
        with self.path.open("rb") as file:
            text = file.read(OPENING).decode(errors="replace").lstrip()
        try:
            row, _ = json.JSONDecoder().raw_decode(text[1:].lstrip() if text.startswith("[") else "")
            return read_header(row)
        except (ValueError, DeserializationError):
            return None

    @property
    def is_whole(self) -> bool:
        """Whether it says that it holds every key of the state."""
        return self.header is not None and self.header.scope == ALL

    @cached_property
    def at(self) -> datetime:
        """When it was taken, as far as it says so; else when the file was last written."""
        try:
            return datetime.fromisoformat(self.header.at if self.header else "").astimezone(UTC)
        except ValueError:
            return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    @cached_property
    def problem(self) -> str:
        """Why it cannot be restored from; "" if it can."""
        stat = self.path.stat()
        return _judge(self.path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(VERDICTS)
def _judge(path: Path, *unchanged: int) -> str:
    """The problem of a file, found once for as long as these numbers of it stay the same."""
    return find_problem(path)


# Finding


def find_checkpoint(name: str) -> Checkpoint:
    """A checkpoint by name: in checkpoints/ first, then among the seeds. Raises UnknownCheckpoint."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", name):
        raise UnknownCheckpoint(
            f"{name[:80]!r} is no checkpoint's name: letters, digits, dot, dash and underscore only"
        )
    for folder in settings.FIXTURE_DIRS:
        path = folder / f"{name}.json"
        if path.is_file():
            return Checkpoint(path)
    known = [one.name for one in [*list_seeds(), *read_checkpoints()]]
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    raise UnknownCheckpoint(f"there is no checkpoint {name!r}; there are: {', '.join(known[:20]) or 'none'}{more}")


def read_checkpoints() -> list[Checkpoint]:
    """All in checkpoints/, newest first."""
    return sorted(map(Checkpoint, settings.NOLA_CHECKPOINT_DIR.glob("[!.]*.json")), key=sort_age, reverse=True)


def sort_age(one: Checkpoint) -> tuple[datetime, int, int]:
    """What orders checkpoints by age, also where the clock was set back."""
    return one.at, one.header.revision if one.header else 0, one.path.stat().st_mtime_ns


def list_seeds() -> list[Checkpoint]:
    """The seeds of a new store, by name."""
    return [Checkpoint(path) for path in sorted(settings.NOLA_SEED_DIR.glob("*.json"))]


def list_whole() -> list[Checkpoint]:
    """Those of a whole state, the newest first; those of other memories, which somebody brought here, last."""
    ours = clock.read_head_file()
    found = [one for one in read_checkpoints() if one.is_whole]
    return sorted(found, key=lambda one: bool(ours and one.header and one.header.store != ours.store))


def find_newest_sound() -> Checkpoint | None:
    """The newest checkpoint of a whole state that can be restored from."""
    return next((one for one in list_whole() if not one.problem), None)


def judge_checkpoints(found: Sequence[Checkpoint], seconds: float) -> dict[Path, str]:
    """The problem of each, "" if it is sound, for as many as can be read in that time."""
    until = time.monotonic() + seconds
    return {one.path: one.problem for one in found if time.monotonic() < until}


# Writing


def save_checkpoint(
    name: str | None = None,
    *,
    why: str = "",
    keys: list[str] | None = None,
    contents: Sequence[str] = ("state",),
    names: Sequence[str] | None = None,
    connection: BaseDatabaseWrapper = live,
) -> Checkpoint:
    """Write the state as it is now to checkpoints/, and verify the file by loading it into a scratch database.

    `keys` are all that it has of the state, `names` of what else is in it, None for everything. Raises
    BadCheckpointName, NoRoom, CannotWrite and DamagedCheckpoint (what is stored cannot be written as JSON).
    """
    if name is not None:
        check_checkpoint_name(name)
    with lock_copies(find_folder()), read_at_once(connection):
        made = _header(why, ALL if keys is None else SOME, contents, connection)
        stem = name or _name(datetime.fromisoformat(made.at), made.revision, why)
        path = settings.NOLA_CHECKPOINT_DIR / f"{stem}.json"
        with draft_file(path.parent, path.name) as draft:
            write_checkpoint(draft, made, list_rows(connection, contents, keys, names))
            verify_checkpoint(draft)
            return place_draft(draft, path) if name else place_draft_beside(draft, path)


def place_draft(draft: Path, path: Path) -> Checkpoint:
    """Give a draft the name of a new checkpoint. Raises BadCheckpointName if another has got it meanwhile."""
    try:
        place_new_file(draft, path)
    except Taken:
        raise _taken(path.stem) from None
    return Checkpoint(path)


def place_draft_beside(draft: Path, path: Path) -> Checkpoint:
    """Give a draft that name, or one with a number behind it."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    for free in itertools.chain([path], numbered):
        with suppress(Taken):
            place_new_file(draft, free)
            return Checkpoint(free)
    raise AssertionError


def _taken(name: str) -> BadCheckpointName:
    return BadCheckpointName(f"there is a checkpoint {name!r} already; choose another name, or delete it first")


def write_draft(path: Path, why: str, connection: BaseDatabaseWrapper = live) -> Path:
    """Write a checkpoint of the whole state to a path of the caller's, who sees to one moment and to verifying."""
    write_checkpoint(path, _header(why, ALL, ("state",), connection), list_rows(connection, ("state",)))
    return path


def _header(why: str, scope: str, contents: Sequence[str], connection: BaseDatabaseWrapper) -> Header:
    store, revision, last = read_store_clock(connection)
    at = max(timezone.now(), datetime.fromisoformat(format_time(last)))
    return Header(store, scope, list(contents), revision, at.isoformat(timespec="seconds"), why)


def create_automatic(why: str, connection: BaseDatabaseWrapper = live) -> Checkpoint:
    """A checkpoint of the whole state as it is now: the newest, if nothing has changed since then, or a new one.

    `why` ends its name. Raises as `save_checkpoint` does.
    """
    store, revision, _ = read_store_clock(connection)
    newest = find_newest_sound()
    if newest and newest.header and (newest.header.store, newest.header.revision) == (store, revision):
        return newest
    made = save_checkpoint(why=why, connection=connection)
    prune_checkpoints()
    return made


def keep_before_bulk_delete(planned: Sequence[Edit]) -> None:
    """An automatic checkpoint before more than one key goes. Raises NoRoom and CannotWrite."""
    if sum(edit.text is None and bool(edit.forward) for edit in planned) > 1:
        create_automatic("before bulk delete")


def create_before_deletion(part: str, names: Sequence[str]) -> Checkpoint:
    """A checkpoint of what is about to be deleted from a part beside the state. Raises as `save_checkpoint` does."""
    made = save_checkpoint(why="before bulk delete", keys=[], contents=[part], names=names)
    prune_checkpoints()
    return made


def list_rows(
    connection: BaseDatabaseWrapper,
    contents: Sequence[str],
    keys: list[str] | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[str]:
    """What a checkpoint holds, as compact rows."""
    yield from entry_rows(connection, keys) if keys != [] else ()
    for part in contents:
        if part != "state":
            yield from PARTS[part].rows(connection, names)


def write_checkpoint(path: Path, made: Header, compact_rows: Iterator[str]) -> None:
    """Write a checkpoint, a row at a time; the hash goes into its place in the header at the end."""
    hashed = sha256(made.opening.encode())
    with path.open("xb") as file:
        opening = _pretty(made.text)
        file.write(b"[\n" + opening)
        for row in compact_rows:
            hashed.update(b"," + row.encode())
            file.write(b",\n" + _pretty(row))
        hashed.update(b"]")
        file.write(b"\n]\n")
        file.seek(2 + opening.index(made.sha256.encode()))
        file.write(hashed.hexdigest().encode())


def _pretty(compact: str) -> bytes:
    return msgspec.json.format(compact.encode(), indent=2)


def check_checkpoint_name(name: str) -> None:
    """Raises BadCheckpointName unless a new checkpoint can have that name."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise BadCheckpointName(
            f"{name[:80]!r} is no checkpoint's name: 1 to 100 letters, digits, dots, dashes and underscores"
        )
    if name.startswith(AUTOMATIC):
        raise BadCheckpointName(
            f"names that begin with {AUTOMATIC} are for checkpoints that are made, and pruned, by themselves"
        )
    if any(one.name == name for one in list_seeds()):
        raise BadCheckpointName(f"{name!r} is the name of a seed; choose another")
    if (settings.NOLA_CHECKPOINT_DIR / f"{name}.json").exists():
        raise _taken(name)


def _name(at: datetime, revision: int, why: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", why.lower()).strip("-")[:40]
    return f"{AUTOMATIC}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-r{revision}" + (f"-{words}" if words else "")


def accept_edit(path: Path) -> Header:
    """Let a file that somebody edited on purpose count as it stands now: its header is made anew. Raises Damaged.

    A plain fixture gets a header that says it holds some keys.
    """
    try:
        fixture = parse_json(path.read_bytes(), ENVELOPE + MAX_DEPTH).value
        if not isinstance(fixture, list):
            raise DamagedCheckpoint("a fixture is a JSON array of rows")
        old = read_header(fixture[0]) if fixture else None
        check_rows(fixture[1:] if old else fixture)
    except NotAcceptable as error:
        raise DamagedCheckpoint(explain_error(error)) from None
    except DeserializationError as error:
        raise DamagedCheckpoint(str(error)) from None
    at = timezone.now().isoformat(timespec="seconds")
    made = old or Header("", SOME, ["state"], 0, at, "accepted")
    with place_draft_file(path) as draft:
        write_checkpoint(draft, made, map(dump_json, fixture[1:] if old else fixture))
        verify_checkpoint(draft)
    return made


# Removing


def forget_rows(part: str, is_gone: Callable[[dict[str, Any]], bool]) -> None:
    """Take rows that are to be gone for good out of the checkpoints that deletions from a part have left."""
    for one in read_checkpoints():
        if not one.is_automatic or one.header is None or one.header.contents != [part] or one.problem:
            continue
        found, read_rows = open_fixture(one.path.read_bytes())
        wanted = [row for row in read_rows if not is_gone(row)]
        if found and wanted and len(wanted) < len(read_rows):
            with place_draft_file(one.path) as draft:
                write_checkpoint(draft, found, map(dump_json, wanted))
        elif not wanted:
            one.path.unlink(missing_ok=True)


def remove_checkpoint(one: Checkpoint) -> None:
    """Remove a checkpoint. Raises BadCheckpointName for a seed."""
    if one.is_seed:
        raise BadCheckpointName(f"{one.name!r} is a seed, which belongs to the program and stays")
    one.path.unlink(missing_ok=True)


def prune_checkpoints() -> list[Checkpoint]:
    """Remove automatic checkpoints that are neither among the newest nor the last of a day. Returns what went.

    Those of the whole state and those of a part of the memory each have places of their own.
    """
    found = [one for one in read_checkpoints() if one.is_automatic]
    whole = [one for one in found if one.is_whole]
    gone = [*_too_old(whole), *_too_old([one for one in found if one not in whole])]
    for one in gone:
        one.path.unlink(missing_ok=True)
    return gone


def _too_old(found: Sequence[Checkpoint]) -> Iterator[Checkpoint]:
    oldest_day = (timezone.now() - timedelta(days=settings.NOLA_KEEP_DAYS)).date()
    days: set[date] = set()
    for number, one in enumerate(found):
        is_last_of_day = one.at.date() not in days and one.at.date() >= oldest_day
        days.add(one.at.date())
        if number >= KEPT_NEWEST and not is_last_of_day:
            yield one
