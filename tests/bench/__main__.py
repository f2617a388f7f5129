"""`make bench`: what the hot paths cost, as medians of one run, and how that grows with the size of a document.

Read the figures as ratios: the first row is the same machine answering /healthz.
"""

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import context as bench_context
from tests.bench import feed as bench_feed
from tests.bench import history as bench_history
from tests.bench import talk as bench_talk
from tests.bench import targets as bench_targets
from tests.server import KEY, ROOT, Server, running

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
    bench_history.run(server)
    bench_talk.run(server)


def row(name: str, milliseconds: float) -> None:
    sys.stdout.write(f"{name:<36}{milliseconds:>10.2f} ms\n")
    sys.stdout.flush()


if __name__ == "__main__":
    bench_targets.run()
    with (
        tempfile.TemporaryDirectory(prefix="nola-bench-") as folder,
        running(Path(folder) / "data", fresh=True) as server,
    ):
        run(server)
    bench_context.main()
    bench_feed.main()
    subprocess.run([sys.executable, "-m", "tests.bench.sync"], cwd=ROOT, check=True)
