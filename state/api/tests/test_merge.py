"""Writes that say which revision they are made for: `?base=`."""

import pytest

from state.models import Revision

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
TASK = '{"a":1,"b":{"x":1,"y":2},"l":["p","q"]}'


@pytest.fixture
def task(agent):
    """Revision 1 is what a writer has seen; each test lets somebody change something, and then the writer writes."""
    agent.put("/api/state/Task", TASK, content_type=JSON)
    return agent


def put(client, path, body, **headers):
    return client.put(f"/api/state/{path}", body, content_type=JSON, headers=headers)


def text(client, path="Task"):
    return client.get(f"/api/state/{path}").content.decode()


def test_what_others_changed_elsewhere_stays(task):
    put(task, "Task/b/x", "9")

    response = put(task, "Task?base=1", '{"a":2,"b":{"x":1,"y":2},"l":["p","q"]}')

    assert (response.status_code, response["Nola-Revision"]) == (200, "3")
    assert response.content.decode() == text(task) == '{"a":2,"b":{"x":9,"y":2},"l":["p","q"]}'


def test_what_others_changed_there_is_a_conflict_with_all_three_sides(task, owner):
    owner.put("/api/state/Task/a", "7", content_type=JSON)

    response = put(task, "Task/a?base=1", "2")

    assert (response.status_code, response["Content-Type"]) == (409, "application/problem+json")
    problem = response.json()
    assert problem["detail"] == "changed since revision 1 at /Task/a; look at both, and write again with a newer base"
    assert problem["conflicts"] == [
        {"kind": "state", "key": "Task", "pointer": "/a", "base": 1, "theirs": 7, "yours": 2, "by": 2}
    ]
    assert text(task, "Task/a") == "7"
    assert Revision.objects.count() == 2


def test_the_same_change_on_both_sides_is_none(task):
    put(task, "Task/a", "2")

    response = put(task, "Task/a?base=1", "2")

    assert (response.status_code, response["Nola-Revision"]) == (200, "2")


def test_a_base_that_is_the_newest_is_a_plain_write(task):
    assert put(task, "Task/a?base=1", "2")["Nola-Revision"] == "2"
    assert put(task, "New?base=2", "1").status_code == 201


def test_an_item_is_found_again_behind_an_insert(task):
    task.patch("/api/state/Task/l", [{"op": "add", "path": "/0", "value": "new"}], content_type=JSON_PATCH)

    response = put(task, "Task/l/1?base=1", '"Q"')

    assert text(task, "Task/l") == '["new","p","Q"]'
    assert (response.content, response["Content-Location"]) == (b'"Q"', "/api/state/Task/l/2")


@pytest.mark.parametrize(
    ("method", "body", "media_type"),
    [
        ("put", '{"a":1,"b":{"x":1,"y":2},"l":["p","q"],"new":{"big":true}}', JSON),
        ("patch", '{"new":{"big":true}}', MERGE_PATCH),
        ("patch", '[{"op":"add","path":"/new","value":{"big":true}}]', JSON_PATCH),
    ],
)
def test_the_answer_is_the_node_of_the_address_whatever_was_added_in_it(task, method, body, media_type):
    put(task, "Task/a", "2")

    response = getattr(task, method)("/api/state/Task?base=1", body, content_type=media_type)

    assert response.content.decode() == '{"a":2,"b":{"x":1,"y":2},"l":["p","q"],"new":{"big":true}}'
    assert "Content-Location" not in response
    assert response["ETag"] == task.get("/api/state/Task")["ETag"]


@pytest.mark.parametrize(
    ("method", "path", "body", "media_type"),
    [
        ("put", "Task/a", "1", JSON),
        ("patch", "Task", '{"a":1}', MERGE_PATCH),
        ("patch", "Task", '[{"op":"replace","path":"/a","value":1}]', JSON_PATCH),
        ("patch", "Task", '[{"op":"add","path":"/a","value":1}]', JSON_PATCH),
    ],
)
def test_a_leaf_that_is_set_to_what_it_was_is_no_less_meant(task, method, path, body, media_type):
    put(task, "Task/a", "7")

    response = getattr(task, method)(f"/api/state/{path}?base=1", body, content_type=media_type)

    assert response.status_code == 409
    assert response.json()["conflicts"] == [
        {"kind": "state", "key": "Task", "pointer": "/a", "base": 1, "theirs": 7, "yours": 1, "by": 2}
    ]


def test_both_may_append(task):
    put(task, "Task/l/2", '"theirs"')

    response = put(task, "Task/l/2?base=1", '"mine"')

    assert text(task, "Task/l") == '["p","q","theirs","mine"]'
    assert (response.status_code, response["Content-Location"]) == (201, "/api/state/Task/l/3")


def test_both_may_make_the_same_parents(task):
    put(task, "Task/ui/theme/accent", '"violet"')

    response = put(task, "Task/ui/theme/font/size?base=1", "12")

    assert text(task, "Task/ui") == '{"theme":{"accent":"violet","font":{"size":12}}}'
    assert (response.status_code, response.content) == (201, b"12")


def test_both_may_make_the_same_key(task):
    put(task, "New/theirs", "1")

    assert put(task, "New/mine?base=1", "2").status_code == 201
    assert text(task, "New") == '{"theirs":1,"mine":2}'


def test_what_both_put_under_one_name_is_a_conflict(task):
    put(task, "Task/ui/theme", '{"accent":"violet","font":"serif"}')

    response = put(task, "Task/ui/theme?base=1", '{"accent":"green","size":2}')

    assert response.json()["conflicts"] == [
        {"kind": "state", "key": "Task", "pointer": "/ui/theme/accent", "theirs": "violet", "yours": "green", "by": 2}
    ]


def test_a_write_inside_what_is_gone_is_a_conflict(task):
    task.delete("/api/state/Task/b")

    response = put(task, "Task/b/x?base=1", "5")

    assert response.json()["conflicts"] == [
        {"kind": "state", "key": "Task", "pointer": "/b", "base": {"x": 1, "y": 2}, "yours": {"x": 5, "y": 2}, "by": 2}
    ]


def test_a_write_that_only_says_what_was_there_does_not_pass_over_a_removal(task):
    task.delete("/api/state/Task")

    response = put(task, "Task/b?base=1", '{"x":1,"y":2}')

    assert response.status_code == 409
    assert response.json()["conflicts"] == [
        {"kind": "state", "key": "Task", "pointer": "/b", "base": {"x": 1, "y": 2}, "yours": {"x": 1, "y": 2}, "by": 2}
    ]


def test_a_key_that_came_back_is_compared_with_what_it_was(task):
    task.delete("/api/state/Task")
    put(task, "Task", TASK)

    assert put(task, "Task/a?base=1", "2").status_code == 200


def test_a_deletion_does_not_take_later_work_with_it(task):
    put(task, "Task/b/x", "9")

    assert task.delete("/api/state/Task/b?base=1").status_code == 409
    assert task.delete("/api/state/Task/a?base=1").status_code == 204
    assert text(task) == '{"b":{"x":9,"y":2},"l":["p","q"]}'


@pytest.mark.parametrize("path", ["Task/a", "Task"])
def test_what_both_delete_is_gone(task, path):
    task.delete(f"/api/state/{path}")

    response = task.delete(f"/api/state/{path}?base=1")

    assert (response.status_code, response["Nola-Revision"]) == (204, "2")
    assert task.get(f"/api/state/{path}").status_code == 404


def test_a_merge_patch_merges_twice(task):
    put(task, "Task/b/x", "9")

    response = task.patch("/api/state/Task?base=1", {"a": None, "b": {"y": 3, "z": 4}}, content_type=MERGE_PATCH)

    assert response.json() == {"b": {"x": 9, "y": 3, "z": 4}, "l": ["p", "q"]}


def test_a_json_patch_is_carried_over(task):
    task.patch("/api/state/Task/l", [{"op": "add", "path": "/0", "value": "new"}], content_type=JSON_PATCH)
    ops = [{"op": "test", "path": "/l/1", "value": "q"}, {"op": "move", "from": "/l/1", "path": "/q"}]

    response = task.patch("/api/state/Task?base=1", ops, content_type=JSON_PATCH)

    assert response.json() == {"a": 1, "b": {"x": 1, "y": 2}, "l": ["new", "p"], "q": "q"}


def test_what_a_patch_tests_must_not_have_changed_since(task):
    put(task, "Task/b/x", "9")
    ops = [{"op": "test", "path": "/b", "value": {"x": 1, "y": 2}}, {"op": "replace", "path": "/a", "value": 2}]

    response = task.patch("/api/state/Task?base=1", ops, content_type=JSON_PATCH)

    assert [(one["pointer"], one["by"]) for one in response.json()["conflicts"]] == [("/b", 2)]
    assert text(task, "Task/a") == "1"


def test_a_condition_is_judged_first_and_tells_what_has_changed(task):
    tag = task.get("/api/state/Task/b")["ETag"]
    put(task, "Task/b/x", "9")

    response = put(task, "Task/b?base=1", '{"x":1,"y":3}', **{"If-Match": tag})

    assert response.status_code == 412
    assert response.json()["patch"] == [{"op": "replace", "path": "/x", "value": 9}]
    assert response.json()["etag"] == task.get("/api/state/Task/b")["ETag"]


def test_with_a_condition_that_holds_nothing_is_merged(task):
    tag = task.get("/api/state/Task/a")["ETag"]
    put(task, "Task/b", "0")

    assert put(task, "Task/a?base=1", "2", **{"If-Match": tag}).status_code == 200
    assert put(task, "Task?base=1", '{"only":"this"}', **{"If-Match": "*"}).status_code == 200
    assert text(task) == '{"only":"this"}'


@pytest.mark.parametrize("base", ["99", "-1", "soon", "", "2026-01-01T00:00:00Z"])
def test_a_base_that_is_no_revision_is_refused(task, base):
    response = put(task, f"Task/a?base={base}", "2")

    assert (response.status_code, response["Content-Type"]) == (422, "application/problem+json")
    assert Revision.objects.count() == 1


def test_an_unknown_base_names_the_newest(task):
    assert put(task, "Task/a?base=99", "2").json()["detail"] == "revision 99 does not exist; the newest is 1"


def test_a_merged_write_that_is_sent_again_gets_the_same_answer(task):
    task.patch("/api/state/Task/l", [{"op": "add", "path": "/0", "value": "new"}], content_type=JSON_PATCH)

    first, second = (put(task, "Task/l/1?base=1", '"Q"', **{"Idempotency-Key": "k"}) for _ in range(2))

    assert first.content == second.content == b'"Q"'
    assert first["Content-Location"] == second["Content-Location"] == "/api/state/Task/l/2"
    assert Revision.objects.count() == 3


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "status", "result"),
    [
        ("[3,1,2]", ["[1,2,3]"], "[1,2,3,4]", 200, "[1,2,3,4]"),
        ('["x","y"]', ['["y","x"]', '["x","y"]'], '["y!","x"]', 200, '["y!","x"]'),
        ('["x","y","z"]', ['["z","x","y"]'], '["x","y"]', 409, '["z","x","y"]'),
        ('{"a":["x"],"b":[]}', ['{"a":[],"b":["x"]}'], '{"a":[],"b":["x","y"]}', 200, '{"a":[],"b":["x","y"]}'),
        ('{"a":["x"],"b":[]}', ['{"a":[],"b":["x"]}'], '{"a":["x"],"b":["x"]}', 200, '{"a":[],"b":["x"]}'),
        ('{"a":[],"b":["x"]}', ['{"b":["x"]}', '{"a":[],"b":["x"]}'], '{"b":[]}', 200, '{"b":[]}'),
        ('[{"id":1,"n":0}]', ['[{"id":1,"n":5}]'], '[{"id":2,"n":0}]', 409, '[{"id":1,"n":5}]'),
    ],
)
def test_a_thing_that_a_put_has_elsewhere_has_moved(agent, base, theirs, mine, status, result):
    for body in [base, *theirs]:
        put(agent, "List", body)

    response = put(agent, "List?base=1", mine)

    assert (response.status_code, text(agent, "List")) == (status, result)


def test_what_was_moved_out_of_a_list_is_not_written_through_it(agent):
    put(agent, "Board", '{"todo":[{"id":1,"n":0},{"id":2,"n":0}],"done":[]}')
    put(agent, "Board", '{"todo":[{"id":2,"n":0}],"done":[{"id":1,"n":0}]}')

    split = put(agent, "Board/todo?base=1", '[{"id":1,"n":9},{"id":2,"n":0}]')
    whole = put(agent, "Board/todo?base=1", '[{"id":1,"n":0},{"id":2,"n":0},{"id":3,"n":0}]')

    assert (split.status_code, split.json()["conflicts"][0]["pointer"]) == (409, "/todo")
    assert split.json()["conflicts"][0]["by"] == 2
    assert whole.status_code == 200
    assert text(agent, "Board") == '{"todo":[{"id":2,"n":0},{"id":3,"n":0}],"done":[{"id":1,"n":0}]}'


@pytest.mark.parametrize(
    ("before", "op", "after", "leaves"),
    [
        ('{"a":[1],"b":2}', {"op": "move", "from": "/a", "path": "/b"}, '{"b":[1]}', {"/b/0": 1}),
        ('{"a":{"x":1},"c":3}', {"op": "move", "from": "/a/x", "path": "/a"}, '{"a":1,"c":3}', {"/a": 1, "/c": 1}),
        ('{"l":[5,{"x":1}]}', {"op": "move", "from": "/l/0", "path": "/l/0/x"}, None, None),
        ('{"l":["p",{"x":1}],"z":0}', {"op": "move", "from": "/z", "path": "/l/1/x"}, '{"l":["p",{"x":0}]}',
         {"/l/0": 1, "/l/1/x": 1}),
    ],
)  # fmt: skip
def test_what_is_moved_onto_a_member_keeps_who_wrote_it(agent, before, op, after, leaves):
    put(agent, "Task", before)

    response = agent.patch("/api/state/Task", [op], content_type=JSON_PATCH)

    if after is None:
        assert (response.status_code, text(agent)) == (409, before)
        return
    assert text(agent) == after
    assert {one["pointer"]: one["revision"] for one in agent.get("/api/blame/Task").json()["leaves"]} == leaves
    agent.post("/api/undo", {"revision": 2}, content_type=JSON)
    assert text(agent) == before


def test_a_put_of_a_list_in_another_order_keeps_who_wrote_what(agent, owner):
    put(agent, "Task", '[{"t":"a"},{"t":"b"}]')
    put(owner, "Task/0/t", '"A"')

    put(agent, "Task", '[{"t":"b"},{"t":"A"}]')

    leaves = {one["pointer"]: one["revision"] for one in agent.get("/api/blame/Task").json()["leaves"]}
    assert leaves == {"/0/t": 1, "/1/t": 2}


@pytest.mark.parametrize("path", ["Task", "Task/p"])
def test_a_write_that_is_sent_twice_changes_nothing_the_second_time(agent, path):
    put(agent, "Task", '{"p":["x"]}')
    body = '{"p":{"a":["x"]}}' if path == "Task" else '{"a":["x"]}'

    first, second = (put(agent, f"{path}?base=1", body) for _ in range(2))

    assert (first.status_code, second.status_code, second["Nola-Revision"]) == (200, 200, "2")
    assert text(agent, "Task") == '{"p":{"a":["x"]}}'
