import pytest

from state.models import Revision

JSON = "application/json"


@pytest.fixture
def task(agent):
    for path, body in [("Task", '{"a":1,"l":["a","b","c"]}'), ("Task/a", "2"), ("Task/l/1", '"B"'), ("Other", "1")]:
        agent.put(f"/api/state/{path}", body, content_type=JSON)
    return agent


def undo(client, **body):
    return client.post("/api/undo", body, content_type=JSON)


def test_a_revision_in_the_middle_is_taken_back_and_later_ones_stay(task):
    response = undo(task, revision=2)

    assert (response.status_code, response.json()) == (200, {"revision": 5, "changed": ["Task"]})
    assert task.get("/api/state/Task").content == b'{"a":1,"l":["a","B","c"]}'
    newest = Revision.objects.first()
    assert (newest.source, newest.info) == ("undo", {"undoes": [2]})


def test_an_insert_is_undone_behind_a_later_edit(agent):
    agent.put("/api/state/L", '["a","b","c"]', content_type=JSON)
    insert = [{"op": "add", "path": "/0", "value": "x"}]
    agent.patch("/api/state/L", insert, content_type="application/json-patch+json")
    agent.put("/api/state/L/2", '"B"', content_type=JSON)

    undo(agent, revision=2)

    assert agent.get("/api/state/L").json() == ["a", "B", "c"]


def test_an_item_that_was_moved_to_the_place_of_its_own_array_goes_back(agent):
    agent.put("/api/state/L", '[["a","b"],"c"]', content_type=JSON)
    move = [{"op": "move", "from": "/0/0", "path": "/0"}]
    agent.patch("/api/state/L", move, content_type="application/json-patch+json")
    assert agent.get("/api/state/L").json() == ["a", ["b"], "c"]

    undo(agent, revision=2)

    assert agent.get("/api/state/L").json() == [["a", "b"], "c"]
    assert agent.get("/api/state/L?at=2").json() == ["a", ["b"], "c"]
    undo(agent, revision=3)
    assert agent.get("/api/state/L").json() == ["a", ["b"], "c"]


def test_several_revisions_are_taken_back_as_one(task):
    response = undo(task, revisions=[2, 3])

    assert (response.status_code, response.json()["revision"]) == (200, 5)
    assert task.get("/api/state/Task").json() == {"a": 1, "l": ["a", "b", "c"]}
    assert Revision.objects.first().info == {"undoes": [3, 2]}


def test_several_revisions_must_all_be_there(task):
    response = undo(task, revisions=[2, 99])

    assert (response.status_code, response.json()["detail"]) == (422, "revision 99 does not exist")
    assert undo(task, revisions=[]).status_code == 422
    assert undo(task, revisions=[2], revision=3).status_code == 422


def test_undo_of_an_undo_is_a_redo(task):
    undo(task, revision=3)
    assert task.get("/api/state/Task/l/1").json() == "b"

    undo(task, revision=5)

    assert task.get("/api/state/Task/l/1").json() == "B"
    assert task.get("/api/state/Task?at=4").content == task.get("/api/state/Task").content


def test_a_deleted_key_comes_back_and_a_created_one_goes(task):
    task.delete("/api/state/Task")
    before = task.get("/api/state/Task?at=4").content

    undo(task, revision=5)
    undo(task, revision=4)

    assert task.get("/api/state/Task").content == before
    assert task.get("/api/state/Other").status_code == 404


def test_restores_can_be_undone(task):
    task.post("/api/state/restore", {"checkpoint": "identity"}, content_type=JSON)

    undo(task, revision=5)

    assert list(task.get("/api/state").json()) == ["Other", "Task"]


def test_later_changes_in_the_way_are_named_and_nothing_is_changed(task):
    task.put("/api/state/Task/a", "3", content_type=JSON)

    response = undo(task, revision=2)

    assert (response.status_code, response["Content-Type"]) == (409, "application/problem+json")
    assert response.json()["conflicts"] == [
        {"kind": "state", "key": "Task", "pointer": "/a", "base": 2, "theirs": 3, "yours": 1, "by": 5, "undoing": 2}
    ]
    assert Revision.objects.count() == 5


def test_a_place_that_was_changed_several_times_is_named_once(task, owner):
    for value in (3, 4, 5):
        task.put("/api/state/Task/a", str(value), content_type=JSON)
        task.put("/api/state/Other", str(value), content_type=JSON)
    owner.put("/api/state/Task/a", "9", content_type=JSON)

    response = undo(task, actor="key:default", since="4")

    assert response.status_code == 409
    [conflict] = response.json()["conflicts"]
    found = [conflict[name] for name in ("pointer", "base", "theirs", "yours", "by", "undoing")]
    assert found == ["/a", 5, 9, 2, 11, 9]


@pytest.mark.parametrize(("prefer", "value"), [("mine", 1), ("theirs", 3)])
def test_one_can_say_which_side_wins(task, prefer, value):
    task.put("/api/state/Task/a", "3", content_type=JSON)

    assert undo(task, revision=2, prefer=prefer).status_code == 200
    assert task.get("/api/state/Task/a").json() == value


def test_a_dry_run_shows_the_patch_and_changes_nothing(task):
    response = undo(task, revision=2, dry_run=True)

    patch = [{"op": "replace", "path": "/a", "value": 1}]
    assert response.json() == {"revision": 4, "changed": ["Task"], "patches": {"Task": patch}}
    assert Revision.objects.count() == 4


@pytest.mark.parametrize(("since", "until"), [("1", "4"), (1, 4), (1, "4")])
def test_all_that_an_actor_did_in_a_time_is_taken_back_at_once(task, owner, since, until):
    owner.put("/api/state/Task/mine", '"kept"', content_type=JSON)

    response = undo(task, actor="key:default", since=since, until=until)

    assert response.json()["changed"] == ["Other", "Task"]
    assert task.get("/api/state").json() == {"Task": {"a": 1, "l": ["a", "b", "c"], "mine": "kept"}}
    assert Revision.objects.first().info == {"undoes": [4, 3, 2]}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"revision": 99}, "revision 99 does not exist"),
        ({}, "say what to undo"),
        ({"revision": 1, "actor": "key:default"}, "say what to undo"),
        ({"actor": "key:nobody"}, "key:nobody made no such revision"),
        ({"revision": 1, "since": "3"}, "since and until go with an actor"),
        ({"actor": "key:default", "since": "soon"}, "neither a revision nor a time"),
        ({"actor": "key:default", "since": -1}, "neither a revision nor a time"),
        ({"actor": "key:default", "since": 99}, "revision 99 does not exist"),
        ({"actor": "key:default", "until": 0}, "key:default made no such revision"),
        ({"actor": "key:default", "until": True}, "until"),
        ({"actor": "key:default", "until": 2.5}, "until"),
        ({"revision": 1, "until": 0}, "since and until go with an actor"),
        ({"revision": 1, "force": True}, "force"),
    ],
)
def test_what_cannot_be_undone_is_said(task, body, detail):
    response = undo(task, **body)

    assert (response.status_code, response["Content-Type"]) == (422, "application/problem+json")
    assert detail in response.json()["detail"]
    assert Revision.objects.count() == 4


def test_undo_finds_the_item_it_is_about_in_a_list_that_was_put_anew(agent):
    agent.put("/api/state/T", [{"id": 1, "t": "a", "done": False}], content_type=JSON)
    agent.put("/api/state/T/0/done", "true", content_type=JSON)
    new = [{"id": 9, "t": "new", "done": True}, {"id": 1, "t": "a, urgent", "done": True}]
    agent.put("/api/state/T", new, content_type=JSON)

    assert undo(agent, revision=2).status_code == 200

    assert [one["done"] for one in agent.get("/api/state/T").json()] == [True, False]


def test_the_same_value_said_again_is_somebodys_last_word(agent, owner):
    agent.put("/api/state/Note", '{"s":"draft"}', content_type=JSON)
    agent.put("/api/state/Note/s", '"done"', content_type=JSON)
    for value in ('"open"', '"done"'):
        owner.put("/api/state/Note/s", value, content_type=JSON)

    refused = undo(agent, revision=2)

    assert refused.status_code == 409
    [conflict] = refused.json()["conflicts"]
    assert [conflict[name] for name in ("pointer", "theirs", "yours", "by", "undoing")] == ["/s", "done", "draft", 4, 2]
    assert agent.get("/api/state/Note").json() == {"s": "done"}
    assert undo(agent, revision=2, prefer="mine").status_code == 200
    assert agent.get("/api/state/Note").json() == {"s": "draft"}


def test_a_removal_that_was_made_again_is_somebodys_last_word(agent, owner):
    agent.put("/api/state/Note", '{"a":1,"b":2}', content_type=JSON)
    agent.delete("/api/state/Note/a")
    owner.put("/api/state/Note/a", "1", content_type=JSON)
    owner.delete("/api/state/Note/a")

    assert undo(agent, revision=2).json()["conflicts"][0]["by"] == 4
    assert undo(agent, revision=2, prefer="theirs").json()["changed"] == []


def test_what_comes_back_stands_in_the_order_that_was(agent):
    agent.put("/api/state/L", '["a","b"]', content_type=JSON)
    for index in ("0", "0"):
        agent.delete(f"/api/state/L/{index}")
    for value in ('"n1"', '"n3"'):
        agent.patch("/api/state/L", f'[{{"op":"add","path":"/-","value":{value}}}]',
                    content_type="application/json-patch+json")  # fmt: skip

    undo(agent, revisions=[2, 3])

    assert agent.get("/api/state/L").json() == ["a", "b", "n1", "n3"]


def test_an_undone_change_can_be_redone_and_undone_again(task):
    undo(task, revision=2)
    undo(task, revision=5)
    assert task.get("/api/state/Task/a").json() == 2

    assert undo(task, revision=2).status_code == 200

    assert task.get("/api/state/Task/a").json() == 1
