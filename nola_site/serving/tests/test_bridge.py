"""The way from the event loop into the pool of threads and back."""

import asyncio
import threading

import pytest

from nola_site.serving import bridge
from nola_site.serving.bridge import Bridge

SCOPE = {"method": "GET", "raw_path": b"/a%2Fb%FF", "query_string": b"q=1", "http_version": "1.1", "headers": []}


def answered(application, method: str = "GET") -> list[dict]:
    """The messages that are sent when this WSGI application answers a GET."""
    sent: list[dict] = []

    async def send(message: dict) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    asyncio.run(Bridge(application, 2)(bridge.make_environ(SCOPE | {"method": method}, b""), send))
    return sent


class Pieces:
    """A body made piece by piece."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.closed = pieces, threading.Event()

    def __iter__(self):
        return iter(self.pieces)

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize(
    "pieces", [[], [b"a", b"b"], [b"x" * 300_000], [b"x" * 700_000] * 3, [b"x" * 2_000_000, b"", b"y"]]
)
def test_a_body_of_any_size_arrives_whole_and_is_closed(pieces):
    body = Pieces(*pieces)

    def application(environ, start_response):
        start_response("200 OK", [("X-One", "1"), ("X-One", "2")])
        return body

    start, *rest = answered(application)

    assert start == {"type": "http.response.start", "status": 200, "headers": [(b"x-one", b"1"), (b"x-one", b"2")]}
    assert b"".join(message["body"] for message in rest) == b"".join(pieces)
    assert [message.get("more_body", False) for message in rest] == [True] * (len(rest) - 1) + [False]
    assert body.closed.is_set()


def test_a_body_is_not_made_for_head():
    body = Pieces(b"never")

    def application(environ, start_response):
        start_response("200 OK", [("Content-Length", "5")])
        return body

    assert [message.get("body") for message in answered(application, "HEAD")] == [None, b""]
    assert body.closed.is_set()


def test_the_path_reaches_the_application_as_it_was_sent():
    environ = bridge.make_environ(SCOPE | {"headers": [(b"x-a", b"1"), (b"x-a", b"2"), (b"content-type", b"t")]}, b"12")

    assert (environ["RAW_URI"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a%2Fb%FF", "/a/b\xff", "q=1")
    assert (environ["HTTP_X_A"], environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("1,2", "t", "2")
    assert environ["wsgi.input"].read() == b"12"


def test_a_client_that_takes_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(bridge, "STALLED", 0.05)
    taken: list[int] = []

    async def send(message: dict) -> None:
        taken.append(len(message.get("body", b"")))
        if len(taken) == 3:
            await asyncio.sleep(3600)

    def large(environ, start_response):
        start_response("200 OK", [])
        return [b"x" * 3_000_000]

    def endless(environ, start_response):
        start_response("200 OK", [])
        return (b"x" * 300_000 for _ in range(10**9))

    for application in (large, endless):
        taken.clear()
        asyncio.run(Bridge(application, 2)(bridge.make_environ(SCOPE, b""), send))
        assert len(taken) == 4


def test_large_answers_that_nobody_takes_are_bounded(monkeypatch):
    monkeypatch.setattr(bridge, "MAX_OUTGOING", 2_000_000)
    statuses: list[int] = []

    def large(environ, start_response):
        start_response("200 OK", [])
        return [b"x" * 900_000]

    async def ask_thrice() -> None:
        never = asyncio.Event()

        async def send(message: dict) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            elif len(message["body"]) > 1000:
                await never.wait()

        pool = Bridge(large, 2)
        asked = [asyncio.create_task(pool(bridge.make_environ(SCOPE, b""), send)) for _ in range(3)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for one in asked:
            one.cancel()

    asyncio.run(ask_thrice())
    assert statuses == [200, 200, 503]
