"""How cost grows with what is kept: over the size of a document, keys, history, messages and open streams.

CPU of the server a request, one client, unless a row says otherwise. `python -m tests.bench.growth --quick` goes to a
tenth of the sizes.
"""

import json
import math
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

from tests.bench import fill, servers
from tests.bench.load import NUMBER, Requests, cpu_seconds, document, drive, numbered
from tests.bench.servers import Target, repeat
from tests.bench.streams import finish, streams, writes
from tests.bench.table import Spread, Table, progress, spread
from tests.bench.targets import worker_memory
from tests.server import ROOT, environment

ROUNDS, SECONDS = 3, 0.4
EVENTS = 12  # written while streams are open
STEEP = 1.1  # an exponent over this is worse than linear; less is noise
Figures = dict[str, Spread]


class Growth:
    """A table of one kind of growth: a row for each operation, a column for each size."""

    def __init__(self, title: str, sizes: Sequence[str], counts: Sequence[float]) -> None:
        widths = (36, *[22] * len(sizes), 20)
        self.counts = counts
        self.table = Table(title, "ms", *sizes, "grows like", widths=widths)

    def show(self, columns: Iterable[Figures]) -> Table:
        """Measure column by column, then show the rows."""
        found = []
        for size, column in zip(self.counts, columns, strict=True):
            progress(f"{self.table.title}: {size:,} done")
            found.append(column)
        for name in found[0]:
            figures = [column[name] for column in found]
            self.table.add(name, *map(str, figures), describe(self.counts, figures))
        return self.table


def describe(counts: Sequence[float], figures: Sequence[Spread]) -> str:
    """By which power of the size the cost grows, from the first to the last, and whether a step is worse than linear.

    Such a step is worse even where its spread is read in its favour.
    """
    steps = [
        math.log(after.low / before.high) / math.log(size / last)
        for (last, size), (before, after) in zip(pairwise(counts), pairwise(figures), strict=True)
    ]
    overall = math.log(figures[-1].median / figures[0].median) / math.log(counts[-1] / counts[0])
    return f"n^{max(0, overall):.1f}" + (" WORSE THAN LINEAR" if max(steps) > STEEP else "")


def cost(target: Target, requests: Requests, expected: tuple[int, ...] = (200, 201)) -> Spread:
    """CPU of the server a request, in ms."""
    for _ in range(4):  # connections, so that each worker gets one, and is warm
        drive(target.port, (), [requests], count=2, expected=expected)
    loads = [drive(target.port, target.pids, [requests], seconds=SECONDS, expected=expected) for _ in range(ROUNDS)]
    return spread(load.cpu_ms for load in loads)


def costs(target: Target, **calls: tuple) -> Figures:
    """What each of these costs: a method, a path, and perhaps a body."""
    found = {}
    for name, (method, path, *body) in calls.items():
        progress(f"{method} {path}")
        sent = target.request(method, path, *body)
        found[name.replace("_", " ")] = cost(target, numbered(sent) if NUMBER in sent else repeat(sent))
    return found


def titles(counts: Sequence[int], unit: str = "") -> list[str]:
    return [f"{count:,}{unit}" for count in counts]


def put(target: Target, key: str, body: bytes) -> None:
    target.ask(target.request("PUT", f"/api/state/{key}", body))


def document_sizes(kilobytes: Sequence[int]) -> Table:
    def columns() -> Iterator[Figures]:
        with servers.nola() as (target, _):
            for size in kilobytes:
                put(target, f"Size{size}", text := document(size))
                key, leaf = f"/api/state/Size{size}", f"k{text.count(b'text') - 1:05}"
                yield costs(
                    target,
                    GET_of_the_key=("GET", key),
                    GET_of_its_last_leaf=("GET", f"{key}/{leaf}/n"),
                    PUT_of_the_leaf=("PUT", f"{key}/{leaf}/n", NUMBER),
                )

    table = Growth("Growth with the size of a document", titles(kilobytes, " kB"), kilobytes).show(columns())
    table.note(
        "Over 8 MB, texts lie in memory of their own, which goes back to the system with each request: about twice as"
        " much for each MB, and no more than that."
    )
    return table


def keys(counts: Sequence[int]) -> Table:
    def columns() -> Iterator[Figures]:
        with servers.nola() as (target, _):
            last = 0
            for count in counts:
                for first in range(last, count, 100):
                    operations = [
                        {"op": "put", "pointer": f"/Key{n:06}", "value": {"n": n, "text": "x" * 20}}
                        for n in range(first, min(first + 100, count))
                    ]
                    body = json.dumps({"operations": operations}).encode()
                    target.ask(target.request("POST", "/api/transactions", body))
                last = count
                leaf = f"/api/state/Key{count // 2:06}/n"
                yield costs(
                    target,
                    GET_of_a_leaf=("GET", leaf),
                    PUT_of_a_leaf=("PUT", leaf, NUMBER),
                    list_of_100_keys=("GET", "/api/state?view=tree&limit=100"),
                    GET_of_all=("GET", "/api/state"),
                )

    return Growth("Growth with the number of keys", titles(counts), counts).show(columns())


def history(counts: Sequence[int]) -> Table:
    def columns() -> Iterator[Figures]:
        with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder:
            data, last = Path(folder) / "data", 0
            for count in counts:
                progress(f"adding {count - last:,} revisions")
                before = file_bytes(data)
                command = [sys.executable, "-m", "tests.bench.fill", str(data), str(count - last)]
                subprocess.run(command, cwd=ROOT, env=environment(data, 8000), check=True)
                space = (file_bytes(data) - before) / (count - last)
                last = count
                with servers.nola(data) as (target, _):
                    key = f"/api/state/{fill.KEY}"
                    found = costs(
                        target,
                        GET_of_a_leaf=("GET", f"{key}/k00070/n"),
                        PUT_of_a_leaf=("PUT", f"{key}/k00070/n", NUMBER),
                        history_page_of_100=("GET", f"/api/history/{fill.KEY}"),
                        history_of_a_leaf=("GET", f"/api/history/{fill.KEY}/k00070/n?limit=20"),
                        blame=("GET", f"/api/blame/{fill.KEY}"),
                    )
                    found["?at= anywhere"] = cost(target, anywhere(target, f"{key}?at={{at}}", count))
                    yield found | {"bytes a revision": spread([space])}

    return Growth("Growth with the history of a key of 18 kB", titles(counts), counts).show(columns())


def anywhere(target: Target, path: str, count: int) -> Requests:
    """Reads of the past, each of another moment."""
    moments = random.Random(1)
    return (target.request("GET", path.replace("{at}", str(moments.randint(3, count)))) for _ in iter(int, 1))


def file_bytes(data: Path) -> int:
    """The size of the database without its free pages."""
    if not data.exists():
        return 0
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        pragmas = ("page_count", "freelist_count", "page_size")
        pages, free, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas)
    return (pages - free) * size


def messages(counts: Sequence[int]) -> Table:
    """A fifth of all is in one conversation, the others in conversations of 1,000; every second one has `the`."""

    def columns() -> Iterator[Figures]:
        with servers.nola() as (target, _):
            last = 0
            for count in counts:
                progress(f"appending {count - last:,} messages")
                drive(
                    target.port,
                    (),
                    [batches(target, last)],
                    seconds=3600,
                    count=(count - last) // 1000,
                    expected=(200, 201),
                )
                last = count
                talk, search = "/api/conversations/long/messages", "/api/search?in=messages&q="
                page = json.loads(target.ask(target.request("GET", f"{talk}?limit=100"))[1])["messages"]
                yield costs(
                    target,
                    append_one=("POST", talk, json.dumps(message(1)).encode().replace(b"n1", NUMBER)),
                    last_page_of_100=("GET", f"{talk}?order=newest"),
                    a_page_far_back=("GET", f"{talk}?around={page[-1]['id']}"),
                    list_of_100_conversations=("GET", "/api/conversations"),
                    search_for_a_rare_word=("GET", f"{search}n{count // 3}"),
                    search_for_a_word_in_every_second=("GET", f"{search}the"),
                    search_for_a_phrase=("GET", search + quote('"alpha bravo"')),
                )

    return Growth("Growth with the number of messages", titles(counts), counts).show(columns())


WORDS = [a + b for a in ("alpha", "bravo", "carol", "delta", "eager", "fjord") for b in ("", "ing", "ed", "s", "ly")]


def message(n: int) -> dict[str, str]:
    words = random.Random(n).choices(WORDS, k=8 + n % 24)
    text = " ".join(["the" if n % 2 else "a", *words, f"n{n}"])
    return {"speaker": "user" if n % 2 else "assistant", "message": text}


def batches(target: Target, first: int) -> Requests:
    """Appends of 1,000 messages."""
    for start in range(first, sys.maxsize, 1000):
        session = "long" if start // 1000 % 5 == 0 else f"short-{start // 1000}"
        body = json.dumps([message(n) for n in range(start, start + 1000)]).encode()
        yield target.request("POST", f"/api/conversations/{session}/messages", body)


def open_streams(counts: Sequence[int]) -> Table:
    def columns() -> Iterator[Figures]:
        for count in counts:
            with servers.nola(NOLA_STREAMS_PER_KEY="2000") as (target, _):
                put(target, "Feed", b'{"n": 1}')
                with streams(target, count) as reader:
                    progress(f"{count:,} streams")
                    found = costs(target, GET_of_a_leaf=("GET", "/api/state/Feed/n"))
                    used = cpu_seconds(target.pids[0])
                    with writes(target, "/api/state/Feed/n", 2) as took:
                        time.sleep(EVENTS / 2)
                    used = cpu_seconds(target.pids[0]) - used
                    found["a write and its delivery to all"] = spread([used / len(took) * 1000])
                    found["... until the write is answered"] = quantiles(sorted(took))
                    found["... until it is delivered (1-99 %)"] = quantiles(finish(reader))
                    found["memory of both workers, MB"] = spread([sum(worker_memory(target))])
            yield found

    return Growth("Growth with the number of open streams", titles(counts), counts).show(columns())


def quantiles(sorted_values: Sequence[float]) -> Spread:
    """The median, and between what 98 % of the values lie."""
    return Spread(*(sorted_values[int(len(sorted_values) * share)] for share in (0.5, 0.01, 0.99)))


def run(is_quick: bool = False) -> list[Table]:
    """All tables; quickly, up to a tenth of the sizes."""
    last = -1 if is_quick else None
    return [
        document_sizes((1, 18, 131, 1_000, 5_000, 16_000)[: last and last - 1]),
        keys((10, 1_000, 10_000, 100_000)[:last]),
        history((1_000, 10_000, 100_000, 1_000_000)[:last]),
        messages((1_000, 10_000, 100_000, 1_000_000)[:last]),
        open_streams((1, 100, 500, 1_000, 2_000)[: last and last - 2]),
    ]


if __name__ == "__main__":
    run("--quick" in sys.argv)
