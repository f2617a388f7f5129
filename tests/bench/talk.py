"""What conversations cost at a million messages: appending, a page anywhere, and searching for rare and common words.

All of it is written through the API, as an agent would. `python -m tests.bench_talk 100000` runs it alone, smaller.
"""

import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.server import KEY, Server, running

HEADERS = {"Authorization": f"Bearer {KEY}"}
AT_ONCE = 1000
LONG = 0.2  # of all messages are in one conversation
SHORT = 1000  # messages of each other one
WORDS = [
    f"{a}{b}{c}"
    for a in ("gar", "her", "tom", "ri", "sol")
    for b in ("a", "o", "im", "un")
    for c in ("den", "bs", "ver", "ta")
]
START = datetime(2020, 1, 1, tzinfo=UTC)


class Talk:
    def __init__(self, server: Server, total: int) -> None:
        self.server, self.total = server, total
        self.connection = server.connect()
        self.random = random.Random(1)
        self.said = 0

    def send(self, method: str, path: str, body: object = None) -> tuple[float, dict]:
        """The time of a request in ms, and its answer."""
        text = None if body is None else json.dumps(body).encode()
        started = time.perf_counter()
        try:
            self.connection.request(method, path, text, HEADERS)
            response = self.connection.getresponse()
        except http.client.HTTPException:
            self.connection = self.server.connect()
            return self.send(method, path, body)
        answer = response.read()
        took = (time.perf_counter() - started) * 1000
        if response.status not in (200, 201):
            raise SystemExit(f"{method} {path} answered {response.status}: {answer[:300]!r}")
        return took, json.loads(answer)

    def message(self) -> dict:
        """One message; every second one has the common word, every one a number of its own."""
        self.said += 1
        common = "the" if self.said % 2 else "a"
        words = " ".join(self.random.choices(WORDS, k=self.random.randint(5, 40)))
        speaker = "user" if self.said % 2 else "assistant"
        at = (START + timedelta(seconds=self.said * 60)).isoformat()
        return {"speaker": speaker, "message": f"{common} {words} n{self.said}", "timestamp": at}

    def session(self) -> str:
        """The long conversation first, then short ones."""
        return "long" if self.said < self.total * LONG else f"short-{self.said // SHORT}"

    def append(self, until: int) -> list[float]:
        """Messages up to a number, and the time of each request of AT_ONCE."""
        times = []
        while self.said < until:
            session = self.session()
            some = [self.message() for _ in range(min(AT_ONCE, until - self.said))]
            times.append(self.send("POST", f"/api/conversations/{session}/messages", some)[0])
        return times

    def single(self, session: str, count: int = 50) -> float:
        path = f"/api/conversations/{session}/messages"
        return statistics.median(self.send("POST", path, self.message())[0] for _ in range(count))

    def get(self, path: str, count: int = 15) -> float:
        return statistics.median(self.send("GET", path)[0] for _ in range(count))


def run(server: Server, total: int = 1_000_000) -> None:
    talk = Talk(server, total)
    say(f"\n{f'{total:,} messages':<44}{'ms':>10}")
    first = talk.append(10_000)
    row("append one, at the beginning", talk.single("long"))
    row("append 1,000, the first 10,000", statistics.median(first))
    started = time.perf_counter()
    talk.append(total - 10_000)
    seconds = time.perf_counter() - started
    last = talk.append(total)
    row("append 1,000, the last 10,000", statistics.median(last))
    row("append one to the long conversation", talk.single("long"))
    row("append one to a new conversation", talk.single("fresh"))
    pages(talk)
    searches(talk)
    size = (server.data / "db" / "nola.sqlite3").stat().st_size
    rate = (total - 20_000) / seconds
    say(f"written in {seconds:,.0f} s, {rate:,.0f} messages a second; the file has {size / 1e6:,.0f} MB")


def pages(talk: Talk) -> None:
    path = "/api/conversations/long/messages"
    row("first page of 100 of the long conversation", talk.get(path))
    row("last page", talk.get(f"{path}?order=newest"))
    middle = talk.send("GET", f"{path}?order=newest&limit=1000")[1]["messages"][-1]["id"] // 2
    around = talk.send("GET", f"{path}?around={middle}")[1]
    row("around a message in the middle", talk.get(f"{path}?around={middle}"))
    row("the page after it", talk.get(f"{path}?cursor={around['newer']}"))
    row("the long conversation itself", talk.get("/api/conversations/long"))
    row("list of 100 conversations", talk.get("/api/conversations"))


def searches(talk: Talk) -> None:
    rare, filtered = f"n{talk.total // 3}", "/api/search?in=messages&q=the"
    row("search for a rare word", talk.get(f"/api/search?in=messages&q={rare}"))
    row("search for a word in every second message", talk.get(filtered))
    row("... newest first", talk.get(f"{filtered}&order=newest"))
    row("... in one of many conversations", talk.get(f"{filtered}&session=short-{talk.total // 2 // SHORT}"))
    row("... of one month long ago", talk.get(f"{filtered}&since=2020-02-01&until=2020-02-29"))
    row("search for a beginning", talk.get("/api/search?in=messages&q=gard*"))
    row("search for two words and a phrase", talk.get("/api/search?in=messages&q=the+garaden+%22heroden+rioden%22"))


def row(name: str, milliseconds: float) -> None:
    say(f"{name:<44}{milliseconds:>10.1f}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="nola-bench-") as folder,
        running(Path(folder) / "data", fresh=True) as server,
    ):
        run(server, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
