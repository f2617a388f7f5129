"""A process keeps no more after many requests than after some, though what each of them asks for is new."""

import gc
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from conftest import KEY
from nola_site.serving.bridge import make_environ
from state.context import sections
from state.history import past
from state.jsondoc import pointer

PAGES = ("/admin/?", "/admin/activity/?", "/admin/state/tree/?", "/admin/state/stateentry/?q=", "/admin/nothing/")
ROUND = 50  # of all requests: six hundred


class Caller:
    """Calls Django as the server does; the client of the tests would itself keep something of each request."""

    def __init__(self, session: str) -> None:
        self.handler = WSGIHandler()
        self.headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {KEY}".encode())]
        self.cookie = (b"cookie", f"{settings.SESSION_COOKIE_NAME}={session}".encode())

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        who = [self.headers[0], self.cookie] if path.startswith("/admin") else self.headers
        path, _, query = path.partition("?")
        scope = {"method": method, "raw_path": path.encode(), "query_string": query.encode(), "http_version": "1.1"}
        statuses: list[str] = []
        environ = make_environ({**scope, "headers": [*who, *sent]}, json.dumps(body).encode() if body else b"")
        answer = self.handler(environ, lambda status, headers: statuses.append(status))
        b"".join(answer)
        answer.close()
        return int(statuses[0][:3])


@pytest.fixture
def call(transactional_db, agent, owner) -> Caller:
    call = Caller(owner.cookies[settings.SESSION_COOKIE_NAME].value)
    call("PUT", "/api/state/Large", {f"member{number}": "x" * 100 for number in range(100)})
    for number in range(5):
        call("PUT", f"/api/state/Key{number}", {"leaf": number})
    return call


def ask(call: Caller, number: int) -> Iterator[int]:
    """One request of each kind, none of which is ever asked again."""
    key, word = f"/api/state/Key{number % 5}", f"word{number}"
    yield call("PUT", f"{key}/leaf", word)
    yield call("PATCH", key, {"n": number}, content_type="application/merge-patch+json")
    yield call("GET", f"{key}?pointer=/leaf")
    yield call("GET", key, if_none_match=f'"{word}"')
    yield call("GET", f"/api/state/Large/{word}")
    yield call("GET", f"/api/state?at={number + 7}")
    yield call("POST", f"/api/conversations/s{number % 7}/messages", {"speaker": "user", "message": word})
    yield call("GET", f"/api/search?q={word}")
    yield call("GET", f"/api/context?q={word}&budget={500 + number}")
    yield call("GET", f"/api/history?limit=5&actor={word}")
    yield call("GET", f"/api/none/{word}")
    yield call("GET", PAGES[number % len(PAGES)] + word)


def make_round(call: Caller, numbers: range) -> int:
    """How many blocks of memory are in use after a round of requests."""
    for number in numbers:
        assert set(ask(call, number)) <= {200, 201, 404}
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.heavy
def test_a_process_keeps_no_more_after_many_requests(call, monkeypatch):
    monkeypatch.setattr(past, "ROOM", 20_000)  # small, so that what is bounded is full by then
    monkeypatch.setattr(sections, "MOST_KEPT", 20_000)
    for number in range(pointer.KEPT):
        pointer._member(f"name{number}")

    used = [make_round(call, range(start, start + ROUND)) for start in range(0, 5 * ROUND, ROUND)]

    steps = [after - before for before, after in pairwise(used[1:])]
    assert min(steps) < 2 * ROUND, used  # what is kept of each request is kept in every round, as other things are not
