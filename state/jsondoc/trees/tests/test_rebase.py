import copy
import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.jsondoc.patch import PatchFailed, apply_steps, replay_ops
from state.jsondoc.pointer import format_pointer, parse_pointer
from state.jsondoc.tests import strategies
from state.jsondoc.text import NOTHING, dump_json, parse_json
from state.jsondoc.trees.moves import diff_values
from state.jsondoc.trees.omission import LogStep, replay_without
from state.jsondoc.trees.rebase import RebaseConflict, follow_node, rebase_patch


def add(path, value, **position):
    return {"op": "add", "path": path, "value": value, **position}


def remove(path):
    return {"op": "remove", "path": path}


def put(path, value):
    return {"op": "replace", "path": path, "value": value}


def move(source, path, **position):
    return {"op": "move", "from": source, "path": path, **position}


def replayed(document, *op_lists):
    """The document after the operations, which are copied: a replay changes what it is given."""
    document = copy.deepcopy(document) if document is not NOTHING else NOTHING
    for ops in op_lists:
        document = replay_ops(document, copy.deepcopy(ops))
    return document


DOC = {"a": 1, "b": {"x": 1, "y": 2}, "l": ["p", "q", "r", "s"], "o": [{"n": 1}, {"n": 2}]}

MERGES = {
    "another leaf": ([put("/b/x", 5)], [put("/b/y", 6)], [put("/b/x", 5)]),
    "an item behind their insert": ([put("/l/2", "R")], [add("/l/0", "n")], [put("/l/3", "R")]),
    "an item behind their removal": ([put("/l/3", "S")], [remove("/l/0")], [put("/l/2", "S")]),
    "an insert behind their removal": ([add("/l/3", "n")], [remove("/l/0")], [add("/l/2", "n")]),
    "two inserts at one place: theirs first": ([add("/l/1", "m")], [add("/l/1", "t")], [add("/l/2", "m")]),
    "two appends: theirs first": ([add("/l/4", "m")], [add("/l/4", "t"), add("/l/5", "u")], [add("/l/6", "m")]),
    "my insert between their own": ([add("/l/1", "m"), add("/l/2", "n")], [add("/l/1", "t")],
                                    [add("/l/2", "m"), add("/l/3", "n")]),
    "an insert next to an item they set": ([add("/l/1", "m")], [put("/l/1", "Q")], [add("/l/1", "m")]),
    "an insert next to an item they removed": ([add("/l/1", "m")], [remove("/l/1")], [add("/l/1", "m")]),
    "items apart": ([put("/l/0", "P")], [put("/l/2", "R")], [put("/l/0", "P")]),
    "inside neighbours": ([put("/o/0/n", 5)], [put("/o/1/n", 6)], [put("/o/0/n", 5)]),
    "inside what they renamed": ([put("/b/x", 5)], [move("/b", "/c")], [put("/c/x", 5)]),
    "inside what they moved into an array": ([put("/b/x", 5)], [move("/b", "/l/1")], [put("/l/1/x", 5)]),
    "the value of what they moved": ([put("/a", 5)], [move("/a", "/b/a")], [put("/b/a", 5)]),
    "a move of what they changed": ([move("/b", "/c")], [put("/b/x", 5)], [move("/b", "/c")]),
    "a move out of what they moved": ([move("/b/x", "/x")], [move("/b", "/c")], [move("/c/x", "/x")]),
    "a move into what they moved": ([move("/a", "/b/a")], [move("/b", "/c")], [move("/a", "/c/a")]),
    "an item they moved": ([put("/o/0/n", 5)], [move("/o/0", "/o/1")], [put("/o/1/n", 5)]),
    "flattened by me, edited by them": ([move("/b/x", "/x"), move("/b/y", "/y"), remove("/b")], [put("/b/x", 7)],
                                        [move("/b/x", "/x"), move("/b/y", "/y"), remove("/b")]),
    "edited by me, flattened by them": ([put("/b/x", 7)], [move("/b/x", "/x"), remove("/b")], [put("/x", 7)]),
    "a swap of names": ([move("/a", "/t"), move("/b", "/a"), move("/t", "/b")], [put("/b/x", 7)],
                        [move("/a", "/a~0", position=0), move("/b", "/a"), move("/a~0", "/b")]),
    "a digit as name": ([put("/b/x", 5)], [add("/b/0", 1, position=0)], [put("/b/x", 5)]),
    "the position follows its neighbours": ([add("/n", 1, position=1)], [add("/m", 1, position=0)],
                                            [add("/n", 1, position=2)]),
    "the position of a neighbour they removed": ([add("/n", 1, position=1)], [remove("/b")],
                                                 [add("/n", 1, position=1)]),
    "a reorder of what they changed": ([move("/b", "/b", position=0)], [put("/b", 5)],
                                       [move("/b", "/b", position=0)]),
    "both reordered": ([move("/b", "/b", position=0)], [move("/b", "/b", position=3)],
                       [move("/b", "/b", position=0)]),
    "a reorder of what they removed": ([move("/b", "/b", position=0)], [remove("/b")], []),
    "a reorder of what they renamed": ([move("/b", "/b", position=0)], [move("/b", "/c")],
                                       [move("/c", "/c", position=0)]),
    "through a name that is theirs": ([move("/a", "/t"), move("/b", "/a"), move("/t", "/b")], [add("/t", 7)],
                                      [move("/a", "/a~0", position=0), move("/b", "/a"), move("/a~0", "/b")]),
    "made, and moved to where theirs is alike": ([add("/n", 5), move("/n", "/m")], [add("/m", 5)],
                                                 []),
    "an insert before an item they moved": ([add("/l/1", "m")], [move("/l/1", "/l/3")], [add("/l/1", "m")]),
    "one insert of both, but between others": ([add("/l/1", "m")], [add("/l/1", "m"), move("/l/2", "/l/4")],
                                               [add("/l/2", "m")]),
    "a leaf they changed and put back": ([put("/a", 5)], [put("/a", 6), put("/a", 1)], [put("/a", 5)]),
    "beside what they set in the same object": ([put("/b/x", 5)], [put("/b", {"x": 1})], [put("/b/x", 5)]),
    "over nothing": ([put("/a", 5), move("/l/0", "/l/2")], [], [put("/a", 5), move("/l/0", "/l/2")]),
}  # fmt: skip

SAME = {
    "set": ([put("/a", 5)], [put("/a", 4), put("/a", 5)]),
    "set at last": ([put("/a", 4), put("/a", 5)], [put("/a", 5)]),
    "removed": ([remove("/b/x")], [remove("/b/x")]),
    "removed after a change": ([put("/a", 2), remove("/a")], [remove("/a")]),
    "removed items": ([remove("/l/1"), remove("/l/1")], [remove("/l/2"), remove("/l/1")]),
    "added": ([add("/n", [1])], [add("/n", [1])]),
    "added, and filled later": ([add("/n", {}), add("/n/k", 1)], [add("/n", {"k": 1})]),
    "renamed": ([move("/b", "/c")], [move("/b", "/c")]),
    "renamed by two moves": ([move("/b", "/d"), move("/d", "/c")], [move("/b", "/c")]),
    "moved items": ([move("/l/0", "/l/2")], [move("/l/0", "/l/2")]),
    "set whole and inside": ([put("/b", {"x": 5, "y": 2})], [put("/b/x", 5)]),
    "set inside and whole": ([put("/b/x", 5)], [put("/b", {"x": 5, "y": 2})]),
    "set and made anew": ([put("/o", 5)], [remove("/o"), add("/o", 5)]),
    "appended": ([add("/l/4", "m"), add("/l/5", "n")], [add("/l/4", "n"), add("/l/4", "m")]),
    "appended, and moved there": ([add("/l/0", "m"), move("/l/0", "/l/4")], [add("/l/4", "m")]),
    "inside what ends alike": ([put("/b/x", 5), put("/b", 7)], [put("/b", 7)]),
    "moved inside what ends alike": ([move("/b/x", "/b/z")], [put("/b", {"y": 2, "z": 1})]),
    "the document": ([put("", 5)], [put("", 5)]),
    "the document removed": ([remove("")], [remove("")]),
}

CONFLICTS = {
    "one leaf": ([put("/a", 5)], [put("/a", 6)], "/a"),
    "one leaf, 1 is not 1.0": ([put("/a", 5)], [put("/a", 5.0)], "/a"),
    "inside what they removed": ([put("/b/x", 5)], [remove("/b")], "/b"),
    "inside what they set": ([put("/b/x", 5)], [put("/b", 7)], "/b"),
    "what they changed inside, removed": ([remove("/b")], [put("/b/x", 5)], "/b"),
    "what they changed inside, set": ([put("/b", 5)], [remove("/b/x")], "/b"),
    "an add to what they removed": ([add("/b/z", 5)], [remove("/b")], "/b"),
    "what they added to, removed": ([remove("/b")], [add("/b/z", 5)], "/b"),
    "what they moved something into, removed": ([remove("/b")], [move("/a", "/b/a")], "/b"),
    "what they moved something out of, set": ([put("/b", {})], [move("/b/x", "/x")], "/b/x"),
    "a move out of what they removed": ([move("/b/x", "/x")], [remove("/b")], "/b"),
    "a removal inside what they removed": ([remove("/b/x")], [remove("/b")], "/b"),
    "what I moved into what I removed": ([move("/a", "/b/a"), remove("/b")], [put("/a", 5)], "/a"),
    "a move of what they removed": ([move("/a", "/c")], [remove("/a")], "/a"),
    "a removal of what they moved": ([remove("/a")], [move("/a", "/c")], "/a"),
    "two moves of one node": ([move("/a", "/c")], [move("/a", "/d")], "/a"),
    "two moves of one item": ([move("/l/0", "/l/3")], [move("/l/0", "/l/2")], "/l/0"),
    "one name": ([add("/n", 5)], [add("/n", 6)], "/n"),
    "one name by rename": ([add("/n", 5)], [move("/a", "/n")], "/n"),
    "a rename onto theirs": ([move("/a", "/n")], [add("/n", 5)], "/n"),
    "into each other": ([move("/b", "/o/0/b")], [move("/o", "/b/o")], "/b"),
    "neighbours set": ([put("/l/1", "Q")], [put("/l/2", "R")], "/l/1"),
    "neighbours removed and set": ([remove("/l/2")], [put("/l/1", "Q")], "/l/2"),
    "neighbours removed": ([remove("/l/2")], [remove("/l/3")], "/l/2"),
    "an insert inside what they removed": ([add("/l/2", "m")], [remove("/l/1"), remove("/l/1")], "/l/2"),
    "what they inserted into, removed": ([remove("/l/1"), remove("/l/1")], [add("/l/2", "t")], "/l/1"),
    "an edit of a document they removed": ([put("/a", 5)], [remove("")], ""),
    "a document they edited, removed": ([remove("")], [put("/a", 5)], ""),
    "the whole document": ([put("", 5)], [put("", 6)], ""),
}


@pytest.mark.parametrize(("ops", "over", "result"), MERGES.values(), ids=MERGES)
def test_operations_that_do_not_meet_are_carried_over(ops, over, result):
    assert rebase_patch(ops, over, DOC) == result


@pytest.mark.parametrize(("ops", "over"), SAME.values(), ids=SAME)
def test_what_both_sides_did_drops_out(ops, over):
    assert rebase_patch(ops, over, DOC) == []
    assert rebase_patch(over, ops, DOC) == []


@pytest.mark.parametrize(("ops", "over", "pointer"), CONFLICTS.values(), ids=CONFLICTS)
def test_operations_that_meet_are_a_conflict(ops, over, pointer):
    with pytest.raises(RebaseConflict) as error:
        rebase_patch(ops, over, DOC)

    assert error.value.pointer == pointer
    assert error.value.theirs in over


@pytest.mark.parametrize(("ops", "over", "pointer"), CONFLICTS.values(), ids=CONFLICTS)
def test_a_conflict_is_one_whichever_side_is_moved(ops, over, pointer):
    with pytest.raises(RebaseConflict):
        rebase_patch(over, ops, DOC)


@pytest.mark.parametrize(("ops", "over", "pointer"), CONFLICTS.values(), ids=CONFLICTS)
def test_theirs_preferred_leaves_their_document(ops, over, pointer):
    left = rebase_patch(ops, over, DOC, prefer="theirs")

    assert {op["path"] for op in left} <= {
        "/l/1",
        "/l/3",
        "/b/a",
        "/b/y",
        "/b",
    }  # what of mine is apart from what they did


@pytest.mark.parametrize(
    ("ops", "over", "result"),
    [
        ([put("/a", 5)], [put("/a", 6)], {"a": 5}),
        ([remove("/a")], [put("/a", 6)], {}),
        ([put("/a", 5)], [remove("/a"), add("/z", 1)], {"z": 1, "a": 5}),
        ([put("/b/x", 5)], [remove("/b"), add("/z", 1)], {"z": 1, "b": {"x": 5, "y": 2}}),
        ([put("/b/x", 5), add("/b/z", 1)], [put("/b", 7)], {"b": {"x": 5, "y": 2, "z": 1}}),
        ([move("/b/x", "/x"), put("/x", 5)], [remove("/b")], {"b": {"y": 2}, "x": 5}),
        ([move("/a", "/b/a")], [remove("/b")], {"b": {"x": 1, "y": 2, "a": 1}}),
        ([move("/a", "/c")], [move("/a", "/d")], {"c": 1}),
        ([add("/n", 5)], [add("/n", 6)], {"n": 5}),
        ([move("/a", "/n")], [add("/n", 6)], {"n": 1}),
        ([add("/n", 5)], [move("/a", "/n")], {"a": 1, "n": 5}),
        ([put("/l/1", "Q")], [put("/l/2", "R")], {"l": ["p", "Q", "R", "s"]}),
        ([put("/l/1", "Q")], [remove("/l/1"), add("/l/0", "t")], {"l": ["t", "p", "Q", "r", "s"]}),
        ([remove("")], [put("/a", 6)], NOTHING),
        ([put("/a", 5)], [remove("")], {"a": 5}),
    ],
)
def test_mine_preferred_stands_where_we_meet(ops, over, result):
    merged = replayed(DOC, over, rebase_patch(ops, over, DOC, prefer="mine"))

    if result is NOTHING:
        assert merged is NOTHING
    else:
        theirs = replayed(DOC, over)
        touched = {op[name].split("/")[1] for op in ops + over for name in ("path", "from") if op.get(name)}
        rest = {name: value for name, value in (DOC if theirs is NOTHING else theirs).items() if name not in touched}
        assert merged == rest | result


def test_moves_into_each_other_are_a_conflict_even_if_mine_are_preferred():
    with pytest.raises(RebaseConflict):
        rebase_patch([move("/b", "/o/0/b")], [move("/o", "/b/o")], DOC, prefer="mine")


def test_a_conflict_has_what_each_side_has_there():
    with pytest.raises(RebaseConflict) as error:
        rebase_patch(
            [put("/a", 5), remove("/b"), add("/n", 1), put("/l/0", "P")],
            [put("/b/x", 6), put("/a", 7), add("/n", 2), move("/l", "/m")],
            DOC,
        )

    seen = [(clash.pointer, clash.base, clash.theirs, clash.mine) for clash in error.value.conflicts]
    assert sorted(seen, key=lambda one: one[0]) == [
        ("/a", 1, 7, 5),
        ("/b", {"x": 1, "y": 2}, {"x": 6, "y": 2}, NOTHING),
        ("/n", NOTHING, 2, 1),
    ]
    assert str(error.value).startswith("changed on both sides: /")


def test_two_documents_made_at_once_are_a_conflict_unless_equal():
    assert rebase_patch([add("", [1])], [add("", [1])], NOTHING) == []
    with pytest.raises(RebaseConflict):
        rebase_patch([add("", [1])], [add("", [2])], NOTHING)


def test_undo_of_an_insert_keeps_an_edit_behind_it():
    after_insert = {"l": ["x", "a", "b", "c"]}
    later = [put("/l/2", "B")]

    undo = rebase_patch([remove("/l/0")], later, after_insert)

    assert replayed(after_insert, later, undo) == {"l": ["a", "B", "c"]}


def test_nothing_passed_in_is_changed():
    document, ops, over = {"a": {"b": [1]}}, [put("/a/b/0", [2])], [add("/a/b/0", {"c": 1}), put("/a/b/0/c", 2)]
    before = copy.deepcopy((document, ops, over))

    rebase_patch(ops, over, document)

    assert (document, ops, over) == before


# A naive second implementation: every node is an object from the start, and every question is answered by a full walk.


@dataclass(eq=False)
class Item:
    ident: tuple
    data: object  # a scalar, a list of Items, or a dict of Items

    def kids(self):
        if isinstance(self.data, dict):
            return list(self.data.items())
        return list(enumerate(self.data)) if isinstance(self.data, list) else []

    def plain(self):
        if isinstance(self.data, dict):
            return {name: kid.plain() for name, kid in self.data.items()}
        return [kid.plain() for kid in self.data] if isinstance(self.data, list) else self.data


def grown(value, ident):
    if isinstance(value, dict):
        return Item(ident, {name: grown(kid, (*ident, name)) for name, kid in value.items()})
    if isinstance(value, list):
        return Item(ident, [grown(kid, (*ident, number)) for number, kid in enumerate(value)])
    return Item(ident, value)


def walk(item, parent=None, key=None):
    yield item, parent, key
    for name, kid in item.kids():
        yield from walk(kid, item, name)


def find(root, ident):
    return next((found for found in walk(root) if found[0].ident == ident), (None, None, None))


def at(root, tokens):
    for token in tokens:
        root = root.data[int(token) if isinstance(root.data, list) else token]
    return root


def take(parent, key):
    return parent.data.pop(key)


def put_in(parent, key, kid):
    if isinstance(parent.data, list):
        parent.data.insert(key, kid)
    else:
        parent.data[key] = kid


def below(item):
    return {found.ident for found, _, _ in walk(item)}


@dataclass
class Touched:
    """What one side touched, by identity, and its operations told by identity."""

    values: set = field(default_factory=set)  # replaced
    owners: set = field(default_factory=set)  # something was put in
    placed: set = field(default_factory=set)  # removed or moved
    removed: set = field(default_factory=set)
    moved: set = field(default_factory=set)
    gone: set = field(default_factory=set)  # removed, and all that was inside; inside a replaced one
    names: set = field(default_factory=set)  # (owner, name) that something was put at
    arrays: set = field(default_factory=set)  # arrays that something was put into
    told: list = field(default_factory=list)

    def all(self):
        return self.values | self.owners | self.placed | self.gone


def told(root, ops, tag):
    """Apply operations to a tree, and tell them by identity."""
    touched = Touched()
    for number, op in enumerate(ops):
        tell(root, op, (tag, number), touched)
    return touched


def tell(root, op, ident, touched):
    path = parse_pointer(op["path"])
    if op["op"] == "replace":
        item = at(root, path)
        touched.values.add(item.ident)
        touched.gone |= below(item) - {item.ident}
        item.data = grown(op["value"], ident).data
        touched.told.append(("replace", item.ident, op["value"], ident))
        return
    if op["op"] == "add":
        tell_put(root, path, grown(op["value"], ident), touched, ("add", op["value"], ident))
        return
    source = parse_pointer(op["path" if op["op"] == "remove" else "from"])
    parent = at(root, source[:-1])
    if op["op"] == "move" and source == path:
        return
    item = take(parent, int(source[-1]) if isinstance(parent.data, list) else source[-1])
    touched.placed.add(item.ident)
    if op["op"] == "remove":
        touched.removed.add(item.ident)
        touched.gone |= below(item)
        touched.told.append(("remove", item.ident))
    else:
        touched.moved.add(item.ident)
        tell_put(root, path, item, touched, ("move", item.ident))


def tell_put(root, path, item, touched, words):
    parent = at(root, path[:-1])
    touched.owners.add(parent.ident)
    if isinstance(parent.data, list):
        touched.arrays.add(parent.ident)
        key = int(path[-1])
        right = [kid.ident for kid in parent.data[key:]]
        put_in(parent, key, item)
        touched.told.append((*words, parent.ident, right))
    else:
        touched.names.add((parent.ident, path[-1]))
        put_in(parent, path[-1], item)
        touched.told.append((*words, parent.ident, path[-1]))


class Stuck(Exception):
    """An operation by identity does not find what it is about."""


def repeat(root, words):
    """Apply one told operation to a tree in which other things happened."""
    kind, *rest = words
    if kind == "add":
        value, ident, *place = rest
        repeat_put(root, grown(value, ident), *place)
        return
    item, parent, key = find(root, rest[0])
    if item is None:
        raise Stuck
    if kind == "replace":
        item.data = grown(rest[1], rest[2]).data
        return
    take(parent, key)
    if kind == "move":
        repeat_put(root, item, *rest[1:])


def repeat_put(root, item, owner, place):
    parent, _, _ = find(root, owner)
    if parent is None or not isinstance(parent.data, list if isinstance(place, list) else dict):
        raise Stuck
    if isinstance(place, list):
        here = [kid.ident for kid in parent.data]
        place = next((here.index(ident) for ident in place if ident in here), len(here))
    elif place in parent.data:
        raise Stuck
    put_in(parent, place, item)


def meet(mine, theirs):
    """Whether two sides touched one thing: never a conflict without it."""
    return bool(
        (mine.values & (theirs.values | theirs.owners))
        or (theirs.values & mine.owners)
        or (mine.moved & theirs.moved)
        or (mine.gone & theirs.all())
        or (theirs.gone & mine.all())
        or (mine.names & theirs.names)
    )


def loosely(value):
    """A value without the order of its arrays and members."""
    if isinstance(value, dict):
        return sorted((name, loosely(kid)) for name, kid in value.items())
    return sorted((loosely(kid) for kid in value), key=repr) if isinstance(value, list) else value


def same(one, other):
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


class Editor:
    """Makes random edits, as history records them. `scalars` are few if both sides are to make the same."""

    def __init__(self, random, few):
        self.random, self.few, self.made = random, few, 100

    def scalar(self):
        self.made += 1
        return self.random.randrange(2) if self.few else self.made

    def value(self):
        return self.random.choice([self.scalar, self.scalar, lambda: [self.scalar()], lambda: {"a": self.scalar()}])()

    def place(self, document, new):
        tokens = [path for path, node in places(document) if not new or isinstance(node, (dict, list))]
        tokens = self.random.choice(tokens)
        if not new:
            return tokens
        node = document
        for token in tokens:
            node = node[int(token) if isinstance(node, list) else token]
        name = str(self.random.randint(0, len(node))) if isinstance(node, list) else self.random.choice("abcde0")
        return (*tokens, name)

    def edit(self, document):
        """One operation as clients send it; it may fail."""
        kind = self.random.choice(["add", "add", "remove", "replace", "replace", "move", "reorder"])
        containers = [node for _, node in places(document) if isinstance(node, (dict, list))]
        new = kind in ("add", "move") and bool(containers)
        op = {"op": kind, "path": format_pointer(self.place(document, new))}
        if kind in ("add", "replace"):
            op["value"] = self.value()
        if kind == "move":
            op["from"] = format_pointer(self.place(document, False))
        if kind == "reorder":
            return move(op["path"], op["path"], position=self.random.randrange(4))
        positioned = kind in ("add", "move") and self.random.random() < 0.4
        return op | {"position": self.random.randrange(4)} if positioned else op

    def history(self, document, count):
        """Operations as recorded, and those that take them back."""
        data, forward, inverse = dump_json(document).encode(), [], []
        for _ in range(count):
            try:
                [step] = apply_steps(data, [self.edit(json.loads(data))])
            except PatchFailed:
                continue
            data, forward, inverse = step.data, forward + step.forward, step.inverse + inverse
        return forward, inverse

    def rewrite(self, document):
        """Operations of a PUT: the difference to an edited document."""
        forward, _ = self.history(document, 3)
        return diff_values(document, replayed(document, forward))


def places(value, tokens=()):
    yield tokens, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, kid in members:
        yield from places(kid, (*tokens, str(name)))


documents = strategies.small_values.filter(lambda value: isinstance(value, (dict, list))) | st.just(DOC)
randoms = st.randoms(use_true_random=False)


def attempt(ops, over, document, **options):
    try:
        return rebase_patch(ops, over, document, **options)
    except RebaseConflict as conflict:
        return conflict


@settings(max_examples=500, deadline=None)
@given(documents, randoms, st.integers(1, 3), st.integers(0, 6), st.booleans())
def test_undo_is_the_replay_without_it_and_a_conflict_only_where_nodes_meet(document, random, size, later, few):
    editor = Editor(random, few)
    forward, inverse = editor.history(document, size)
    after = replayed(document, forward)
    over, _ = editor.history(after, later)

    undo = replay_without(document, [LogStep(1, forward, True), LogStep(2, over, False)])

    mine, theirs = told(grown(after, ("base",)), inverse, "mine"), told(grown(after, ("base",)), over, "theirs")
    met = meet(mine, theirs)
    if undo.meetings:
        assert met or (any(op["op"] == "move" for op in inverse) and any(op["op"] == "move" for op in over))
        return
    if not met:
        without = grown(after, ("base",))
        for words in mine.told + theirs.told:  # revision n taken back at once, as if it had not been
            repeat(without, words)
        assert loosely(undo.document) == loosely(without.plain())
        if not mine.arrays & theirs.arrays:
            assert same(undo.document, without.plain())


@settings(max_examples=500, deadline=None)
@given(documents, randoms, st.integers(0, 4), st.integers(0, 4), st.booleans())
def test_a_merge_is_the_same_whichever_side_is_moved(document, random, size, other, few):
    editor = Editor(random, few)
    ops, _ = random.choice([editor.history(document, size), editor.rewrite(document)])
    over, _ = random.choice([editor.history(document, other), editor.rewrite(document)])

    one, two = attempt(ops, over, document), attempt(over, ops, document)

    if not isinstance(one, RebaseConflict) and not isinstance(two, RebaseConflict):
        assert loosely(replayed(document, over, one)) == loosely(replayed(document, ops, two))
    else:
        assert isinstance(one, RebaseConflict) and isinstance(two, RebaseConflict)


@settings(max_examples=500, deadline=None)
@given(documents, randoms, st.integers(0, 6), st.booleans())
def test_over_nothing_operations_stay_as_they_are(document, random, size, few):
    ops, _ = Editor(random, few).history(document, size)

    assert rebase_patch(ops, [], document) == ops


@settings(max_examples=400, deadline=None)
@given(documents, randoms, st.integers(0, 5), st.integers(0, 5), st.sampled_from(["mine", "theirs"]))
def test_whoever_is_preferred_the_result_applies(document, random, size, other, prefer):
    editor = Editor(random, random.random() < 0.5)
    ops, _ = editor.history(document, size)
    over, _ = editor.history(document, other)

    merged = attempt(ops, over, document, prefer=prefer)

    if isinstance(merged, RebaseConflict):
        assert "move" in {op["op"] for op in ops + over}  # what was moved has no place to be sent back to
        return
    theirs = replayed(document, over)
    tree = grown(theirs, ("base",))
    told(tree, merged, "merged")
    text = dump_json(replayed(theirs, merged))
    assert text == dump_json(parse_json(text).value)
    assert same(json.loads(text), tree.plain())


@pytest.mark.parametrize(
    ("tokens", "over", "expected"),
    [
        (("l", "1"), [add("/l/0", "x")], ("l", "2")),
        (("l", "9"), [add("/l/0", "x")], ("l", "9")),
        (("l", "1"), [remove("/l/1")], None),
        (("a",), [move("/a", "/z")], ("z",)),
        (("o", "0", "b", "new"), [move("/o", "/l/0"), add("/l/0", 1)], ("l", "1", "0", "b", "new")),
        ((), [remove("")], None),
        (("x", "y"), [], ("x", "y")),
    ],
)
def test_a_node_is_followed_over_operations(tokens, over, expected):
    assert follow_node(tokens, over, DOC) == expected


def test_the_way_to_what_is_in_no_document_yet_stays():
    assert follow_node(("a", "b"), [add("", {"a": 1})], NOTHING) == ("a", "b")


def test_a_value_moved_to_a_name_and_the_same_value_put_there_conflict_from_both_sides():
    document = {"a": 1}
    moved = [{"op": "move", "from": "/a", "path": "/b"}]
    put = [{"op": "add", "path": "/b", "value": 1}]

    assert isinstance(attempt(moved, put, document), RebaseConflict)
    assert isinstance(attempt(put, moved, document), RebaseConflict)
