import jsonpatch
import pytest
from hypothesis import given, settings

from state.jsondoc.patch import replay_ops
from state.jsondoc.tests import strategies
from state.jsondoc.text import dump_json, parse_json
from state.jsondoc.trees.moves import diff_values


def text(value):
    return dump_json(value)


def replayed(value, ops):
    return text(replay_ops(parse_json(text(value)).value, ops))


@settings(max_examples=400)
@given(strategies.small_values, strategies.small_values)
def test_a_diff_leads_there_and_back_to_the_byte(old, new):
    forward, inverse = diff_values(old, new)

    assert replayed(old, forward) == text(new)
    assert replayed(new, inverse) == text(old)
    assert (forward == []) == (text(old) == text(new))


@settings(max_examples=200)
@given(strategies.values, strategies.values)
def test_an_independent_implementation_agrees(old, new):
    forward, _ = diff_values(old, new)
    plain = [op for op in forward if op.get("from") != op["path"]]  # a move onto itself only reorders

    assert jsonpatch.apply_patch(old, plain) == new


@pytest.mark.parametrize(
    ("old", "new", "forward"),
    [
        ({"a": 1}, {"a": 1.0}, [{"op": "replace", "path": "/a", "value": 1.0}]),
        ({"a": 1}, {"a": True}, [{"op": "replace", "path": "/a", "value": True}]),
        ([0.0], [-0.0], [{"op": "replace", "path": "/0", "value": -0.0}]),
        ({"a": {}}, {"a": []}, [{"op": "replace", "path": "/a", "value": []}]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [{"op": "move", "from": "/b", "path": "/b", "position": 0}]),
        ({"b": 2}, {"a": 1, "b": 2}, [{"op": "add", "path": "/a", "value": 1, "position": 0}]),
        ([1, 2, 3], [1, 9, 2, 3], [{"op": "add", "path": "/1", "value": 9}]),
        ([1, 2, 3], [3], [{"op": "remove", "path": "/0"}, {"op": "remove", "path": "/0"}]),
        ([{"id": 1, "t": "a"}], [{"id": 1, "t": "b"}], [{"op": "replace", "path": "/0/t", "value": "b"}]),
        ({"a/b~": 1}, {"a/b~": 2}, [{"op": "replace", "path": "/a~1b~0", "value": 2}]),
    ],
)
def test_a_diff_says_only_what_changed(old, new, forward):
    assert dump_json(diff_values(old, new)[0]) == dump_json(forward)


def test_one_leaf_of_a_large_document_makes_a_small_patch():
    old = {f"k{n}": {"n": n, "list": [n] * 20} for n in range(2000)}
    new = {**old, "k1000": {"n": -1, "list": old["k1000"]["list"]}}

    forward, inverse = diff_values(old, new)

    assert forward == [{"op": "replace", "path": "/k1000/n", "value": -1}]
    assert inverse == [{"op": "replace", "path": "/k1000/n", "value": 1000}]


def test_an_array_too_long_to_compare_is_replaced_whole():
    old, new = {"a": [n % 2 for n in range(1100)]}, {"a": [1 - n % 3 for n in range(1200)]}

    forward, _ = diff_values(old, new)

    assert forward == [{"op": "replace", "path": "/a", "value": new["a"]}]


def test_in_a_long_array_of_different_items_only_what_changed_is_told():
    old = [{"id": n, "text": "t" * 20} for n in range(5000)]
    new = [*old[1:4000], {**old[0], "text": "new"}, *old[4000:4999], {"id": -1}]

    forward, _ = diff_values(old, new)

    assert forward == [
        {"op": "remove", "path": "/4999"},
        {"op": "move", "from": "/0", "path": "/3999"},
        {"op": "add", "path": "/4999", "value": {"id": -1}},
        {"op": "replace", "path": "/3999/text", "value": "new"},
    ]
    assert replayed(old, forward) == text(new)


def test_what_more_moves_in_than_anybody_would_read_is_replaced_whole():
    old, new = list(range(4000)), list(range(4000))[::-1]

    forward, inverse = diff_values(old, new)

    assert (len(forward), len(inverse)) == (1, 1)
    assert replayed(old, forward) == text(new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"n" * 3000: dict.fromkeys(map(str, range(2000)), 0)}, {"n" * 3000: dict.fromkeys(map(str, range(2000)), 1)}),
        (list(range(400_000)), [-1, -2]),
        ({str(n): n for n in range(40_000)}, {str(n): n for n in range(-40_000, 40_000)}),
    ],
    ids=["long names", "long array", "many new members"],
)
def test_a_patch_never_outgrows_what_it_describes(old, new):
    forward, inverse = diff_values(old, new)

    assert len(text(forward)) + len(text(inverse)) < 4 * (len(text(old)) + len(text(new)))
    assert replayed(old, forward) == text(new)
    assert replayed(new, inverse) == text(old)
