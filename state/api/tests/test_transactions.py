import pytest

from state.jsondoc.patch import replay_ops
from state.models import Change, Revision

JSON = "application/json"


@pytest.fixture
def task(agent):
    agent.put("/api/state/Task", '{"a":1,"l":[1,2]}', content_type=JSON)
    agent.put("/api/state/Log", "[]", content_type=JSON)
    return agent


def run(client, *operations, **options):
    return client.post("/api/transactions", {"operations": list(operations), **options}, content_type=JSON)


def test_writes_to_several_keys_are_one_revision(task):
    response = run(
        task,
        {"op": "put", "pointer": "/Task/a", "value": 2},
        {"op": "patch", "pointer": "/Log", "patch": [{"op": "add", "path": "/-", "value": "a is 2"}]},
        {"op": "merge", "pointer": "/New", "value": {"x": {"y": 1}}},
        {"op": "delete", "pointer": "/Task/l/0"},
    )

    assert (response.status_code, response.json()) == (200, {"revision": 3, "changed": ["Log", "New", "Task"]})
    assert task.get("/api/state").json() == {"Log": ["a is 2"], "New": {"x": {"y": 1}}, "Task": {"a": 2, "l": [2]}}
    assert Change.objects.filter(revision=3).count() == 3


def test_each_operation_sees_those_before_it_and_history_replays(task):
    run(
        task,
        {"op": "delete", "pointer": "/Task"},
        {"op": "absent", "pointer": "/Task"},
        {"op": "put", "pointer": "/Task/b", "value": 1},
        {"op": "put", "pointer": "/Task/c", "value": 2},
    )

    change = Change.objects.get(revision=3)
    before = {"a": 1, "l": [1, 2]}
    after = replay_ops(dict(before), change.forward)
    assert after == task.get("/api/state/Task").json() == {"b": 1, "c": 2}
    assert replay_ops(after, change.inverse) == before


def test_operations_that_cancel_out_make_no_revision(task):
    response = run(task, {"op": "put", "pointer": "/X", "value": 1}, {"op": "delete", "pointer": "/X"})

    assert response.json() == {"revision": 2, "changed": []}
    assert Revision.objects.count() == 2


def test_a_dry_run_can_tell_what_stood_there(task):
    operations = [{"op": "put", "pointer": "/Task/a", "value": 2}]

    answer = task.post("/api/transactions?was=true", {"operations": operations, "dry_run": True}, content_type=JSON)

    assert answer.json()["patches"] == {"Task": [{"op": "replace", "path": "/a", "value": 2, "was": 1}]}


def test_a_dry_run_shows_the_patches_and_changes_nothing(task):
    response = run(task, {"op": "put", "pointer": "/Task/a", "value": 2}, dry_run=True)

    patch = [{"op": "replace", "path": "/a", "value": 2}]
    assert response.json() == {"revision": 2, "changed": ["Task"], "patches": {"Task": patch}}
    assert Revision.objects.count() == 2


def test_checks_are_made_on_what_is_there(task):
    tag = task.get("/api/state/Task/a")["ETag"]

    good = run(task, {"op": "match", "pointer": "/Task/a", "etag": tag}, {"op": "put", "pointer": "/Log", "value": 1})
    task.put("/api/state/Task/a", "9", content_type=JSON)
    late = run(task, {"op": "match", "pointer": "/Task/a", "etag": tag}, {"op": "put", "pointer": "/Log", "value": 2})

    assert good.status_code == 200
    assert (late.status_code, late.json()["op_index"], late.json()["revision"]) == (412, 0, 4)
    assert task.get("/api/state/Log").json() == 1


@pytest.mark.parametrize(
    ("operation", "status", "detail"),
    [
        ({"op": "delete", "pointer": "/Nope"}, 404, "operation 1: there is no key 'Nope'"),
        ({"op": "patch", "pointer": "/Task", "patch": [{"op": "remove", "path": "/x"}]}, 409, "operation 0 at /x"),
        ({"op": "put", "pointer": "/Task/a/b", "value": 1}, 409, "operation 1: 'b' is below a value"),
        ({"op": "put", "pointer": "/", "value": 1}, 422, "operation 1: a key cannot be empty"),
        ({"op": "absent", "pointer": "/Task"}, 412, "operation 1: something is stored there already"),
        ({"op": "put", "pointer": "", "value": 1}, 400, '"pointer" must name a key'),
        ({"op": "put", "pointer": "/Task"}, 400, "operation 1 (put) takes pointer and value"),
        ({"op": "put", "pointer": "/Task", "value": 1, "if": 2}, 400, "takes pointer and value, no more"),
        ({"op": "increment", "pointer": "/Task"}, 400, 'operation 1 needs an "op": put, delete'),
        ({"op": ["put"], "pointer": "/Task"}, 400, 'operation 1 needs an "op": put, delete'),
        ({"op": "patch", "pointer": "/Task", "patch": [{"op": "nope"}]}, 422, "operation 0 is 'nope'"),
    ],
)  # fmt: skip
def test_one_that_cannot_be_done_undoes_them_all(task, operation, status, detail):
    response = run(task, {"op": "put", "pointer": "/Task/a", "value": 2}, operation)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]
    assert task.get("/api/state/Task/a").json() == 1
    assert Revision.objects.count() == 2


def test_no_more_than_128_operations_are_taken(task):
    many = [{"op": "put", "pointer": f"/k{number}", "value": 1} for number in range(129)]

    assert run(task, *many).status_code == 400
    assert run(task, *many[:128]).json()["revision"] == 3


def test_a_read_only_key_cannot_run_one(task, make_key):
    make_key("nola_reader-key-0000", "reader", ("read",))
    headers = {"Authorization": "Bearer nola_reader-key-0000"}

    response = task.post("/api/transactions", {"operations": []}, content_type=JSON, headers=headers)

    assert response.status_code == 403


def test_a_match_that_fails_says_when_the_key_last_changed(agent):
    agent.put("/api/state/A", "1", content_type=JSON)
    operations = [{"op": "put", "pointer": "/A", "value": 2}, {"op": "match", "pointer": "/A", "etag": '"x"'}]

    response = agent.post("/api/transactions", {"operations": operations}, content_type=JSON)

    assert (response.status_code, response.json()["revision"], response.json()["op_index"]) == (412, 1, 1)


def test_writes_made_for_an_earlier_revision_are_carried_over_what_came_since(task):
    task.patch(
        "/api/state/Task/l", [{"op": "add", "path": "/0", "value": 0}], content_type="application/json-patch+json"
    )

    response = run(
        task,
        {"op": "patch", "pointer": "/Task", "patch": [{"op": "add", "path": "/l/1", "value": "between"}]},
        {"op": "put", "pointer": "/Log/0", "value": "said"},
        base=2,
    )

    assert response.status_code == 200
    assert task.get("/api/state").json() == {"Log": ["said"], "Task": {"a": 1, "l": [0, 1, "between", 2]}}


def test_what_both_wrote_since_the_base_is_a_conflict_and_nothing_is_written(task):
    task.put("/api/state/Task/a", "7", content_type=JSON)

    response = run(
        task,
        {"op": "put", "pointer": "/Log/0", "value": "said"},
        {"op": "put", "pointer": "/Task/a", "value": 2},
        base=2,
    )

    assert (response.status_code, response.json()["conflicts"][0]["pointer"]) == (409, "/a")
    assert task.get("/api/state").json() == {"Log": [], "Task": {"a": 7, "l": [1, 2]}}
    assert run(task, {"op": "put", "pointer": "/Log/0", "value": 1}, base=9).status_code == 422


def test_checks_look_at_what_is_stored_now_whatever_the_base(task):
    task.put("/api/state/Task/a", "7", content_type=JSON)
    tag = task.get("/api/state/Task/a")["ETag"]

    held = run(
        task, {"op": "match", "pointer": "/Task/a", "etag": tag}, {"op": "put", "pointer": "/Log/0", "value": 1}, base=2
    )
    stale = run(task, {"op": "put", "pointer": "/Log/0", "value": 1}, {"op": "absent", "pointer": "/Task/a"}, base=2)

    assert (held.status_code, stale.status_code, stale.json()["op_index"]) == (200, 412, 1)
