"""Request bodies, read whole before Django sees the request.

Otherwise a PUT that is cut off in the middle (`123` of `12345`) reaches the view as valid JSON, chunked bodies arrive
empty, and a few slow uploads hold every thread of the pool.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings

from nola_site.serving.bridge import Receive, Scope

SECONDS = 20  # for a whole body to arrive
SMALL = 64 * 1024  # bytes that any body may have without asking for room
LARGE_BODIES = 8  # so many of the largest size may be in memory at once
MOST_DIGITS = 15  # of a Content-Length
PATIENCE = 4  # so many times the limit is read, and dropped: a client that is still sending sees no answer


class RefusedBody(Exception):
    """The body is not taken: status and detail of the answer."""

    def __init__(self, status: int, detail: str, retry: int | None = None) -> None:
        super().__init__(status, detail)
        self.status, self.detail, self.retry = status, detail, retry


class CutOffBody(Exception):
    """The body ended before its Content-Length, or the client went away: there is nobody to answer."""


def read_limit() -> int:
    """The most bytes a body may have."""
    return int(settings.NOLA_MAX_BODY_MB) * 1024 * 1024


def refuse_size() -> RefusedBody:
    limit = f"The body is larger than {read_limit():,} bytes, the limit that NOLA_MAX_BODY_MB sets"
    return RefusedBody(413, f"{limit}; ./nola importchats takes files of chats of any size")


def check_encoding(name: str) -> None:
    """Raises RefusedBody for a body that came compressed: what it would grow to, nobody knows before."""
    if name.strip().lower() not in ("", "identity"):
        raise RefusedBody(415, f"A body with Content-Encoding: {name[:40]} is not taken; send it as it is")


def check_length(digits: bytes) -> None:
    """Raises RefusedBody for a Content-Length that no body has."""
    if len(digits) > MOST_DIGITS or not digits.isdigit():
        raise RefusedBody(400, "The Content-Length is no length that a body can have; nothing was changed")


class BodyRoom:
    """Memory for large bodies, shared by all requests: whoever gets none waits before it reads on."""

    def __init__(self, size: int) -> None:
        self.free = size
        self.freed = asyncio.Event()

    async def take(self, size: int) -> None:
        while self.free < size:
            await self.freed.wait()
        self.free -= size

    def give_back(self, size: int) -> None:
        self.free += size
        self.freed.set()
        self.freed.clear()


room = BodyRoom(LARGE_BODIES * read_limit())


@asynccontextmanager
async def receive_body(scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
    """The whole body; room is kept for a large one until its request is done.

    Raises RefusedBody after 20 s, over the limit or compressed, CutOffBody when it is incomplete.
    """
    for name, value in scope["headers"]:
        if name == b"content-length":
            check_length(value)
    reading = BodyReader(scope)
    try:
        async with asyncio.timeout(SECONDS):
            await reading.finish(receive)
    except TimeoutError:
        reading.leave()
        raise reading.too_slow() from None
    except BaseException:
        reading.leave()
        raise
    try:
        yield b"".join(reading.chunks)
    finally:
        reading.leave()


class BodyReader:
    """A body on its way in."""

    def __init__(self, scope: Scope) -> None:
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        self.most = min(int(lengths[0]), read_limit()) if lengths and lengths[0].isdigit() else read_limit()
        self.is_too_large = bool(lengths) and lengths[0].isdigit() and int(lengths[0]) > read_limit()
        self.encoding = next((value for name, value in scope["headers"] if name == b"content-encoding"), b"")
        self.chunks: list[bytes] = []
        self.size = self.kept = 0

    async def finish(self, receive: Receive) -> None:
        """Read to the end, and drop what is over the limit."""
        more = True
        while more and self.size <= PATIENCE * read_limit():
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CutOffBody
            more = bool(message.get("more_body"))
            await self.add(message.get("body", b""))
        if self.is_too_large:
            raise refuse_size()
        check_encoding(self.encoding.decode("latin-1"))

    async def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.is_too_large = self.is_too_large or self.size > read_limit()
        if self.is_too_large:
            self.chunks.clear()
        elif chunk:
            self.chunks.append(chunk)
            if self.size > SMALL and not self.kept:
                await room.take(self.most)
                self.kept = self.most

    def leave(self) -> None:
        self.chunks.clear()
        if self.kept:
            room.give_back(self.kept)
            self.kept = 0

    def too_slow(self) -> RefusedBody:
        if self.size > SMALL and not self.kept and not self.is_too_large:
            return RefusedBody(503, "Too many large bodies are arriving at once; nothing was changed. Try again", 5)
        return RefusedBody(408, f"The body did not arrive within {SECONDS} seconds")
