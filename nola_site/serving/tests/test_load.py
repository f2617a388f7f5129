"""What misuse costs: bounded memory, no thread that others need, and a health check that answers throughout."""

import asyncio
import contextlib
import json
import re
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nola_site.management.commands import serve
from nola_site.serving import bodies, limits
from nola_site.serving.tests.streams import Stream
from tests.server import KEY, Server, hold_turn, running

pytestmark = pytest.mark.process

AUTH = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n"
MB = 1024 * 1024


def workers(server: Server) -> list[str]:
    return subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True).stdout.split()


def memory(server: Server) -> int:
    """The bytes of memory that the workers have."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in workers(server)]
    return sum(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in texts) * 1024


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


@contextlib.contextmanager
def many(server: Server, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(server)) for _ in range(count)]


@pytest.fixture
def quiet(tmp_path) -> Iterator[Server]:
    with running(tmp_path / "data") as server:
        while len(workers(server)) < 2:  # it answers when the first of them is there
            time.sleep(0.02)
        for _ in range(40):
            server.request("GET", "/api/state")  # what is loaded once is loaded
        yield server


def test_two_hundred_slow_uploads_cost_bounded_memory_and_hold_nobody_up(quiet):
    before = memory(quiet)
    with many(quiet, 200) as uploads:
        for number, upload in enumerate(uploads):
            head = f"PUT /api/state/Slow{number} HTTP/1.1\r\n{AUTH}Content-Length: {15 * MB}\r\n\r\n"
            upload.sendall(head.encode())
            upload.setblocking(False)
        for _ in range(4):  # as much as the server takes, up to 4 MB each
            for upload in select.select([], uploads, [], 1)[1]:
                with contextlib.suppress(BlockingIOError):
                    upload.send(b"x" * MB)
            time.sleep(0.1)
            assert quiet.request("GET", "/healthz", key=None)[0] == 200
        grown = memory(quiet) - before
        assert quiet.request("PUT", "/api/state/Quick", b"1")[0] in (200, 201)
        assert select.select(uploads, [], [], 0)[0] == []  # all of them were pending meanwhile
    assert grown < 250 * MB, f"{grown / MB:.0f} MB"


def test_a_hundred_streams_that_nobody_reads_cost_bounded_memory(quiet):
    before = memory(quiet)
    with many(quiet, 100) as stalled:
        for stream in stalled:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.sendall(f"GET /api/changes HTTP/1.1\r\n{AUTH}Accept: text/event-stream\r\n\r\n".encode())
            assert stream.recv(10)
        with Stream(quiet, timeout=30) as reader:
            assert reader.next().kind == "hello"
            last = 0
            for number in range(250):
                body = json.dumps(f"{number}" + "x" * 50_000).encode()
                last = int(quiet.request("PUT", "/api/state/Loud", body)[2]["nola-revision"])
            assert reader.revisions(250)[-1] == last
        grown = memory(quiet) - before
    # each of them was owed 12 MB
    assert grown < 120 * MB, f"{grown / MB:.0f} MB"


def test_writers_who_wait_for_the_lock_leave_threads_to_readers(tmp_path):
    with running(tmp_path / "data", NOLA_WORKERS="1", NOLA_THREADS="4") as server:
        statuses: list[int] = []

        def write(number: int) -> None:
            statuses.append(server.request("PUT", f"/api/state/W{number}", b"1")[0])

        writers = [threading.Thread(target=write, args=(number,)) for number in range(20)]
        with hold_turn(server.data):
            for writer in writers:
                writer.start()
            time.sleep(0.5)
            for _ in range(20):
                assert server.request("GET", "/api/state/Identity/name")[0] == 200
                assert server.request("GET", "/healthz", key=None)[0] == 200
            assert len(statuses) < 4  # so the readers did not wait until all threads' writers had given up
        for writer in writers:
            writer.join(timeout=30)
        assert {*statuses} <= {201, 503}
        stored = json.loads(server.request("GET", "/api/state")[1])
        assert len([key for key in stored if key.startswith("W")]) == statuses.count(201) > 10


@pytest.mark.heavy
def test_a_database_that_stays_busy_answers_503_and_changes_nothing(tmp_path):
    with running(tmp_path / "data", NOLA_WORKERS="1", NOLA_THREADS="4") as server:
        answers: list[tuple[int, bytes, dict[str, str]]] = []
        writers = [
            threading.Thread(target=lambda: answers.append(server.request("PUT", "/api/state/Busy", b"1")))
            for _ in range(8)
        ]
        with hold_turn(server.data):
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join(timeout=40)

        assert [status for status, _, _ in answers] == [503] * 8
        assert all(headers["retry-after"] for _, _, headers in answers)
        assert all(json.loads(body)["status"] == 503 for _, body, _ in answers)
        assert server.request("GET", "/api/state/Busy")[0] == 404


def test_limits_leave_threads_to_readers(monkeypatch):
    monkeypatch.setattr(limits, "PATIENCE", 0.2)
    write, export = {"method": "PUT", "path": "/api/state/A"}, {"method": "GET", "path": "/api/state"}
    read = {"method": "GET", "path": "/api/state/A"}
    node = export | {"query_string": b"pointer=/A"}
    inside: list[str] = []

    async def enter(one: limits.PoolLimits, scope: dict, hold: asyncio.Event) -> None:
        try:
            async with one.enter({"query_string": b"", **scope}):
                inside.append(scope["method"] + scope["path"])
                await hold.wait()
        except limits.PoolBusy:
            inside.append("busy")

    async def scenario() -> None:
        pool, hold = limits.PoolLimits(8), asyncio.Event()
        scopes = [write] * 9 + [export] * 3 + [read] * 9 + [node] * 2
        tasks = [asyncio.create_task(enter(pool, scope, hold)) for scope in scopes]
        await asyncio.sleep(0.1)
        assert inside.count("PUT/api/state/A") == 6
        assert inside.count("GET/api/state") == 1 + 2  # one export, as seven threads hold both sorts, and two nodes
        assert inside.count("GET/api/state/A") == 9
        await asyncio.sleep(0.3)
        assert inside.count("busy") == 3 + 2
        hold.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_large_bodies_wait_for_room_and_small_ones_do_not(monkeypatch):
    monkeypatch.setattr(bodies, "room", bodies.BodyRoom(40 * MB))

    def body(size: int, hold: asyncio.Event, done: list[int]):
        chunks = [b"x" * 65536] * (size // 65536)

        async def receive() -> dict:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": chunks.pop(), "more_body": bool(chunks)}

        async def read() -> None:
            async with bodies.receive_body({"headers": [(b"content-length", str(size).encode())]}, receive) as whole:
                done.append(len(whole))
                await hold.wait()

        return asyncio.create_task(read())

    async def scenario() -> None:
        hold, done = asyncio.Event(), []
        tasks = [body(15 * MB, hold, done) for _ in range(3)]
        await asyncio.sleep(0.3)
        assert done == [15 * MB] * 2
        tasks.append(body(65536, hold, done))
        await asyncio.sleep(0.1)
        assert done[2:] == [65536]
        hold.set()
        await asyncio.gather(*tasks)
        assert done[3:] == [15 * MB]
        assert bodies.room.free == 40 * MB

    asyncio.run(scenario())


def test_the_system_lets_go_of_clients_that_have_vanished():
    with serve.open_socket("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == serve.STALLED
