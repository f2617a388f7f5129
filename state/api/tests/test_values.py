from pathlib import Path

import pytest
from django.db import OperationalError, connection

from state.models import Revision

JSON = "application/json"
IDENTITY = '{"name":"Nola","tags":["a","b"],"n":{"x":null,"":1,"a/b":2,"0":3}}'


@pytest.fixture
def identity(agent):
    assert agent.put("/api/state/Identity", IDENTITY, content_type=JSON).status_code == 201


def test_a_value_comes_back_as_it_went_in(agent):
    text = '{"z":1,"a":1.0,"10":-0.0,"2":"00014","big":1606938044258990275541962092341162602522202993782792835301376}'

    created = agent.put("/api/state/Odd", text, content_type=JSON)
    read = agent.get("/api/state/Odd")

    assert (created.status_code, created.content.decode()) == (201, text)
    assert (read.status_code, read.content.decode(), read["Content-Type"]) == (200, text, JSON)


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("/Identity/name", '"Nola"'),
        ("/Identity/tags/1", '"b"'),
        ("/Identity/n/x", "null"),
        ("/Identity/n/0", "3"),
        ("/Identity/n/a~1b", "2"),
        ("/Identity/n?pointer=/a~1b", "2"),
        ("/Identity/n?pointer=/", "1"),
        ("/Identity?pointer=/tags/0", '"a"'),
        ("?pointer=/Identity/name", '"Nola"'),
        ("", f'{{"Identity":{IDENTITY}}}'),
    ],
)
def test_any_node_can_be_read(agent, identity, address, value):
    response = agent.get(f"/api/state{address}")

    assert (response.status_code, response.content.decode()) == (200, value)
    assert response["Nola-Revision"] == "1"


def test_head_answers_wherever_get_does(agent, identity):
    response = agent.head("/api/state/Identity/name")

    assert (response.status_code, response["Nola-Revision"]) == (200, "1")


def test_put_of_what_was_read_changes_nothing(agent, identity):
    response = agent.put("/api/state/Identity", agent.get("/api/state/Identity").content, content_type=JSON)

    assert (response.status_code, response["Nola-Revision"]) == (200, "1")
    assert Revision.objects.count() == 1


def test_put_creates_parents_and_appends_to_arrays(agent, identity):
    made = agent.put("/api/state/Identity/ui/theme/accent", '"violet"', content_type=JSON)
    appended = agent.put("/api/state/Identity/tags/2", '"c"', content_type=JSON)

    assert (made.status_code, appended.status_code) == (201, 201)
    assert agent.get("/api/state/Identity/ui").json() == {"theme": {"accent": "violet"}}
    assert agent.get("/api/state/Identity/tags").json() == ["a", "b", "c"]


def test_put_replaces_with_200_even_where_members_are_added(agent, identity):
    response = agent.put("/api/state/Identity", '{"name":"Nola","new":1}', content_type=JSON)

    assert (response.status_code, response["Nola-Revision"]) == (200, "2")


def test_delete_removes_a_node_or_a_key(agent, identity):
    node = agent.delete("/api/state/Identity/tags/0")
    key = agent.delete("/api/state/Identity")

    assert (node.status_code, node.content, node["Nola-Revision"]) == (204, b"", "2")
    assert (key.status_code, key["Nola-Revision"]) == (204, "3")
    assert agent.get("/api/state").json() == {}
    assert agent.get("/api/state/Identity").status_code == 404


def test_restore_is_an_ordinary_key_for_all_but_post(agent):
    assert agent.get("/api/state/restore").status_code == 404
    assert agent.put("/api/state/restore", "1", content_type=JSON).status_code == 201
    assert agent.get("/api/state/restore").json() == 1
    assert agent.delete("/api/state/restore").status_code == 204


def test_the_author_is_the_key_and_the_reason_a_header(agent):
    agent.put("/api/state/Task", "1", content_type=JSON, headers={"Nola-Reason": "because%20%C3%A9"})

    revision = Revision.objects.get()
    assert (revision.actor, revision.source, revision.reason) == ("key:default", "api", "because é")


@pytest.mark.parametrize(
    ("method", "address", "body", "status", "detail"),
    [
        ("get", "/nope", "", 404, "there is no key 'nope'"),
        ("get", "/Identity/nope", "", 404, "nothing is stored at /Identity/nope: there is no member 'nope'"),
        ("get", "/Identity/name/x", "", 404, "nothing is stored at /Identity/name/x: 'x' is below a value that has no"),
        ("get", "/Identity/tags/2", "", 404, "index 2 is past the end: the array has 2 items"),
        ("get", "/Identity/tags/-", "", 404, "'-' is not an index"),
        ("get", "/", "", 404, "an empty path segment names nothing: write ~1 for a slash"),
        ("get", "/Identity//x", "", 404, "an empty path segment"),
        ("get", "/Identity/~2", "", 400, "a ~ is not followed by 0 or 1"),
        ("get", "?pointer=x", "", 400, "does not start with /"),
        ("get", "?pointer=%FF", "", 400, "not UTF-8"),
        ("get", "/Identity?page=2", "", 422, "unknown parameter 'page'"),
        ("delete", "/nope", "", 404, "there is no key 'nope'"),
        ("delete", "/Identity/name/x", "", 404, "nothing is stored"),
        ("delete", "", "", 405, "the whole state cannot be written at once"),
        ("put", "", "1", 405, "the whole state cannot be written at once"),
        ("put", "?pointer=/", "1", 422, "a key cannot be empty"),
        ("put", "/a%00b", "1", 422, "cannot contain the character NUL"),
        ("put", f"/{'k' * 513}", "1", 422, "a key can have 512 bytes of UTF-8; this one has 513"),
        ("put", "/Identity/name/x", "1", 409, "'x' is below a value that has no members"),
        ("put", "/Identity/tags/3", "1", 409, "index 3 is past the end: the array has 2 items"),
        ("put", "/Identity/tags/x", "1", 409, "'x' is not an index"),
        ("put", "/Identity", "", 400, "line 1, column 1: a value is missing or not JSON"),
        ("put", "/Identity", '{"a":1,"a":2}', 400, 'line 1, column 8, inside /a: the name "a" stands twice'),
        ("put", "/Identity", "[NaN]", 400, "line 1, column 2, inside /0: NaN is not JSON"),
        ("put", "/Identity", "[1e400]", 400, "1e400 is too large for a double"),
        ("put", "/Identity", "[" * 101 + "]" * 101, 400, "nested deeper than 100 levels"),
        ("put", "/Identity/deep", "[" * 100 + "]" * 100, 422, "/Identity/deep would nest deeper than 100 levels"),
        ("post", "/Identity", "1", 405, "does not take that method"),
    ],
)
def test_a_bad_request_is_a_problem_that_names_it_and_changes_nothing(
    agent, identity, method, address, body, status, detail
):
    response = agent.generic(method.upper(), f"/api/state{address}", body, content_type=JSON)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    problem = response.json()
    assert (problem["status"], bool(problem["title"])) == (status, True)
    assert detail in problem["detail"]
    assert agent.get("/api/state/Identity").content.decode() == IDENTITY
    assert Revision.objects.count() == 1


def test_bytes_that_are_not_utf8_are_named_by_place(agent):
    response = agent.put("/api/state/Task", b'["\xff"]', content_type=JSON)

    assert response.status_code == 400
    assert response.json() == {
        "status": 400,
        "title": "Bad Request",
        "detail": "line 1, column 3: not UTF-8: byte 0xff",
        "line": 1,
        "column": 3,
    }


def test_an_unknown_address_is_a_problem_too(agent):
    response = agent.get("/api/nope")

    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_a_reason_that_cannot_be_read_is_refused(agent):
    broken = agent.put("/api/state/Task", "1", content_type=JSON, headers={"Nola-Reason": "%FF"})
    long = agent.put("/api/state/Task", "1", content_type=JSON, headers={"Nola-Reason": "x" * 1001})

    assert (broken.status_code, long.status_code) == (400, 422)
    assert not Revision.objects.exists()


def test_a_host_that_is_not_ours_is_refused_with_the_way_out(agent):
    response = agent.get("/api/state", headers={"Host": "evil.example"})

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert "NOLA_ALLOWED_HOSTS" in response.json()["detail"]


BUSY, FULL, READONLY = (503, "busy"), (507, "disk is full"), (503, "read-only")
REASONS = {  # what each database says of itself: a number of SQLite, an SQLSTATE of PostgreSQL
    "sqlite": ("sqlite_errorcode", [(5, BUSY), (6, BUSY), (13, FULL), (8, READONLY)]),
    "postgresql": ("sqlstate", [("55P03", BUSY), ("40P01", BUSY), ("53100", FULL), ("25006", READONLY)]),
}


@pytest.mark.parametrize(("code", "answer"), REASONS[connection.vendor][1])
def test_a_database_that_cannot_write_is_a_clear_answer(agent, monkeypatch, code, answer):
    status, words = answer
    cause = Exception()
    setattr(cause, REASONS[connection.vendor][0], code)

    def fail(*args):
        raise OperationalError("it says no") from cause

    monkeypatch.setattr("state.store.commit", fail)
    response = agent.put("/api/state/Task", "1", content_type=JSON)

    assert response.status_code == status
    assert words in response.json()["detail"]


def test_a_fault_of_ours_is_a_problem_without_a_traceback(agent, monkeypatch):
    def fail(*args):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("state.store.read_all", fail)
    agent.raise_request_exception = False
    response = agent.get("/api/state")

    assert (response.status_code, response["Content-Type"]) == (500, "application/problem+json")
    assert b"secret" not in response.content


def test_a_read_costs_two_queries(agent, identity, django_assert_num_queries):
    agent.get("/api/state/Identity")

    with django_assert_num_queries(2):  # the key, the value
        agent.get("/api/state/Identity/name")


@pytest.mark.sqlite
def test_the_database_is_a_real_file(db):
    assert Path(connection.settings_dict["NAME"]).is_file()


@pytest.mark.parametrize(
    "path", ["/%61pi/state/x", "/api/stat%65/x", "/api/state%2Fx", "/api/state/%zz", "/api/state/50%"]
)
def test_a_path_that_is_spelt_to_mislead_is_refused(agent, path):
    response = agent.put("/api/state/x", "1", content_type=JSON, RAW_URI=path)

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert not Revision.objects.exists()
