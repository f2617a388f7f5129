"""Django's WSGI handler behind the ASGI server: a fixed pool of threads, each with its own database connection.

A request crosses into the pool and back once. An answer that is larger than WHOLE and made piece by piece crosses
piece by piece, and waits for a client that reads slowly. It is ours since it was measured to be faster than a2wsgi.
"""

import asyncio
import contextlib
import io
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from nola_site.serving import memory
from nola_site.serving.calls import list_headers
from nola_site.serving.problems import MEDIA_TYPE, format_problem

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Coroutine[Any, Any, None]]

WHOLE = 1024 * 1024  # bytes
PIECE = 256 * 1024
STALLED = 60.0  # seconds in which a client takes nothing, after which it is given up
MAX_OUTGOING = 256 * 1024 * 1024  # bytes of large answers that slow clients have yet to take


class Answer(NamedTuple):
    """A whole response: status, headers, body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Bridge:
    """Runs a WSGI application in threads, and sends what it answers."""

    def __init__(self, application: Any, threads: int) -> None:
        self.application = application
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="django")
        self.outgoing = 0

    async def __call__(self, environ: dict[str, Any], send: Send) -> None:
        """Answer a request. Nothing is sent before the application has decided on its answer."""
        answer = await self.ask(environ, send)
        if answer:
            await self.send(answer, send)

    async def ask(self, environ: dict[str, Any], send: Send, threads: Executor | None = None) -> Answer | None:
        """The application's answer, made in these threads or the pool's; None if it was large, and is sent already."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer | None] = loop.create_future()
        job = (threads or self.threads).submit(self._work, environ, loop, send, answered)
        try:
            return await answered
        finally:
            job.cancel()  # if nobody waits for it any more and it has not begun

    async def send(self, answer: Answer, send: Send) -> None:
        """Send an answer, a large one in pieces; refuse it while slow clients hold too much already."""
        size = len(answer.body)
        if size <= PIECE:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})
            return
        if self.outgoing + size > MAX_OUTGOING:
            detail = "Too many large answers are waiting for slow readers. If this was a write, it was made"
            await self.send(make_refusal(503, detail, retry=5), send)
            return
        self.outgoing += size
        try:
            await _send_in_pieces(answer, send)
        finally:
            self.outgoing -= size

    def _work(
        self,
        environ: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        send: Send,
        answered: "asyncio.Future[Answer | None]",
    ) -> None:
        began = time.monotonic()
        try:
            loop.call_soon_threadsafe(_settle, answered, self._run(environ, loop, send))
        except BaseException as error:
            loop.call_soon_threadsafe(_settle, answered, None, error)
        memory.hand_back(time.monotonic() - began)  # nobody waits for this

    def _run(self, environ: dict[str, Any], loop: asyncio.AbstractEventLoop, send: Send) -> Answer | None:
        started: list[Answer] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            started[:] = [Answer(int(status[:3]), pairs, b"")]

        response = self.application(environ, start_response)
        try:
            answer = started[0]
            if environ["REQUEST_METHOD"] == "HEAD":
                return answer
            pieces = iter(response)
            answer = answer._replace(body=_up_to(pieces, WHOLE))
            another = next(pieces, None)
            if another is None:
                return answer
            _stream(answer, chain([another], pieces), lambda message: _now(send(message), loop))
            return None
        finally:
            getattr(response, "close", lambda: None)()
            del response
            environ.clear()  # with the body, which others still name


def _settle(
    answered: "asyncio.Future[Answer | None]", answer: Answer | None, error: BaseException | None = None
) -> None:
    if answered.done():  # nobody waits
        return
    if error is None:
        answered.set_result(answer)
    else:
        answered.set_exception(error)


def _up_to(pieces: Iterator[bytes], size: int) -> bytes:
    taken: list[bytes] = []
    for piece in pieces:
        taken.append(piece)
        size -= len(piece)
        if size <= 0:
            break
    return b"".join(taken)


def _stream(answer: Answer, rest: Iterable[bytes], send: Callable[[Message], None]) -> None:
    """Send an answer and what still comes, from a thread. A client that takes nothing any more is given up."""
    send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    with contextlib.suppress(TimeoutError):
        for piece in chain([answer.body], rest):
            send({"type": "http.response.body", "body": piece, "more_body": True})
    send({"type": "http.response.body", "body": b""})


def _now(message: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(message, loop).result(STALLED)


async def _send_in_pieces(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    with contextlib.suppress(TimeoutError):
        for start in range(0, len(answer.body), PIECE):
            async with asyncio.timeout(STALLED):
                piece = answer.body[start : start + PIECE]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def drop_body(send: Send) -> Send:
    """For the answer to HEAD, which has no body whatever its headers say (RFC 9110 §9.3.2)."""

    async def without_body(message: Message) -> None:
        await send(message | {"body": b""} if "body" in message else message)

    return without_body


def make_refusal(status: int, detail: str, retry: int | None = None, close: bool = False) -> Answer:
    """A problem document that is answered without Django."""
    body = format_problem(status, detail).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body)), *guard_headers()]
    if retry is not None:
        headers.append((b"retry-after", b"%d" % retry))
    if close:
        headers.append((b"connection", b"close"))
    return Answer(status, headers, body)


@cache
def guard_headers() -> list[tuple[bytes, bytes]]:
    """The headers that every answer has, as ASGI wants them."""
    return [(name.lower().encode(), value.encode()) for name, value in list_headers()]


def make_environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """The WSGI environ (PEP 3333) of a request whose body has been read. RAW_URI has the path as it was sent."""
    raw = scope["raw_path"].decode("latin-1")
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw.partition("?")[0]).decode("latin-1"),
        "RAW_URI": raw,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    framing = False
    for name, value in scope["headers"]:
        if name in (b"content-length", b"transfer-encoding"):
            framing = True
            continue
        cgi = _cgi_name(name)
        text = value.decode("latin-1")
        environ[cgi] = f"{environ[cgi]},{text}" if cgi in environ else text
    if body or framing:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _cgi_name(name: bytes) -> str:
    if name == b"content-type":
        return "CONTENT_TYPE"
    return "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
