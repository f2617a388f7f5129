"""What Nola costs on PostgreSQL: beside the same statements from pgbench, beside itself on SQLite, over two servers.

`python -m tests.bench.on_postgres 1000000` appends so many messages. All is synced: the cluster is one as it comes.
"""

import json
import sys
from functools import partial
from pathlib import Path

from tests.bench import databases, growth, servers
from tests.bench.load import NUMBER, Case, Load, drive, interleave, numbered
from tests.bench.raw_postgres import raw_postgres
from tests.bench.servers import Target
from tests.bench.streams import finish, streams, writes
from tests.bench.table import number, progress
from tests.bench.targets import CROWD, FULL, LEAF, QUICK, Effort, Targets, cpu, each, fill, http, rate
from tests.postgres import find_tools

CLIENTS = (1, 8, CROWD)
STREAMS, PER_SECOND = 20, 10  # on each server; writes
MADE = (200, 201)


def put(targets: Targets, effort: Effort, nola: Target) -> None:
    """A `PUT` of a leaf beside what pgbench commits of the same."""
    leaf = each(nola, "PUT", f"/api/state/Doc{{n}}/{LEAF}/n", NUMBER)
    with raw_postgres(18, CROWD) as raw:
        cases = []
        for clients in CLIENTS:
            cases += [Case(f"raw {clients}", partial(raw.put, clients)), http(f"{clients}", nola, leaf, clients)]
        found = interleave(cases, effort.rounds, effort.seconds)
    for clients in CLIENTS:
        floor = rate(found[f"raw {clients}"])
        targets.refer(f"pgbench, the statements of a PUT, clients: {clients}", floor, "/s")
        targets.hold(f"PUT of a leaf, clients: {clients}", rate(found[f"{clients}"]), "/s", 0.6, floor, "pgbench", True)
    targets.refer("PUT of a leaf, 8 clients", cpu(found["8"]), "ms CPU in Nola")


def get(targets: Targets, effort: Effort, nola: Target) -> None:
    """Reads beside those on SQLite: the CPU of Nola's processes, and what PostgreSQL has to do besides."""
    both = nola._replace(pids=(*nola.pids, *databases.find_pids()))
    places = {"a key": "/api/state/Doc{n}", "a leaf": f"/api/state/Doc{{n}}/{LEAF}/n"}
    with servers.nola(DATABASE_URL="") as (lite, _):
        fill(lite)
        kinds = {"nola": nola, "both": both, "lite": lite}
        found = interleave(
            [
                http(f"{kind} {name}", target, each(target, "GET", path))
                for name, path in places.items()
                for kind, target in kinds.items()
            ],
            effort.rounds,
            effort.seconds,
        )
    for name in places:
        targets.refer(f"GET of {name}, on SQLite", cpu(found[f"lite {name}"]), "ms CPU")
        ours, floor = cpu(found[f"nola {name}"]), cpu(found[f"lite {name}"])
        targets.hold(f"GET of {name}, in Nola", ours, "ms CPU", 1.3, floor, "that on SQLite")
        targets.refer("... and PostgreSQL", cpu(found[f"both {name}"]), "ms CPU")


def feed(targets: Targets, seconds: float, data: Path, settings: dict[str, str], first: Target) -> None:
    """How long a change takes to all streams: those of the server that was written to, and those of another."""
    with (
        servers.nola(data, **settings) as (second, _),
        streams(first, STREAMS) as near,
        streams(second, STREAMS) as far,
    ):
        progress("streams of two servers")
        with writes(first, f"/api/state/Doc0/{LEAF}/n", PER_SECOND):
            drive(first.port, (), each(first, "GET", "/api/state/Doc{n}")[:1], seconds=seconds, expected=(200,))
        delays = {"same server": finish(near), "another server": finish(far)}
    for name, found in delays.items():
        p50, p99 = (found[int(len(found) * share)] for share in (0.5, 0.99))
        targets.hold(f"p99 of a change to {STREAMS} streams, {name}", [p99], "ms", 250)
        targets.table.note(f"The median of {len(found):,} deliveries, {name}: {number(p50)} ms.")


def append(targets: Targets, effort: Effort, nola: Target, messages: int) -> None:
    """Whether the last messages are appended as the first ones: CPU of Nola and PostgreSQL."""
    both = (*nola.pids, *databases.find_pids())
    talk = "/api/conversations/long/messages"
    body = json.dumps({"speaker": "user", "message": "words " + NUMBER.decode()}).encode()
    batches, single = growth.batches(nola, 0), [numbered(nola.request("POST", talk, body))]

    def append_one() -> list[Load]:
        return [drive(nola.port, both, single, seconds=effort.seconds, expected=MADE) for _ in range(effort.rounds)]

    parts, before = [], None
    for part in range(10):
        progress(f"{messages // 10 * part:,} messages")
        parts.append(drive(nola.port, both, [batches], count=messages // 10_000, expected=MADE))
        before = before or append_one()
    tenths = [load.cpu_ms for load in parts]
    name = f"of {messages:,} messages"
    targets.hold(f"append 1,000, the last tenth {name}", tenths[-1:], "ms CPU", 1.2, tenths[:1], "the first tenth")
    targets.hold(f"append one behind all {name}", cpu(append_one()), "ms CPU", 1.2, cpu(before or []), "behind a tenth")
    targets.table.note(f"1,000 messages, tenth by tenth: {', '.join(map(number, tenths))} ms CPU.")


def run(effort: Effort = FULL, messages: int = 100_000) -> None:
    """All rows; says so where there is no PostgreSQL."""
    targets = Targets("On PostgreSQL")
    if find_tools() is None:
        targets.skip("all of it", "PostgreSQL is not installed (Debian: apt install postgresql)")
        return
    with databases.on_postgres(), databases.new() as settings, servers.nola(**settings) as (nola, data):
        fill(nola)
        put(targets, effort, nola)
        get(targets, effort, nola)
        feed(targets, 10 * effort.seconds, data, settings, nola)
        append(targets, effort, nola, messages)
    targets.table.note(f"Nola: {servers.NOLA}; PostgreSQL as it comes, on the same machine, over a socket.")


if __name__ == "__main__":
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()]
    run(QUICK if "--quick" in sys.argv else FULL, *sizes)
