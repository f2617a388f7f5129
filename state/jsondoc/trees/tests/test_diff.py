import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.jsondoc.text import dump_json
from state.jsondoc.trees.diff import diff_trees
from state.jsondoc.trees.nodes import Node, NodeTree
from state.jsondoc.trees.tests.test_rebase import DOC, Editor, add, documents, move, put, randoms, remove, replayed


def played(top, ops):
    tree = NodeTree(top)
    for op in ops:
        tree.play(op)
    return tree


@settings(max_examples=1000, deadline=None)
@given(documents, randoms, st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_the_operations_between_two_trees_lead_from_one_to_the_other_and_back(document, random, size, other, few):
    editor = Editor(random, few)
    ops, _ = editor.history(document, size)
    over, _ = editor.history(document, other)
    top = Node({"": document})

    forward, inverse = diff_trees(played(top, ops), played(top, over))

    old, new = replayed(document, ops), replayed(document, over)
    assert dump_json(replayed(old, forward)) == dump_json(new)
    assert dump_json(replayed(new, inverse)) == dump_json(old)


@pytest.mark.parametrize(
    ("ops", "result"),
    [
        ([move("/b", "/c")], [move("/b", "/c")]),
        ([move("/l/0", "/l/3")], [move("/l/0", "/l/3")]),
        ([move("/l/0", "/o/1")], [move("/l/0", "/o/1")]),
        ([move("/b", "/t"), move("/t", "/b")], [move("/b", "/b", position=1)]),
        ([move("/b/x", "/x"), remove("/b")], [move("/b/x", "/x"), remove("/b")]),
        ([add("/new", []), move("/l/0", "/new/0")], [add("/new", []), move("/l/0", "/new/0")]),
        ([put("/a", 5), put("/a", 1)], []),
        ([add("/l/0", 1), remove("/l/0")], []),
        (
            [move("/a", "/t"), move("/b", "/a"), move("/t", "/b")],
            [move("/b", "/b~0"), move("/a", "/b"), move("/b~0", "/a")],
        ),
    ],
)
def test_what_only_changed_its_place_is_moved_and_what_cancels_is_left_out(ops, result):
    top = Node({"": DOC})

    forward, _ = diff_trees(NodeTree(top), played(top, ops))

    assert [{**op} for op in forward] == result or replayed(DOC, copy.deepcopy(forward)) == replayed(DOC, ops)
