"""One connection carries all kinds of requests and answers, byte for byte where the one before it ended (RFC 9112)."""

import json
import re
import socket
from typing import NamedTuple

import pytest

from tests.server import KEY, Server

AUTH = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n"
LARGE = json.dumps(["x" * 1000] * 3000, separators=(",", ":")).encode()


class Call(NamedTuple):
    """A request, and what its answer must be; `content` None where it is not looked at."""

    method: str
    path: str
    status: int
    body: bytes | None = None
    headers: str = ""
    content: bytes | None = None
    is_chunked: bool = False

    @property
    def sent(self) -> bytes:
        head = f"{self.method} {self.path} HTTP/1.1\r\n{AUTH}{self.headers}"
        if self.body is None:
            return f"{head}\r\n".encode()
        if self.is_chunked:
            parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in re.findall(rb"(?s).{1,40000}", self.body))
            return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + parts + b"0\r\n\r\n"
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


CALLS = [
    Call("PUT", "/api/state/Kept", 201, b'{"a":1}', content=b'{"a":1}'),
    Call("GET", "/api/state/Kept", 200, content=b'{"a":1}'),
    Call("HEAD", "/api/state/Kept", 200, content=b""),
    Call("GET", "/api/state/Kept/a", 304, headers="If-None-Match: *\r\n", content=b""),
    Call("PUT", "/api/state/Kept/a", 204, b"2", headers="Prefer: return=minimal\r\n", content=b""),
    Call("PUT", "/api/state/Kept/large", 201, LARGE, content=LARGE),
    Call("GET", "/api/state/Kept/large", 200, content=LARGE),
    Call("HEAD", "/api/state/Kept/large", 200, content=b""),
    Call("PUT", "/api/state/Kept/chunked", 201, LARGE, is_chunked=True, content=LARGE),
    Call("GET", "/api/state/Nope", 404),
    Call("HEAD", "/api/state/Nope", 404, content=b""),
    Call("PUT", "/api/state/Kept", 400, b"{"),
    Call("POST", "/api/state/Kept", 405, b"{}"),
    Call("GET", "/healthz", 200),
    Call("HEAD", "/healthz", 200, content=b""),
    Call("GET", "/api/changes?limit=1", 200),
    Call("GET", "/api/changes?since=0&limit=1&wait=5", 200),
    Call("GET", "/static/nola/icon.svg", 200),
    Call("GET", "/static/unfold/fonts/material-symbols/Material-Symbols-Outlined.woff2", 200),
    Call("DELETE", "/api/state/Kept", 204, content=b""),
    Call("GET", "/api/state/Kept", 404),
]


class Reader:
    """Reads answers off a socket, each to its exact end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.buffer = connection, b""

    def answer(self, method: str) -> tuple[int, bytes]:
        head = self.until(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if method == "HEAD" or status in (100, 204, 304):
            return status, b""
        if b"transfer-encoding: chunked" in head.lower():
            return status, b"".join(iter(self.chunk, b""))
        return status, self.exactly(int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head)[1]))

    def chunk(self) -> bytes:
        content = self.exactly(int(self.until(b"\r\n"), 16))
        assert self.exactly(2) == b"\r\n"
        return content

    def until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self.more()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.more()
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def more(self) -> None:
        received = self.connection.recv(1 << 20)
        assert received, "the server closed the connection"
        self.buffer += received


@pytest.fixture
def wire(server: Server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        yield connection


def check(call: Call, answer: tuple[int, bytes]) -> None:
    assert (call.method, call.path, answer[0]) == (call.method, call.path, call.status)
    assert call.content is None or answer[1] == call.content


def test_one_connection_is_kept_through_all_kinds_of_answers(wire):
    reader = Reader(wire)

    for call in CALLS:
        wire.sendall(call.sent)
        check(call, reader.answer(call.method))
        assert reader.buffer == b""


def test_pipelined_requests_are_answered_in_order(wire):
    small = [call for call in CALLS if call.body is not LARGE and "large" not in call.path]
    wire.sendall(b"".join(call.sent for call in small))
    reader = Reader(wire)

    for call in small:
        check(call, reader.answer(call.method))
    assert reader.buffer == b""


def test_a_client_that_waits_for_100_continue_gets_it_and_then_its_answer(wire):
    reader = Reader(wire)
    for _ in range(2):
        wire.sendall(
            f"PUT /api/state/Polite HTTP/1.1\r\n{AUTH}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n".encode()
        )
        assert reader.answer("PUT")[0] == 100
        assert reader.buffer == b""
        wire.sendall(b"[1]")
        status, content = reader.answer("PUT")
        assert (status in (200, 201), content) == (True, b"[1]")


def test_a_client_that_reads_slowly_gets_all_of_it(server):
    server.request("PUT", "/api/state/Slowly", LARGE)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # far less than the answer
        connection.settimeout(30)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(Call("GET", "/api/state/Slowly", 200).sent)
        assert server.request("GET", "/healthz", key=None)[0] == 200
        assert server.request("GET", "/api/state/Slowly")[1] == LARGE
        assert Reader(connection).answer("GET") == (200, LARGE)
