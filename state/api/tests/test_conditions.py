import pytest

from state import conditions
from state.models import Revision, StateEntry

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def task(agent):
    agent.put("/api/state/Task", '{"a":1,"b":2}', content_type=JSON)
    return agent


def etag(client, address="Task"):
    return client.get(f"/api/state/{address}")["ETag"]


def test_a_tag_is_strong_and_belongs_to_the_address(task):
    of_a, of_task = etag(task, "Task/a"), etag(task)

    task.put("/api/state/Task/b", "3", content_type=JSON)

    assert of_a.startswith('"') and of_a.endswith('"')
    assert etag(task, "Task/a") == of_a
    assert etag(task) != of_task


def test_what_a_write_answers_with_has_the_tag_of_the_next_read(task):
    written = task.put("/api/state/Task/a", "7", content_type=JSON)

    assert written["ETag"] == etag(task, "Task/a")


@pytest.mark.parametrize("header", ["{tag}", "W/{tag}", '"x", {tag}', '"a,b",{tag}', "*"])
def test_a_reader_who_has_it_already_gets_304(task, header):
    response = task.get("/api/state/Task", headers={"If-None-Match": header.format(tag=etag(task))})

    assert (response.status_code, response.content, response["Nola-Revision"]) == (304, b"", "1")
    assert response["ETag"] == etag(task)


def test_a_reader_who_has_something_else_gets_the_value(task):
    assert task.get("/api/state/Task", headers={"If-None-Match": '"other"'}).status_code == 200
    assert task.get("/api/state", headers={"If-None-Match": task.get("/api/state")["ETag"]}).status_code == 304


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_write_goes_on_only_if_the_tag_still_holds(task, method):
    seen = etag(task, "Task/a")
    task.put("/api/state/Task/a", "5", content_type=JSON)
    media_type = MERGE_PATCH if method == "patch" else JSON

    late = getattr(task, method)("/api/state/Task/a", "9", content_type=media_type, headers={"If-Match": seen})
    fresh = etag(task, "Task/a")
    early = getattr(task, method)("/api/state/Task/a", "9", content_type=media_type, headers={"If-Match": fresh})

    assert late.status_code == 412
    assert (late.json()["etag"], late.json()["revision"]) == (fresh, 2)
    assert early.status_code in (200, 204)
    assert Revision.objects.count() == 3


def test_a_weak_tag_does_not_allow_a_write(task):
    response = task.put("/api/state/Task", "1", content_type=JSON, headers={"If-Match": "W/" + etag(task)})

    assert response.status_code == 412


def test_create_only_with_if_none_match_star(task):
    headers = {"If-None-Match": "*"}

    assert task.put("/api/state/Task", "1", content_type=JSON, headers=headers).status_code == 412
    assert task.put("/api/state/Task/c", "1", content_type=JSON, headers=headers).status_code == 201
    assert task.put("/api/state/New", "1", content_type=JSON, headers=headers).status_code == 201


def test_replace_only_with_if_match_star(task):
    headers = {"If-Match": "*"}

    assert task.put("/api/state/New", "1", content_type=JSON, headers=headers).status_code == 412
    assert task.put("/api/state/Task/a", "1", content_type=JSON, headers=headers).status_code == 200
    assert task.get("/api/state/New").status_code == 404


def test_a_condition_that_cannot_be_read_is_refused(task):
    response = task.put("/api/state/Task", "1", content_type=JSON, headers={"If-Match": "unquoted"})

    assert response.status_code == 400
    assert "an ETag stands in quotes" in response.json()["detail"]
    assert Revision.objects.count() == 1


def test_the_condition_is_judged_on_what_is_there_when_it_is_written(task, monkeypatch):
    from state import store

    seen, real = etag(task, "Task/a"), store.write_together

    def race(work):
        StateEntry.objects.filter(pk="Task").update(value_json={"a": "theirs", "b": 2}, revision=99)
        return real(work)

    monkeypatch.setattr(store, "write_together", race)
    response = task.put("/api/state/Task/a", '"mine"', content_type=JSON, headers={"If-Match": seen})

    assert response.status_code == 412
    assert task.get("/api/state/Task/a").json() == "theirs"


VIEWS = ["level=3", "at=1", "view=tree", "envelope=1", "node=/a", "pointer=/a&pointer=/b", "pointer=/a&pointer=/b&at=1"]


@pytest.mark.parametrize("query", VIEWS)
def test_a_view_has_a_weak_tag_which_if_match_never_names(task, query):
    path = f"/api/state/Task?{query}"
    read = task.get(path)
    tag = read["ETag"]

    assert tag.startswith('W/"')
    for header in (tag, tag.removeprefix("W/"), etag(task), '"other"'):
        response = task.get(path, headers={"If-Match": header})
        assert (response.status_code, response.json()["etag"], response.json()["revision"]) == (412, tag, 1)
    assert task.get(path, headers={"If-Match": "*"}).content == read.content
    assert task.get(path, headers={"If-Match": "unquoted"}).status_code == 400
    for header in (tag, tag.removeprefix("W/"), "*"):
        again = task.get(path, headers={"If-None-Match": header})
        assert (again.status_code, again["ETag"]) == (304, tag)


def test_a_context_is_read_only_if_its_tag_holds(task):
    tag = task.get("/api/context")["ETag"]

    assert task.get("/api/context", headers={"If-Match": tag}).status_code == 200
    assert task.get("/api/context", headers={"If-Match": '"other"'}).status_code == 412


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/api/undo", {"revision": 1}),
        ("post", "/api/undo", {"revision": 1, "dry_run": True}),
        ("post", "/api/transactions", {"operations": [{"op": "delete", "pointer": "/Task"}]}),
        ("post", "/api/state/restore", {"checkpoint": []}),
        ("post", "/api/conversations", {}),
        ("post", "/api/conversations/s/messages", {"speaker": "user", "message": "hi"}),
        ("post", "/api/context", {}),
    ],
)
def test_a_write_that_judges_no_if_match_is_not_made_under_one(task, method, path, body):
    for header in ("*", etag(task)):
        response = getattr(task, method)(path, body, content_type=JSON, headers={"If-Match": header})
        assert response.status_code == 412
        assert "no ETag, which If-Match could name" in response.json()["detail"]

    assert Revision.objects.count() == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/state?pointer=/Task&pointer=/Task",
        "/api/state/Task?pointer=/a&pointer=/b&pointer=/a",
        "/api/state/Task?pointer=&pointer=",
        "/api/state/Task?view=tree&open=/a&open=/a",
        "/api/changes?pointer=/Task/a&pointer=/Task/a",
        "/api/context?pointer=/Task/a&pointer=/Task/a",
        "/api/context?key=Task&pointer=/Task",
    ],
)
def test_a_place_that_is_named_twice_is_refused(task, path):
    response = task.get(path)

    assert response.status_code == 400
    assert "twice" in response.json()["detail"]


@pytest.mark.parametrize(
    ("header", "parsed"), [(None, None), ("*", "*"), ('"a"', ['"a"']), ('W/"a", "b"', ['W/"a"', '"b"'])]
)
def test_headers_are_read(header, parsed):
    assert conditions.parse(header) == parsed
