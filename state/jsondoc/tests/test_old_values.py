import copy
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from state import edits
from state.address import Address
from state.entries import Stored
from state.jsondoc.old_values import with_old_values
from state.jsondoc.patch import PatchFailed, apply_steps, find_node, replay_ops
from state.jsondoc.pointer import escape_token, parse_pointer
from state.jsondoc.tests import strategies
from state.jsondoc.text import NOTHING, dump_json, make_document

JSON, JSON_PATCH = "application/json", "application/json-patch+json"


def there(document, op):
    """What is at the place of an operation right before it."""
    return find_node(document, parse_pointer(op["path"]))


def check_told(old, edit):
    """Every `was` is what stood there; returns how many places could have been told, and how many were."""
    told = with_old_values(edit.forward, edit.inverse)
    document = NOTHING if old is None else json.loads(old)
    could = [op for op in told if op["op"] in ("replace", "remove")]
    for op in copy.deepcopy(told):
        if "was" in op:
            value = document if op["path"] == "" else there(document, op)
            assert dump_json(op.pop("was")) == dump_json(value)
        document = replay_ops(document, [op])
    assert edit.text is None or dump_json(document) == edit.text
    return len(could), sum("was" in op for op in told)


@st.composite
def patches_of(draw, text):
    """A JSON Patch that can be applied: members and items added, removed, replaced, copied and moved anywhere."""
    data, ops = text.encode(), []
    for _ in range(draw(st.integers(1, 8))):
        places = [pointer for pointer, _ in nodes("", json.loads(data)) if pointer]
        some = st.sampled_from(places) if places else st.nothing()
        fresh = st.sampled_from(["/a", "/b", "/0", "/-", "/a/0", "/b/c"]) | some
        op = draw(
            st.fixed_dictionaries({"op": st.just("add"), "path": fresh, "value": strategies.small_values})
            | st.fixed_dictionaries({"op": st.just("replace"), "path": some, "value": strategies.small_values})
            | st.fixed_dictionaries({"op": st.just("remove"), "path": some})
            | st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "from": some, "path": fresh})
        )
        try:
            for step in apply_steps(data, [op]):
                data = step.data
        except PatchFailed:
            continue
        ops.append(op)
    return ops


def nodes(pointer, value):
    yield pointer, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from nodes(f"{pointer}/{escape_token(str(name))}", inner)


@settings(max_examples=150)
@given(strategies.small_values, strategies.small_values)
def test_a_put_tells_all_that_it_replaces_or_removes(old, new):
    text = dump_json(old)

    edit = edits.put(Address("K"), make_document(new), Stored(text, 1))

    could, did = check_told(text, edit)
    assert could == did


@settings(max_examples=150)
@given(st.data(), strategies.small_values)
def test_a_json_patch_tells_all_that_it_replaces_or_removes(data, old):
    text = dump_json(old)
    ops = data.draw(patches_of(text))

    edit = edits.patch(Address("K"), ops, Stored(text, 1))

    could, did = check_told(text, edit)
    assert could == did


@settings(max_examples=150)
@given(strategies.small_values, strategies.small_values)
def test_a_merge_patch_tells_all_that_it_replaces_or_removes(old, patch):
    text = dump_json(old)

    edit = edits.merge(Address("K"), patch, Stored(text, 1))

    could, did = check_told(text, edit)
    assert could == did


@settings(max_examples=150)
@given(st.data(), strategies.small_values)
def test_a_way_back_that_was_computed_anew_never_tells_a_wrong_one(data, old):
    text = dump_json(old)
    done = edits.patch(Address("K"), data.draw(patches_of(text)), Stored(text, 1))
    assume(not any(op["path"].startswith(f"{op.get('from')}/") for op in done.inverse))  # which no patch may say
    back = edits.apply("K", Stored(done.text, 2), done.inverse)
    replayed = edits.replace(edits.put(Address("K"), make_document(old), Stored(done.text, 2)), forward=done.inverse)

    assert back.text == text
    check_told(done.text, back)
    check_told(done.text, replayed)


@pytest.mark.parametrize(
    ("forward", "inverse"),
    [
        ([{"op": "replace", "path": "/a", "value": 1}], []),
        ([{"op": "replace", "path": "/a", "value": 1}], [{"op": "replace", "path": "/b", "value": 0}]),
        ([{"op": "remove", "path": "/a"}], [{"op": "replace", "path": "/a", "value": 0}]),
        ([{"op": "move", "from": "/a", "path": "/b"}], [{"op": "move", "from": "/b", "path": "/c"}]),
        ({"add": [1]}, {"remove": [1]}),
        ("[redacted]", "[redacted]"),
    ],
)
def test_where_the_two_do_not_mirror_each_other_nothing_is_told(forward, inverse):
    assert with_old_values(forward, inverse) == forward


@pytest.fixture
def task(agent):
    agent.put("/api/state/T", '{"a":1,"l":[{"n":1},{"n":2}]}', content_type=JSON)
    ops = [{"op": "remove", "path": "/l/0"}, {"op": "replace", "path": "/l/0/n", "value": 3}]
    agent.patch("/api/state/T", ops, content_type=JSON_PATCH)
    agent.delete("/api/state/T/a")
    return agent


SECOND = [{"op": "remove", "path": "/l/0", "was": {"n": 1}}, {"op": "replace", "path": "/l/0/n", "value": 3, "was": 2}]


def test_the_history_tells_what_was(task):
    revisions = task.get("/api/history/T?was=true").json()["revisions"]

    assert [one["patch"] for one in revisions[:2]] == [[{"op": "remove", "path": "/a", "was": 1}], SECOND]
    [item, _] = task.get("/api/history/T/l/0/n?was=true").json()["revisions"]
    assert item["patch"] == SECOND[1:]


def test_the_pages_of_a_history_go_on_telling_what_was(task):
    first = task.get("/api/history/T?was=true&limit=1")

    second = task.get(first["Link"].split(">")[0][1:]).json()["revisions"][0]

    assert second["patch"] == SECOND


def test_nothing_is_told_unasked(task):
    assert task.get("/api/history/T").json() == task.get("/api/history/T?was=false").json()
    assert "was" not in task.get("/api/history/T").content.decode()
    assert task.get("/api/history/T?was=yes").json()["detail"] == "was must be true or false"


def test_a_diff_tells_what_was(task):
    task.delete("/api/state/T")

    first = task.get("/api/diff?from=1&to=2&was=true").json()["patches"]["T"]
    last = task.get("/api/diff?from=3&was=true").json()["patches"]["T"]

    assert [op["was"] for op in first if op["op"] != "add"] == [{"n": 1}, {"n": 2}]
    assert last == [{"op": "remove", "path": "", "was": {"l": [{"n": 3}]}}]


def test_previews_of_undo_and_restore_tell_what_is_there_now(task):
    undo = task.post("/api/undo?was=true", {"revision": 2, "dry_run": True}, content_type=JSON)
    rows = [{"model": "state.stateentry", "pk": "T", "fields": {"value_json": {"a": 5, "l": []}}}]
    restore = task.post("/api/state/restore?was=true", {"checkpoint": rows, "dry_run": True}, content_type=JSON)

    assert undo.json()["patches"]["T"] == [
        {"op": "add", "path": "/l/0", "value": {"n": 1}},
        {"op": "replace", "path": "/l/1/n", "value": 2, "was": 3},
    ]
    assert restore.json()["patches"]["T"] == [
        {"op": "add", "path": "/a", "value": 5, "position": 0},
        {"op": "remove", "path": "/l/0", "was": {"n": 3}},
    ]
