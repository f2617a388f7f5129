"""Things that move: each has an identity of its own here, which the merge is not told."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.jsondoc.patch import replay_ops
from state.jsondoc.text import dump_json
from state.jsondoc.trees.moves import condense_ops, diff_values
from state.jsondoc.trees.rebase import RebaseConflict, rebase_patch
from state.jsondoc.trees.tests.test_rebase import Editor, documents, randoms, replayed


def merged(base, theirs, mine):
    """What comes of my PUT on the base over their PUTs, one after the other; None where it is refused."""
    over, now = [], base
    for document in theirs:
        over += diff_values(now, document)[0]
        now = document
    try:
        ops = rebase_patch(diff_values(base, mine)[0], over, base)
    except RebaseConflict:
        return None
    return replay_ops(copy.deepcopy(now), copy.deepcopy(ops))


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "result"),
    [
        ([3, 1, 2], [[1, 2, 3]], [1, 2, 3, 4], [1, 2, 3, 4]),
        (["x", "y"], [["y", "x"], ["x", "y"]], ["y'", "x"], ["y'", "x"]),
        (["x", "y", "z"], [["z", "x", "y"]], ["x", "y"], None),
        (["x", "y", "z"], [["z", "x", "y"]], ["x", "z", "y"], None),
        ({"a": ["x"], "b": []}, [{"a": [], "b": ["x"]}], {"a": [], "b": ["x", "y"]}, {"a": [], "b": ["x", "y"]}),
        ({"a": ["x"], "b": []}, [{"a": [], "b": ["x"]}], {"a": [], "b": []}, None),
        ({"a": ["x"]}, [{"a": [], "done": ["x"]}], {"a": [], "dropped": ["x"]}, None),
        ({"a": ["x"], "b": ["y"]}, [{"a": ["y"], "b": ["x"]}], {"a": ["y", "z"], "b": ["x"]},
         {"a": ["y", "z"], "b": ["x"]}),
        ([{"id": 1, "n": 0}, {"id": 2, "n": 0}], [[{"id": 2, "n": 5}, {"id": 1, "n": 0}]],
         [{"id": 1, "n": 7}, {"id": 2, "n": 0}], [{"id": 2, "n": 5}, {"id": 1, "n": 7}]),
        ([{"id": 1, "n": 0}], [[{"id": 1, "n": 5}]], [{"id": 2, "n": 0}], None),
        ([{"name": "a", "n": 0}], [[{"name": "a", "n": 5}]], [{"name": "b", "n": 0}], None),
        ({"p": ["x"]}, [{"p": {"a": ["x"]}}], {"p": {"a": ["x"]}}, {"p": {"a": ["x"]}}),
        ({"p": ["x"], "o": 1}, [{"p": {"a": ["x"]}, "o": 1}], {"p": {"a": ["x"]}, "o": 2}, {"p": {"a": ["x"]}, "o": 2}),
        ({"l": {"a": ["x", "y"]}}, [{"l": {"b": ["x", "y"]}}], {"l": {"b": ["x", "y"]}, "z": 5},
         {"l": {"b": ["x", "y"]}, "z": 5}),
        ([*range(1100)], [[*range(1100)][::-1]], [*range(1100)][::-1], [*range(1100)][::-1]),
        ({"l": [*range(2100)], "d": []}, [{"l": [*range(1050)], "d": [*range(1050, 2100)]}],
         {"l": [*range(1050)], "d": [*range(1050, 2100)]}, {"l": [*range(1050)], "d": [*range(1050, 2100)]}),
        ({"q": [{"id": 1, "k": ["a", "b", "c"]}, {"id": 2, "k": []}]},
         [{"q": [{"id": 1, "k": ["a", "c"]}, {"id": 2, "k": []}]}],
         {"q": [{"id": 2, "k": [{"id": 1, "k": ["b", "a", "c"]}]}]}, None),
        ({"l": [{"name": "milk", "n": 0}, 1], "m": []}, [{"l": [1], "m": [{"name": "milk", "n": 1}]}],
         {"l": [1], "m": [{"name": "milk", "n": 2}]}, None),
        ([{"uuid": "a", "n": 0}], [[{"uuid": "b", "n": 0}]], [{"uuid": "a", "n": 9}], None),
    ],
)  # fmt: skip
def test_a_thing_that_was_put_elsewhere_has_moved(base, theirs, mine, result):
    assert merged(base, theirs, mine) == result


class Things:
    """Random lists of things, each edited by PUTs. `kind` says how a thing looks; only objects are told when edited."""

    def __init__(self, random, kind):
        self.random, self.kind, self.made = random, kind, 0
        self.base = {name: [self.make() for _ in range(random.randrange(5))] for name in "ab"}

    def make(self):
        self.made += 1
        return {"is": self.made, "n": 0}

    def edited(self, lists):
        lists = copy.deepcopy(lists)
        for _ in range(self.random.randint(1, 3)):
            name = self.random.choice("ab")
            items, kind = lists[name], self.random.choice(["add", "remove", "move", "move", "edit"])
            if kind == "add":
                items.insert(self.random.randint(0, len(items)), self.make())
            if not items or kind == "add":
                continue
            item = items.pop(self.random.randrange(len(items)))
            target = items
            if kind == "move":
                target = lists[self.random.choice("ab")]
            if kind == "edit" and self.kind == "object":
                item["n"] = self.random.randint(1, 1000)
            if kind != "remove":
                target.insert(self.random.randint(0, len(target)) if kind == "move" else len(target), item)
        return lists

    def shown(self, lists):
        looks = {
            "number": lambda item: item["is"],
            "text": lambda item: f"thing {item['is']}",
            "object": lambda item: {"id": item["is"], "n": item["n"]},
            "nameless": lambda item: {"t": item["is"]},
            "array": lambda item: [item["is"], f"of {item['is']}"],
        }
        return {name: [looks[self.kind](item) for item in items] for name, items in lists.items()}

    def read(self, shown):
        """Where each thing stands, and with which value: every one of its places."""
        found = {}
        for name, items in shown.items():
            for item in items:
                text = json.dumps(item)
                is_ = (
                    item.get("id", item.get("t"))
                    if isinstance(item, dict)
                    else item[0]
                    if isinstance(item, list)
                    else item
                )
                is_ = int(str(is_).rpartition(" ")[2])
                found.setdefault(is_, []).append((name, text))
        return found


@settings(max_examples=600, deadline=None)
@given(randoms, st.sampled_from(["number", "text", "object", "nameless", "array"]), st.integers(1, 3))
def test_no_thing_is_doubled_lost_or_taken_for_another(random, kind, puts):
    things = Things(random, kind)
    theirs = [things.edited(things.base)]
    for _ in range(puts - 1):
        theirs.append(things.edited(theirs[-1]) if random.random() < 0.7 else things.base)
    mine = things.edited(things.base)

    result = merged(things.shown(things.base), [things.shown(one) for one in theirs], things.shown(mine))

    base, one, other = (things.read(things.shown(lists)) for lists in (things.base, mine, theirs[-1]))
    if things.shown(theirs[-1]) == things.shown(things.base):
        assert result == things.shown(mine)
    if things.shown(mine) == things.shown(things.base):
        assert result == things.shown(theirs[-1])
    if result is None:
        return
    found = things.read(result)
    for thing in base.keys() | one.keys() | other.keys():
        was, ours, others = (side.get(thing) for side in (base, one, other))
        places = found.pop(thing, None)
        if kind != "object" and (was is None or not (ours and others)):
            # another value in the same place may be the same thing, edited, which is then where that has moved
            assert places is None if was and not (ours and others) else len(places) == 1
        elif ours in (was, others):
            assert places == others
        elif others == was:
            assert places == ours
        else:
            assert ours and others and kind == "object", "both changed it: it must be a conflict, unless in two ways"
            (place, value), (there, new), (here, own) = was[0], others[0], ours[0]
            assert place in (there, here) or there == here
            assert value in (new, own) or new == own
            assert places == [(here if there == place else there, own if new == value else new)]
    assert not found


@settings(max_examples=500, deadline=None)
@given(documents, randoms, st.integers(0, 8), st.booleans())
def test_condensed_operations_lead_to_the_same_document_and_back(document, random, size, few):
    ops, _ = Editor(random, few).history(document, size)
    new = replayed(document, ops)

    forward, inverse = condense_ops(ops, document)

    assert dump_json(replayed(document, forward)) == dump_json(new)
    assert dump_json(replayed(new, inverse)) == dump_json(document)
    if dump_json(new) == dump_json(document):
        assert forward == []
