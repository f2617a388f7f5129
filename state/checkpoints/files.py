"""The files in checkpoints/: written whole, verified after writing, listed, pruned. `state.checkpoints` restores."""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.serializers.base import DeserializationError
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from state import atomic_files as files
from state import clock
from state.checkpoints import header, serializers
from state.checkpoints import rows as dumps
from state.checkpoints.header import Header
from state.checkpoints.verify import Damaged as Damaged
from state.checkpoints.verify import Edited as Edited
from state.checkpoints.verify import problem_of as problem_of
from state.checkpoints.verify import verify
from state.clock import iso
from state.jsondoc import text as jsontext

AUTOMATIC = "auto-"  # how the names begin of those that are made, and pruned, by themselves
KEPT_NEWEST = 48  # automatic ones that stay, whatever their age
OPENING = 4096  # bytes in which the header is looked for before the whole file is read


class UnknownCheckpoint(LookupError):
    """No checkpoint or seed has that name."""


class BadName(ValueError):
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
            return header.read(row)
        except (ValueError, DeserializationError):
            return None

    @property
    def is_whole(self) -> bool:
        """Whether it says that it holds every key of the state."""
        return self.header is not None and self.header.scope == header.ALL

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
        known = (str(self.path), stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if known not in _verdicts:
            _verdicts[known] = problem_of(self.path)
        return _verdicts[known]


_verdicts: dict[tuple[str, int, int, int], str] = {}  # of files that have not changed since, for this process


# Finding


def find(name: str) -> Checkpoint:
    """A checkpoint by name: in checkpoints/ first, then among the seeds. Raises UnknownCheckpoint."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", name):
        raise UnknownCheckpoint(
            f"{name[:80]!r} is no checkpoint's name: letters, digits, dot, dash and underscore only"
        )
    for folder in settings.FIXTURE_DIRS:
        path = folder / f"{name}.json"
        if path.is_file():
            return Checkpoint(path)
    known = [one.name for one in [*seeds(), *kept()]]
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    raise UnknownCheckpoint(f"there is no checkpoint {name!r}; there are: {', '.join(known[:20]) or 'none'}{more}")


def kept() -> list[Checkpoint]:
    """All in checkpoints/, newest first."""
    return sorted(map(Checkpoint, settings.NOLA_CHECKPOINT_DIR.glob("[!.]*.json")), key=age, reverse=True)


def age(one: Checkpoint) -> tuple[datetime, int, int]:
    """What orders checkpoints by age, also where the clock was set back."""
    return one.at, one.header.revision if one.header else 0, one.path.stat().st_mtime_ns


def seeds() -> list[Checkpoint]:
    """The seeds of a new store, by name."""
    return [Checkpoint(path) for path in sorted(settings.NOLA_SEED_DIR.glob("*.json"))]


def whole_ones() -> list[Checkpoint]:
    """Those of a whole state, the newest first; those of other memories, which somebody brought here, last."""
    ours = clock.remembered()
    found = [one for one in kept() if one.is_whole]
    return sorted(found, key=lambda one: bool(ours and one.header and one.header.store != ours.store))


def newest_sound() -> Checkpoint | None:
    """The newest checkpoint of a whole state that can be restored from."""
    return next((one for one in whole_ones() if not one.problem), None)


def judge(found: Sequence[Checkpoint], seconds: float) -> dict[Path, str]:
    """The problem of each, "" if it is sound, for as many as can be read in that time."""
    until = time.monotonic() + seconds
    return {one.path: one.problem for one in found if time.monotonic() < until}


# Writing


def create(
    name: str | None = None,
    *,
    why: str = "",
    keys: list[str] | None = None,
    contents: Sequence[str] = ("state",),
    names: Sequence[str] | None = None,
    connection: BaseDatabaseWrapper = live,
) -> Checkpoint:
    """Write the state as it is now to checkpoints/, and verify the file by loading it into a scratch database.

    `keys` are all that it has of the state, `names` of what else is in it, None for everything. Raises BadName,
    files.NoRoom, files.CannotWrite and Damaged (what is stored cannot be written as JSON).
    """
    if name is not None:
        check_name(name)
    with dumps.one_moment(connection):
        made = _header(why, header.ALL if keys is None else header.SOME, contents, connection)
        stem = name or _name(datetime.fromisoformat(made.at), made.revision, why)
        path = settings.NOLA_CHECKPOINT_DIR / f"{stem}.json"
        with files.drafted(path.parent, path.name) as draft:
            write(draft, made, rows(connection, contents, keys, names))
            verify(draft)
            return place(draft, path) if name else place_beside(draft, path)


def place(draft: Path, path: Path) -> Checkpoint:
    """Give a draft the name of a new checkpoint. Raises BadName if another has got it meanwhile."""
    try:
        files.place_new(draft, path)
    except files.Taken:
        raise _taken(path.stem) from None
    return Checkpoint(path)


def place_beside(draft: Path, path: Path) -> Checkpoint:
    """Give a draft that name, or one with a number behind it."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    for free in itertools.chain([path], numbered):
        with suppress(files.Taken):
            files.place_new(draft, free)
            return Checkpoint(free)
    raise AssertionError


def _taken(name: str) -> BadName:
    return BadName(f"there is a checkpoint {name!r} already; choose another name, or delete it first")


def draft(path: Path, why: str, connection: BaseDatabaseWrapper = live) -> Path:
    """Write a checkpoint of the whole state to a path of the caller's, who sees to one moment and to verifying."""
    write(path, _header(why, header.ALL, ("state",), connection), rows(connection, ("state",)))
    return path


def _header(why: str, scope: str, contents: Sequence[str], connection: BaseDatabaseWrapper) -> Header:
    store, revision, last = dumps.clock(connection)
    at = max(timezone.now(), datetime.fromisoformat(iso(last)))
    return Header(store, scope, list(contents), revision, at.isoformat(timespec="seconds"), why)


def automatic(why: str, connection: BaseDatabaseWrapper = live) -> Checkpoint:
    """A checkpoint of the whole state as it is now: the newest, if nothing has changed since then, or a new one.

    `why` ends its name. Raises as `create` does.
    """
    store, revision, _ = dumps.clock(connection)
    newest = newest_sound()
    if newest and newest.header and (newest.header.store, newest.header.revision) == (store, revision):
        return newest
    made = create(why=why, connection=connection)
    prune()
    return made


def before_deletion(part: str, names: Sequence[str]) -> Checkpoint:
    """A checkpoint of what is about to be deleted from a part beside the state. Raises as `create` does."""
    made = create(why="before bulk delete", keys=[], contents=[part], names=names)
    prune()
    return made


def rows(
    connection: BaseDatabaseWrapper,
    contents: Sequence[str],
    keys: list[str] | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[str]:
    """What a checkpoint holds, as compact rows."""
    yield from dumps.entries(connection, keys) if keys != [] else ()
    for part in contents:
        if part != "state":
            yield from dumps.PARTS[part].rows(connection, names)


def write(path: Path, made: Header, compact_rows: Iterator[str]) -> None:
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


def check_name(name: str) -> None:
    """Raises BadName unless a new checkpoint can have that name."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise BadName(f"{name[:80]!r} is no checkpoint's name: 1 to 100 letters, digits, dots, dashes and underscores")
    if name.startswith(AUTOMATIC):
        raise BadName(f"names that begin with {AUTOMATIC} are for checkpoints that are made, and pruned, by themselves")
    if any(one.name == name for one in seeds()):
        raise BadName(f"{name!r} is the name of a seed; choose another")
    if (settings.NOLA_CHECKPOINT_DIR / f"{name}.json").exists():
        raise _taken(name)


def _name(at: datetime, revision: int, why: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", why.lower()).strip("-")[:40]
    return f"{AUTOMATIC}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-r{revision}" + (f"-{words}" if words else "")


def accept(path: Path) -> Header:
    """Let a file that somebody edited on purpose count as it stands now: its header is made anew. Raises Damaged.

    A plain fixture gets a header that says it holds some keys.
    """
    try:
        fixture = jsontext.load(path.read_bytes(), serializers.ENVELOPE + jsontext.MAX_DEPTH).value
        if not isinstance(fixture, list):
            raise Damaged("a fixture is a JSON array of rows")
        old = header.read(fixture[0]) if fixture else None
        serializers.check_rows(fixture[1:] if old else fixture)
    except (jsontext.NotAcceptable, DeserializationError) as error:
        raise Damaged(str(error)) from None
    at = timezone.now().isoformat(timespec="seconds")
    made = old or Header("", header.SOME, ["state"], 0, at, "accepted")
    with files.placed(path) as draft:
        write(draft, made, map(jsontext.dump, fixture[1:] if old else fixture))
        verify(draft)
    return made


# Removing


def forget(part: str, is_gone: Callable[[dict[str, Any]], bool]) -> None:
    """Take rows that are to be gone for good out of the checkpoints that deletions from a part have left."""
    for one in kept():
        if not one.is_automatic or one.header is None or one.header.contents != [part] or one.problem:
            continue
        found, read_rows = serializers.opened(one.path.read_bytes())
        wanted = [row for row in read_rows if not is_gone(row)]
        if found and wanted and len(wanted) < len(read_rows):
            with files.placed(one.path) as draft:
                write(draft, found, map(jsontext.dump, wanted))
        elif not wanted:
            one.path.unlink(missing_ok=True)


def delete(one: Checkpoint) -> None:
    """Remove a checkpoint. Raises BadName for a seed."""
    if one.is_seed:
        raise BadName(f"{one.name!r} is a seed, which belongs to the program and stays")
    one.path.unlink(missing_ok=True)


def prune() -> list[Checkpoint]:
    """Remove automatic checkpoints that are neither among the newest nor the last of a day. Returns what went.

    Those of the whole state and those of a part of the memory each have places of their own.
    """
    found = [one for one in kept() if one.is_automatic]
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
