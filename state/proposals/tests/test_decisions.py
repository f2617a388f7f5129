"""Laws of proposals, over random documents."""

import copy
import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import store
from state.address import Address
from state.jsondoc.patch import replay_ops
from state.jsondoc.tests import strategies
from state.jsondoc.text import dump_json, make_document
from state.models import Change, Proposal
from state.proposals.decisions import accept_proposal, reject_proposal
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ON_A_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
ADA, AGENT = Author("user:ada", Source.ADMIN), Author("key:planner", Source.API)
SUGGESTER = replace(AGENT, suggests=True)
numbers = itertools.count()


def put(key, value, author=ADA, **terms):
    return store.put(Address(key), make_document(value), author, **terms)


def text(key):
    return store.read(Address(key)).text


def propose(key, value):
    """A key that holds what was there, and a proposal of it, None if that would change nothing."""
    number = put(key, value, SUGGESTER).proposal
    return Proposal.objects.get(pk=number) if number else None


@ON_A_DATABASE
@given(old=strategies.small_values, new=strategies.small_values)
def test_accepting_all_is_the_write_itself(old, new):
    mine, other = f"mine-{next(numbers)}", f"other-{next(numbers)}"
    put(mine, old)
    put(other, old)
    before = store.head()

    proposal = propose(mine, new)

    assert (store.head(), text(mine)) == (before, dump_json(old))
    if proposal is None:
        assert dump_json(old) == dump_json(new)
        return
    accepted, written = accept_proposal(proposal, "user:ada"), put(other, new, AGENT)
    assert text(mine) == text(other) == dump_json(new)
    forward = [Change.objects.get(revision=one.revision).forward for one in (accepted, written)]
    assert forward[0] == forward[1]


@ON_A_DATABASE
@given(old=strategies.small_values, new=strategies.small_values)
def test_rejecting_changes_nothing(old, new):
    key = f"key-{next(numbers)}"
    put(key, old)
    proposal, before = propose(key, new), store.head()

    if proposal:
        reject_proposal(proposal, "user:ada")

    assert (store.head(), text(key)) == (before, dump_json(old))


@ON_A_DATABASE
@given(
    old=st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))),
    new=st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))),
    data=st.data(),
)
def test_accepting_some_is_doing_these_alone(old, new, data):
    key = f"key-{next(numbers)}"
    put(key, old)
    proposal = propose(key, new)
    if proposal is None:
        return
    ops = [op for op in proposal.patches[key] if op["op"] != "move"]
    if len(ops) < len(proposal.patches[key]):
        return  # what is moved has two places
    chosen = data.draw(st.lists(st.sampled_from(sorted({op["path"] for op in ops})), min_size=1, unique=True))
    before = store.head()

    written = accept_proposal(proposal, "user:ada", [f"/{key}{path}" for path in chosen])

    expected = replay_ops(copy.deepcopy(old), [op for op in ops if op["path"] in chosen])
    assert json.loads(text(key)) == expected
    assert written.revision == before + 1


some_numbers = st.sets(st.integers(0, 9)).map(sorted)


@ON_A_DATABASE
@given(old=some_numbers, new=some_numbers, data=st.data())
def test_of_an_array_what_is_accepted_comes_and_goes_and_the_rest_stays(old, new, data):
    key = f"key-{next(numbers)}"
    put(key, {"list": old})
    proposal = propose(key, {"list": new})
    if proposal is None:
        return
    ops = proposal.patches[key]
    steps = [old]
    for op in ops:
        steps.append(replay_ops({"list": [*steps[-1]]}, [op])["list"])
    pointer = data.draw(st.sampled_from([op["path"] for op in ops]))

    accept_proposal(proposal, "user:ada", [f"/{key}{pointer}"])

    expected = {*old}
    for op, before, after in zip(ops, steps, steps[1:], strict=False):
        if op["path"] == pointer:
            expected = (expected - ({*before} - {*after})) | ({*after} - {*before})
    assert {*json.loads(text(key))["list"]} == expected
