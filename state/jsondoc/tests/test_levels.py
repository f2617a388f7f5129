import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc.levels import LEVELS, BadLevel, check_way, parse_stimuli, show_at_level
from state.jsondoc.pointer import Missing, parse_index
from state.jsondoc.tests import strategies
from state.jsondoc.text import NOTHING

NAMES = ["level_1", "level_2", "level_3", "a", "b", "level_4", "/", ""]
values = st.recursive(
    st.sampled_from([None, False, 0, 1.0, "", "text", [], {}]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)
any_level = st.sampled_from([1, 2, 3])


def view_at(value, tokens, level):
    """What of the node at `tokens` shows; they lead through the stored value. Raises BadLevel and Missing."""
    check_way(tokens, level)
    for token in tokens:
        value = _child(value, token)
    seen = show_at_level(value, level)
    if seen is NOTHING:
        raise Missing(f"nothing here shows at level {level}")
    return seen


def _child(value, token):
    if isinstance(value, dict) and token in value:
        return value[token]
    number = parse_index(token) if isinstance(value, list) else None
    if isinstance(value, list) and number is not None and number < len(value):
        return value[number]
    raise Missing(f"there is no member or item {token!r}")


def marked(value, deepest=0, path=()):
    """The value with each leaf replaced by the deepest level that stands above it, and its own path."""
    if isinstance(value, dict):
        return {name: marked(child, max(deepest, LEVELS.get(name, 0)), (*path, name)) for name, child in value.items()}
    if isinstance(value, list):
        return [marked(child, deepest, (*path, number)) for number, child in enumerate(value)]
    return f"<{deepest}>{path}"


def leaves(value):
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from leaves(child)
    elif value is not NOTHING:
        yield value


def names(value):
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from names(child)


def shuffled(value, random):
    if isinstance(value, dict):
        members = [(name, shuffled(child, random)) for name, child in value.items()]
        random.shuffle(members)
        return dict(members)
    return [shuffled(child, random) for child in value] if isinstance(value, list) else value


def ways(value, tokens=()):
    yield tokens
    if isinstance(value, dict | list):
        for token, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from ways(child, (*tokens, str(token)))


@given(values, any_level)
def test_nothing_deeper_than_asked_ever_shows(value, level):
    seen = show_at_level(marked(value), level)

    assert [leaf for leaf in leaves(seen) if int(leaf[1]) > level] == []
    assert [name for name in names(seen) if LEVELS.get(name, 0) > level] == []


@given(values, any_level)
def test_filtering_twice_is_filtering_once(value, level):
    once = show_at_level(value, level)

    assert once is NOTHING or show_at_level(once, level) == once


@given(values, any_level, st.randoms(use_true_random=False))
def test_the_order_of_members_does_not_matter(value, level, random):
    assert show_at_level(shuffled(value, random), level) == show_at_level(value, level)


@given(values, any_level)
def test_the_value_itself_stays_as_it_is(value, level):
    before = copy.deepcopy(value)

    show_at_level(value, level)

    assert value == before


@given(strategies.values, any_level)
def test_a_value_without_levels_shows_whole(value, level):
    assert json.dumps(show_at_level(value, level)) == json.dumps(value)


@given(values, any_level)
def test_every_member_without_levels_shows(value, level):
    leaf = {"kept": marked(value), "plain": 7}

    assert show_at_level(leaf, level)["plain"] == 7


@given(values, any_level)
def test_no_address_leads_to_deeper_detail(value, level):
    document = marked(value)

    for tokens in ways(document):
        deepest = max((LEVELS.get(token, 0) for token in tokens), default=0)
        try:
            seen = view_at(document, tokens, level)
        except Missing:
            continue
        assert deepest <= level
        assert [leaf for leaf in leaves(seen) if int(leaf[1]) > level] == []


@pytest.mark.parametrize(
    ("value", "at_1", "at_2", "at_3"),
    [
        ({"level_1": "a", "level_2": "b", "level_3": "c"}, "a", "b", "c"),
        ({"level_1": "a", "level_3": "c"}, "a", "a", "c"),
        ({"level_1": "a"}, "a", "a", "a"),
        ({"level_3": "c"}, NOTHING, NOTHING, "c"),
        ({"level_1": None, "level_2": False}, None, False, False),
        ({"x": {"level_2": 2}, "y": 1}, {"y": 1}, {"x": 2, "y": 1}, {"x": 2, "y": 1}),
        # what else survives stays, and the pick under its own name
        (
            {"level_1": "a", "level_2": "b", "x": 1},
            {"level_1": "a", "x": 1},
            {"level_2": "b", "x": 1},
            {"level_2": "b", "x": 1},
        ),
        ({"x": 1, "level_3": "c"}, {"x": 1}, {"x": 1}, {"x": 1, "level_3": "c"}),
        # the others are filtered first: at 1 none survives
        ({"level_1": "a", "x": {"level_2": 2}}, "a", {"level_1": "a", "x": 2}, {"level_1": "a", "x": 2}),
        # levels within levels
        ({"level_1": {"level_1": "a", "level_2": "b"}}, "a", "b", "b"),
        ({"level_2": {"level_1": "a", "level_3": "c"}}, NOTHING, "a", "c"),
        ({"level_1": {"level_3": "c"}}, NOTHING, NOTHING, "c"),
        ({"level_1": {"level_3": "c"}, "x": 1}, {"x": 1}, {"x": 1}, {"level_1": "c", "x": 1}),
        ({"level_1": "a", "level_2": {"level_3": "c"}}, "a", NOTHING, "c"),
        # lists close up, at every depth
        ([1, {"level_2": 2}, 3], [1, 3], [1, 2, 3], [1, 2, 3]),
        ([[{"level_3": 3}], {"level_1": [{"level_2": 2}, 1]}], [[], [1]], [[], [2, 1]], [[3], [2, 1]]),
        ({"x": {"y": {"level_3": 3}}}, {"x": {}}, {"x": {}}, {"x": {"y": 3}}),
        # no level of ours
        ({"level_0": 0, "level_4": 4, "Level_3": 5}, *[{"level_0": 0, "level_4": 4, "Level_3": 5}] * 3),
        ({}, {}, {}, {}),
        ([], [], [], []),
        ("level_3", "level_3", "level_3", "level_3"),
    ],
)
def test_what_shows_at_each_level(value, at_1, at_2, at_3):
    assert [show_at_level(value, 1), show_at_level(value, 2), show_at_level(value, 3)] == [at_1, at_2, at_3]


def test_members_keep_their_order():
    assert list(show_at_level({"b": 1, "level_1": "a", "a": 2}, 2)) == ["b", "level_1", "a"]


PROFILE = {
    "name": {"level_1": "J", "level_2": ["J", {"level_3": "R"}, "S"], "level_3": {"first": "J"}},
    "deep": {"level_3": "c"},
    "list": [{"level_3": "c"}, "x"],
    "null": None,
}


@pytest.mark.parametrize(
    ("tokens", "level", "seen"),
    [
        ((), 1, {"name": "J", "list": ["x"], "null": None}),
        (("name",), 1, "J"),
        (("name",), 2, ["J", "S"]),
        (("name", "level_1"), 2, "J"),
        (("name", "level_2", "2"), 2, "S"),
        (("name", "level_3", "first"), 3, "J"),
        (("list", "1"), 1, "x"),
        (("null",), 1, None),
    ],
)
def test_a_way_leads_through_the_stored_value(tokens, level, seen):
    assert view_at(PROFILE, tokens, level) == seen


@pytest.mark.parametrize(
    ("tokens", "level"),
    [
        (("name", "level_2"), 1),
        (("name", "level_3", "first"), 2),
        (("name", "level_2", "1"), 2),
        (("deep",), 2),
        (("list", "0"), 2),
        (("list", "2"), 3),
        (("list", "01"), 3),
        (("list", "-"), 3),
        (("null", "x"), 3),
        (("nothing",), 3),
    ],
)
def test_a_way_through_deeper_detail_or_to_nothing_is_missing(tokens, level):
    with pytest.raises(Missing):
        view_at(PROFILE, tokens, level)


def test_a_refusal_does_not_tell_whether_deeper_detail_exists():
    with pytest.raises(Missing) as hidden:
        view_at({"level_3": 1}, ("level_3",), 2)
    with pytest.raises(Missing) as missing:
        view_at({"level_1": 1}, ("level_3",), 2)

    assert str(hidden.value) == str(missing.value) == "'level_3' does not show at level 2"


@pytest.mark.parametrize("level", [0, 4, 7, -1])
def test_an_unknown_level_is_refused(level):
    with pytest.raises(BadLevel, match=f"there is no level {level}; the levels are 1, 2 and 3"):
        show_at_level({}, level)
    with pytest.raises(BadLevel):
        view_at({}, ("level_3",), level)


@pytest.mark.parametrize(
    ("stimuli", "level"), [("realtime", 1), ("conversational", 2), ("analytical", 3), ("dream", 2), ("", 2)]
)
def test_each_stimulus_has_its_level(stimuli, level):
    assert parse_stimuli(stimuli) == level
