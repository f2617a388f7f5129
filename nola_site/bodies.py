"""Request bodies, read whole before Django sees the request.

Otherwise a PUT that is cut off in the middle (`123` of `12345`) reaches the view as valid JSON, chunked bodies arrive
empty, and a few slow uploads hold every thread of the pool.
"""

import asyncio
import io
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings

from nola_site.bridge import Receive
from nola_site.problems import MEDIA_TYPE, document

SECONDS = 20  # for a whole body to arrive
PATIENCE = 4  # so many times the limit is read, and dropped: a client that is still sending sees no answer


class Unreadable(Exception):
    """The body is not taken: status and detail of the answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status, self.detail = status, detail


class CutOff(Exception):
    """The body ended before its Content-Length, or the client went away: there is nobody to answer."""


def limit() -> int:
    """The most bytes a body may have."""
    return int(settings.NOLA_MAX_BODY_MB) * 1024 * 1024


def too_large() -> Unreadable:
    return Unreadable(413, f"The body is larger than {limit():,} bytes, the limit that NOLA_MAX_BODY_MB sets")


async def read(receive: Receive) -> bytes:
    """The whole body. Raises Unreadable after 20 s or over the limit, CutOff when it is incomplete."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                message: Any = await receive()
                if message["type"] == "http.disconnect":
                    raise CutOff
                size += len(message.get("body", b""))
                if size <= limit():
                    chunks.append(message.get("body", b""))
                if not message.get("more_body") or size > PATIENCE * limit():
                    break
    except TimeoutError:
        raise Unreadable(408, f"The body did not arrive within {SECONDS} seconds") from None
    if size > limit():
        raise too_large()
    return b"".join(chunks)


class WholeBody:
    """The same for a WSGI server: refuses what is cut off or too large, and gives chunked bodies their length."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            body = _read_wsgi(environ)
        except Unreadable as error:
            start_response(f"{error.status} Refused", [("Content-Type", MEDIA_TYPE), ("Connection", "close")])
            return [document(error.status, error.detail).encode()]
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return self.app(environ, start_response)


def _read_wsgi(environ: Any) -> bytes:
    length = environ.get("CONTENT_LENGTH") or None
    if length is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    stream = environ["wsgi.input"]
    body: bytes = stream.read(limit() + 1 if length is None else min(int(length), limit() + 1))
    if len(body) > limit():
        rest = PATIENCE * limit()
        while rest > 0 and (chunk := stream.read(min(rest, 65536))):
            rest -= len(chunk)
        raise too_large()
    if length and len(body) != int(length):
        raise Unreadable(400, f"The body has {len(body)} bytes where Content-Length says {length}; nothing was changed")
    return body
