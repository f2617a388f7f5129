"""What a level of a profile and the context of a prompt cost, on a small memory and on one of 5 MB.

`python -m tests.bench.context` runs it alone. Cold is the first time after a start, before anything is kept in memory.
"""

import http.client
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.server import KEY, Server, running

HEADERS = {"Authorization": f"Bearer {KEY}"}
SECTIONS = 24  # of a profile, about as large as the sample of the predecessor: 3,400 tokens at level 3
KEYS = 1000  # of a memory of 5 MB


def section(number: int, detail: int) -> dict:
    """Something said at three lengths."""
    return {
        "level_1": f"fact {number} in a few words",
        "level_2": f"fact {number} " + "told at some length " * 8,
        "level_3": {"notes": [f"detail {n} of {number}: " + "and more of it " * 6 for n in range(detail)]},
    }


def fill(server: Server) -> None:
    profile = {f"section {number}": section(number, 4) for number in range(SECTIONS)}
    put(server, "Profile", profile)
    for number in range(KEYS):
        put(server, f"Large{number:04}", {"name": f"key {number}", "about": section(number, 40), "since": number})


def put(server: Server, key: str, value: object) -> None:
    status, answer, _ = server.request("PUT", f"/api/state/{key}", json.dumps(value).encode())
    if status not in (200, 201):
        raise SystemExit(f"PUT {key} answered {status}: {answer[:300]!r}")


def times(connection: http.client.HTTPConnection, path: str, count: int) -> list[float]:
    """How long each of the requests took, in ms."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        connection.request("GET", path, headers=HEADERS)
        response = connection.getresponse()
        response.read()
        found.append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise SystemExit(f"GET {path} answered {response.status}")
    return found


def run(data: Path) -> None:
    with running(data, fresh=True, NOLA_WORKERS="1") as server:
        fill(server)
    with running(data, fresh=True, NOLA_WORKERS="1") as server:  # another process, which has kept nothing in memory yet
        measure(server)


def measure(server: Server) -> None:
    connection = server.connect()
    nothing = statistics.median(times(connection, "/healthz", 100))
    size = len(server.request("GET", "/api/state")[1])
    say(f"\n{'levels and contexts':<44}{'ms':>10}")
    row("GET /healthz, for comparison", nothing)
    row("the profile at level 2", statistics.median(times(connection, "/api/state/Profile?level=2", 100)))
    row("all of the profile", statistics.median(times(connection, "/api/state/Profile", 100)))
    row(f"all {size / 1e6:.1f} MB at level 1", statistics.median(times(connection, "/api/state?level=1", 7)))
    row(f"all {size / 1e6:.1f} MB at level 3", statistics.median(times(connection, "/api/state?level=3", 7)))
    for form in ("markdown", "json"):
        path = f"/api/context?budget=2000&format={form}"
        cold = times(connection, path, 1)[0]
        row(f"a context of 2,000 tokens from it, {form}, cold", cold)
        row("... warm", statistics.median(times(connection, path, 30)))
    put(server, "Large0500", {"name": "another"})
    row("... after one key has changed", times(connection, path, 1)[0])


def row(name: str, milliseconds: float) -> None:
    say(f"{name:<44}{milliseconds:>10.1f}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder:
        run(Path(folder) / "data")


if __name__ == "__main__":
    main()
