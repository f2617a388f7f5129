import pytest

from nola_client import ABSENT, ConflictError, Invalid, NotAllowed, NotFound, PreconditionFailed
from nola_client.errors import Conflict
from nola_client.values import format_pointer

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 12345678901234567890123, 1.0, -0.0, 1e300, "", "\u2028 €\n", [], {}, {"": [1.0, 1]}, '{"a": 1}'],
)
def test_a_value_comes_back_as_it_was(nola, name, value):
    nola.put(name, value)

    assert repr(nola.get(name)) == repr(value)


def test_a_text_comes_back_to_the_byte(nola, name):
    text = '{"b":100.0,"a":-0.0,"":"\u2028 ž \\n","n":' + "9" * 4000 + "}"

    nola.put_text(name, text)
    nola.put(f"{name}-2", nola.get(name))

    assert nola.read(name).text == nola.read(f"{name}-2").text == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}])
def test_what_is_no_json_is_refused_before_it_is_sent(nola, name, value):
    with pytest.raises(ValueError):
        nola.put(name, value)

    assert nola.get(name, None) is None


@pytest.mark.parametrize(
    ("address", "pointer"),
    [("", ""), ("A/b", "/A/b"), ("/A/b~1c", "/A/b~1c"), (("A", "b/c", 0), "/A/b~1c/0"), (("",), "/"), ("/", "/")],
)
def test_an_address_is_a_path_a_pointer_or_names(address, pointer):
    assert format_pointer(address) == pointer


@pytest.mark.parametrize("inner", ["", ".", "..", "a/b", "~", "%2F", "ž", " ", "?x=1", "#"])
def test_any_name_can_be_named(nola, name, inner):
    nola.put((name, inner), [1])

    assert nola.get((name, inner, 0)) == 1
    assert nola.get(name) == {inner: [1]}


def test_a_write_says_its_revision_and_whether_it_made_something(nola, name):
    made = nola.put((name, "x"), 1)
    again = nola.put((name, "x"), 2)
    same = nola.put((name, "x"), 2)

    assert (made.created, again.created) == (True, False)
    assert again.revision == same.revision > made.revision
    assert again.etag == nola.read((name, "x")).etag


def test_what_is_not_there(nola, name):
    with pytest.raises(NotFound) as caught:
        nola.get(name)

    assert (caught.value.status, caught.value.title) == (404, "Not Found")
    assert name in caught.value.detail
    assert nola.get(name, None) is None


def test_several_values_at_once(nola, name):
    nola.put(name, {"a": 1, "b": [2], "n": None})

    assert nola.get_many([(name, "a"), (name, "b", 0), (name, "no")]) == {f"/{name}/a": 1, f"/{name}/b/0": 2}
    assert nola.get_many([(name, "n")]) == {f"/{name}/n": None}
    assert nola.get_many([(name, "no")]) == nola.get_many([]) == {}


def test_patch_merge_and_delete(nola, name):
    nola.put(name, {"a": 1, "b": 2})

    nola.patch(name, [{"op": "add", "path": "/c", "value": 3}, {"op": "remove", "path": "/a"}])
    nola.merge(name, {"b": None, "d": {"e": 1}})
    nola.delete((name, "d", "e"))

    assert nola.get(name) == {"c": 3, "d": {}}


def test_the_past_and_a_level(nola, name):
    first = nola.put(name, {"about": {"level_1": "short", "level_2": "long"}}).revision
    nola.put(name, 2)

    assert nola.get((name, "about"), at=first) == {"level_1": "short", "level_2": "long"}
    assert nola.read((name, "about"), at=first, level=1).text == '"short"'


def test_what_others_changed_elsewhere_stays(nola, name):
    nola.put(name, {"list": ["a", "b"], "n": 1})
    base = nola.read(name).revision
    nola.put((name, "list"), ["new", "a", "b"])

    written = nola.put((name, "list", 1), "B", base=base)

    assert written.place == f"/{name}/list/2"
    assert nola.get(name) == {"list": ["new", "a", "B"], "n": 1}


def test_a_conflict_has_all_sides(nola, name):
    base = nola.put(name, {"mood": "calm", "gone": 1}).revision
    theirs = nola.merge(name, {"mood": "glad", "gone": None}).revision

    with pytest.raises(ConflictError) as caught:
        nola.merge(name, {"mood": "sad", "gone": 2}, base=base)

    assert sorted(caught.value.conflicts, key=lambda one: one.pointer) == [
        Conflict(name, "/gone", 1, ABSENT, 2, theirs),
        Conflict(name, "/mood", "calm", "glad", "sad", theirs),
    ]
    assert nola.get(name) == {"mood": "glad"}


def test_conditions(nola, name):
    nola.put(name, 1, only_new=True)
    seen = nola.read(name)
    nola.put(name, 2, if_match=seen.etag)

    with pytest.raises(PreconditionFailed) as caught:
        nola.delete(name, if_match=seen.etag)
    with pytest.raises(PreconditionFailed):
        nola.put(name, 3, only_new=True)

    assert (caught.value.etag, caught.value.revision) == (nola.read(name).etag, nola.read(name).revision)
    assert nola.get(name) == 2


def test_a_transaction_is_one_revision_or_none(nola, name):
    done = nola.transaction(
        [{"op": "put", "pointer": f"/{name}/a", "value": 1}, {"op": "put", "pointer": f"/{name}-2", "value": 2}],
        reason="both, ž",
    )

    with pytest.raises(ConflictError) as caught:
        nola.transaction(
            [
                {"op": "put", "pointer": f"/{name}/a", "value": 5},
                {"op": "patch", "pointer": f"/{name}", "patch": [{"op": "test", "path": "/a", "value": 1}]},
            ]
        )

    assert sorted(done.changed) == [name, f"{name}-2"]
    assert caught.value.members["op_index"] == 1
    assert nola.get(name) == {"a": 1}
    assert next(nola.history(name))["reason"] == "both, ž"


def test_history_goes_through_all_its_pages(nola, name):
    made = [nola.put(name, number).revision for number in range(5)]

    assert [one["revision"] for one in nola.history(name, limit=2)] == made[::-1]
    assert [one["revision"] for one in nola.history(since=made[0], limit=2)] == made[:0:-1]
    assert [one.revision for one in nola.changes(made[1], keys=[name], limit=2)] == made[2:]


def test_undo_diff_and_blame(nola, name):
    first = nola.put(name, {"a": 1}).revision
    second = nola.put((name, "a"), 2).revision

    assert nola.preview_undo(second)["patches"] == {name: [{"op": "replace", "path": "/a", "value": 1}]}
    undone = nola.undo(second, reason="no")

    assert nola.get(name) == {"a": 1}
    assert nola.diff(first, second) == {name: [{"op": "replace", "path": "/a", "value": 2}]}
    assert nola.blame(name)["leaves"] == [{"pointer": "/a", "revision": undone.revision}]
    with pytest.raises(ConflictError):
        nola.undo(first)
    assert nola.undo(first, prefer="mine").changed == (name,)


def test_a_query(nola, name):
    nola.put(name, {"people": [{"name": "Ada"}, {"name": "Bob"}]})

    assert [one["value"] for one in nola.query(f"$['{name}'].people[*].name")] == ["Ada", "Bob"]


def test_what_is_of_no_use_says_where(nola, name):
    with pytest.raises(Invalid) as caught:
        nola.put_text(name, '{"a": {"b": 1, "b": 2}}')

    assert (caught.value.status, caught.value.pointer) == (400, "/a/b")
    assert caught.value.members["line"] == 1


def test_a_key_that_opens_nothing(connect, server):
    with pytest.raises(NotAllowed) as caught:
        connect("nola_wrong", f"http://127.0.0.1:{server.port}").get()

    assert caught.value.status == 401
