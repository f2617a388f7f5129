"""One thread a process that watches the database, and reads each new revision once for all who follow the feed."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.db import DatabaseError, connection

from access import auth, rates
from access.auth import Follower
from access.database import engine
from state.history import feed
from state.history.events import Event
from state.history.feed import Cursor

log = logging.getLogger("nola")

IDLE = 0.25  # seconds between two looks while nobody listens
BUSY = 0.02  # while somebody does
PER_LISTENER = 0.0001  # seconds more for each: many streams are served less often, with more at a time
RECHECK = 30.0  # seconds between two checks of the credentials of open streams
RECHECK_SOON = 0.5  # ... when something was written, which may have ended one
AHEAD = 256  # revisions that are read at once, and read again at the start for those who come back
BACK_OFF = 1.0  # seconds after the database could not be read
HALT = 3  # the exit status that makes gunicorn stop instead of starting another worker


class News(NamedTuple):
    """What a look has found: the events in (after, head]; none of them where `after` is the head."""

    after: int
    head: Cursor
    events: list[Event]


class Hub:
    """Watches from `start` on. Listeners are called in its thread."""

    def __init__(self, path: Path | None) -> None:
        self.path = path  # of the database file, if it is one
        self.head: Cursor | None = None
        self.on_news: Callable[[News], None] = lambda news: None
        self.on_ended: Callable[[set[Follower]], None] = lambda followers: None
        self.on_replaced: Callable[[str], None] = lambda reason: None
        self.listening: Callable[[], Mapping[Follower, int]] = lambda: {}  # how many of each
        self.hurry = threading.Event()  # set: somebody has begun to listen
        self._version: int | None = None
        self._file: tuple[int, int] | None = None
        self._checked = self._seen = time.monotonic()
        self._stopped = self._is_away = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="hub", daemon=True).start()

    def _run(self) -> None:
        """Look again and again. Should that ever fail, the process ends: streams must not stand still unnoticed."""
        try:
            while not self._stopped:
                self._rest(self._turn())
            connection.close()
        except Exception:
            log.exception("the change feed has failed; this worker is replaced")
            os._exit(1)

    def _rest(self, pause: float) -> None:
        if pause >= IDLE:
            self.hurry.wait(pause)
            self.hurry.clear()
        else:
            time.sleep(pause)

    def _turn(self) -> float:
        """Look once, and say how long to rest."""
        try:
            listeners = self.listening()
            self._look()
            self._check(set(listeners))
            self._is_away = False
        except (DatabaseError, OSError) as error:
            if not self._is_away:
                log.warning("the change feed cannot read the database just now: %s", error)
            self._is_away = True
            self._version = None
            with suppress(DatabaseError):
                connection.close()
            return BACK_OFF
        return BUSY + PER_LISTENER * sum(listeners.values()) if listeners else IDLE

    def _look(self) -> None:
        if self._is_replaced():
            self._stopped = True
            self.on_replaced(
                f"the database file {self.path} was replaced or removed while the server was running. Nothing is"
                " written any more, and the server stops. Start it again to work with what is there now."
            )
            return
        version = engine().read_version()
        if version == self._version:
            return
        self._seen = time.monotonic()
        self._read(feed.read_head())
        self._version = version  # only now: what could not be read is looked at again

    def _read(self, newest: Cursor) -> None:
        if newest == self.head:
            return
        known = self.head
        if known is None or known.epoch != newest.epoch or known.seq > newest.seq:
            known = Cursor(newest.epoch, max(0, newest.seq - AHEAD))
        else:
            rates.note(known.seq, newest.seq)
        after = max(known.seq, newest.seq - AHEAD)
        news = News(after, newest, list(feed.read_events(after, newest.seq)))
        self.head = newest
        self.on_news(news)

    def _check(self, followers: set[Follower]) -> None:
        """See whose streams must end: now and then, and soon after something was written."""
        now = time.monotonic()
        due = RECHECK_SOON if self._seen >= self._checked else RECHECK
        if not followers or now - self._checked < due:
            return
        self._checked = now
        ended = {follower for follower in followers if not auth.may_follow(follower)}
        if ended:
            self.on_ended(ended)

    def _is_replaced(self) -> bool:
        if self.path is None:
            return False
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return self._file is not None
        connection.ensure_connection()
        self._file = self._file or (found.st_dev, found.st_ino)
        return self._file != (found.st_dev, found.st_ino)


def make_hub() -> Hub:
    """A hub for the database of the settings."""
    return Hub(engine().find_file())


def halt_process(reason: str) -> None:
    """End this process for good, loudly, after a moment in which requests are still answered with the reason."""
    log.critical(reason)
    threading.Timer(1.0, os._exit, [HALT]).start()
