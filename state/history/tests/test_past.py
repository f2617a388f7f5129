import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from state import store
from state.address import Address
from state.history import past, replay
from state.jsondoc.levels import LEVELS, show_at_level
from state.jsondoc.tests import strategies
from state.jsondoc.text import Nothing, dump_json, make_document
from state.revisions import Author, Source

ADA = Author("user:ada", Source.ADMIN)


@pytest.fixture
def keeping(monkeypatch):
    """Keep texts inside the transaction of a test too, which is never taken back while it runs."""
    monkeypatch.setattr(past, "cache", past._Kept())
    monkeypatch.setattr(past, "is_settled", lambda: True)


def put(key: str, value: object) -> None:
    store.put(Address(key), make_document(value), ADA)


def replayed(key: str, revision: int) -> str | None:
    document = replay.document_at(key, revision)
    return None if isinstance(document, Nothing) else dump_json(document)


class Moments(TestCase):
    @given(st.lists(st.none() | strategies.values, min_size=2, max_size=8), st.data())
    def test_a_text_beside_another_is_the_one_that_replay_gives(self, values, data):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(past, "cache", past._Kept())
            patch.setattr(past, "is_settled", lambda: True)
            for value in values:
                store.remove_keys(["Key"], ADA) if value is None else put("Key", value)
            for revision in data.draw(st.lists(st.integers(0, store.head()), min_size=4, max_size=12)):
                found = past.text_at("Key", revision)
                assert (found and found.text) == replayed("Key", revision)


@pytest.mark.django_db
def test_the_moment_beside_one_that_was_read_needs_no_replay(keeping, monkeypatch):
    for number in range(20):
        put("Task", {"n": number, "rest": ["x"] * 50})
    replays = []
    monkeypatch.setattr(past, "_replayed", lambda name: replays.append(name) or replayed(name.key, name.revision))

    for revision in (20, 19, 18, 12, 13, 5):
        assert json.loads(past.text_at("Task", revision).text)["n"] == revision - 1

    assert replays == []


@pytest.mark.django_db
def test_a_key_that_did_not_change_is_read_once(keeping, django_assert_num_queries):
    put("Task", {"n": 1})
    for number in range(5):
        put("Other", number)
    put("Task", {"n": 2})
    past.text_at("Task", 3)

    with django_assert_num_queries(1):
        assert past.text_at("Task", 5).text == '{"n":1}'


@pytest.mark.django_db
def test_no_more_is_kept_than_there_is_room_for(keeping, monkeypatch):
    monkeypatch.setattr(past, "ROOM", 3000)
    for number in range(10):
        put("Task", [number, "x" * 300])

    for revision in range(1, 11):
        past.text_at("Task", revision)

    assert past.cache.size <= 3000
    assert past.cache.size == sum(map(past.weigh, past.cache.texts.values()))


@pytest.mark.django_db
def test_nothing_is_kept_of_a_write_that_may_be_taken_back():
    put("Task", 1)

    past.text_at("Task", 1)

    assert not past.cache.texts


@pytest.mark.django_db
@given(value=strategies.values)
def test_a_document_without_levels_shows_as_it_is(value):
    one = past.KeyText(past.TextName("", "Key", 1), dump_json(value))

    for level in LEVELS.values():
        seen = past.show_text(one, level)
        assert (seen and seen.text) == dump_json(show_at_level(value, level))
