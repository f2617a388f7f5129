"""Load for a server, and what it costs: requests on kept connections, and the CPU of all of the server's processes.

The client shares the machine with the server, so it does next to nothing: one thread, requests that are bytes already,
answers that are counted and not read.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.bench.table import progress

TICK = os.sysconf("SC_CLK_TCK")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
NO_BODY = (204, 304)
PATIENCE = 60  # seconds for one answer
Requests = Iterator[bytes]


def request(method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
    """The bytes of a request; `if_none_match="..."` makes a header If-None-Match."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


NUMBER = b"1000000000000000"  # stands in a request for a number that no other request has
numbers = itertools.count(int(NUMBER) + time.time_ns() // 1000)


def numbered(template: bytes) -> Requests:
    """The same request again and again, with another number each time."""
    assert NUMBER in template
    return (template.replace(NUMBER, b"%d" % number) for number in numbers)


class WrongAnswer(SystemExit):
    """A server has answered something else than what is to be measured."""


class Connection:
    """A kept connection that has one request under way."""

    def __init__(self, port: int, requests: Requests, expected: tuple[int, ...]) -> None:
        self.requests, self.expected = requests, expected
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        self.sent = next(self.requests)
        self.head, self.missing = b"", -1
        self.started = time.perf_counter()
        self.socket.sendall(self.sent)

    def receive(self) -> bool:
        """Take what is there; whether the answer is complete."""
        data = self.socket.recv(1 << 18)
        if not data:
            self.refuse(b"closed the connection")
        if self.missing < 0:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.missing = self._length(end) - (len(self.head) - end - 4)
        else:
            self.missing -= len(data)
        return self.missing <= 0

    def _length(self, end: int) -> int:
        status = int(self.head[9:12])
        if status not in self.expected:
            self.refuse(b"answered " + self.head[9:400])
        if status in NO_BODY:
            return 0
        found = LENGTH.search(self.head, 0, end)
        if found is None:
            self.refuse(b"answered without a Content-Length")
        return int(found[1])

    def refuse(self, why: bytes) -> None:
        raise WrongAnswer(f"{self.sent.partition(b' HTTP/')[0][:200].decode()}: the server {why.decode()}")


class Load(NamedTuple):
    """What one run has shown."""

    requests: int
    seconds: float
    latencies: list[float]  # in ms, sorted
    cpu: float  # seconds

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU of the server a request, in ms."""
        return self.cpu / self.requests * 1000

    def quantile(self, share: float) -> float:
        return self.latencies[int(len(self.latencies) * share)]

    @property
    def p50(self) -> float:
        return self.quantile(0.5)


def drive(
    port: int,
    pids: Iterable[int],
    clients: Iterable[Requests],
    *,
    seconds: float = PATIENCE,
    count: int = sys.maxsize,
    expected: tuple[int, ...] = (200,),
) -> Load:
    """Let each client send one request after the other, until the time or the number of requests is over.

    `pids` are the servers whose processes are metered. Raises WrongAnswer.
    """
    connections = {}
    poll = select.epoll()
    try:
        for requests in clients:
            connection = Connection(port, requests, expected)
            connections[connection.socket.fileno()] = connection
            poll.register(connection.socket, select.EPOLLIN)
        pids = list(pids)
        used, started = sum(map(cpu_seconds, pids)), time.perf_counter()
        latencies = _exchange(poll, connections, count, started + seconds)
        took, used = time.perf_counter() - started, sum(map(cpu_seconds, pids)) - used
    except OSError as error:
        raise WrongAnswer(f"the server on port {port}: {error}") from error
    finally:
        poll.close()
        for connection in connections.values():
            connection.socket.close()
    return Load(len(latencies), took, sorted(latencies), used)


def _exchange(poll: select.epoll, connections: dict[int, Connection], count: int, deadline: float) -> list[float]:
    latencies: list[float] = []
    under_way = 0
    for connection in list(connections.values())[:count]:
        connection.send()
        under_way += 1
    while under_way:
        ready = poll.poll(PATIENCE)
        if not ready:
            next(iter(connections.values())).refuse(b"did not answer")
        for number, _ in ready:
            connection = connections[number]
            if not connection.receive():
                continue
            now = time.perf_counter()
            latencies.append((now - connection.started) * 1000)
            if now < deadline and len(latencies) + under_way <= count:
                connection.send()
            else:
                under_way -= 1
    return latencies


def tree(pid: int) -> list[int]:
    """A process and all that come from it."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found += map(int, children.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """What a process and all that come from it have used so far, those that have ended included."""
    used = 0.0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            used += time.clock_gettime(
                ~one << 3 | 2
            )  # its CPU clock, see clock_getcpuclockid(3); /proc has 10 ms steps
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            used += (int(fields[13]) + int(fields[14])) / TICK  # of its children that have ended
    return used


def memory(pid: int) -> float:
    """The memory of one process in MB: its own, and its share of what it shares (PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"Pss:\s+(\d+) kB", text)[1]) / 1000  # type: ignore[index]


@dataclass(frozen=True)
class Case:
    """Something to measure: `run` does it for so many seconds."""

    name: str
    run: Callable[[float], Load]


def interleave(
    cases: Iterable[Case], rounds: int = 5, seconds: float = 1.0, failed: dict[str, str] | None = None
) -> dict[str, list[Load]]:
    """What each case has shown in each round; A B C A B C, so that what disturbs the machine disturbs them alike.

    What answers wrongly stops it all, or is left out and noted in `failed`, where that is given.
    """
    left = list(cases)
    found: dict[str, list[Load]] = {case.name: [] for case in left}
    for number in range(-1, rounds):  # the first is to warm up, and does not count
        for case in tuple(left):
            progress(f"round {max(0, number + 1)} of {rounds}: {case.name}")
            try:
                load = case.run(seconds if number >= 0 else seconds / 4)
            except WrongAnswer as error:
                if failed is None:
                    raise
                failed[case.name] = str(error)
                left.remove(case)
                del found[case.name]
                continue
            if number >= 0:
                found[case.name].append(load)
    progress("")
    return found


def document(kilobytes: float) -> bytes:
    """An object of objects, 128 bytes each, of about that size; its members are k00000, k00001, ..."""
    leaves = max(1, round(kilobytes * 1000 / 128))
    texts = (hashlib.sha512(b"%d" % n).hexdigest()[:100] for n in range(leaves))
    return json.dumps(
        {f"k{n:05}": {"n": n, "text": text} for n, text in enumerate(texts)}, separators=(",", ":")
    ).encode()
