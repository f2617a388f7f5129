"""`make soak`: followers of the feed and writers, while the server and its workers are killed again and again.

A follower begins with nothing and comes back with the id of the last event it saw. In the end it must have rebuilt the
state to the byte, and have seen every revision once, in order.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nola_site.serving.tests.streams import Event, Stream
from state.jsondoc.patch import replay_ops
from state.jsondoc.text import NOTHING, dump_json
from tests.server import KEY, Server, running

GONE = (OSError, http.client.HTTPException)


class Follower:
    """Rebuilds the state from the feed, and notes whatever is not as promised."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.documents: dict[str, Any] = {}
        self.seen, self.last_id, self.resumed = 0, "0", -1
        self.problems: list[str] = []
        self.is_done = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while not self.is_done:
            with contextlib.suppress(*GONE), Stream(self.server, cursor=self.last_id, timeout=5) as stream:
                if stream.status == 200:
                    self.resumed += 1
                    self.read(stream)
            time.sleep(0.05)

    def read(self, stream: Stream) -> None:
        for event in stream:
            if event.kind == "message":
                self.apply(event)
            elif event.kind not in ("bye", "cursor"):
                self.problems.append(f"{self.name}: {event}")
            if self.is_done:
                return

    def apply(self, event: Event) -> None:
        revision = event.data["revision"]
        if revision != self.seen + 1:
            self.problems.append(f"{self.name}: revision {revision} came after {self.seen}")
        for change in event.data["changes"]:
            if "patch" in change:
                self.put(change["key"], replay_ops(self.documents.get(change["key"], NOTHING), change["patch"]))
            else:
                self.put(change["key"], self.fetch(change["key"], revision))
        self.seen, self.last_id = revision, event.id

    def put(self, key: str, document: Any) -> None:
        self.documents.pop(key, None)
        if document is not NOTHING:
            self.documents[key] = document

    def fetch(self, key: str, revision: int) -> Any:
        """The document of a key that an event was too large to show."""
        status, body, _ = self.server.request("GET", f"/api/state/{key}?at={revision}")
        return json.loads(body) if status == 200 else NOTHING

    def text(self) -> str:
        return dump_json(dict(sorted(self.documents.items(), key=lambda pair: pair[0].encode())))


class Writer:
    """Writes all sorts of things, and goes on after the server has died."""

    def __init__(self, server: Server, name: str, seed: int) -> None:
        self.server, self.name, self.random = server, name, random.Random(seed)
        self.written, self.is_done = 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        connection = self.server.connect()
        while not self.is_done:
            try:
                method, path, body, media = self.random.choice(WRITES)(self)
                headers = {"Authorization": f"Bearer {KEY}", "Content-Type": media}
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                response.read()
                self.written += response.status < 300
            except GONE:
                connection.close()
                time.sleep(0.02)

    @property
    def key(self) -> str:
        return f"/api/state/Soak{self.random.randint(0, 3)}"


def put_leaf(writer: Writer) -> tuple[str, str, str, str]:
    leaf = f"{writer.name}{writer.random.randint(0, 30)}"
    return "PUT", f"{writer.key}/{leaf}", str(time.time_ns()), "application/json"


def put_document(writer: Writer) -> tuple[str, str, str, str]:
    document = {"list": list(range(writer.random.randint(1, 9))), writer.name: {"é😀": time.time_ns()}}
    return "PUT", writer.key, json.dumps(document), "application/json"


def insert(writer: Writer) -> tuple[str, str, str, str]:
    op = {"op": "add", "path": "/list/0", "value": writer.name}
    return "PATCH", writer.key, json.dumps([op]), "application/json-patch+json"


def reorder(writer: Writer) -> tuple[str, str, str, str]:
    op = {"op": "move", "from": "/list", "path": "/list", "position": writer.random.randint(0, 2)}
    return "PATCH", writer.key, json.dumps([op]), "application/json-patch+json"


def put_large(writer: Writer) -> tuple[str, str, str, str]:
    size = writer.random.choice((1_000, 60_000, 70_000))
    return "PUT", "/api/state/Large", json.dumps(f"{time.time_ns()}" + "x" * size), "application/json"


def remove(writer: Writer) -> tuple[str, str, str, str]:
    return "DELETE", writer.key, "", "application/json"


def put_several(writer: Writer) -> tuple[str, str, str, str]:
    operations = [{"op": "put", "pointer": f"/Pair{n}/{writer.name}", "value": time.time_ns()} for n in range(2)]
    return "POST", "/api/transactions", json.dumps({"operations": operations}), "application/json"


WRITES: list[Callable[[Writer], tuple[str, str, str, str]]] = [
    *[put_leaf] * 8, put_document, *[insert] * 3, reorder, put_large, remove, put_several,
]  # fmt: skip


def soak(server: Server, kills: int, say: Callable[[str], object] = lambda line: None) -> dict[str, int]:
    """Kill the server, or one of its workers, `kills` times. Raises AssertionError with what went wrong."""
    followers = [Follower(server, f"follower {number}") for number in range(3)]
    writers = [Writer(server, f"w{number}", number) for number in range(3)]
    for actor in [*followers, *writers]:
        actor.thread.start()
    chance = random.Random(kills)
    for number in range(1, kills + 1):
        time.sleep(chance.uniform(0.3, 1.2))
        if number % 2:
            server.kill()
            server.start()
        else:
            kill_worker(server, chance)
        say(f"{number} of {kills} killed, {sum(writer.written for writer in writers)} written")
    time.sleep(0.5)
    return finish(server, followers, writers)


def kill_worker(server: Server, chance: random.Random) -> None:
    """SIGKILL one worker; the other one answers meanwhile."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(chance.choice(children)), signal.SIGKILL)
    for _ in range(20):  # a connection may have been the dead worker's; the next is not
        with contextlib.suppress(*GONE):
            assert server.request("GET", "/healthz", key=None)[0] == 200
            return
    raise AssertionError("the server did not answer while a worker was being replaced")


def finish(server: Server, followers: list[Follower], writers: list[Writer]) -> dict[str, int]:
    for writer in writers:
        writer.is_done = True
        writer.thread.join(timeout=60)
    status, state, headers = server.request("GET", "/api/state")
    assert status == 200
    head = int(headers["nola-revision"])
    deadline = time.monotonic() + 60
    while any(one.seen < head and one.thread.is_alive() for one in followers) and time.monotonic() < deadline:
        time.sleep(0.05)
    for follower in followers:
        follower.is_done = True
        assert follower.problems == []
        assert follower.seen == head, f"{follower.name} is at {follower.seen}, the store at {head}"
        assert follower.text().encode() == state, f"{follower.name} has another state"
    resumed = sum(follower.resumed for follower in followers)
    return {"revisions": head, "written": sum(writer.written for writer in writers), "resumed": resumed}


def main(kills: int = 50) -> None:
    with tempfile.TemporaryDirectory(prefix="nola-soak-") as folder, running(Path(folder) / "data") as server:
        done = soak(server, kills, lambda line: sys.stdout.write(f"\r{line}  "))
    sys.stdout.write(
        f"\nfeed: {done['revisions']} revisions, {done['resumed']} times resumed: nothing lost, nothing twice\n"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
