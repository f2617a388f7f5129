"""`make bench`: what the hot paths cost, as medians of one run, and how that grows with the size of a document.

Read the figures as ratios: the first row is the same machine answering /healthz.
"""

import http.client
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.server import KEY, Server, running

HEADERS = {"Authorization": f"Bearer {KEY}"}


def document(leaves: int) -> bytes:
    """An object of objects with about 128 bytes a leaf."""
    return json.dumps({f"k{n}": {"n": n, "text": "x" * 100} for n in range(leaves)}, separators=(",", ":")).encode()


def measure(connection: http.client.HTTPConnection, method: str, path: str, bodies: list[bytes | None]) -> float:
    """The median time of these requests on a kept connection, in ms."""
    times = []
    for body in bodies:
        started = time.perf_counter()
        connection.request(method, path, body, HEADERS)
        response = connection.getresponse()
        response.read()
        times.append(time.perf_counter() - started)
        if response.status not in (200, 201, 204):
            raise SystemExit(f"{method} {path} answered {response.status}")
    return statistics.median(times) * 1000


def numbers(count: int) -> list[bytes | None]:
    return [str(time.time_ns() + n).encode() for n in range(count)]


def run(server: Server) -> None:
    connection = server.connect()
    row("GET /healthz", measure(connection, "GET", "/healthz", [None] * 300))
    row("GET a leaf of a seed", measure(connection, "GET", "/api/state/Identity/name", [None] * 300))
    row("PUT a leaf of a seed", measure(connection, "PUT", "/api/state/Identity/owner/name", numbers(100)))
    for leaves in (1, 10, 100, 1_000, 10_000, 40_000):
        data = document(leaves)
        key = f"/api/state/Bench{leaves}"
        last = f"{key}/k{leaves - 1}/n"
        size = f"{len(data) / 1000:,.1f} kB"
        row(f"PUT {size} anew", measure(connection, "PUT", key, [data]))
        row(f"GET {size}", measure(connection, "GET", key, [None] * 20))
        row(f"GET the last leaf of {size}", measure(connection, "GET", last, [None] * 20))
        row(f"PUT the last leaf of {size}", measure(connection, "PUT", last, numbers(20)))
    row("GET the whole state", measure(connection, "GET", "/api/state", [None] * 10))
    measure_history(server, connection)


def measure_history(server: Server, connection: http.client.HTTPConnection) -> None:
    """One-leaf edits of a document of 131 kB: what they add to the history, and what it costs to read the past."""
    key = "/api/state/Past"
    measure(connection, "PUT", key, [document(1030)])
    first = history_bytes(server)
    row("1,000 PUTs of a leaf of 131 kB, each", measure(connection, "PUT", f"{key}/k500/n", numbers(1000)))
    sys.stdout.write(f"{'they add to the history':<36}{(history_bytes(server) - first) / 1000:>10.1f} kB\n")
    row("GET it as it is", measure(connection, "GET", key, [None] * 20))
    head = int(server.request("GET", key)[2]["nola-revision"])
    for ago in (1, 100, 500, 900):
        row(f"GET it as it was {ago} revisions ago", measure(connection, "GET", f"{key}?at={head - ago}", [None] * 20))
    row("GET its blame", measure(connection, "GET", "/api/blame/Past", [None] * 5))
    row("GET a page of its history", measure(connection, "GET", "/api/history/Past", [None] * 20))


def history_bytes(server: Server) -> int:
    """What the history of the key takes: changes, revisions and snapshots."""
    database = sqlite3.connect(server.data / "db" / "nola.sqlite3")
    try:
        return database.execute(
            "SELECT (SELECT sum(length(forward) + length(inverse) + 200) FROM state_change WHERE key = 'Past')"
            " + (SELECT sum(length(actor) + 150) FROM state_revision)"
            " + (SELECT coalesce(sum(length(document) + length(blame)), 0) FROM state_snapshot WHERE key = 'Past')"
        ).fetchone()[0]
    finally:
        database.close()


def row(name: str, milliseconds: float) -> None:
    sys.stdout.write(f"{name:<36}{milliseconds:>10.2f} ms\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder, running(Path(folder) / "data") as server:
        run(server)
