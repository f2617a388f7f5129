import copy
import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import merging, registry, store, undo
from state.address import Address
from state.history import replay
from state.history.tests.test_replay import edited
from state.jsondoc.overlap import find_related
from state.jsondoc.patch import guard_ops, replay_ops
from state.jsondoc.pointer import format_pointer, parse_index
from state.jsondoc.tests import strategies
from state.jsondoc.tests.test_pointer import nodes
from state.jsondoc.text import dump_json, make_document
from state.jsondoc.trees.moves import diff_values
from state.jsondoc.trees.rebase import RebaseConflict, rebase_patch
from state.models import Change
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA, BOB = Author("user:ada", Source.API), Author("key:bob", Source.API)
numbers = itertools.count()
ON_A_DATABASE = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def leaves(document):
    """The addresses of all leaves, by tokens."""
    return [tokens for tokens, node in nodes(document) if tokens and not (isinstance(node, (dict, list)) and node)]


def apart(one, other):
    """Whether two leaves are no neighbours in one array, which count as one place."""
    if not one or not other:
        return False
    indexes = [parse_index(tokens[-1]) for tokens in (one, other)]
    return one[:-1] != other[:-1] or None in indexes or abs(indexes[0] - indexes[1]) > 1


@ON_A_DATABASE
@given(document=strategies.small_values, data=st.data())
def test_a_merge_keeps_all_disjoint_edits(document, data):
    mine = data.draw(st.lists(st.sampled_from(leaves(document) or [()]), unique=True, max_size=4))
    theirs = data.draw(st.lists(st.sampled_from(leaves(document) or [()]), unique=True, max_size=4))
    mine = [one for number, one in enumerate(mine) if all(apart(one, other) for other in mine[:number])]
    theirs = [tokens for tokens in theirs if tokens and all(apart(tokens, one) and tokens != one for one in mine)]
    key = f"key-{next(numbers)}"
    base = store.put(Address(key), make_document(document), ADA).revision
    expected = copy.deepcopy(document)
    for tokens in theirs:
        store.put(Address(key, tokens), make_document("theirs"), BOB)
    for tokens in mine:
        if tokens:
            store.put(Address(key, tokens), make_document("mine"), ADA, base=base)
    for side, places in (("theirs", theirs), ("mine", mine)):
        for tokens in filter(None, places):
            replay_ops(expected, [{"op": "replace", "path": format_pointer(tokens), "value": side}])

    assert store.read(Address(key)).text == dump_json(expected)


@ON_A_DATABASE
@given(document=strategies.small_values, data=st.data())
def test_a_write_on_a_base_is_what_the_rule_says_or_changes_nothing(document, data):
    key = f"key-{next(numbers)}"
    base = store.put(Address(key), make_document(document), ADA).revision
    theirs = document
    for _ in range(data.draw(st.integers(1, 3))):
        theirs = data.draw(edited(theirs))
        store.put(Address(key), make_document(theirs), BOB)
    mine, before = data.draw(edited(document)), store.head()
    over = [op for change in replay.changes_since(key, base) for op in change.forward]
    ops = diff_values(document, mine)[0]
    ops = ops or guard_ops("", ops, mine)

    try:
        written = store.put(Address(key), make_document(mine), ADA, base=base)
    except merging.MergeConflict as conflict:
        with pytest.raises(RebaseConflict):
            rebase_patch(ops, over, document)
        assert conflict.conflicts
        assert store.head() == before
        return
    text = store.read(Address(key)).text
    try:
        expected = replay_ops(copy.deepcopy(theirs), copy.deepcopy(rebase_patch(ops, over, document)))
    except RebaseConflict:  # both made an object under one name; nothing of either side is missing
        assert written.revision == before + (text != dump_json(theirs))  # theirs may have all of mine already
        return
    assert text == dump_json(expected)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_has_nothing_to_do_with_it_can_be_left_out(data):
    document = data.draw(strategies.small_values)
    mine, over, at = diff_values(document, data.draw(edited(document)))[0], [], document
    for _ in range(data.draw(st.integers(1, 4))):
        new = data.draw(edited(at))
        over, at = over + diff_values(at, new)[0], new
    near = [one.op for one in find_related(mine, merging.list_later(over), lambda one: one.areas)]

    assert outcome(mine, near, document, at) == outcome(mine, over, document, at)


def outcome(mine, over, document, theirs):
    """What comes of it: the merged text, or the places where it cannot be."""
    try:
        ops = rebase_patch(mine, over, document) if over else mine
    except RebaseConflict as conflict:
        return {clash.pointer for clash in conflict.conflicts}
    return dump_json(replay_ops(copy.deepcopy(theirs), copy.deepcopy(ops)))


@ON_A_DATABASE
@given(parts=st.fixed_dictionaries({"ada": strategies.small_values, "bob": strategies.small_values}), data=st.data())
def test_undo_of_all_that_one_did_leaves_what_the_other_did(parts, data):
    key, now = f"key-{next(numbers)}", copy.deepcopy(parts)
    first = store.put(Address(key), make_document(parts), ADA).revision
    for name in data.draw(st.lists(st.sampled_from(["ada", "bob"]), min_size=1, max_size=8)):
        now[name] = data.draw(edited(now[name]))
        store.put(Address(key, (name,)), make_document(now[name]), ADA if name == "ada" else BOB)
    if not Change.objects.filter(key=key, revision__gt=first, revision__actor=ADA.actor).exists():
        return

    store.commit(undo.plan(undo.find_by_actor(ADA.actor, first, store.head())), ADA)

    assert store.read(Address(key)).text == dump_json(now | {"ada": parts["ada"]})


@ON_A_DATABASE
@given(document=strategies.small_values, data=st.data())
def test_undo_of_all_since_a_revision_is_that_revision(document, data):
    key, at = f"key-{next(numbers)}", document
    first = store.put(Address(key), make_document(document), BOB).revision
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(edited(at))
        store.put(Address(key), make_document(at), ADA)
    since = list(Change.objects.filter(key=key, revision__gt=first).order_by("-revision_id"))
    if not since:
        return

    store.commit(undo.plan([change.revision_id for change in since]), ADA)

    assert store.read(Address(key)).text == dump_json(document)


def test_undo_that_would_take_too_long_is_refused_with_the_way_out(agent, monkeypatch):
    store.put(Address("L"), make_document([]), BOB)
    for number in range(20):
        store.put(Address("L", (str(number),)), make_document(number), ADA if number % 2 else BOB)
    monkeypatch.setattr(undo, "LONGEST", -1.0)

    response = agent.post("/api/undo", {"actor": ADA.actor}, content_type="application/json")

    assert response.status_code == 422
    assert "undo it in several parts, the newest first" in response.json()["detail"]
    assert store.head() == 21


def test_what_is_overtaken_again_and_again_does_not_hold_up_the_others(agent, monkeypatch):
    store.put(Address("Task"), make_document({"n": 0}), ADA)
    monkeypatch.setattr(store, "QUICK_PLAN", -1)
    monkeypatch.setattr(store, "LONGEST_PLAN", -1)
    monkeypatch.setitem(registry._KINDS, "state", replace(registry.get("state"), is_current=lambda *_: False))

    response = agent.put("/api/state/Task/n", "1", content_type="application/json")

    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert store.head() == 1
