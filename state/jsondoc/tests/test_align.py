import pytest

from state.jsondoc import align
from state.jsondoc.align import align_items
from state.jsondoc.patch import replay_ops
from state.jsondoc.trees.moves import diff_values


@pytest.mark.parametrize(
    ("old", "new", "pairs"),
    [
        ([{"id": 1, "t": "a"}], [{"id": 9, "t": "a"}, {"id": 1, "t": "b"}], [(0, 1)]),
        ([{"id": 1, "t": "a"}], [{"id": 9, "t": "a"}], []),
        ([{"id": 1}, {"id": 2}], [{"id": 0}, {"id": 1, "n": 1}, {"id": 2, "n": 2}], [(0, 1), (1, 2)]),
        ([{"name": "x", "n": 1}, {"name": "y", "n": 2}], [{"name": "y", "n": 3}], [(1, 0)]),
        ([{"a": 1, "b": 2, "c": 3}], [{"q": 0}, {"a": 1, "b": 2, "c": 4}], [(0, 1)]),
        ([{"a": 1}], [{"a": 2}], [(0, 0)]),
        ([1, 2], [3, 4], [(0, 0), (1, 1)]),
        ([1, 2], [3], []),
        ([[1, 2, 3]], [[9], [1, 2, 4]], [(0, 1)]),
        ([{"id": 1}, 5], [{"id": 1, "n": 0}, 6], [(0, 0), (1, 1)]),
        ([{"a": 1}, {"b": 1}], [{"c": 1}, {"d": 1}, {"e": 1}], []),
    ],
)
def test_items_are_told_by_their_names_by_their_likeness_and_by_their_place(old, new, pairs):
    assert align_items(old, new) == pairs


def test_of_very_many_items_only_those_in_place_are_paired(monkeypatch):
    monkeypatch.setattr(align, "MOST_PAIRS", 3)

    assert align_items([{"id": 1}, {"id": 2}], [{"id": 1, "n": 0}, {"id": 3}]) == [(0, 0)]
    assert align_items([1, 2], [3, 4, 5]) == []


def test_an_item_put_in_does_not_take_the_place_of_its_neighbour():
    old = [{"id": 1, "t": "a"}, {"id": 2, "t": "b"}]
    new = [{"id": 9, "t": "new"}, {"id": 1, "t": "a!"}, {"id": 2, "t": "b"}]

    forward, inverse = diff_values(old, new)

    assert forward == [
        {"op": "add", "path": "/0", "value": {"id": 9, "t": "new"}},
        {"op": "replace", "path": "/1/t", "value": "a!"},
    ]
    assert replay_ops(new, inverse) == old
