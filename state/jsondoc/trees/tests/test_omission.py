import copy
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.jsondoc.text import NOTHING, dump_json
from state.jsondoc.trees.moves import diff_values
from state.jsondoc.trees.nodes import NodeValue
from state.jsondoc.trees.omission import LogStep, replay_without
from state.jsondoc.trees.tests.test_rebase import DOC, Editor, add, documents, move, put, randoms, remove, replayed

GONE = object()


def logged(documents_: list[NodeValue], omitted):
    """The log that leads through the documents, as PUTs write it: revision n leads to the n-th."""
    log = []
    for revision, (old, new) in enumerate(itertools.pairwise(documents_), 1):
        ops = diff_values(old, new)[0]
        if ops:
            log.append(LogStep(revision, ops, revision in omitted))
    return log


def without(base, log, prefer=None):
    """What is left, checked: its operations lead there from the head, and back."""
    head = replayed(base, *(step.ops for step in log))
    found = replay_without(copy.deepcopy(base), log, prefer)
    assert dump_json(replayed(head, found.forward)) == dump_json(found.document)
    assert dump_json(replayed(found.document, found.inverse)) == dump_json(head)
    return found


WRITES = list(itertools.product("ab", [1, 2, GONE]))


def written(document, write):
    name, value = write
    rest = {one: old for one, old in document.items() if one != name}
    if value is GONE:
        return rest
    return {**document, name: value}


@pytest.mark.parametrize("base", [{}, {"a": 1, "b": 2}])
def test_an_undo_is_the_replay_without_it_or_names_a_later_write_of_the_same_place(base):
    """All histories of four writes over two members, and every set of them."""
    for history in itertools.product(WRITES, repeat=4):
        past = list(itertools.accumulate(history, written, initial=base))
        wrote = [n for n in range(1, 5) if dump_json(past[n - 1]) != dump_json(past[n])]
        for size in range(1, len(wrote) + 1):
            for omitted in itertools.combinations(wrote, size):
                check_set(base, history, past, wrote, omitted)


def check_set(base, history, past, wrote, omitted):
    expected = played(base, history, [n for n in wrote if n not in omitted])
    firsts = {
        name: min(n for n in omitted if history[n - 1][0] == name) for name, _ in (history[n - 1] for n in omitted)
    }
    found = without(base, logged(past, omitted))
    clashes = {meeting.pointer[1:]: meeting for meeting in found.meetings}

    assert found.document == expected
    assert clashes.keys() <= firsts.keys()
    for name, first in firsts.items():
        later = [n for n in wrote if n not in omitted and history[n - 1][0] == name and n > first]
        undone = played(base, history, [n for n in wrote if n < first and n not in omitted]).get(name, GONE)
        assert (name in clashes) == (bool(later) and undone != expected.get(name, GONE))
        if name in clashes:
            assert clashes[name].by == later[-1]
            assert clashes[name].omitted in omitted
            assert (clashes[name].mine is NOTHING) if undone is GONE else (clashes[name].mine == undone)


def played(base, history, revisions):
    for n in revisions:
        base = written(base, history[n - 1])
    return base


class Listed:
    """A random log over one list of things that each have a name of their own, and what it says of each of them."""

    def __init__(self, random, count, moves):
        self.random, self.made, self.log = random, 0, []
        self.names = [self.name() for _ in range(random.randrange(4))]
        self.base = [{"id": name, "n": 0} for name in self.names]
        self.before = {}  # pairs that once stood side by side, in their order
        self.values, self.there = dict.fromkeys(self.names, 0), set(self.names)
        self.omitted, self.met, self.moved = set(), False, False
        now = list(self.names)
        self.see(now)
        for revision in range(1, count + 1):
            now = self.step(revision, now, moves)
            self.see(now)

    def name(self):
        self.made += 1
        return f"i{self.made}"

    def see(self, now):
        for left, right in itertools.combinations(now, 2):
            self.before.setdefault((left, right), True)

    def step(self, revision, now, moves):
        is_omitted = self.random.random() < 0.5
        kind = self.random.choice(["insert", "insert", "remove", "set", *["move"] * moves]) if now else "insert"
        at = self.random.randrange(len(now) + (kind == "insert"))
        new = list(now)
        if kind == "insert":
            name = self.name()
            new.insert(at, name)
            ops = [add(f"/{at}", {"id": name, "n": 0})]
        else:
            name = now[at]
        if kind == "remove":
            del new[at]
            ops = [remove(f"/{at}")]
        if kind == "set":
            ops = [put(f"/{at}/n", revision)]
        if kind == "move":
            del new[at]
            there = self.random.randrange(len(new) + 1)
            new.insert(there, name)
            ops = [move(f"/{at}", f"/{there}")]
            self.moved = True
        if is_omitted:
            self.omitted.add(name)
        else:
            self.met = self.met or name in self.omitted
            self.say(kind, name, revision)
        self.log.append(LogStep(revision, ops, is_omitted))
        return new

    def say(self, kind, name, revision):
        if kind == "insert":
            self.there.add(name)
            self.values[name] = 0
        if kind == "remove":
            self.there.discard(name)
        if kind == "set":
            self.values[name] = revision


@settings(max_examples=500, deadline=None)
@given(randoms, st.integers(0, 12), st.integers(0, 2))
def test_what_is_left_of_a_list_is_what_the_others_made_of_it_in_the_order_that_was(random, count, moves):
    listed = Listed(random, count, moves)

    found = without(listed.base, listed.log)

    if not listed.met:
        assert found.meetings == []
        assert {one["id"]: one["n"] for one in found.document} == {name: listed.values[name] for name in listed.there}
    names = [one["id"] for one in found.document]
    assert len(set(names)) == len(names)
    if not listed.moved and not listed.met:
        for pair in itertools.combinations(names, 2):
            assert pair in listed.before or pair[::-1] not in listed.before


@settings(max_examples=500, deadline=None)
@given(
    documents, randoms, st.lists(st.booleans(), max_size=7), st.sampled_from([None, "mine", "theirs"]), st.booleans()
)
def test_whatever_is_left_out_the_rest_is_a_document_and_nothing_left_out_is_no_change(
    document, random, omitted, prefer, few
):
    editor, log, now = Editor(random, few), [], document
    for revision, is_omitted in enumerate(omitted, 1):
        ops, _ = random.choice([editor.history(now, 2), editor.rewrite(now)])
        log.append(LogStep(revision, ops, is_omitted))
        now = replayed(now, ops)

    found = without(document, log, prefer)

    assert all(meeting.by in {step.revision for step in log if not step.is_omitted} for meeting in found.meetings)
    if not any(omitted):
        assert found.forward == found.meetings == []
    if all(omitted):
        assert dump_json(found.document) == dump_json(document)
        assert found.meetings == []


def test_what_was_made_and_moved_is_missed_by_who_moves_it_again():
    made = [add("/l/0", "n"), move("/l/0", "/l/1")]

    found = without(DOC, [LogStep(1, made, True), LogStep(2, [move("/l/1", "/l/0")], False)])

    [meeting] = found.meetings
    assert (meeting.base, meeting.theirs, meeting.mine, meeting.by) == ("n", "n", NOTHING, 2)


@pytest.mark.parametrize(
    ("log", "prefer", "result"),
    [
        ([[put("/a", 5)], [put("/a", 6)]], "mine", {"a": 1}),
        ([[put("/a", 5)], [put("/a", 6)]], "theirs", {"a": 6}),
        ([[add("/n", {"x": 1})], [put("/n/x", 2)]], "mine", {}),
        ([[add("/n", {"x": 1})], [put("/n/x", 2)]], "theirs", {"n": {"x": 2}}),
        ([[remove("/b")], [add("/b", 7)]], "mine", {"b": {"x": 1, "y": 2}}),
        ([[remove("/b")], [add("/b", 7)]], "theirs", {"b": 7}),
        ([[put("/b/x", 5)], [remove("/b")]], "mine", {"b": {"x": 1, "y": 2}}),
        ([[put("/b/x", 5)], [remove("/b")]], "theirs", {}),
        ([[move("/a", "/c")], [move("/c", "/d")]], "mine", {"a": 1}),
        ([[move("/a", "/c")], [move("/c", "/d")]], "theirs", {"d": 1}),
        ([[move("/b", "/c")], [add("/b", 7)]], "mine", {"b": {"x": 1, "y": 2}}),
        ([[move("/o/0", "/z")], [move("/o", "/z/o")]], "mine", {"o": [{"n": 1}, {"n": 2}]}),
        ([[move("/o/0", "/z")], [move("/o", "/z/o")]], "theirs", {"z": {"n": 1, "o": [{"n": 2}]}}),
        ([[remove("")], [add("", {"a": 9})]], "mine", DOC),
        ([[remove("")], [add("", {"a": 9})]], "theirs", {"a": 9}),
    ],
)
def test_one_side_is_preferred_where_they_meet(log, prefer, result):
    steps = [LogStep(1, log[0], True), LogStep(2, log[1], False)]

    assert without(DOC, steps).meetings
    found = without(DOC, steps, prefer).document

    touched = {op[name].split("/")[1] for ops in log for op in ops for name in ("path", "from") if op.get(name)}
    rest = {name: value for name, value in DOC.items() if name not in touched} if touched else {}
    assert found == rest | result
