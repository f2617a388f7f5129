"""One port for everything: bodies, streams, waiting, plain reads, `/healthz` natively; Django behind them in a pool."""

import asyncio
import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from django import db
from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started

from access.auth import Follower
from nola_site.safety import reads
from nola_site.serving import bodies, bridge, hub, limits, plain_reads, stream_slots
from nola_site.serving.again import answer_twice
from nola_site.serving.bridge import Answer, Receive, Scope, Send
from nola_site.serving.kept_answers import KeptAnswers
from nola_site.serving.sse import Streams
from state.api.changes import LIVE
from state.history.events import FeedFilter
from state.history.feed import Cursor, Follow

# What Django does around each request, and nobody needs here: connections are looked after when one is done, and that
# is enough; queries are logged where somebody asks for it; there are no caches.
request_started.disconnect(db.reset_queries)
request_started.disconnect(db.close_old_connections)
request_finished.disconnect(close_caches)

JSON = [(b"content-type", b"application/json"), (b"content-length", b"16")]
HEALTHY = Answer(200, [*JSON, *bridge.guard_headers()], b'{"status": "ok"}')
COME_BACK = 5  # seconds


class Handoff:
    """What Django leaves to us: a stream to send, or a wait after which to ask it again."""

    def __init__(self) -> None:
        self.stream: Follow | None = None
        self.waiting: tuple[FeedFilter, Cursor, int, Follower] | None = None

    def wait(self, wanted: FeedFilter, after: Cursor, seconds: int, follower: Follower) -> bool:
        self.waiting = wanted, after, seconds, follower
        return False

    def follow(self, stream: Follow) -> None:
        self.stream = stream


class Site:
    """What one process of the server has: a pool, limits to it, a hub, and the streams that it feeds."""

    def __init__(self) -> None:
        self.pool = bridge.Bridge(answer_twice(WSGIHandler()), settings.NOLA_THREADS)
        self.sign_ins = ThreadPoolExecutor(1, "sign-in", stand_back)  # a password takes 100 MB, and much time
        self.limits = limits.PoolLimits(settings.NOLA_THREADS)
        self.reads = plain_reads.PlainReads()
        self.kept = KeptAnswers(self.reads)
        self.halted = ""
        self.streams: Streams | None = None

    def start(self) -> Streams:
        """Begin to watch the database. Called from the event loop, in the process that serves."""
        if self.streams is not None:
            return self.streams
        table = stream_slots.find_table()
        self.slots = stream_slots.StreamSlots(table, settings.NOLA_STREAMS, settings.NOLA_STREAMS_PER_KEY)
        loop = asyncio.get_running_loop()
        self.hub = hub.make_hub()
        in_pool = partial(loop.run_in_executor, self.pool.threads)
        self.streams = streams = Streams(in_pool, self.hub.hurry.set, max(1, settings.NOLA_THREADS // 4))
        self.hub.on_news = lambda news: _on(loop, streams.take, news)
        self.hub.on_ended = lambda ended: _on(loop, streams.end, ended)
        self.hub.on_replaced = lambda reason: _on(loop, self.halt, reason)
        self.hub.listening = lambda: dict(streams.open)
        self.hub.start()
        self.ticking = loop.create_task(streams.tick())
        return streams

    def halt(self, reason: str) -> None:
        """Answer 503 from now on, and end the process."""
        self.halted = reason
        self.close("the server stops")
        hub.halt_process(reason)

    def close(self, reason: str) -> None:
        """Send all streams away; for a server that stops."""
        if self.streams is not None:
            self.streams.close(reason)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(scope, receive, bridge.drop_body(send) if scope["method"] == "HEAD" else send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        streams = self.start()
        if self.halted:
            return await self.refuse(503, self.halted, send, retry=60)
        if scope["path"] == "/healthz":
            return await self.pool.send(HEALTHY, send)
        if plain := await self.reads.answer(scope) or await self.kept.find(scope):
            if scope["method"] == "GET":
                reads.count_read(scope["path"], scope["query_string"].decode("latin-1"))
            return await self.pool.send(plain, send)
        try:
            async with bodies.receive_body(scope, receive) as body, self.limits.enter(scope):
                handoff = Handoff()
                environ = bridge.make_environ(scope, body) | {LIVE: handoff}
                threads = self.sign_ins if limits.is_sign_in(scope) else None
                answer = await self.pool.ask(environ, send, threads)
        except bodies.CutOffBody:
            return None
        except bodies.RefusedBody as error:
            return await self.refuse(error.status, error.detail, send, retry=error.retry, close=True)
        except limits.PoolBusy as error:
            return await self.refuse(503, str(error), send, retry=1)
        if handoff.stream:
            await self.stream(streams, handoff.stream, answer, receive, send)
        elif handoff.waiting:
            await self.wait(streams, handoff.waiting, scope, receive, send)
        elif answer:
            await self.kept.keep(scope, answer)
            await self.pool.send(answer, send)

    async def refuse(self, status: int, detail: str, send: Send, retry: int | None = None, close: bool = False) -> None:
        await self.pool.send(bridge.make_refusal(status, detail, retry, close), send)

    async def wait(
        self,
        streams: Streams,
        waiting: tuple[FeedFilter, Cursor, int, Follower],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Hold the request until there is something to say, then let Django answer it anew."""
        follower = waiting[-1]
        try:
            with self.slots.hold(follower.credential):
                async with streams.count_follower(follower, receive):
                    await streams.wait_for_news(*waiting)
                    answer = await self.pool.ask(bridge.make_environ(scope, b""), send)
        except stream_slots.TooManyStreams as error:
            return await self.refuse(503, str(error), send, retry=COME_BACK)
        if answer:
            await self.pool.send(answer, send)

    async def stream(
        self, streams: Streams, stream: Follow, opening: Answer | None, receive: Receive, send: Send
    ) -> None:
        """Send a stream, under the headers that Django has given it."""
        own = (b"content-length", b"cache-control")
        headers = [pair for pair in opening.headers if pair[0] not in own] if opening else []
        headers += [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        try:
            with self.slots.hold(stream.follower.credential):
                async with streams.count_follower(stream.follower, receive):
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                    await streams.follow(stream, send)
        except stream_slots.TooManyStreams as error:
            return await self.refuse(503, str(error), send, retry=COME_BACK)
        await send({"type": "http.response.body", "body": b""})


def stand_back() -> None:
    """Let this thread have what processor time others leave, and what it starts too."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _on(loop: asyncio.AbstractEventLoop, call: Any, argument: Any) -> None:
    """Call it on the loop, unless that has ended."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, argument)


site = Site()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await handle_lifespan(receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
    else:
        await site.answer(scope, receive, send)


async def handle_lifespan(receive: Receive, send: Send) -> None:
    """Start with the server, and end with it."""
    await receive()
    site.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    site.close("the server is stopping")
    await send({"type": "lifespan.shutdown.complete"})
