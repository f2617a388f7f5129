"""How gunicorn's asgi worker speaks HTTP here: a head has a time to arrive in, and every refusal is a problem document.

What cannot be read as HTTP never reaches the site: it is answered from here.
"""

import time
from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

SECONDS = 20  # for a whole request head to arrive, as for a body
DETAILS = {
    400: "The request is not HTTP as it is to be sent: {}",
    408: f"The head of the request did not arrive within {SECONDS} seconds",
    414: "The address is too long: {}",
    431: "The headers are too large: {}",
}


class Protocol(ASGIProtocol):
    """One connection."""

    late: TimerHandle | None = None
    made = 0.0  # when the connection was

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.made = time.monotonic()
        self.worker.opened.add(self)
        self.late = self.worker.loop.call_later(SECONDS, self.give_up)  # also of one who never says a word

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._current_request is not None:
            self.stop_waiting()
        elif self.late is None:
            self.late = self.worker.loop.call_later(SECONDS, self.give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.opened.discard(self)
        self.stop_waiting()
        super().connection_lost(exc)

    def is_owed(self, since: float) -> bool:
        """Whether a request is being answered, or the first one of a connection that was made since then may come."""
        return self._current_request is not None or (self.late is not None and self.made > since)

    def stop_waiting(self) -> None:
        if self.late is not None:
            self.late.cancel()
            self.late = None

    def give_up(self) -> None:
        """Let go of somebody whose head has not arrived. The request that may have come since is answered."""
        self.late = None
        if self._current_request is None and not self._closed:
            self._send_error_response(408, "")
            self._close_transport()
            self._request_ready.set()  # whoever waits for a request looks, and ends

    def _feed_callback_parser(self, data: bytes) -> bool:
        try:
            return bool(super()._feed_callback_parser(data))
        except ValueError:  # a number with more digits than Python reads
            self._send_error_response(400, "a number in its headers is absurd")
            self._close_transport()
            return False

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        from nola_site.serving.bridge import make_refusal  # not before the worker has loaded the site

        refusal = make_refusal(status, DETAILS.get(status, "{}").format(message) or "It cannot be answered", close=True)
        headers = [*refusal.headers, *((name.encode(), value.encode()) for name, value in extra_headers)]
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), *(b": ".join(pair) for pair in headers)]
        self._safe_write(b"\r\n".join([*lines, b"", refusal.body]))
