"""Open streams of the feed, read by a process of their own that notes how long each event has taken to come."""

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from tests.bench.load import NUMBER, drive, numbered, request
from tests.bench.servers import Target
from tests.server import KEY, ROOT

ASK = request("GET", "/api/changes", Authorization=f"Bearer {KEY}", Accept="text/event-stream")
AT = re.compile(rb'data: \{"revision":\d+,"at":"([^"]+)"')
PATIENCE = 60  # seconds


@contextmanager
def streams(target: Target, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that follows the feed with so many streams; all have said hello."""
    command = [sys.executable, "-m", "tests.bench.streams", str(target.port), str(count)]
    reader = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        if reader.stdout.readline() != "ready\n":
            raise SystemExit("the streams did not open")
        yield reader
    finally:
        reader.kill()
        reader.communicate()


def finish(reader: subprocess.Popen[str]) -> list[float]:
    """The time from the write to its arrival, in ms, of each event on each stream; sorted."""
    return sorted(json.loads(reader.communicate("\n")[0]))


@contextmanager
def writes(target: Target, path: str, per_second: float) -> Iterator[list[float]]:
    """Somebody who writes a number there at that rate meanwhile; how long each write took, in ms."""
    took: list[float] = []
    done, put = threading.Event(), numbered(target.request("PUT", path, NUMBER))

    def write() -> None:
        while not done.wait(1 / per_second):
            took.append(drive(target.port, (), [put], count=1).p50)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield took
    finally:
        done.set()
        writer.join()


class Reader(asyncio.Protocol):
    """One stream: notes how old each event is when it comes."""

    def __init__(self, delays: list[float], hello: asyncio.Semaphore) -> None:
        self.delays, self.hello, self.rest = delays, hello, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(ASK)

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


async def follow(port: int, count: int, delays: list[float]) -> None:
    """Until a line comes in."""
    loop, hello = asyncio.get_running_loop(), asyncio.Semaphore(0)
    for _ in range(count):
        await loop.create_connection(lambda: Reader(delays, hello), "127.0.0.1", port)
    for _ in range(count):
        await asyncio.wait_for(hello.acquire(), PATIENCE)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    delays: list[float] = []
    asyncio.run(follow(int(sys.argv[1]), int(sys.argv[2]), delays))
    sys.stdout.write(json.dumps(delays))
