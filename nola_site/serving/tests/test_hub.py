"""What watches the database: it reads each revision once, survives a busy moment, and never fails unnoticed."""

import itertools

import pytest
from django.db import OperationalError

from access.database import engine
from nola_site.serving import hub
from nola_site.serving.hub import Hub, News
from state import store
from state.address import Address
from state.history import feed
from state.jsondoc.text import parse_json
from state.revisions import Author, Source


def put(number: int) -> int:
    return store.put(Address("Counted"), parse_json(str(number)), Author("key:default", Source.API)).revision


@pytest.fixture
def watched(db, monkeypatch) -> tuple[Hub, list[News]]:
    versions = itertools.count()  # the real ones tell of other connections only
    monkeypatch.setattr(type(engine()), "read_version", lambda self: next(versions))
    watcher, heard = Hub(None), []
    watcher.on_news = heard.append
    return watcher, heard


def test_each_revision_is_told_once_and_in_order(watched):
    watcher, heard = watched
    put(1)
    watcher._turn()
    put(2)
    put(3)
    watcher._turn()
    watcher._turn()

    assert [(news.after, news.head.seq, [event.seq for event in news.events]) for news in heard] == [
        (0, 1, [1]),
        (1, 3, [2, 3]),
    ]


def test_more_than_can_be_read_at_once_is_told_as_a_gap_that_readers_fill(watched, monkeypatch):
    monkeypatch.setattr(hub, "AHEAD", 3)
    watcher, heard = watched
    put(0)
    watcher._turn()
    for number in range(1, 9):
        put(number)
    watcher._turn()

    assert (heard[1].after, [event.seq for event in heard[1].events]) == (6, [7, 8, 9])


def test_a_database_that_cannot_be_read_just_now_is_read_again(watched, monkeypatch, caplog):
    watcher, heard = watched
    monkeypatch.setattr(hub.connection, "close", lambda: None)  # the test's own
    put(1)
    with monkeypatch.context() as broken:
        broken.setattr(feed, "read_head", lambda: (_ for _ in ()).throw(OperationalError("disk I/O error")))
        assert watcher._turn() == hub.BACK_OFF
    assert "disk I/O error" in caplog.text
    assert heard == []

    watcher._turn()

    assert [event.seq for event in heard[0].events] == [1]


def test_a_hub_that_fails_takes_its_process_with_it(watched, monkeypatch, caplog):
    watcher, _ = watched
    left: list[int] = []
    monkeypatch.setattr(hub.os, "_exit", left.append)
    watcher.on_news = lambda news: 1 / 0
    put(1)

    watcher._run()

    assert left == [1]
    assert "ZeroDivisionError" in caplog.text
