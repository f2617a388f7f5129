import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc.patch import replay_ops
from state.jsondoc.pointer import Blocked
from state.jsondoc.projection import (
    Places,
    diff_documents,
    find_place,
    list_ways,
    project_ops,
    project_text,
    project_value,
    strip_places,
)
from state.jsondoc.text import NOTHING, dump_json

DOCUMENT = {"a": {"b": 1, "c": [1, 2]}, "list": [{"b": 1}], "0": "zero", "n": None, "e": {}}


def shown(value, *pointers):
    return project_value(value, Places(tuple("/K" + one for one in pointers)).find_ways("K"))


@pytest.mark.parametrize(
    ("pointers", "seen"),
    [
        ([""], DOCUMENT),
        (["/a/b"], {"a": {"b": 1}}),
        (["/a/b", "/a"], {"a": {"b": 1, "c": [1, 2]}}),
        (["/n"], {"n": None}),
        (["/e"], {"e": {}}),
        (["/e/x"], NOTHING),
        (["/0"], {"0": "zero"}),
        (["/list/0"], NOTHING),
        (["/list/0/b", "/a/b"], {"a": {"b": 1}}),
        (["/a/b/x"], NOTHING),
        (["/a/c"], {"a": {"c": [1, 2]}}),
        (["/a/c/0"], NOTHING),
    ],
)
def test_what_shows_of_a_document_is_its_places_and_the_way_to_them(pointers, seen):
    assert shown(DOCUMENT, *pointers) == seen


def test_nothing_shows_of_another_key_or_of_what_is_not_there():
    assert project_value(DOCUMENT, Places(("/K/a",)).find_ways("L")) is NOTHING
    assert project_value(NOTHING, Places(("/K",)).find_ways("K")) is NOTHING


@pytest.mark.parametrize(
    ("pointer", "holds", "surely"),
    [
        ("/K/a/b", True, True),
        ("/K/a/b/0/x", True, True),
        ("/K/a", False, False),
        ("/K", False, False),
        ("/L", True, True),
        ("/L/x", True, True),
        ("/K/list/0", True, False),
        ("/M", False, False),
    ],
)
def test_places_hold_what_is_at_them_or_below(pointer, holds, surely):
    places = Places(("/K/a/b", "/K/list/0", "/L"))
    tokens = pointer[1:].split("/")

    assert places.hold(tokens) == holds
    assert places.hold_surely(tokens) == surely


def test_a_message_names_the_first_places_only():
    assert str(Places(tuple(f"/{n}" for n in range(12)))).endswith("/9 and 2 more")


def test_ways_are_the_places_of_a_key():
    ways = Places(("/K/a/b", "/K/a/c", "/K/a/b/x", "/L")).find_ways("K")

    assert sorted(list_ways(ways)) == [("a", "b"), ("a", "c")]


def test_a_place_is_looked_for_through_objects_only():
    assert find_place(DOCUMENT, ("a", "b")) == 1
    assert find_place(DOCUMENT, ("x", "y")) is NOTHING
    with pytest.raises(Blocked):
        find_place(DOCUMENT, ("list", "0"))


@pytest.mark.parametrize(
    ("op", "kept"),
    [
        ({"op": "add", "path": "/a/b/x", "value": 1}, True),
        ({"op": "replace", "path": "/a/b", "value": 1}, True),
        ({"op": "add", "path": "/z", "value": 1}, False),
        ({"op": "move", "from": "/z", "path": "/y"}, False),
        ({"op": "move", "from": "/a/b/x", "path": "/a/b/y"}, True),
        ({"op": "move", "from": "/a/b/x", "path": "/z"}, None),
        ({"op": "add", "path": "/a/b", "value": 1, "position": 3}, None),
        ({"op": "remove", "path": "/a"}, None),
        ({"op": "replace", "path": "", "value": 1}, None),
        ({"op": "replace", "path": "/list/0", "value": 1}, None),
        ({"op": "replace", "path": "/list/1", "value": 1}, False),
    ],
)
def test_paths_tell_of_most_operations_whether_they_show(op, kept):
    ways = Places(("/K/a/b", "/K/list/0")).find_ways("K")

    assert project_ops([op], ways) == (None if kept is None else [op] if kept else [])


NAMES = st.sampled_from(["a", "b", "0", "é~/"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
POINTERS = st.lists(NAMES.map(lambda name: "/" + name.replace("~", "~0").replace("/", "~1")), max_size=3).map("".join)
PLACES = st.lists(POINTERS, min_size=1, max_size=3).map(lambda found: Places(tuple("/K" + one for one in found)))


@given(VALUES, PLACES)
def test_texts_show_what_values_show(value, places):
    ways = places.find_ways("K")
    seen = project_value(value, ways)

    text = project_text(dump_json(value), ways)

    assert text == (None if seen is NOTHING else dump_json(seen))


@given(VALUES, PLACES)
def test_what_shows_of_what_shows_is_the_same_and_the_rest_is_apart(value, places):
    ways = places.find_ways("K")
    seen = project_value(value, ways)

    assert project_value(seen, ways) == seen
    assert strip_places(seen, ways) is NOTHING


@given(VALUES, VALUES)
def test_a_difference_leads_there_and_back(before, after):
    for old, new in ((before, after), (NOTHING, after), (before, NOTHING)):
        forward, inverse = diff_documents(old, new)
        kept = dump_json(new) if new is not NOTHING else None

        made = replay_ops(json.loads(dump_json(old)) if old is not NOTHING else NOTHING, forward)

        assert (None if made is NOTHING else json.loads(dump_json(made))) == (kept and json.loads(kept))
        back = replay_ops(made, inverse)
        assert back == old


def test_nothing_differs_from_nothing_in_nothing():
    assert diff_documents(NOTHING, NOTHING) == ([], [])
