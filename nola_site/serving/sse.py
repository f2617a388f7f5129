"""Server-sent events (the HTML standard, §9.2) and waiting readers, all on the event loop, none with a thread.

A stream keeps nothing but its cursor. What is new lies in one ring for all streams of the process; a stream that is
further behind than the ring reaches, because it has come back or reads slowly, reads pages of the log through the pool.
So a slow reader costs no memory, and misses nothing.
"""

import asyncio
import json
import random
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from access.auth import Follower
from nola_site.serving.bridge import STALLED, Receive, Send
from nola_site.serving.hub import News
from state.history import feed
from state.history.events import Event, FeedFilter
from state.history.feed import Cursor, FeedPage, Follow

RING = 1024  # events
RING_BYTES = 8 * 1024 * 1024
BATCH = 32 * 1024  # bytes that are written to a stream at once, about
CATCH_UP = 100  # revisions of a page of the log
TICK = 5.0  # seconds; the grain of the two times below
HEARTBEAT = 15.0  # seconds of silence, after which a comment is sent
MARK = 60.0  # seconds after which a cursor is sent, where nothing that was shown says how far we are
RETRY = (1000, 3000)  # milliseconds after which a client comes back: not all of them at once

InPool = Callable[..., Awaitable[Any]]


class Streams:
    """All who follow the feed in this process. Its methods run on the event loop."""

    def __init__(self, in_pool: InPool, hurry: Callable[[], None], readers: int) -> None:
        self.in_pool, self.hurry = in_pool, hurry
        self.head: Cursor | None = None
        self.start = 0  # the ring has all events in (start, head]
        self.ring: list[Event] = []
        self.ring_bytes = 0
        self.pulse = asyncio.Event()
        self.open: Counter[Follower] = Counter()
        self.ended: set[Follower] = set()
        self.closing = ""
        self._batches: dict[tuple[int, FeedFilter], tuple[bytes, int]] = {}
        self._readers = asyncio.Semaphore(readers)  # of pages of the log at a time

    # What the hub tells

    def take(self, news: News) -> None:
        """Add what is new to the ring, and wake all streams."""
        if self.head is None or news.head.epoch != self.head.epoch or news.after != self.head.seq:
            self.ring, self.ring_bytes, self.start = [], 0, news.after
        self.ring += news.events
        self.ring_bytes += sum(len(event.whole) for event in news.events)
        self.head = news.head
        self._trim()
        self._batches = {}
        self.wake()

    def end(self, followers: set[Follower]) -> None:
        """End the streams of those whose credential does not grant what it did."""
        self.ended |= followers
        self.wake()

    def close(self, reason: str) -> None:
        """End all streams."""
        self.closing = reason
        self.wake()

    def wake(self) -> None:
        self.pulse.set()
        self.pulse.clear()

    async def tick(self) -> None:
        """Wake the streams now and then, so that they see what time it is."""
        while True:
            await asyncio.sleep(TICK)
            self.ended &= self.open.keys()
            self.wake()

    def _trim(self) -> None:
        drop = max(0, len(self.ring) - RING)
        size = self.ring_bytes - sum(len(event.whole) for event in self.ring[:drop])
        while size > RING_BYTES:
            size -= len(self.ring[drop].whole)
            drop += 1
        if drop:
            self.start = self.ring[drop - 1].seq
            del self.ring[:drop]
        self.ring_bytes = size

    # What followers ask

    @asynccontextmanager
    async def count_follower(self, follower: Follower, receive: Receive) -> AsyncIterator[None]:
        """Count a follower while it is here, and cancel it when its client goes."""
        task = asyncio.current_task()
        gone = asyncio.ensure_future(_disconnected(receive))
        gone.add_done_callback(lambda done: None if done.cancelled() or task is None else task.cancel())
        self.open[follower] += 1
        self.hurry()
        try:
            yield
        finally:
            gone.cancel()
            self.open[follower] -= 1
            if not self.open[follower]:
                del self.open[follower]

    async def wait_for_news(self, wanted: FeedFilter, after: Cursor, seconds: int, follower: Follower) -> None:
        """Return when there may be something after the cursor, when time is up, or when the door is closed."""
        ends = time.monotonic() + seconds
        at = after.seq
        while not self.closing and follower not in self.ended and (left := ends - time.monotonic()) > 0:
            if self.head is not None and (self.head.epoch != after.epoch or at < self.start):
                return
            if found := await self.batch(Cursor(after.epoch, at), wanted):
                text, (_, at) = found
                if text:
                    return
                continue
            try:
                async with asyncio.timeout(left):
                    await self.pulse.wait()
            except TimeoutError:
                return

    async def follow(self, stream: Follow, send: Send) -> None:
        """Send a stream until its client goes or stalls, its credential ends, or the server stops."""
        with suppress(TimeoutError):  # the client takes nothing any more
            await (TranslatedStream if stream.told_as else Stream)(self, stream, send).run()

    async def batch(self, at: Cursor, wanted: FeedFilter) -> tuple[bytes, Cursor] | None:
        """The next events after `at`, as they are sent, and the cursor behind them; None where there is nothing new."""
        if self.head is None or self.head.epoch != at.epoch or at.seq >= self.head.seq:
            return None
        if at.seq < self.start or (wanted.needs_log and self._may_show(at.seq, wanted)):
            async with self._readers:
                page: FeedPage = await self.in_pool(feed.read_page, wanted, at, self.head, CATCH_UP)
            return b"".join(_event(at.epoch, seq, text) for seq, text in page.events), page.cursor
        text, seq = self._batch(at.seq, wanted)
        return text, Cursor(at.epoch, seq)

    def _may_show(self, after: int, wanted: FeedFilter) -> bool:
        """Whether there is anything in the ring of which something may show to a reader with limits."""
        news = self.ring[bisect_right(self.ring, after, key=lambda event: event.seq) :]
        return any(wanted.may_show(entry.kind, entry.key) for event in news for entry in event.entries)

    def _batch(self, after: int, wanted: FeedFilter) -> tuple[bytes, int]:
        """The next events in the ring; made once for all streams at the same place."""
        made = self._batches.get((after, wanted))
        if made is None:
            made = self._batches[after, wanted] = self._make(after, wanted)
        return made

    def _make(self, after: int, wanted: FeedFilter) -> tuple[bytes, int]:
        assert self.head is not None
        parts: list[bytes] = []
        size = 0
        for event in self.ring[bisect_right(self.ring, after, key=lambda event: event.seq) :]:
            text = event.text(wanted)
            if text:
                parts.append(_event(self.head.epoch, event.seq, text))
                size += len(text)
            if size >= BATCH:
                return b"".join(parts), event.seq
        return b"".join(parts), self.head.seq


class Stream:
    """One stream: where it is, and when it last said something."""

    def __init__(self, streams: Streams, stream: Follow, send: Send) -> None:
        self.streams, self.stream, self._send = streams, stream, send
        self.at = stream.after
        self.marked = stream.after.seq if not stream.greeting else -1  # the place that the client's last id names
        self.marked_at = self.spoke_at = time.monotonic()

    async def run(self) -> None:
        streams, stream = self.streams, self.stream
        await self.greet()
        while True:
            reason = streams.closing or ("the credential has ended" if stream.follower in streams.ended else "")
            if reason:
                return await self.end(reason)
            found = await streams.batch(self.at, stream.wanted)
            if found is None:
                await self.rest()
            else:
                await self.give(*found)

    async def greet(self) -> None:
        greeting = self.greeting(self.stream.greeting, self.stream.reason)
        await self.say(b"retry: %d\n\n" % random.randint(*RETRY) + greeting)

    async def end(self, reason: str) -> None:
        await self.say(_control("bye", {"reason": reason}))

    def greeting(self, kind: str, reason: str) -> bytes:
        if not kind:
            return b""
        return _control(kind, {"cursor": str(self.at)} | ({"reason": reason} if reason else {}))

    async def give(self, text: bytes, at: Cursor) -> None:
        """Send events, and move on; a stream whose filter lets nothing through moves silently."""
        self.at = at
        if text:
            self.marked, self.marked_at = at.seq, time.monotonic()
            await self.say(text)
        else:
            await self.mark()

    async def rest(self) -> None:
        """Wait for something to happen, and see to what is due by then."""
        await self.streams.pulse.wait()
        head = self.streams.head
        if head is not None and head.epoch != self.at.epoch:
            await self.start_over()
        await self.mark()
        if time.monotonic() - self.spoke_at >= HEARTBEAT:
            await self.say(b":\n\n")

    async def mark(self) -> None:
        """Give the client a cursor to come back with, where the last event it saw is long past."""
        if self.marked != self.at.seq and time.monotonic() - self.marked_at >= MARK:
            self.marked, self.marked_at = self.at.seq, time.monotonic()
            cursor = str(self.at)
            await self.say(f"id: {cursor}\n".encode() + _control("cursor", {"cursor": cursor}))

    async def start_over(self) -> None:
        """The history is another one than the cursor's: say so once, and go on from the newest revision."""
        newest: Cursor = await self.streams.in_pool(feed.read_head)
        if newest.epoch != self.at.epoch:
            self.at, self.marked, self.marked_at = newest, -1, time.monotonic()
            await self.say_reset()

    async def say_reset(self) -> None:
        await self.say(self.greeting("reset", "the history is another one now: an older file was put back"))

    async def say(self, text: bytes) -> None:
        """Raises TimeoutError if the client has taken nothing for a long time."""
        async with asyncio.timeout(STALLED):
            await self._send({"type": "http.response.body", "body": text, "more_body": True})
        self.spoke_at = time.monotonic()


class TranslatedStream(Stream):
    """A stream that is told in other words: those of `Follow.told_as`, which have no cursors."""

    async def greet(self) -> None:
        await self.say(self.stream.told_as.greet())

    async def give(self, text: bytes, at: Cursor) -> None:
        self.at = at
        if told := self.stream.told_as.translate(text):
            await self.say(told)

    async def mark(self) -> None:
        """There is nothing to come back with."""

    async def say_reset(self) -> None:
        await self.say(self.stream.told_as.start_over())

    async def end(self, reason: str) -> None:
        await self.say(self.stream.told_as.end())


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(epoch: str, seq: int, text: str) -> bytes:
    return f"id: {epoch}:{seq}\ndata: {text}\n\n".encode()


def _control(kind: str, data: dict[str, str]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
