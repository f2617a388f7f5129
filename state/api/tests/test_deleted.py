import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import store
from state.history import deleted
from state.jsondoc.text import make_document
from state.models import Change
from state.revisions import Author, Source

ADA = Author("key:ada", Source.API)
JSON = "application/json"
PATCH = "application/json-patch+json"


def put(agent, address, text, reason=""):
    agent.put(f"/api/state{address}", text, content_type=JSON, headers={"Nola-Reason": reason} if reason else {})


def patch(agent, key, operations):
    assert agent.patch(f"/api/state/{key}", operations, content_type=PATCH).status_code == 200


def gone(agent, address=""):
    return agent.get(f"/api/deleted{address}").json()["deleted"]


def pages(agent, address):
    found = []
    while address:
        response = agent.get(address)
        found.append([one["pointer"] for one in response.json()["deleted"]])
        address = response.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')
    return found


def test_a_deleted_key_is_named_with_who_took_it_and_what_it_was(agent):
    put(agent, "/Mood", '{"calm":true}')
    agent.delete("/api/state/Mood", headers={"Nola-Reason": "over"})

    [one] = gone(agent)

    assert (one["pointer"], one["was"], one["revision"]) == ("/Mood", {"pointer": "/Mood", "at": 1}, 2)
    assert (one["actor"], one["source"], one["reason"]) == ("key:default", "api", "over")
    assert one["node"] == {"type": "object", "bytes": 13, "size": 1}
    assert agent.get("/api/state?pointer=/Mood&at=1").content == b'{"calm":true}'


def test_a_key_that_has_come_back_is_not_gone(agent):
    put(agent, "/Mood", '"calm"')
    agent.delete("/api/state/Mood")
    put(agent, "/Mood", '"new"')

    assert gone(agent) == []


def test_a_key_that_was_renamed_says_so(agent):
    put(agent, "/Old", "[1]")
    operations = [{"op": "put", "pointer": "/New", "value": [1]}, {"op": "delete", "pointer": "/Old"}]
    agent.post("/api/transactions", {"operations": operations}, content_type=JSON)

    [one] = gone(agent)

    assert (one["pointer"], one["renamed"]) == ("/Old", "New")


def test_deleted_keys_come_in_pages_the_last_first_also_those_of_one_revision(agent):
    for name in "abcdef":
        put(agent, f"/{name}", "1")
    agent.delete("/api/state/f")
    operations = [{"op": "delete", "pointer": f"/{name}"} for name in "abcde"]
    agent.post("/api/transactions", {"operations": operations}, content_type=JSON)

    assert pages(agent, "/api/deleted?limit=2") == [["/a", "/b"], ["/c", "/d"], ["/e", "/f"]]


def test_a_removed_member_is_named_with_its_place_and_value(agent):
    put(agent, "/Task", '{"a":1,"b":9223372036854775808,"c":3}')
    agent.delete("/api/state/Task/b")

    [one] = gone(agent, "/Task")

    assert (one["pointer"], one["was"], one["position"]) == ("/Task/b", {"pointer": "/Task/b", "at": 1}, 1)
    assert one["node"] == {"type": "number", "bytes": 19, "number": "9223372036854775808"}


def test_what_was_replaced_around_a_member_took_it_too(agent):
    put(agent, "/Task", '{"deep":{"list":[{"a":1,"b":2}]}}')
    patch(agent, "Task", [{"op": "replace", "path": "/deep", "value": {"list": [{"b": 3}]}}])

    assert [one["pointer"] for one in gone(agent, "/Task/deep/list/0")] == ["/Task/deep/list/0/a"]


def test_a_removed_container_that_has_come_back_lacks_what_it_had(agent):
    put(agent, "/Task", '{"box":{"a":1,"b":2}}')
    agent.delete("/api/state/Task/box")
    put(agent, "/Task/box", '{"b":3}')

    [one] = gone(agent, "/Task/box")

    assert (one["pointer"], one["revision"], one["was"]["at"]) == ("/Task/box/a", 2, 1)


def test_what_was_renamed_or_moved_away_is_not_gone(agent):
    put(agent, "/Task", '{"box":{"a":1,"b":2},"else":{}}')
    patch(agent, "Task", [{"op": "move", "from": "/box/a", "path": "/box/c"}])
    patch(agent, "Task", [{"op": "move", "from": "/box/b", "path": "/else/b"}])

    assert gone(agent, "/Task/box") == []


def test_the_container_is_followed_back_over_its_own_move(agent):
    put(agent, "/Task", '{"box":{"a":1,"b":2}}')
    agent.delete("/api/state/Task/box/a")
    patch(agent, "Task", [{"op": "move", "from": "/box", "path": "/chest"}])

    [one] = gone(agent, "/Task/chest")

    assert (one["pointer"], one["was"]) == ("/Task/chest/a", {"pointer": "/Task/box/a", "at": 1})


def test_a_removed_item_is_named_with_where_it_stood(agent):
    put(agent, "/List", '["a",{"n":1},"c","d"]')
    patch(agent, "List", [{"op": "remove", "path": "/1"}, {"op": "remove", "path": "/1"}])
    put(agent, "/List/0", '"edited"')

    found = gone(agent, "/List")

    places = {one["was"]["pointer"]: one["node"]["type"] for one in found}
    assert places == {"/List/1": "object", "/List/2": "text"}
    assert agent.get("/api/state?pointer=/List/1&at=1").json() == {"n": 1}


def test_an_item_that_was_put_back_is_not_gone(agent):
    put(agent, "/List", '["a","b"]')
    agent.delete("/api/state/List/0")
    agent.post("/api/undo", {"revision": 2}, content_type=JSON)

    assert gone(agent, "/List") == []


def test_a_value_keeps_what_it_was_then_whatever_came_before(agent):
    put(agent, "/Task", '{"box":{"deep":{"n":1}}}')
    put(agent, "/Task/box/deep/n", "2")
    agent.delete("/api/state/Task/box/deep")

    [one] = gone(agent, "/Task/box")

    assert agent.get(f"/api/state?pointer={one['was']['pointer']}&at={one['was']['at']}").json() == {"n": 2}


def test_removed_members_come_in_pages_also_those_of_one_revision(agent, monkeypatch):
    monkeypatch.setattr(deleted, "LOOKED", 2)
    put(agent, "/Task", '{"a":1,"b":2,"c":3,"d":4,"n":0}')
    agent.delete("/api/state/Task/d")
    for number in range(1, 6):
        put(agent, "/Task/n", str(number))
    patch(agent, "Task", [{"op": "remove", "path": f"/{name}"} for name in "abc"])

    found = pages(agent, "/api/deleted/Task?limit=2")

    assert found[0] == ["/Task/a", "/Task/b"]
    assert [pointer for page in found for pointer in page] == ["/Task/a", "/Task/b", "/Task/c", "/Task/d"]
    assert [] in found  # nothing in the part of the log that one page looks through


def test_a_scalar_has_nothing_to_lose_and_what_is_missing_is_404(agent):
    put(agent, "/n", "1")

    assert gone(agent, "/n") == []
    assert agent.get("/api/deleted/missing").status_code == 404


@pytest.mark.parametrize("cursor", ["x", "WzEsMl0", "W10", "Wy0xLDBd"])
def test_a_cursor_of_somebody_elses_is_refused(agent, cursor):
    put(agent, "/n", "{}")
    response = agent.get(f"/api/deleted/n?cursor={cursor}")

    assert response.status_code == (200 if cursor == "WzEsMl0" else 422)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([None, 1, 2])), max_size=12), st.integers(1, 4))
def test_what_is_gone_is_what_the_log_says(agent, writes, limit):
    for name, value in writes:
        agent.delete(f"/api/state/{name}") if value is None else put(agent, f"/{name}", str(value))

    lasts = {change.key: change for change in Change.objects.order_by("revision_id")}
    removed = [change for change in lasts.values() if change.forward == [{"op": "remove", "path": ""}]]
    wanted = [f"/{one.key}" for one in sorted(removed, key=lambda one: (-one.revision_id, one.key))]
    assert [pointer for page in pages(agent, f"/api/deleted?limit={limit}") for pointer in page] == wanted


def test_the_cost_of_deleted_keys_does_not_grow_with_the_keys_that_are_there(agent, count_steps):
    for name in "abc":
        put(agent, f"/{name}", "1")
        agent.delete(f"/api/state/{name}")
    put(agent, "/k", "1")  # so that no index ends behind what is gone
    few = count_steps(lambda: deleted.find_keys(2))
    store.put_keys({f"k{number}": make_document(number) for number in range(200)}, ADA)

    assert count_steps(lambda: deleted.find_keys(2)) == few > 0


def test_the_cost_of_deleted_keys_does_not_grow_with_their_history(agent, django_assert_num_queries):
    for name in "abc":
        for number in range(5):
            put(agent, f"/{name}", str(number))
    agent.delete("/api/state/a")

    with django_assert_num_queries(3):
        deleted.find_keys(20)
