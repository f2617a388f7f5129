"""The feed as server-sent events (the HTML standard, §9.2), without I/O: what to ask, what a line says, when to return.

A stream that breaks is opened again behind the last event that came, so that nothing is missed or told twice.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from nola_client.errors import Busy, NolaError, Unreachable
from nola_client.flow import OURS, Request, given
from nola_client.values import Address, format_pointer, load_json

CHANGES = "/api/changes"
SILENCE = 45.0  # seconds; the server says something every 15
LONGEST = 30.0  # seconds between two attempts
PASSING = (500, 502, 503, 504)  # a server, or a proxy before it, that is just starting


@dataclass(frozen=True, slots=True)
class Event:
    """A revision; or a reset: another history begins, read anew what you need. The cursor leads on from here."""

    kind: Literal["change", "reset"]
    cursor: str
    data: dict[str, Any]  # of a change: revision, at, actor, source, reason, changes

    @property
    def revision(self) -> int:
        """The newest revision that is known by now."""
        return int(self.cursor.rpartition(":")[2])


def list_changes(
    since: str | int | None = None,
    *,
    keys: Sequence[str] = (),
    pointers: Sequence[Address] = (),
    limit: int | None = None,
) -> Request:
    """What has changed since a cursor or revision up to now, oldest first."""
    return Request("GET", CHANGES, given({**_filter(keys, pointers), "since": since, "limit": limit}))


def read_changes(response: httpx.Response) -> list[Event]:
    body = response.json()
    epoch = body["cursor"].partition(":")[0]
    return [Event("change", f"{epoch}:{one['revision']}", one) for one in body["revisions"]]


def _filter(keys: Sequence[str], pointers: Sequence[Address]) -> dict[str, Any]:
    return {"key": [*keys] or None, "pointer": [*map(format_pointer, pointers)] or None}


class Follower:
    """Where somebody is in the feed."""

    def __init__(
        self, since: str | int | None, keys: Sequence[str], pointers: Sequence[Address], attempts: int | None
    ) -> None:
        self.cursor = None if since is None else str(since)
        self.filter = given(_filter(keys, pointers))
        self.attempts = attempts  # in a row that may fail; None for any number
        self.failures = 0
        self.retry = 1.0  # seconds
        self.begin()

    def begin(self) -> Request:
        """The request that opens the stream, anew or for the first time."""
        self.buffer = b""
        self.kind, self.id, self.lines = "", "", list[bytes]()
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        headers |= {} if self.cursor is None else {"Last-Event-ID": self.cursor}
        return Request("GET", CHANGES, self.filter, headers=headers)

    def take(self, chunk: bytes) -> Iterator[Event]:
        """What these bytes complete."""
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            if (event := self._line(line.rstrip(b"\r"))) is not None:
                yield event

    def fail(self, error: Exception | None) -> float:
        """Seconds to wait before the next attempt. Raises the error, if another attempt would not help."""
        if isinstance(error, OURS):
            raise Unreachable(0, "", f"{type(error).__name__}: {error}") from error
        passing = error is None or isinstance(error, httpx.TransportError | Busy)
        if not passing and not (isinstance(error, NolaError) and error.status in PASSING):
            assert error is not None
            raise error
        self.failures += 1
        if self.attempts is not None and self.failures > self.attempts:
            if isinstance(error, NolaError):
                raise error
            raise Unreachable(0, "", f"the feed was lost: {error or 'the stream ended'}") from error
        asked = (error.retry_after or 0.0) if isinstance(error, Busy) else 0.0
        pause = min(LONGEST, self.retry * 2.0 ** min(self.failures - 1, 10)) * random.uniform(0.5, 1)
        return max(asked, pause)

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ")
        if name == b"data":
            self.lines.append(text)
        elif name == b"event":
            self.kind = text.decode()
        elif name == b"id":
            self.id = text.decode()
        elif name == b"retry" and text.isdigit():
            self.retry = int(text) / 1000
        return None

    def _dispatch(self) -> Event | None:
        kind, cursor, data = self.kind, self.id, b"\n".join(self.lines)
        self.kind, self.id, self.lines = "", "", []
        if not data:
            return None
        told = load_json(data)
        if kind == "bye":  # nothing was lost
            return None
        self.failures = 0
        self.cursor = cursor or told.get("cursor", self.cursor)
        if kind in ("", "reset"):
            return Event("reset" if kind else "change", self.cursor or "", told)
        return None
