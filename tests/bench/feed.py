"""`make bench`, the feed: what open streams cost the API, and how long an event takes to all who follow.

The streams are read by a process of their own, which shares the machine with the server, as the callers of the API do.
"""

import asyncio
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tests.server import KEY, ROOT, Server, running

AUTH = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n"
HEADERS = {"Authorization": f"Bearer {KEY}"}
AT = re.compile(rb'data: \{"revision":\d+,"at":"([^"]+)"')
CALLERS = 4
SECONDS = 3.0
TRIES = 3  # of which the best counts: the one that was disturbed the least


def run(server: Server) -> None:
    row("open streams", "requests/s", "of that without", "CPU of the server", "memory")
    alone, used = measured(server)
    row("0", f"{alone:.0f}", "", f"{used:.0%}", f"{memory(server):.0f} MB")
    for count in (100, 1000):
        with streams(server, count):
            rate, used = measured(server)
            row(f"{count}, idle", f"{rate:.0f}", f"{rate / alone:.0%}", f"{used:.0%}", f"{memory(server):.0f} MB")
    with streams(server, 1000) as reader, writes(server, 2):
        rate, used = measured(server)
        row("1000, 2 writes/s", f"{rate:.0f}", f"{rate / alone:.0%}", f"{used:.0%}", f"{memory(server):.0f} MB")
        latencies(finish(reader))
    for count, rate in ((1, 50), (200, 50), (1000, 5)):
        with streams(server, count) as reader, writes(server, rate):
            time.sleep(10)
            sys.stdout.write(f"{count} streams, {rate} writes/s: ")
            latencies(finish(reader))


def measured(server: Server) -> tuple[float, float]:
    """Requests a second, and the share of one CPU that the workers use meanwhile."""
    before, started = cpu(server), time.monotonic()
    rate = max(throughput(server) for _ in range(TRIES))
    return rate, (cpu(server) - before) / (time.monotonic() - started)


def throughput(server: Server) -> float:
    """GETs of a leaf that are answered in a second, on kept connections of a few processes."""
    code = "import sys; from tests.bench.feed import call; call(*map(int, sys.argv[1:]))"
    callers = [
        subprocess.Popen([sys.executable, "-c", code, str(server.port)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(CALLERS)
    ]
    return sum(float(caller.communicate()[0]) for caller in callers)


def call(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    count, ends = 0, time.monotonic() + SECONDS
    while time.monotonic() < ends:
        connection.request("GET", "/api/state/Identity/name", None, HEADERS)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        count += 1
    sys.stdout.write(str(count / SECONDS))


@contextmanager
def streams(server: Server, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that follows the feed with so many streams, and is ready when all have said hello."""
    code = "import sys; from tests.bench.feed import read; read(*map(int, sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(server.port), str(count)]
    reader = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        if reader.stdout.readline() != "ready\n":
            raise SystemExit("the streams did not open")
        yield reader
    finally:
        reader.kill()
        reader.wait()


def finish(reader: subprocess.Popen[str]) -> list[float]:
    """The time from the write to its arrival, in ms, of each event on each stream."""
    return json.loads(reader.communicate("\n")[0])


class Reader(asyncio.Protocol):
    """One stream: notes how old each event is when it comes."""

    def __init__(self, delays: list[float], hello: asyncio.Semaphore) -> None:
        self.delays, self.hello, self.rest = delays, hello, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(f"GET /api/changes HTTP/1.1\r\n{AUTH}Accept: text/event-stream\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.time()
        data = self.rest + data
        if b"event: hello" in data:
            self.hello.release()
        for at in AT.findall(data):
            self.delays.append((now - datetime.fromisoformat(at.decode()).timestamp()) * 1000)
        self.rest = data[data.rfind(b"\n") + 1 :]

    def connection_lost(self, exc: Exception | None) -> None:
        raise SystemExit("a stream has ended")


def read(port: int, count: int) -> None:
    delays: list[float] = []

    async def follow() -> None:
        loop = asyncio.get_running_loop()
        hello = asyncio.Semaphore(0)
        for _ in range(count):
            await loop.create_connection(lambda: Reader(delays, hello), "127.0.0.1", port)
        for _ in range(count):
            await asyncio.wait_for(hello.acquire(), 30)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await loop.run_in_executor(None, sys.stdin.readline)

    asyncio.run(follow())
    sys.stdout.write(json.dumps(delays))


@contextmanager
def writes(server: Server, per_second: int) -> Iterator[None]:
    """Somebody who writes at that rate meanwhile."""
    done = threading.Event()

    def write() -> None:
        connection = server.connect()
        following = time.monotonic()
        while not done.wait(max(0.0, following - time.monotonic())):
            connection.request("PUT", "/api/state/Feed/n", str(time.time_ns()), HEADERS)
            connection.getresponse().read()
            following += 1 / per_second

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def latencies(delays: list[float]) -> None:
    delays.sort()
    p50, p99 = (delays[int(len(delays) * share)] for share in (0.5, 0.99))
    sys.stdout.write(f"{len(delays)} events delivered, p50 {p50:.0f} ms, p99 {p99:.0f} ms, last {delays[-1]:.0f} ms\n")
    sys.stdout.flush()


def children(server: Server) -> list[str]:
    return Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()


def cpu(server: Server) -> float:
    """Seconds of CPU that the workers have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children(server)]
    return sum(int(one[11]) + int(one[12]) for one in fields) / 100


def memory(server: Server) -> float:
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in children(server)]
    return sum(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in texts) / 1024


def row(*cells: str) -> None:
    sys.stdout.write("".join(f"{cell:<20}" for cell in cells).rstrip() + "\n")
    sys.stdout.flush()


def main() -> None:
    settings = {"NOLA_STREAMS_PER_KEY": "2000"}
    with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder, running(Path(folder) / "d", **settings) as server:
        run(server)


if __name__ == "__main__":
    main()
