"""A reader of server-sent events (the HTML standard, §9.2.6), as an agent would have one."""

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.server import KEY, Server


class Event(NamedTuple):
    """What was dispatched: "message" for a revision, else hello, cursor, reset or bye; `id` is "" without one."""

    kind: str
    data: dict[str, Any]
    id: str


class Stream:
    """An open stream. Iterating gives its events until the server ends it."""

    def __init__(
        self, server: Server, query: str = "", cursor: str | None = None, timeout: float = 10, key: str | None = KEY
    ) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
        headers = {"Accept": "text/event-stream"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        headers |= {"Last-Event-ID": cursor} if cursor else {}
        self.connection.request("GET", f"/api/changes{query}", headers=headers)
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.lines: list[str] = []  # all that came, for a close look

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def __iter__(self) -> Iterator[Event]:
        kind, data, id = "message", "", ""
        while line := self.response.readline().decode():
            self.lines.append(line.rstrip("\n"))
            name, _, value = line.rstrip("\n").partition(": ")
            if not line.strip():
                if data:
                    yield Event(kind, json.loads(data), id)
                kind, data, id = "message", "", ""
            elif name == "event":
                kind = value
            elif name == "data":
                data += value
            elif name == "id":
                id = value

    def next(self) -> Event:
        return next(iter(self))

    def revisions(self, count: int) -> list[int]:
        """The numbers of the next `count` revisions."""
        events = (event for event in self if event.kind == "message")
        return [next(events).data["revision"] for _ in range(count)]
