"""Nola under a plain WSGI server: bodies are read whole, a replaced database stops it. No reader waits here."""

import io
import os
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from nola_site.serving import bodies, hub
from nola_site.serving.bodies import RefusedBody
from nola_site.serving.calls import list_headers
from nola_site.serving.problems import MEDIA_TYPE, format_problem

COME_BACK = 60  # seconds


class WsgiSite:
    """Around Django: refuses cut-off or too large bodies, gives chunked ones their length, and watches the database."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app
        self.pid = 0
        self.halted = ""
        self.starting = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.start()
        if self.halted:
            return _refuse(start_response, 503, self.halted, ("Retry-After", str(COME_BACK)))
        try:
            bodies.check_encoding(environ.get("HTTP_CONTENT_ENCODING", ""))
            body = _read_body(environ)
        except RefusedBody as error:
            return _refuse(start_response, error.status, error.detail, ("Connection", "close"))
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return self.app(environ, start_response)

    def start(self) -> None:
        """Begin to watch the database, in the process that serves: not before a fork."""
        if self.pid == os.getpid():
            return
        with self.starting:
            if self.pid != os.getpid():
                self.pid = os.getpid()
                watch = hub.make_hub()
                watch.on_replaced = self.halt
                watch.start()

    def halt(self, reason: str) -> None:
        """Answer 503 from now on, and end the process."""
        self.halted = reason
        hub.halt_process(reason)


def _refuse(start_response: StartResponse, status: int, detail: str, *headers: tuple[str, str]) -> list[bytes]:
    body = format_problem(status, detail).encode()
    about = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", [*about, *list_headers(), *headers])
    return [body]


def _read_body(environ: Any) -> bytes:
    length = environ.get("CONTENT_LENGTH") or None
    if length is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    stream = environ["wsgi.input"]
    body: bytes = stream.read(bodies.read_limit() + 1 if length is None else min(int(length), bodies.read_limit() + 1))
    if len(body) > bodies.read_limit():
        rest = bodies.PATIENCE * bodies.read_limit()
        while rest > 0 and (chunk := stream.read(min(rest, 65536))):
            rest -= len(chunk)
        raise bodies.refuse_size()
    if length and len(body) != int(length):
        raise RefusedBody(
            400, f"The body has {len(body)} bytes where Content-Length says {length}; nothing was changed"
        )
    return body
