"""The feed: what is read from it, and that nothing is missed or told twice when it breaks."""

import itertools

import httpx
import pytest

from nola_client import Busy, NolaError, NotAllowed, Unreachable
from nola_client.feed import Follower
from tests.server import KEY, Server, lay


class Streams(httpx.MockTransport):
    """Gives these streams, one after the other."""

    def __init__(self, *streams):
        self.streams, self.requests = list(streams), []
        super().__init__(self.answer)

    def answer(self, request):
        self.requests.append(request)
        one = self.streams.pop(0)
        if isinstance(one, Exception):
            raise one
        return one if isinstance(one, httpx.Response) else httpx.Response(200, content=one.encode())


def event(cursor, data="{}", kind=""):
    return (f"event: {kind}\n" if kind else "") + f"id: {cursor}\ndata: {data}\n\n"


QUICK = "retry: 1\n\n"
HELLO = 'event: hello\ndata: {"cursor": "e:1"}\n\n'
RESET = 'event: reset\ndata: {"cursor": "f:9"}\n\n'


def test_it_goes_on_behind_the_last_event_that_came(connect):
    streams = Streams(QUICK + HELLO, QUICK + event("e:2") + "id: e:3\ndata: {", httpx.ConnectError("no"), event("e:3"))
    nola = connect("key", transport=streams)

    found = list(itertools.islice(nola.follow(keys=["A"], pointers=["B/c"]), 2))

    assert [one.cursor for one in found] == ["e:2", "e:3"]
    assert [one.headers.get("Last-Event-ID") for one in streams.requests] == [None, "e:1", "e:2", "e:2"]
    assert {str(one.url) for one in streams.requests} == {"http://127.0.0.1:8000/api/changes?key=A&pointer=%2FB%2Fc"}


def test_a_reset_is_told_and_followed(connect):
    streams = Streams(QUICK + RESET, event("f:10"))

    found = list(itertools.islice(connect("key", transport=streams).follow("e:5"), 2))

    assert [(one.kind, one.cursor, one.revision) for one in found] == [("reset", "f:9", 9), ("change", "f:10", 10)]
    assert [one.headers["Last-Event-ID"] for one in streams.requests] == ["e:5", "f:9"]


def test_a_server_that_says_goodbye_is_asked_again_and_may_refuse(connect):
    bye = 'event: bye\ndata: {"reason": "the credential has ended"}\n\n'
    streams = Streams(QUICK + event("e:2") + bye, httpx.Response(401, json={"detail": "no"}))
    stream = connect("key", transport=streams).follow(1)

    assert next(stream).cursor == "e:2"
    with pytest.raises(NotAllowed):
        next(stream)


def test_it_comes_back_to_a_server_that_is_starting_and_gives_up_when_told_to(connect):
    refusals = [httpx.Response(status, headers={"Retry-After": "0"}) for status in (502, 503, 429, 500)]
    quick = Streams(QUICK + HELLO, *refusals, event("e:2"))
    assert next(connect("key", transport=quick).follow()).cursor == "e:2"

    for last, error in ((httpx.ConnectError("no"), Unreachable), (httpx.Response(503), Busy), ("", Unreachable)):
        with pytest.raises(error):
            next(connect("key", transport=Streams(QUICK + HELLO, HELLO, last)).follow(attempts=1))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_bytes_may_come_in_any_pieces(size):
    text = ': hi\r\nid: e:2\r\ndata: {"a":\r\ndata: "\u2028\x85ž"}\r\n\r\n' + event("e:3", kind="cursor") + event("e:4")
    sent, follower = text.encode(), Follower(None, [], [], None)

    found = [one for start in range(0, len(sent), size) for one in follower.take(sent[start : start + size])]

    assert [(one.cursor, one.data) for one in found] == [("e:2", {"a": "\u2028\x85ž"}), ("e:4", {})]


def test_it_waits_longer_each_time_and_not_for_ever():
    follower = Follower(None, [], [], None)

    pauses = [follower.fail(httpx.ConnectError("no")) for _ in range(40)]

    assert 0.5 <= pauses[0] <= 1
    assert all(15 <= pause <= 30 for pause in pauses[10:])
    with pytest.raises(NolaError):
        follower.fail(NolaError(422, "", "of no use"))


@pytest.mark.process
def test_nothing_is_missed_or_told_twice_when_the_server_is_killed(connect, tmp_path):
    lay(tmp_path / "data")
    server = Server(tmp_path / "data", NOLA_ADMIN_PASSWORD="").start()
    try:
        nola = connect(KEY, f"http://127.0.0.1:{server.port}")
        made = [nola.put("A", 1).revision]
        stream = nola.follow(made[0], keys=["A"])
        made.append(nola.put("A", 2).revision)
        found = [next(stream)]
        server.kill()
        server.start()
        made += [nola.put("A", number).revision for number in (3, 4)]
        found += [next(stream), next(stream)]
        stream.close()
    finally:
        server.close()

    assert [one.revision for one in found] == made[1:]
    assert [one.data["changes"][0]["patch"][0]["value"] for one in found] == [2, 3, 4]
