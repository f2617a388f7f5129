import pytest

from state.models import Change, Revision, StateEntry

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def task(agent):
    agent.put("/api/state/Task", '{"a":1,"l":[1,2],"o":{"x":1}}', content_type=JSON)
    return agent


def patch(client, address, body, media_type=JSON_PATCH, **headers):
    return client.patch(f"/api/state/{address}", body, content_type=media_type, headers=headers)


def test_a_json_patch_changes_a_key_and_answers_with_it(task):
    ops = [{"op": "test", "path": "/a", "value": 1}, {"op": "move", "from": "/a", "path": "/o/a"}]

    response = patch(task, "Task", ops)

    assert (response.status_code, response.content) == (200, b'{"l":[1,2],"o":{"x":1,"a":1}}')
    assert response["Nola-Revision"] == "2"
    assert Change.objects.last().forward == [{"op": "move", "from": "/a", "path": "/o/a"}]
    assert Change.objects.last().inverse == [{"op": "move", "from": "/o/a", "path": "/a", "position": 0}]


def test_a_json_patch_is_relative_to_the_node_it_is_sent_to(task):
    response = patch(task, "Task/o", [{"op": "replace", "path": "/x", "value": {"deep": [True]}}])

    assert response.content == b'{"x":{"deep":[true]}}'
    assert task.get("/api/state/Task/o/x/deep/0").json() is True


def test_a_json_patch_that_fails_half_way_changes_nothing(task):
    response = patch(task, "Task", [{"op": "remove", "path": "/a"}, {"op": "test", "path": "/o/x", "value": True}])

    assert response.status_code == 409
    assert response.json() == {
        "status": 409,
        "title": "Conflict",
        "detail": "operation 1 at /o/x: the test failed: there is 1",
        "op_index": 1,
        "pointer": "/o/x",
    }
    assert task.get("/api/state/Task").content == b'{"a":1,"l":[1,2],"o":{"x":1}}'
    assert Revision.objects.count() == 1


def test_a_patch_that_changes_nothing_makes_no_revision(task):
    there_and_back = [{"op": "add", "path": "/b", "value": 1}, {"op": "remove", "path": "/b"}]

    assert patch(task, "Task", there_and_back)["Nola-Revision"] == "1"
    assert patch(task, "Task", {"a": 1}, MERGE_PATCH)["Nola-Revision"] == "1"
    assert Revision.objects.count() == 1


def test_a_merge_patch_changes_what_it_names(task):
    response = patch(task, "Task", {"a": None, "o": {"y": [1]}}, MERGE_PATCH)

    assert (response.status_code, response.content) == (200, b'{"l":[1,2],"o":{"x":1,"y":[1]}}')
    assert [op["op"] for op in Change.objects.last().forward] == ["remove", "add"]


def test_a_merge_patch_keeps_what_was_written_beside_it_meanwhile(task, monkeypatch):
    from state.revisions import Recorder

    real, raced = Recorder.read_revisions, []

    def race(recorder, keys):
        if not raced:
            raced.append(True)
            StateEntry.objects.filter(pk="Task").update(value_json={"a": 1, "theirs": 1}, revision=99)
        return real(recorder, keys)

    monkeypatch.setattr(Recorder, "read_revisions", race)
    patch(task, "Task", {"mine": 1}, MERGE_PATCH)

    assert task.get("/api/state/Task").json() == {"a": 1, "theirs": 1, "mine": 1}


def test_a_merge_patch_creates_where_a_json_patch_does_not(task):
    merged = patch(task, "New/part", {"x": 1, "gone": None}, MERGE_PATCH)
    patched = patch(task, "Newer", [{"op": "add", "path": "", "value": 1}])
    inside = patch(task, "Task/nope", [{"op": "add", "path": "", "value": 1}])

    assert (merged.status_code, merged.content) == (201, b'{"x":1}')
    assert task.get("/api/state/New").json() == {"part": {"x": 1}}
    assert (patched.status_code, inside.status_code) == (404, 404)


def test_numbers_that_differ_in_text_only_are_kept_apart(task):
    patch(task, "Task", {"a": 1.0}, MERGE_PATCH)

    assert task.get("/api/state/Task/a").content == b"1.0"


def test_prefer_minimal_answers_without_the_value(task):
    response = patch(task, "Task", {"a": 2}, MERGE_PATCH, Prefer="return=minimal")
    created = task.put("/api/state/New", "1", content_type=JSON, headers={"Prefer": "return=minimal"})

    assert (response.status_code, response.content, response["Preference-Applied"]) == (204, b"", "return=minimal")
    assert (created.status_code, created.content) == (201, b"")
    assert response["ETag"] == task.get("/api/state/Task")["ETag"]


def test_any_other_media_type_is_refused_with_those_that_work(task):
    response = patch(task, "Task", {"a": 2}, JSON)

    assert (response.status_code, response["Content-Type"]) == (415, "application/problem+json")
    assert response["Accept-Patch"] == f"{MERGE_PATCH}, {JSON_PATCH}"


@pytest.mark.parametrize(
    ("body", "media_type", "status", "detail"),
    [
        ("{", JSON_PATCH, 400, "line 1, column 2"),
        ("{}", JSON_PATCH, 400, "a JSON Patch is an array of operations"),
        ([{"op": "add", "path": "/a"}], JSON_PATCH, 400, 'operation 0 (add) has no "value"'),
        ([{"op": "remove", "path": "a"}], JSON_PATCH, 400, "does not start with /"),
        ([{"op": "increment", "path": "/a"}], JSON_PATCH, 422, "operation 0 is 'increment'; there are: add"),
        ([{"op": "remove", "path": ""}], JSON_PATCH, 409, "the root cannot be removed by a patch; use DELETE"),
        ('{"a":NaN}', MERGE_PATCH, 400, "NaN is not JSON"),
        ('{"o":' + "[" * 100 + "]" * 100 + "}", MERGE_PATCH, 400, "deeper than 100"),
        ('[{"op":"add","path":"/d","value":' + "[" * 98 + "]" * 98 + '},{"op":"add","path":"/e","value":{"f":{}}},'
         '{"op":"move","from":"/d","path":"/e/f/g"}]', JSON_PATCH, 422, "would nest deeper than 100"),
    ],
)  # fmt: skip
def test_a_bad_patch_is_a_problem_and_changes_nothing(task, body, media_type, status, detail):
    response = patch(task, "Task", body, media_type)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]
    assert Revision.objects.count() == 1


def test_a_patch_cannot_blow_a_document_up(task, settings):
    settings.NOLA_MAX_BODY_MB = 1
    task.put("/api/state/Bomb", '{"a":["' + "x" * 1000 + '"]}', content_type=JSON)
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"} for _ in range(19)]

    response = patch(task, "Bomb", doubling)

    assert response.status_code == 413
    assert "'Bomb' would have" in response.json()["detail"]
    assert len(task.get("/api/state/Bomb").content) < 1100


def test_a_patch_of_too_many_operations_is_refused(task):
    response = patch(task, "Task", [{"op": "test", "path": "/a", "value": 1}] * 10_001)

    assert response.status_code == 400
    assert response.json()["detail"] == (
        "10,001 operations are too many; 10,000 are taken at once. PUT what comes of them"
    )


def test_many_operations_of_an_undo_are_applied_at_once(agent):
    agent.put("/api/state/Task", {f"k{number}": number for number in range(100)}, content_type=JSON)
    before = agent.get("/api/state/Task").content
    for number in range(0, 100):
        agent.delete(f"/api/state/Task/k{number}")

    response = agent.post("/api/undo", {"actor": "key:default", "since": "1"}, content_type=JSON)

    assert response.status_code == 200
    assert agent.get("/api/state/Task").content == before
    assert len(Change.objects.order_by("id").last().forward) == 100
    agent.post("/api/undo", {"revision": 102}, content_type=JSON)
    assert agent.get("/api/state/Task").json() == {}
