"""The gunicorn worker of `./nola serve`: its asgi worker, which ends as soon as nothing is being answered."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from gunicorn.workers import gasgi
from gunicorn.workers.gasgi import ASGIWorker

from nola_site.serving.protocol import Protocol

TURN = 0.0002  # seconds for each connection; as long as another worker takes to wake up
LONGEST_TURN = 0.005
TURNS = 10  # of the event loop, more than it takes for a connection that was let in to be one of ours
FRESH = 1.0  # seconds in which a stop waits for the first words of a connection


class SharedListener(socket.socket):
    """The socket that all workers listen on. A worker that was given a connection leaves the next one to the others
    for a while, the longer the more it has: asyncio would take all that wait, and the others would have none.
    """

    worker: "Worker"
    given = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        if time.monotonic() < self.given + min(TURN * (1 + self.worker.connections), LONGEST_TURN):
            raise BlockingIOError  # as if no more were waiting
        accepted = super().accept()
        self.given = time.monotonic()
        return accepted

    def take_waiting(self) -> Iterator[socket.socket]:
        """All connections that wait: the system resets those that nobody has taken when the last worker closes this."""
        with suppress(BlockingIOError):
            while True:
                yield super().accept()[0]


class Worker(ASGIWorker):
    """Tells open streams at once that it stops, and does not wait for connections that are merely kept open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.connections = 0
        self.opened: set[Protocol] = set()
        super().__init__(*args, **kwargs)

    def init_process(self) -> None:
        gasgi.ASGIProtocol = Protocol  # it takes no other by a setting
        for listener in self.sockets:
            listener.sock = SharedListener(fileno=listener.sock.detach())
            listener.sock.worker = self
        super().init_process()

    @property
    def nr_conns(self) -> int:
        """The open connections; while stopping, those that a stop waits for."""
        if self.alive:
            return self.connections
        return sum(protocol.is_owed(time.monotonic() - FRESH) for protocol in self.opened)

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self.connections = count

    async def _shutdown(self) -> None:
        waiting = [connection for listener in self.sockets for connection in listener.sock.take_waiting()]
        for server in self.servers:
            server.close()
        for connection in waiting:
            await self.loop.connect_accepted_socket(lambda: Protocol(self), connection)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await super()._shutdown()

    def handle_exit_signal(self) -> None:
        super().handle_exit_signal()
        self.say_goodbye()

    def handle_quit_signal(self) -> None:
        super().handle_quit_signal()
        self.say_goodbye()

    def say_goodbye(self) -> None:
        from nola_site.serving.site import site

        site.close("the server is stopping")
