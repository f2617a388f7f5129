"""`make soak`: eight writers and four readers over two servers on one database, which are killed in turn.

A writer sends each write, with an Idempotency-Key, to one server and then the other until it is told that it is done. A
reader takes the feed from one and goes on at the other, again and again. In the end each write must be there once, and
each reader must have seen every revision once, in order, and have the state to the byte.
"""

import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nola_site.serving.tests.streams import Event
from tests.server import KEY, Server
from tests.servers import any_cluster, running_servers
from tests.soak.feed import GONE, Follower, finish

WRITERS, WRITES, DEATHS = 8, 500, 10
LOGS = ["Log0", "Log1"]
LEAP = 20  # revisions after which a reader goes to the other server
PATCH = {"Content-Type": "application/json-patch+json"}


class Writer:
    """Appends to a list that it shares with others, and puts a leaf of its own."""

    def __init__(self, servers: list[Server], number: int, writes: int) -> None:
        self.servers, self.name, self.writes = itertools.cycle(servers[number % 2 :] + servers), f"w{number}", writes
        self.log = LOGS[number % 2]
        self.written, self.repeated, self.is_done = 0, 0, False
        self.problems: list[str] = []
        self.broken: list[str] = []  # what had been sent when the connection broke
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while self.written < self.writes:
            number = self.written
            if number % 2:
                patch = [{"op": "add", "path": "/-", "value": f"{self.name}-{number}"}]
                self.write(number, "PATCH", f"/api/state/{self.log}", json.dumps(patch), PATCH)
            else:
                self.write(number, "PUT", f"/api/state/Leaves/{self.name}", str(number), {})
            self.written += 1

    def write(self, number: int, method: str, path: str, body: str, headers: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"{self.name}-{number}", **headers}
        for server in self.servers:
            connection = server.connect()
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                said = response.read()
            except GONE as error:
                if not isinstance(error, ConnectionRefusedError):
                    self.broken.append(f"{self.name}-{number}: {error!r}")
                time.sleep(0.02)
            else:
                if response.status < 300:
                    return
                if response.status != 503 or "retry-after" not in {name.lower() for name, _ in response.getheaders()}:
                    self.problems.append(f"{self.name}-{number}: {response.status} {said[:200]!r}")
                    return
            finally:
                connection.close()
            self.repeated += 1


class Hopper(Follower):
    """Takes the feed from the other server each time that it opens a stream, which it leaves in the middle."""

    def __init__(self, servers: list[Server], name: str) -> None:
        self.servers = itertools.cycle(servers)
        self.left = LEAP
        super().__init__(servers[0], name)

    @property
    def server(self) -> Server:
        return next(self.servers)

    @server.setter
    def server(self, server: Server) -> None:
        pass

    def apply(self, event: Event) -> None:
        super().apply(event)
        self.left -= 1
        if not self.left:
            self.left = LEAP
            raise ConnectionAbortedError


class Poller(Hopper):
    """The same by waiting for pages of the feed."""

    def run(self) -> None:
        self.left = -1  # each page is from the other one
        while not self.is_done:
            try:
                status, body, _ = self.server.request("GET", f"/api/changes?since={self.last_id}&wait=2&limit=50")
            except GONE:
                time.sleep(0.05)
                continue
            if status == 503:
                continue
            if status != 200:
                self.problems.append(f"{self.name}: {status} {body[:200]!r}")
                return
            self.resumed += 1
            self.take(json.loads(body))

    def take(self, page: Any) -> None:
        try:
            for revision in page["revisions"]:
                self.apply(Event("message", revision, self.last_id))
            self.last_id = page["cursor"]
        except GONE:  # it asked for a document that the page was too small to show
            self.last_id = f"{page['cursor'].partition(':')[0]}:{self.seen}"


def storm(
    servers: list[Server], writes: int, deaths: int, say: Callable[[str], object] = lambda line: None
) -> dict[str, Any]:
    """Kill one server after the other, `deaths` times, while all of them write and read. Raises AssertionError."""
    for log in LOGS:
        servers[0].request("PUT", f"/api/state/{log}", b"[]")
    servers[0].request("PUT", "/api/state/Leaves", b"{}")
    readers = [
        kind(servers[number:] + servers[:number], f"{kind.__name__} {number}")
        for kind in (Hopper, Poller)
        for number in (0, 1)
    ]
    writers = [Writer(servers, number, writes) for number in range(WRITERS)]
    began = time.monotonic()
    for actor in [*readers, *writers]:
        actor.thread.start()
    for number in range(1, deaths + 1):
        while sum(one.written for one in writers) < number * WRITERS * writes / (deaths + 1):
            assert any(one.thread.is_alive() for one in writers), [one.problems for one in writers]
            time.sleep(0.01)
        servers[number % 2].kill()
        servers[number % 2].start()
        say(f"{number} of {deaths} killed, {sum(one.written for one in writers)} written")
    for writer in writers:
        writer.thread.join(timeout=300)
    seconds = time.monotonic() - began
    done = finish(servers[0], readers, writers)
    assert [one.problems for one in writers if one.problems] == []
    assert find_lost(servers[1], writers) == []
    repeated = sum(one.repeated for one in writers)
    return {**done, "repeated": repeated, "a_second": round(done["written"] / seconds)}


def find_lost(server: Server, writers: list[Writer]) -> list[str]:
    """What is not there once; nothing, if all is well."""
    found = []
    state = json.loads(server.request("GET", "/api/state")[1])
    for writer in writers:
        appended = (f"{writer.name}-{number}" for number in range(1, writer.written, 2))
        found += [f"{one}: {count}" for one in appended if (count := state[writer.log].count(one)) != 1]
        if state["Leaves"][writer.name] != (writer.written - 1) // 2 * 2:
            found.append(f"{writer.name}: {state['Leaves'][writer.name]}")
    return found


def main(writes: int = WRITES, deaths: int = DEATHS) -> None:
    folder = tempfile.TemporaryDirectory(prefix="nola-soak-")
    with folder as path, any_cluster() as cluster, running_servers(Path(path) / "servers", cluster) as servers:
        done = storm(servers, writes, deaths, lambda line: sys.stdout.write(f"\r{line}  "))
    sys.stdout.write(
        f"\nservers: {done['written']:,} writes over two of them, {done['a_second']} a second, {deaths} killed,"
        f" {done['repeated']} writes sent again, readers resumed {done['resumed']} times: nothing lost, nothing twice\n"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
