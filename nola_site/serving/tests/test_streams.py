"""The change feed as streams and by waiting, from a real server: nothing is skipped, and nothing stands in the way."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from nola_site.serving.tests.streams import Stream
from tests.server import GUNICORN, KEY, PASSWORD, Server, manage, open_database, running

pytestmark = pytest.mark.process


def put(server: Server, address: str, value: object) -> int:
    status, _, headers = server.request("PUT", f"/api/state/{address}", json.dumps(value).encode())
    assert status in (200, 201)
    return int(headers["nola-revision"])


def head(server: Server) -> str:
    return changes(server, "?since=0&limit=1000")["cursor"]


def changes(server: Server, query: str) -> dict:
    status, body, _ = server.request("GET", f"/api/changes{query}")
    assert status == 200, body
    return json.loads(body)


def workers(server: Server) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@pytest.fixture
def alone(tmp_path) -> Iterator[Server]:
    with running(tmp_path / "data") as server:
        yield server


# Streams


def test_a_stream_without_a_cursor_begins_with_hello_and_shows_what_comes(server):
    cursor = head(server)
    with Stream(server) as stream:
        assert stream.status == 200
        headers = {name.lower(): value for name, value in stream.response.getheaders()}
        assert headers["content-type"] == "text/event-stream"
        assert (headers["x-accel-buffering"], headers["cache-control"]) == ("no", "no-store")
        assert stream.next() == ("hello", {"cursor": cursor}, "")
        assert re.fullmatch(r"retry: \d{4}", stream.lines[0])

        revision = put(server, "Streamed", {"a": 1})
        event = stream.next()

        assert (event.kind, event.id) == ("message", f"{cursor.partition(':')[0]}:{revision}")
        assert event.data["changes"] == [
            {"kind": "state", "key": "Streamed", "patch": [{"op": "add", "path": "", "value": {"a": 1}}]}
        ]
        assert event.data == changes(server, f"?since={revision - 1}")["revisions"][0]


def test_a_stream_goes_on_from_any_revision_without_a_gap_or_a_repetition(server):
    first = put(server, "Gapless", 0)
    for number in range(1, 301):
        put(server, "Gapless", number)
    epoch = head(server).partition(":")[0]

    with Stream(server, f"?since={epoch}:{first - 1}") as stream:
        seen = stream.revisions(150)
    with Stream(server, "?since=0", cursor=f"{epoch}:{seen[-1]}") as stream:
        seen += stream.revisions(150)
        last = put(server, "Gapless", "last")
        seen += stream.revisions(2)

    assert seen == list(range(first, last + 1))


@pytest.mark.parametrize("cursor", ["another:1", "{epoch}:999999"])
def test_a_cursor_that_leads_nowhere_gets_one_reset_and_then_what_comes(server, cursor):
    now = head(server)
    with Stream(server, cursor=cursor.format(epoch=now.partition(":")[0])) as stream:
        event = stream.next()
        assert (event.kind, event.data["cursor"], event.id) == ("reset", now, "")
        assert "cursor" in event.data["reason"]
        revision = put(server, "AfterReset", time.time_ns())
        assert stream.next().data["revision"] == revision


def test_a_filtered_stream_shows_what_it_asks_for_only(server):
    put(server, "Inside", {"b": 1})
    with Stream(server, "?key=Wanted&pointer=/Inside/a") as stream:
        assert stream.next().kind == "hello"
        put(server, "Unwanted", time.time_ns())
        put(server, "Inside/b", time.time_ns())
        wanted = [put(server, "Wanted", time.time_ns()), put(server, "Inside/a", time.time_ns())]
        assert stream.revisions(2) == wanted


def test_bad_filters_and_missing_credentials_are_refused_before_a_stream_begins(server):
    for query, key, status in [("?pointer=x", KEY, 400), ("?limit=5", KEY, 422), ("", None, 401), ("", "no", 401)]:
        with Stream(server, query, key=key) as stream:
            assert stream.status == status
            assert json.loads(stream.response.read())["status"] == status


def test_head_of_a_stream_is_answered_and_ends(server):
    connection = server.connect()
    connection.request(
        "HEAD", "/api/changes", headers={"Accept": "text/event-stream", "Authorization": f"Bearer {KEY}"}
    )
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"")
    assert response.headers["Content-Type"] == "text/event-stream"


def test_what_other_processes_write_is_streamed_too(alone, tmp_path):
    with Stream(alone) as stream:
        assert stream.next().kind == "hello"
        rows = [{"model": "state.stateentry", "pk": "FromCli", "fields": {"value_json": 1}}]
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        assert manage(alone.data, "loaddata", str(tmp_path / "rows.json")).returncode == 0
        event = stream.next()
    assert event.data["source"] == "loaddata"
    assert event.data["actor"].startswith("cli:")
    assert event.data["changes"][0]["key"] == "FromCli"


def test_a_reader_that_falls_behind_what_is_kept_in_memory_still_gets_everything(alone):
    """More is written than sockets, buffers and the ring hold together, while the reader takes nothing."""
    cursor = head(alone)
    with Stream(alone, cursor=cursor, timeout=30) as slow:
        first = put(alone, "Slow", 0)
        for number in range(1, 400):
            put(alone, "Slow", f"{number}" + "x" * 60_000)
        last = put(alone, "Slow", "last")

        assert slow.revisions(401) == list(range(first, last + 1))


def test_an_open_stream_ends_when_its_key_is_revoked(alone):
    other = "nola_another-key-for-this-test"
    make = (
        "from access.models import *;"
        f"ApiKey.objects.create(name='other', prefix='nola_anot', sha256=hash_key({other!r}), scopes='read')"
    )
    revoke = (
        "from access.models import *; from django.utils import timezone;"
        "ApiKey.objects.filter(name='other').update(revoked_at=timezone.now())"
    )
    assert manage(alone.data, "shell", "-v0", "-c", make).returncode == 0
    with Stream(alone, key=other) as stream, Stream(alone) as mine:
        assert stream.next().kind == mine.next().kind == "hello"
        waiting = threading.Thread(target=alone.request, args=("GET", "/api/changes?since=1&wait=60", None, other))
        waiting.start()
        assert manage(alone.data, "shell", "-v0", "-c", revoke).returncode == 0

        started = time.monotonic()
        assert [event.kind for event in stream] == ["bye"]
        waiting.join(timeout=10)
        assert not waiting.is_alive()
        assert time.monotonic() - started < 5
        revision = put(alone, "Still", 1)
        assert mine.next().data["revision"] == revision
    with Stream(alone, key=other) as stream:
        assert stream.status == 401


def test_a_browser_session_opens_a_stream_and_its_end_ends_it(alone):
    connection = alone.connect()
    connection.request("GET", "/admin/login/")
    response = connection.getresponse()
    page = response.read().decode()
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    form = f"csrfmiddlewaretoken={token}&username=admin&password={PASSWORD}&next=/admin/"
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/admin/login/?next=/admin/", form, headers)
    response = connection.getresponse()
    response.read()
    session = next(v for v in response.headers.get_all("Set-Cookie") if v.startswith("nola_session")).partition(";")[0]

    stream = alone.connect()
    stream.request("GET", "/api/changes", headers={"Cookie": session, "Accept": "text/event-stream"})
    answer = stream.getresponse()
    assert answer.status == 200
    assert b"hello" in answer.readline() + answer.readline() + answer.readline()
    with open_database(alone.data) as database:
        database.execute("DELETE FROM django_session")
    assert b"the credential has ended" in answer.read()


def limit_key(server: Server, name: str, *places: str, scopes: str = "read write") -> str:
    """A key that is limited to places."""
    key = f"nola_{name}-of-these-tests"
    row = f"name='{name}', prefix='nola_', sha256=hash_key('{key}'), scopes='{scopes}', places='{json.dumps(places)}'"
    made = manage(server.data, "shell", "-c", f"from access.models import *; ApiKey.objects.create({row})")
    assert made.returncode == 0, made.stderr
    return key


def test_a_stream_tells_a_limited_key_its_places_in_every_process_and_ends_when_they_change(tmp_path):
    with running(tmp_path / "data", NOLA_WORKERS="2") as server, contextlib.ExitStack() as stack:
        until(lambda: len(workers(server)) == 2)
        put(server, "Mixed", {"mine": 0, "s3cr3t": 0})
        key = limit_key(server, "narrow", "/Mixed/mine", "/Own")
        other = limit_key(server, "other", "/Mixed/s3cr3t")
        mine = [stack.enter_context(Stream(server, key=key)) for _ in range(6)]  # so that each process has some
        theirs = [stack.enter_context(Stream(server, key=other)) for _ in range(3)]
        whole = stack.enter_context(Stream(server))
        for stream in [*mine, *theirs, whole]:
            assert stream.next().kind == "hello"

        hidden = [put(server, "Mixed/s3cr3t", n) for n in range(1, 3)]
        shown = [put(server, "Mixed/mine", 1), put(server, "Own", "all of it")]
        put(server, "s3cr3t", "s3cr3t")
        replaced = put(server, "Mixed", {"mine": 2, "s3cr3t": "large" * 20_000})

        for stream in mine:
            events = [stream.next() for _ in range(3)]
            assert [event.data["revision"] for event in events] == [*shown, replaced]
            patch = [{"op": "replace", "path": "/mine", "value": 2}]
            assert events[-1].data["changes"] == [{"kind": "state", "key": "Mixed", "patch": patch}]
        for stream in theirs:
            assert stream.revisions(3) == [*hidden, replaced]
        assert whole.revisions(6)[-1] == replaced

        with open_database(server.data) as database:
            database.execute("UPDATE access_apikey SET places = '[\"/Own\"]' WHERE name = 'narrow'")
        for stream in mine:
            assert stream.next().kind == "bye"
            assert "s3cr3t" not in "".join(stream.lines)
        again = put(server, "Mixed/s3cr3t", 3)
        assert [stream.revisions(1) for stream in theirs] == [[again]] * 3


def test_a_limited_key_waits_for_what_shows(server):
    key = limit_key(server, "waiting", "/Waited/mine")
    cursor = head(server)
    put(server, "Waited", {"other": 1})
    found: list[dict] = []

    def wait() -> None:
        connection = server.connect()
        headers = {"Authorization": f"Bearer {key}"}
        connection.request("GET", f"/api/changes?since={cursor}&wait=30", headers=headers)
        found.append(json.loads(connection.getresponse().read()))

    waiting = threading.Thread(target=wait)
    waiting.start()
    put(server, "Waited/other", 2)
    shown = put(server, "Waited/mine", 3)
    waiting.join()

    assert [event["revision"] for event in found[0]["revisions"]] == [shown]


# Waiting


def test_a_waiting_reader_gets_the_next_change_as_soon_as_it_is_there(server):
    cursor = head(server)
    answers: list[dict] = []
    waiting = threading.Thread(target=lambda: answers.append(changes(server, f"?since={cursor}&wait=30")))
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive()

    revision = put(server, "Awaited", time.time_ns())
    waiting.join(timeout=10)

    assert [event["revision"] for event in answers[0]["revisions"]] == [revision]


def test_a_waiting_reader_is_not_woken_by_what_it_does_not_want(server):
    cursor = head(server)
    answers: list[dict] = []
    query = f"?since={cursor}&key=Rare&wait=30"
    waiting = threading.Thread(target=lambda: answers.append(changes(server, query)))
    waiting.start()
    for number in range(5):
        put(server, "Common", f"{number}{time.time_ns()}")
    time.sleep(0.5)
    assert waiting.is_alive()

    revision = put(server, "Rare", time.time_ns())
    waiting.join(timeout=10)

    assert [event["revision"] for event in answers[0]["revisions"]] == [revision]


def test_a_wait_that_is_over_is_an_empty_page_with_the_cursor(server):
    cursor = head(server)
    assert changes(server, f"?since={cursor}&wait=1") == {"revisions": [], "cursor": cursor, "more": False}


def test_two_hundred_who_wait_hold_nobody_up(server):
    cursor = head(server)
    request = (
        f"GET /api/changes?since={cursor}&wait=60 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    )
    waiting = []
    for _ in range(200):
        waiting.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        waiting[-1].sendall(request.encode())
    try:
        revision = put(server, "Crowd", time.time_ns())
        for connection in waiting:
            assert f'"revision":{revision},'.encode() in connection.recv(65536)
    finally:
        for connection in waiting:
            connection.close()


# The end


def test_sigterm_says_goodbye_to_streams_and_ends_within_three_seconds(alone):
    streams = [Stream(alone) for _ in range(50)]
    kept = alone.connect()
    kept.request("GET", "/healthz")
    kept.getresponse().read()
    for stream in streams:
        assert stream.next().kind == "hello"

    started = time.monotonic()
    assert alone.stop() == 0
    took = time.monotonic() - started

    for stream in streams:
        assert [(event.kind, event.data) for event in stream] == [("bye", {"reason": "the server is stopping"})]
    assert took < 3
    assert not re.search("Traceback|ERROR|WARNING", alone.output())


def test_a_worker_that_dies_is_replaced_and_its_readers_go_on(alone):
    cursor = head(alone)
    until(lambda: len(workers(alone)) == 2)  # it answers when the first of them is there
    before = workers(alone)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Stream(alone, cursor=cursor)) for _ in range(12)]
        revision = put(alone, "Before", 1)
        ids = [stream.next().id for stream in streams]
        os.kill(before[0], signal.SIGKILL)
        last = put(alone, "After", 1)

        seen = []
        for stream, id in zip(streams, ids, strict=True):
            with contextlib.suppress(OSError, http.client.HTTPException, StopIteration):
                seen.append(stream.next().data["revision"])
                continue
            with Stream(alone, cursor=id) as again:
                seen.append(again.next().data["revision"])
        assert (revision, seen) == (last - 1, [last] * 12)
    until(lambda: len(workers(alone)) == len(before) and before[0] not in workers(alone))
    assert alone.request("GET", "/healthz", key=None)[0] == 200


@pytest.mark.sqlite
@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_database_that_is_replaced_under_the_server_stops_it_loudly(tmp_path, how):
    with running(tmp_path / "data") as server:
        path = server.data / "db" / "nola.sqlite3"
        put(server, "Real", 1)
        if how == "replaced":
            (path.parent / "other").write_bytes(path.read_bytes())
            (path.parent / "other").replace(path)
        else:
            path.rename(path.parent / "moved")

        assert server.process.wait(timeout=10) != 0

        assert f"the database file {path} was replaced or removed" in server.output()


# Limits


def test_more_streams_than_allowed_are_refused_with_a_time_to_come_back(tmp_path):
    limits = {"NOLA_STREAMS": "8", "NOLA_STREAMS_PER_KEY": "6"}
    with running(tmp_path / "data", **limits) as server, contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Stream(server)) for _ in range(9)]
        assert [stream.status for stream in streams] == [200] * 6 + [503] * 3
        assert int(streams[-1].response.headers["Retry-After"]) > 0
        assert "NOLA_STREAMS_PER_KEY" in json.loads(streams[-1].response.read())["detail"]
        status, _, headers = server.request("GET", f"/api/changes?since={head(server)}&wait=5")
        assert (status, headers["retry-after"]) == (503, "5")
        assert server.request("GET", "/api/state")[0] == 200

        until(lambda: len(workers(server)) == 2)
        killed = workers(server)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(workers(server)) == 2 and not {*killed} & {*workers(server)})
        again = [stack.enter_context(Stream(server)) for _ in range(7)]  # those of dead workers count no more
        assert [stream.status for stream in again] == [200] * 6 + [503]


def test_a_key_that_writes_too_fast_for_too_long_must_wait(tmp_path):
    with running(tmp_path / "data", NOLA_WRITES_PER_MINUTE="6") as server:
        statuses = []
        for number in range(200):
            status, body, headers = server.request("PUT", "/api/state/Wild", str(number).encode())
            statuses.append(status)
            if status == 429:
                break
            time.sleep(0.005)

        assert statuses[-1] == 429
        assert 60 <= len(statuses) < 200
        assert 0 < int(headers["retry-after"]) <= 600
        assert "NOLA_WRITES_PER_MINUTE" in json.loads(body)["detail"]
        assert server.request("GET", "/api/state/Wild")[1] == str(len(statuses) - 2).encode()


# Other servers


def test_a_wsgi_server_answers_pages_at_once_and_keeps_no_streams(tmp_path):
    with running(tmp_path / "data", *GUNICORN) as server:
        cursor = head(server)
        started = time.monotonic()
        assert changes(server, f"?since={cursor}&wait=60") == {"revisions": [], "cursor": cursor, "more": False}
        assert time.monotonic() - started < 30
        revision = put(server, "Awaited", 1)

        page = changes(server, f"?since={cursor}&wait=60")

        assert [event["revision"] for event in page["revisions"]] == [revision]
        with Stream(server) as stream:
            assert stream.status == 406
