"""What Nola is meant to cost, and what it does cost on this machine: each target a row, as ratios within one run.

CPU is that of all processes of the server, a request. Eight clients keep their connections unless a row says otherwise.
`python -m tests.bench.targets --quick` takes a fifth of the time and tells less.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.bench import databases, mixed, servers
from tests.bench.load import NUMBER, Case, Load, Requests, document, drive, interleave, memory, numbered, tree
from tests.bench.raw_sqlite import raw_sqlite
from tests.bench.servers import Target, repeat
from tests.bench.table import Table, number, progress, spread
from tests.server import ROOT, TAKEN, environment, free_port

CLIENTS = 8
CROWD = 64
LEAF = "k00070"
OTHERWISE = f"application/json, text/x-{NUMBER.decode()}"  # an answer that is not kept, for it is asked for once
MERGE = "application/merge-patch+json"


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float
    mixed: int


FULL, QUICK = Effort(5, 1.0, 10_000), Effort(3, 0.3, 2_000)


class Targets:
    """The table: figures, what they are held against, and whether the target is met."""

    def __init__(self, title: str = "Targets") -> None:
        titles = ("what", "figure (spread)", "target", "is", "met")
        self.table = Table(title, *titles, widths=(52, 30, 48, 10, 6))

    def hold(
        self,
        name: str,
        values: Iterable[float],
        unit: str,
        limit: float,
        base: Iterable[float] | None = None,
        of: str = "",
        at_least: bool = False,
    ) -> None:
        """A row with a target for the figure, or for its ratio to `base`, round by round."""
        values = list(values)
        bases = list(base) if base is not None else [1.0] * len(values)
        found = statistics.median(value / other for value, other in zip(values, bases, strict=True))
        met = found >= limit if at_least else found <= limit
        target = f"{'at least' if at_least else 'at most'} {number(limit)} {f'x {of}' if base is not None else unit}"
        self.table.add(name, f"{spread(values)} {unit}", target, number(found), "yes" if met else "NO")

    def refer(self, name: str, values: Iterable[float], unit: str) -> None:
        """A row to compare with."""
        self.table.add(name, f"{spread(values)} {unit}", "", "", "")

    def skip(self, name: str, why: str) -> None:
        self.table.add(name, f"skipped: {why}", "", "", "")


def cpu(loads: Iterable[Load]) -> list[float]:
    return [load.cpu_ms for load in loads]


def rate(loads: Iterable[Load]) -> list[float]:
    return [load.per_second for load in loads]


def each(target: Target, method: str, path: str, body: bytes | None = None, **headers: str) -> list[Requests]:
    """Requests for a crowd; `{n}` in the path is the number of the client, a NUMBER in the body never the same."""
    sent = [target.request(method, path.replace("{n}", str(n)), body, **headers) for n in range(CROWD)]
    return [numbered(one) if NUMBER in one else repeat(one) for one in sent]


def http(name: str, target: Target, crowd: list[Requests], clients: int = CLIENTS, **expected: tuple[int, ...]) -> Case:
    return Case(name, lambda seconds: drive(target.port, target.pids, crowd[:clients], seconds=seconds, **expected))


def fill(target: Target) -> None:
    for n in range(CROWD):
        target.ask(target.request("PUT", f"/api/state/Doc{n}", document(18)))
    target.ask(target.request("PUT", "/api/state/Large", document(5000)))


def limit_key(nola: Target, data: Path, database: dict[str, str]) -> Target:
    """The server as a key asks it that is limited to some of the documents."""
    key, places = "nola_a-limited-key", json.dumps([f"/Doc{n}" for n in range(CLIENTS)])
    row = f"name='limited', prefix='nola_', sha256=hash_key('{key}'), scopes='read', places='{places}'"
    code = f"from access.models import *; ApiKey.objects.create({row})"
    run = [sys.executable, "manage.py", "shell", "-c", code]
    subprocess.run(run, cwd=ROOT, env=environment(data, 8000, **database), capture_output=True, check=True)
    return nola._replace(authorization=f"Bearer {key}")


def reads(
    targets: Targets, effort: Effort, nola: Target, limited: Target, seeded: Target, wsgi: Target, asgi: Target
) -> None:
    response, _ = nola.ask(nola.request("GET", "/api/state/Doc0"))
    head, etag = response.headers["Nola-Revision"], response.headers["ETag"]
    found = interleave(
        [
            http("wsgi", wsgi, each(wsgi, "GET", "/healthz")),
            http("asgi", asgi, each(asgi, "GET", "/healthz")),
            http("key", nola, each(nola, "GET", "/api/state/Doc{n}")),
            http("leaf", nola, each(nola, "GET", f"/api/state/Doc{{n}}/{LEAF}/n")),
            http("limited key", limited, each(limited, "GET", "/api/state/Doc{n}")),
            http("limited leaf", limited, each(limited, "GET", f"/api/state/Doc{{n}}/{LEAF}/n")),
            http("304", nola, each(nola, "GET", "/api/state/Doc0", If_None_Match=etag), expected=(304,)),
            http("at", nola, each(nola, "GET", f"/api/state/Doc{{n}}?at={head}")),
            http("large", nola, each(nola, "GET", "/api/state/Large/k20000/n")),
            http("context", seeded, each(seeded, "GET", "/api/context?budget=2000")),
            http("anew", seeded, each(seeded, "GET", "/api/context?budget=2000", Accept=OTHERWISE)),
        ],
        effort.rounds,
        effort.seconds,
    )
    floor = cpu(found["wsgi"])
    targets.refer("an empty WSGI app", floor, "ms CPU")
    targets.refer("an empty ASGI app", cpu(found["asgi"]), "ms CPU")
    names = {"key": "GET of a key of 18 kB", "leaf": "GET of a leaf of it", "304": "304 of the key"}
    for name, text in (names | {"at": "?at= of the head"}).items():
        targets.hold(text, cpu(found[name]), "ms CPU", 2, floor, "the empty WSGI app")
    for name in ("key", "leaf"):
        limited_cpu, free = cpu(found[f"limited {name}"]), cpu(found[name])
        targets.hold(f"GET of a {name} with a limited key", limited_cpu, "ms CPU", 1.1, free, "one without limits")
    targets.hold(
        "GET of a leaf of 5 MB, warm", cpu(found["large"]), "ms CPU", 1.5, cpu(found["leaf"]), "a leaf of 18 kB"
    )
    targets.hold("a context of 2,000 tokens", cpu(found["context"]), "ms CPU", 3, cpu(found["key"]), "GET of a key")
    targets.refer("... worked out anew, as after each write", cpu(found["anew"]), "ms CPU")
    times = f"{latency(found['leaf'])}; of the empty WSGI app: {latency(found['wsgi'])}"
    targets.table.note(f"p50 to p95 of a GET of a leaf: {times}.")


def latency(loads: list[Load]) -> str:
    p50, p95 = (statistics.median(load.quantile(share) for load in loads) for share in (0.5, 0.95))
    return f"{number(p50)} to {number(p95)} ms"


def cold_reads(targets: Targets, effort: Effort, nola: Target) -> None:
    """The first GET after a write, in the worker that has not written: the slowest of several connections."""
    path, times, floor = "/api/state/Large/k20000/n", [], []
    put, get = numbered(nola.request("PUT", path, NUMBER)), nola.request("GET", path)
    with raw_sqlite(5000) as raw:
        for _ in range(effort.rounds * 3):
            drive(nola.port, nola.pids, [put], count=1)
            times.append(max(drive(nola.port, nola.pids, [repeat(get)], count=1).p50 for _ in range(6)))
            raw.put()
            floor.append(raw.drive("get", 0).p50)
    targets.hold("GET of a leaf of 5 MB, cold", times, "ms", 3, floor, "SQLite handing out the text")


def transaction(paths: Iterable[str]) -> bytes:
    operations = [{"op": "put", "pointer": path, "value": int(NUMBER)} for path in paths]
    return json.dumps({"operations": operations}).encode()


def writes(targets: Targets, effort: Effort, nola: Target, peer: Target | None) -> None:
    leaf, messages = f"/api/state/Doc{{n}}/{LEAF}/n", "/api/conversations/talk-{n}/messages"
    message = {"speaker": "user", "message": "a few words about number " + NUMBER.decode()}
    one, thousand = json.dumps(message).encode(), json.dumps([message] * 1000).encode()
    hundred = transaction(f"/Doc{{n}}/k{number:05}/n" for number in range(100))
    posts = [
        numbered(nola.request("POST", "/api/transactions", hundred.replace(b"{n}", b"%d" % n))) for n in range(CLIENTS)
    ]
    patch = each(nola, "PATCH", leaf.removesuffix("/n"), b'{"n": ' + NUMBER + b"}", Content_Type=MERGE)
    large = each(nola, "PUT", "/api/state/Large/k20000/n", NUMBER)
    created = {"expected": (200, 201)}
    with raw_sqlite(18) as raw:
        cases = [
            Case("raw", partial(raw.drive, "put")),
            http("put", nola, each(nola, "PUT", leaf, NUMBER)),
            http("same", nola, each(nola, "PUT", leaf.replace("{n}", "0"), NUMBER)),
            http("patch", nola, patch),
            http("crowd", nola, each(nola, "PUT", leaf, NUMBER), CROWD),
            http("hundred", nola, posts),
            http("large", nola, large, 1),
            http("append", nola, each(nola, "POST", messages, one), **created),
            http("thousand", nola, each(nola, "POST", messages, thousand), 1, **created),
            http("get", nola, each(nola, "GET", leaf)),
        ]
        if peer:
            path, value = f"/state/Doc{{n}}/{LEAF}", b'{"n":' + NUMBER + b"}"
            cases += [
                http("peer put", peer, each(peer, "PUT", path, value)),
                http("peer crowd", peer, each(peer, "PUT", path, value), CROWD),
                http("peer get", peer, each(peer, "GET", path)),
            ]
        found = interleave(cases, effort.rounds, effort.seconds)
    targets.hold("PUT of a leaf of 18 kB", cpu(found["put"]), "ms CPU", 2.5)
    targets.hold("PATCH of it", cpu(found["patch"]), "ms CPU", 2.5)
    targets.refer("raw SQLite, the same bytes from one loop", rate(found["raw"]), "/s")
    targets.hold(
        "PUT of a leaf, 8 clients", rate(found["put"]), "/s", 0.4, rate(found["raw"]), "raw SQLite", at_least=True
    )
    targets.refer("... all to one key", rate(found["same"]), "/s")
    share = [load.cpu_ms / 100 for load in found["hundred"]]
    ratios = [single / shared for single, shared in zip(cpu(found["put"]), share, strict=True)]
    targets.refer("a transaction of 100 writes, each", share, "ms CPU")
    targets.hold("... so that one in it is cheaper than alone", ratios, "x", 10, at_least=True)
    targets.hold("PUT of a leaf of 5 MB, 1 client", cpu(found["large"]), "ms CPU", 25)
    if peer:
        held = [("PUT, 8 clients", "put", 1), ("PUT, 64 clients", "crowd", 1), ("GET of a leaf, 8 clients", "get", 2)]
        for name, case, limit in held:
            targets.refer(f"FastAPI + sqlite3, {name}", rate(found[f"peer {case}"]), "/s")
            targets.hold(name, rate(found[case]), "/s", limit, rate(found[f"peer {case}"]), "FastAPI + sqlite3", True)
    else:
        targets.skip("PUT and GET beside FastAPI + sqlite3", "run make bench-peers")
    targets.hold("append a message", cpu(found["append"]), "ms CPU", 3)
    targets.hold("append 1,000 at once", (load.p50 for load in found["thousand"]), "ms", 150)


def starts(targets: Targets, effort: Effort) -> None:
    """Each in a Python of its own, on a data directory that is there already."""
    commands = ("check", "doctor", "version", "help")
    found: dict[str, list[float]] = {name: [] for name in ("serve", *commands)}
    with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder, databases.new() as database:
        data = Path(folder) / "data"
        start_once(data, database)
        for _ in range(effort.rounds):
            found["serve"].append(start_once(data, database))
            for command in commands:
                progress(f"./nola {command}")
                started = time.perf_counter()
                run = [sys.executable, "manage.py", command]
                subprocess.run(run, cwd=ROOT, env=environment(data, 8000, **database), capture_output=True, check=True)
                found[command].append(time.perf_counter() - started)
    targets.hold("./nola serve until /readyz answers", found.pop("serve"), "s", 1.5)
    for command, times in found.items():
        targets.hold(f"./nola {command}", times, "s", 0.6)


def start_once(data: Path, database: dict[str, str]) -> float:
    """Seconds until a server on that directory is ready; it is stopped then."""
    progress("./nola serve")
    port = free_port()
    started = time.perf_counter()
    command, env = [sys.executable, "manage.py", "serve"], environment(data, port, **database)
    with (
        (data.parent / "start.log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, stdout=log, stderr=log) as process,
    ):
        try:
            servers.await_answer(port, process, "/readyz", 200)
            return time.perf_counter() - started
        finally:
            process.terminate()
            process.wait(30)
            TAKEN.pop(port).close()


def memories(targets: Targets, effort: Effort) -> None:
    with servers.nola() as (nola, _):
        mixed.fill(nola)
        progress(f"{effort.mixed:,} mixed requests")
        crowd = [mixed.requests(nola, n) for n in range(CLIENTS)]
        drive(nola.port, nola.pids, crowd, seconds=600, count=effort.mixed, expected=mixed.STATUSES)
        found = worker_memory(nola)
    targets.hold(f"the larger worker after {effort.mixed:,} mixed requests", [max(found)], "MB", 60)


def worker_memory(nola: Target) -> list[float]:
    """The memory of each worker, in MB."""
    return [memory(pid) for pid in tree(nola.pids[0])[1:]]


@contextlib.contextmanager
def peer() -> Iterator[Target | None]:
    """FastAPI + sqlite3, if its environment is there."""
    if not servers.PEERS.exists():
        yield None
        return
    with servers.fastapi("SQLite") as target:
        for n in range(CROWD):
            target.ask(target.request("PUT", f"/state/Doc{n}", document(18)))
        yield target


def run(effort: Effort = FULL) -> Table:
    """Measure all targets. Raises WrongAnswer where a server answers something else than was asked for."""
    targets = Targets()
    with databases.new() as database, servers.nola(**database) as (nola, data):
        fill(nola)
        limited = limit_key(nola, data, database)
        with servers.nola() as (seeded, _), servers.empty("wsgi") as wsgi, servers.empty("asgi") as asgi:
            reads(targets, effort, nola, limited, seeded, wsgi, asgi)
        cold_reads(targets, effort, nola)
        with peer() as beside:
            writes(targets, effort, nola, beside)
    starts(targets, effort)
    memories(targets, effort)
    targets.table.note(f"Nola: {servers.NOLA}. Beside it: {servers.WSGI}; {servers.ASGI}; {servers.FASTAPI}.")
    return targets.table


if __name__ == "__main__":
    run(QUICK if "--quick" in sys.argv else FULL)
