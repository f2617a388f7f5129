"""Waiting for the change feed under a WSGI server, where each who waits holds a thread: some may, the rest may not."""

import os
import threading
import time
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings

from access import auth
from nola_site.serving import hub
from nola_site.serving.hub import Hub, News
from nola_site.serving.problems import MEDIA_TYPE, format_problem
from state.api.changes import LIVE, NoStreams
from state.history import feed
from state.history.events import FeedFilter
from state.history.feed import Cursor, Follow


class Waiting:
    """Around a WSGI application: lets readers of the feed wait, in at most half of the threads."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app
        self.changed = threading.Condition()
        self.hub: Hub | None = None
        self.pid = 0
        self.halted = ""
        # how many threads this server has is nowhere to be seen: without the setting, one may wait
        self.places = threading.Semaphore(settings.NOLA_THREADS // 2 if "NOLA_THREADS" in os.environ else 1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.start()
        if self.halted:
            start_response("503 Service Unavailable", [("Content-Type", MEDIA_TYPE), ("Retry-After", "60")])
            return [format_problem(503, self.halted).encode()]
        environ[LIVE] = self if environ.get("wsgi.multithread") else NoWaiting()
        return self.app(environ, start_response)

    def start(self) -> None:
        """Begin to watch the database, in the process that serves: not before a fork."""
        if self.pid == os.getpid():
            return
        with self.changed:
            if self.pid != os.getpid():
                self.pid, self.hub = os.getpid(), hub.make_hub()
                self.hub.on_news, self.hub.on_replaced = self.take, self.halt
                self.hub.start()

    def take(self, news: News) -> None:
        with self.changed:
            self.changed.notify_all()

    def halt(self, reason: str) -> None:
        self.halted = reason
        hub.halt_process(reason)

    def wait(self, wanted: FeedFilter, after: Cursor, seconds: int, credential: Any) -> bool:
        """Wait for a change that is wanted; at once False where too many wait already."""
        if not self.places.acquire(blocking=False):
            return False
        try:
            return self._wait(wanted, after, time.monotonic() + seconds) and auth.may_read(credential)
        finally:
            self.places.release()

    def _wait(self, wanted: FeedFilter, after: Cursor, ends: float) -> bool:
        while (left := ends - time.monotonic()) > 0:
            newest = feed.read_head()
            if newest.epoch != after.epoch:
                return True
            page = feed.read_page(wanted, after, newest, 1)
            if page.events or page.has_more:
                return True
            after = page.cursor
            with self.changed:
                self.changed.wait(min(left, hub.IDLE))
        return True

    def follow(self, stream: Follow) -> None:
        raise NoStreams("this server cannot keep streams open; ask for JSON with wait=60, or use manage.py serve")


class NoWaiting:
    """Of a server that does one request at a time."""

    def wait(self, wanted: FeedFilter, after: Cursor, seconds: int, credential: Any) -> bool:
        return False

    def follow(self, stream: Follow) -> None:
        raise NoStreams("this server cannot keep streams open; use manage.py serve")
