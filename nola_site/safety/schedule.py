"""What a running server does by itself: checkpoints, backups, their pruning, and a watch over the database file.

One thread in each worker; a lock lets one of them do the work, in whatever server, and another take over when it dies.
`start()` is called once in each worker.
"""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from access.database import Fault, Lock, engine
from conversations import traces
from conversations.imports import uploads
from nola_site.safety import growth, reads
from state import clock
from state.backups.files import create_backup, prune_backups
from state.checkpoints.files import create_automatic
from state.checkpoints.verify import DamagedCheckpoint
from state.clock import Clock
from state.errors import DamagedDatabase, UnsupportedDatabase
from state.files.atomic import CannotWrite, NoRoom, write_atomically

TICK = 2.0  # seconds
NOTED = 10.0  # seconds between two looks at whether db/head is up to date
WEIGHED = 60.0  # seconds between two looks at how much the history has grown
ADDED_UP = 60.0  # seconds between two times of adding up what was read
SWEPT = 3600.0  # seconds between two looks at what was uploaded and left
WAL_MODE = b"\x02"  # byte 18 of a database whose -wal belongs to it
RETRY = 300.0  # seconds after a failure
FAILURES = (NoRoom, CannotWrite, DamagedDatabase, DamagedCheckpoint, DatabaseError, OSError, UnsupportedDatabase)

log = logging.getLogger("nola")


class DatabaseReplaced(Exception):
    """The database is not the one that this server has written to."""


def start(master: int | None = None) -> threading.Thread:
    """Begin, in this process; `master` is the server's, which is stopped if the database is replaced."""
    thread = threading.Thread(target=Schedule(master or os.getpid()).run, name="nola-schedule", daemon=True)
    thread.start()
    return thread


class Schedule:
    """What one worker knows of it."""

    def __init__(self, master: int) -> None:
        self.master = master
        self.lock: Lock = engine().open_lock("schedule")
        self.seen: Clock | None = None
        self.file = WatchedFile()
        self.noted = 0.0
        self.weigh_at = 0.0
        self.add_up_at = 0.0
        self.sweep_at = 0.0
        self.not_before: dict[str, float] = {}

    def run(self) -> None:
        while True:
            time.sleep(TICK)
            try:
                self.tick()
            except DatabaseReplaced as error:
                log.critical("STOPPING: %s. Start again: a start looks at what is there now.", error)
                kill_server(self.master)
                return
            except FAILURES as error:
                log.error("The schedule cannot do its work now: %s", error)
            finally:
                close_old_connections()

    def tick(self) -> None:
        """Watch the database; do what is due, if this worker is the one that does it."""
        self.watch()
        if time.monotonic() > self.add_up_at:  # each worker has counted its own
            self.add_up_at = time.monotonic() + ADDED_UP
            reads.add_up()
        if not self.seen or not self.leads():
            return
        self.clear_traces()
        if time.monotonic() > self.sweep_at:
            self.sweep_at = time.monotonic() + SWEPT
            uploads.sweep()
        if time.monotonic() - self.noted > NOTED:
            clock.note_head()
            self.noted = time.monotonic()
        if time.monotonic() > self.weigh_at:
            self.weigh_at = time.monotonic() + (0 if growth.weigh_changes() else WEIGHED)
        if settings.NOLA_CHECKPOINT_MINUTES:
            every = timedelta(minutes=settings.NOLA_CHECKPOINT_MINUTES)
            self.attempt("checkpoint", every, lambda: create_automatic("scheduled"))
        if settings.NOLA_BACKUP_HOURS:
            self.attempt("backup", timedelta(hours=settings.NOLA_BACKUP_HOURS), _back_up)

    def clear_traces(self) -> None:
        """Go on with what kept an erasure from being in no file any more."""
        if not traces.list_notes() or time.monotonic() < self.not_before.get("erasing", 0):
            return
        try:
            if not traces.clear(patience=0):
                log.info("What was erased is in no file of the database any more")
        except FAILURES:
            self.not_before["erasing"] = time.monotonic() + RETRY
            raise

    def leads(self) -> bool:
        """Whether this worker still holds the lock, or can take it."""
        return self.lock.is_held() or self.lock.take()

    def attempt(self, what: str, every: timedelta, make: Callable[[], Any]) -> None:
        """Make one if it is due and something has changed since the last; after a failure, wait and try again."""
        assert self.seen
        last = read_record().get(what)
        if last is None:  # time runs from the first start on
            write_record(what, {"at": _now(), "seq": 0})
        elif last["seq"] != self.seen.seq and time.monotonic() > self.not_before.get(what, 0) and is_due(last, every):
            self._make(what, last, make)

    def _make(self, what: str, last: dict[str, Any], make: Callable[[], Any]) -> None:
        seq, started = self.seen.seq if self.seen else 0, time.monotonic()
        try:
            make()
        except FAILURES as error:
            self.not_before[what] = time.monotonic() + RETRY
            log.error("The scheduled %s failed, and is tried again in %d minutes: %s", what, RETRY // 60, error)
            write_record(what, {**last, "failed": str(error)})
            return
        write_record(what, {"at": _now(), "seq": seq})
        log.info("A %s of revision %d was made in %.1f s", what, seq, time.monotonic() - started)

    def watch(self) -> None:
        """Raises DatabaseReplaced if the database was replaced under the server: what it would write would be lost."""
        self.file.check()
        try:
            now = clock.read()
            there = clock.read_chain(self.seen.seq) if self.seen else ""
        except DatabaseError as error:
            if engine().explain(error) is Fault.DAMAGED:
                raise DatabaseReplaced(f"the database was damaged while the server was running: {error}") from error
            raise
        put_back = now and self.seen and now.epoch != self.seen.epoch and now.seq > self.seen.seq
        if self.seen and there != self.seen.chain and not put_back:
            raise DatabaseReplaced(
                f"revision {self.seen.seq} is gone: another database was copied over it while the server was running"
            )
        self.seen = now


def kill_server(master: int) -> None:
    """End the server at once: a connection that is closed in good order would still write into the other database."""
    workers = [pid for pid in _children(master) if pid != os.getpid()]
    for pid in (master, *workers, os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children(master: int) -> list[int]:
    """The processes below another, where the system lists them in /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if int(path.read_text().rpartition(")")[2].split()[1]) == master:
                found.append(int(path.parent.name))
    return found


class WatchedFile:
    """The database file: which it is, whether it is in WAL mode, and how often it was changed, which only grows.

    It stays open for good: to close it would give up the locks that SQLite holds on it in this process. Nothing is
    watched where the database is no file.
    """

    def __init__(self) -> None:
        self.path = engine().find_file()
        self.file = os.open(self.path, os.O_RDONLY) if self.path else None
        self.changes = 0

    def check(self) -> None:
        """Raises DatabaseReplaced."""
        if self.path is None or self.file is None:
            return
        opened = os.fstat(self.file)
        try:
            found = self.path.stat()
        except FileNotFoundError:
            found = None
        header = os.pread(self.file, 28, 0)
        changes = int.from_bytes(header[24:28], "big")
        is_same = found and (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)
        if not is_same or header[18:19] != WAL_MODE or changes < self.changes:
            raise DatabaseReplaced(
                f"the database file {self.path} was replaced or removed while the server was running"
            )
        self.changes = changes


def _now() -> str:
    return timezone.now().isoformat(timespec="seconds")


def is_due(last: dict[str, Any], every: timedelta) -> bool:
    """Whether so much time has passed; a time in the future says nothing: the clock was set back."""
    passed = timezone.now() - datetime.fromisoformat(last["at"])
    return passed >= every or passed < timedelta(seconds=-60)


def _back_up() -> None:
    create_backup(why="scheduled", thorough=False)
    prune_backups()


# The record


def read_record() -> dict[str, dict[str, Any]]:
    """Of checkpoint and backup: when the last was made, of which revision, and what failed since."""
    try:
        found: dict[str, dict[str, Any]] = json.loads(_record().read_text())
    except (OSError, ValueError):
        return {}
    return found


def write_record(what: str, last: dict[str, Any]) -> None:
    """Keep the last success of one of them, and a failure that came after."""
    with write_atomically(_record()) as file:
        file.write(json.dumps({**read_record(), what: last}).encode())


def _record() -> Path:
    return Path(settings.NOLA_DB_DIR) / "schedule"
