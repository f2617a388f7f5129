"""What a stream does as time passes, on an event loop of its own, with short times."""

import asyncio
from typing import Any

import pytest

from access.auth import Follower, KeyCredential
from access.rights import grant_key
from nola_site.serving import sse
from nola_site.serving.hub import News
from nola_site.serving.sse import Streams
from state.address import Address
from state.history import feed
from state.history.events import Event, EventEntry, FeedFilter
from state.history.feed import Cursor, FeedPage, Follow

KEY, OTHER = (Follower(KeyCredential(number, "x"), grant_key("planner", "read")) for number in (1, 2))
ALL, RARE = FeedFilter(), FeedFilter(frozenset([Address("Rare")]))


def event(seq: int, key: str = "Common", size: int = 1) -> Event:
    made = Event(seq, f'{{"revision":{seq}', [EventEntry("state", key, f"[{'1' * size}]")])
    made.whole = made._text(made.entries)
    return made


def news(*seqs: int, epoch: str = "e", **about: Any) -> News:
    return News(seqs[0] - 1, Cursor(epoch, seqs[-1]), [event(seq, **about) for seq in seqs])


class Client:
    """A client of one stream: what it was sent, as text."""

    def __init__(self, wanted: FeedFilter = ALL, after: int = 0, greeting: str = "hello") -> None:
        self.text = ""
        self.stream = Follow(wanted, Cursor("e", after), KEY, greeting)
        self.is_stalled = False

    async def send(self, message: dict) -> None:
        if self.is_stalled:
            await asyncio.sleep(3600)
        self.text += message["body"].decode()

    async def until(self, part: str) -> None:
        async with asyncio.timeout(10):
            while part not in self.text:
                await asyncio.sleep(0.001)


async def nothing_in_pool(call: Any, *arguments: Any) -> Any:
    raise AssertionError("the log is not read")


def play(scenario: Any, in_pool: Any = nothing_in_pool) -> None:
    async def run() -> None:
        streams = Streams(in_pool, lambda: None, 2)
        ticking = asyncio.create_task(streams.tick())
        await scenario(streams)
        ticking.cancel()

    asyncio.run(run())


def follow(streams: Streams, client: Client) -> asyncio.Task:
    return asyncio.create_task(streams.follow(client.stream, client.send))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for name, seconds in [("TICK", 0.01), ("HEARTBEAT", 0.05), ("MARK", 0.2)]:
        monkeypatch.setattr(sse, name, seconds)


def test_a_silent_stream_shows_that_it_lives():
    async def scenario(streams: Streams) -> None:
        client = Client()
        task = follow(streams, client)
        await client.until(":\n\n:\n\n")
        task.cancel()

    play(scenario)


def test_a_filtered_stream_gets_a_cursor_now_and_then_and_not_twice_the_same():
    async def scenario(streams: Streams) -> None:
        client = Client(RARE)
        task = follow(streams, client)
        streams.take(news(1, 2, 3))
        await client.until('id: e:3\nevent: cursor\ndata: {"cursor": "e:3"}\n\n')
        await asyncio.sleep(0.5)
        assert client.text.count("event: cursor") == 1
        streams.take(news(4, key="Rare"))
        await client.until("id: e:4\ndata: ")
        assert "e:1\n" not in client.text
        task.cancel()

    play(scenario)


def test_events_that_were_streamed_need_no_cursor():
    async def scenario(streams: Streams) -> None:
        client = Client(after=1, greeting="")
        task = follow(streams, client)
        streams.take(news(2, 3))
        await client.until("id: e:3\n")
        await asyncio.sleep(0.5)
        assert "event: cursor" not in client.text
        task.cancel()

    play(scenario)


def test_a_new_epoch_is_one_reset_and_streaming_goes_on():
    async def in_pool(call: Any, *arguments: Any) -> Any:
        assert call is feed.read_head
        return Cursor("f", 9)

    async def scenario(streams: Streams) -> None:
        client = Client(after=1, greeting="")
        streams.take(news(1))
        task = follow(streams, client)
        await asyncio.sleep(0.01)
        streams.take(news(8, 9, epoch="f"))
        await client.until("event: reset")
        streams.take(news(10, epoch="f"))
        await client.until("id: f:10\n")
        assert client.text.count("event: reset") == 1
        assert 'f:9\ndata: {"revision"' not in client.text
        task.cancel()

    play(scenario, in_pool)


def test_who_is_behind_the_ring_reads_the_log_and_then_the_ring(monkeypatch):
    monkeypatch.setattr(sse, "RING", 10)
    pages: list[int] = []

    async def in_pool(call: Any, wanted: FeedFilter, after: Cursor, newest: Cursor, limit: int) -> FeedPage:
        pages.append(after.seq)
        seqs = range(after.seq + 1, min(after.seq + limit, newest.seq) + 1)
        return FeedPage([(seq, f'{{"revision":{seq}}}') for seq in seqs], Cursor("e", seqs[-1]), False)

    async def scenario(streams: Streams) -> None:
        streams.take(news(*range(1, 296)))
        assert len(streams.ring) == 10
        client = Client(after=0, greeting="")
        task = follow(streams, client)
        await client.until("id: e:295\n")
        streams.take(news(296))
        await client.until("id: e:296\n")
        ids = [line[6:] for line in client.text.splitlines() if line.startswith("id: ")]
        assert ids == [str(seq) for seq in range(1, 297)]
        assert pages == [0, 100, 200]
        task.cancel()

    play(scenario, in_pool)


def test_the_ring_is_bounded_in_bytes_too(monkeypatch):
    monkeypatch.setattr(sse, "RING_BYTES", 100_000)

    async def scenario(streams: Streams) -> None:
        for seq in range(1, 50):
            streams.take(news(seq, size=30_000))
            assert streams.ring_bytes <= 100_000
        assert [one.seq for one in streams.ring] == [47, 48, 49]
        assert streams.start == 46

    play(scenario)


def test_a_client_that_takes_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(sse, "STALLED", 0.1)

    async def scenario(streams: Streams) -> None:
        client = Client()
        task = follow(streams, client)
        await client.until("hello")
        client.is_stalled = True
        streams.take(news(1))
        await asyncio.wait_for(task, 10)

    play(scenario)


def test_a_stream_ends_with_its_credential_and_others_go_on():
    async def scenario(streams: Streams) -> None:
        mine, other = Client(), Client()
        other.stream = Follow(ALL, Cursor("e", 0), OTHER, "hello")
        tasks = [follow(streams, mine), follow(streams, other)]
        await mine.until("hello")
        streams.end({KEY})
        await asyncio.wait_for(tasks[0], 10)
        streams.take(news(1))
        await other.until("id: e:1\n")
        assert mine.text.endswith('event: bye\ndata: {"reason": "the credential has ended"}\n\n')
        tasks[1].cancel()

    play(scenario)
