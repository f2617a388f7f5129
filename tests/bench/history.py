"""What history costs: the space that edits take, and the time to read the past, over sizes and lengths."""

import http.client
import json
import random
import sqlite3
import statistics
import sys
import time
from pathlib import Path

from tests.server import KEY, Server

HEADERS = {"Authorization": f"Bearer {KEY}"}
WORDS = Path(__file__).read_text().split()  # text as compressible as text is


def prose(kilobytes: float, seed: int = 1) -> bytes:
    """A document of objects with words in them, of about that size."""
    words = random.Random(seed)
    document: dict[str, dict[str, object]] = {}
    size = 2
    while size < kilobytes * 1000:
        leaf = {"n": len(document), "text": " ".join(words.choices(WORDS, k=12)), "id": words.getrandbits(64)}
        document[f"k{len(document)}"] = leaf
        size += len(json.dumps(leaf)) + 8
    return json.dumps(document, separators=(",", ":")).encode()


class Client:
    def __init__(self, server: Server) -> None:
        self.server, self.connection = server, server.connect()

    def send(self, method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        self.connection.request(method, path, body, HEADERS)
        response = self.connection.getresponse()
        response.read()
        if response.status not in (200, 201, 204):
            raise SystemExit(f"{method} {path} answered {response.status}")
        return response

    def median(self, method: str, path: str, times: int = 15) -> float:
        """The median time of a request, in ms."""
        return statistics.median(self._time(method, path) for _ in range(times))

    def _time(self, method: str, path: str) -> float:
        started = time.perf_counter()
        self.send(method, path)
        return (time.perf_counter() - started) * 1000


def file_bytes(server: Server) -> int:
    """The size of the database without its free pages."""
    database = sqlite3.connect(server.data / "db" / "nola.sqlite3")
    try:
        pages, free, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS)
        return (pages - free) * size
    finally:
        database.close()


PRAGMAS = ("page_count", "freelist_count", "page_size")


def edit(client: Client, key: str, first: int, last: int) -> None:
    """Edits number `first` to `last` of one leaf each, here and there."""
    for number in range(first, last):
        client.send("PUT", f"/api/state/{key}/k{number * 7 % 100}/n", b"%d" % (1_000_000 + number))


def run(server: Server, lengths: tuple[int, ...] = (100, 1_000, 10_000)) -> None:
    client = Client(server)
    say(f"\n{'one-leaf edits of a document of':<44}{'they add':>12}")
    for kilobytes in (1, 10, 131, 1_000):
        key = f"Size{kilobytes}"
        client.send("PUT", f"/api/state/{key}", prose(kilobytes))
        before = file_bytes(server)
        edit(client, key, 0, 1_000)
        say(f"{f'1,000 of {kilobytes:,} kB':<44}{(file_bytes(server) - before) / 1000:>9,.0f} kB")
    columns = f"{'plain':>10}{'worst ?at=':>12}{'median ?at=':>12}{'blame':>10}{'page':>10}"
    say(f"\n{'history of a document of 131 kB':<24}{columns}  (ms)")
    client.send("PUT", "/api/state/Past", prose(131))
    done = 0
    for length in lengths:
        edit(client, "Past", done, length)
        done = length
        head = int(client.send("GET", "/api/state/Past").headers["Nola-Revision"])
        at = [
            client.median("GET", f"/api/state/Past?at={head - ago}", 5)
            for ago in range(0, length, max(1, length // 40))
        ]
        figures = [
            client.median("GET", "/api/state/Past"),
            max(at),
            statistics.median(at),
            client.median("GET", "/api/blame/Past", 5),
            client.median("GET", "/api/history/Past"),
        ]
        say(
            f"{f'{length:,} revisions':<24}"
            + "".join(f"{one:>{10 + 2 * (n in (1, 2))}.1f}" for n, one in enumerate(figures))
        )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
