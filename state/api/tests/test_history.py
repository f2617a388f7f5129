import pytest

from state.history import timeline
from state.models import Revision

JSON = "application/json"


@pytest.fixture
def task(agent):
    agent.put("/api/state/Task", '{"a":1,"b":{"c":2}}', content_type=JSON)
    agent.put("/api/state/Task/b/c", "3", content_type=JSON, headers={"Nola-Reason": "it grew"})
    agent.put("/api/state/Other", "true", content_type=JSON)
    agent.delete("/api/state/Task/a")
    return agent


@pytest.mark.parametrize(
    ("address", "at", "value"),
    [
        ("/Task", "1", '{"a":1,"b":{"c":2}}'),
        ("/Task", "2", '{"a":1,"b":{"c":3}}'),
        ("/Task", "3", '{"a":1,"b":{"c":3}}'),
        ("/Task", "4", '{"b":{"c":3}}'),
        ("/Task/b/c", "1", "2"),
        ("", "0", "{}"),
        ("", "2", '{"Task":{"a":1,"b":{"c":3}}}'),
        ("", "3", '{"Other":true,"Task":{"a":1,"b":{"c":3}}}'),
        ("", "4", '{"Other":true,"Task":{"b":{"c":3}}}'),
    ],
)
def test_any_moment_can_be_read(task, address, at, value):
    response = task.get(f"/api/state{address}?at={at}")

    assert (response.status_code, response.content.decode()) == (200, value)
    assert response["Nola-Revision"] == at


def test_a_moment_can_be_a_time(task):
    at = Revision.objects.get(pk=2).at.isoformat()

    assert task.get(f"/api/state/Task/b/c?at={at}").json() == 3
    assert task.get("/api/state/Task", {"at": at}).json()["a"] == 1


def test_a_deleted_key_is_still_in_the_past(task):
    task.delete("/api/state/Task")

    assert task.get("/api/state/Task").status_code == 404
    assert task.get("/api/state/Task?at=2").json() == {"a": 1, "b": {"c": 3}}


def test_the_past_has_a_weak_tag_for_304_only(task):
    first = task.get("/api/state/Task?at=1")

    again = task.get("/api/state/Task?at=1", headers={"If-None-Match": first["ETag"]})

    assert first["ETag"].startswith('W/"')
    assert again.status_code == 304


def test_the_history_of_a_key_says_who_when_and_why(task):
    revisions = task.get("/api/history/Task").json()["revisions"]

    assert [one["revision"] for one in revisions] == [4, 2, 1]
    assert revisions[1] == {
        "revision": 2,
        "at": Revision.objects.get(pk=2).at.isoformat(),
        "actor": "key:default",
        "source": "api",
        "reason": "it grew",
        "info": {},
        "patch": [{"op": "replace", "path": "/b/c", "value": 3}],
    }


def test_the_history_of_a_node_leaves_out_what_did_not_touch_it(task):
    of_node = task.get("/api/history/Task/b/c").json()["revisions"]
    of_pointer = task.get("/api/history/Task?pointer=/b/c").json()["revisions"]

    assert [one["revision"] for one in of_node] == [2, 1]
    assert of_node == of_pointer


def test_the_history_of_a_deleted_key_is_there(task):
    task.delete("/api/state/Task")

    newest = task.get("/api/history/Task").json()["revisions"][0]

    assert newest["patch"] == [{"op": "remove", "path": ""}]


def test_history_comes_in_pages(task):
    for number in range(5):
        task.put("/api/state/Task/n", str(number), content_type=JSON)

    seen, address = [], "/api/history/Task?limit=3"
    while address:
        response = task.get(address)
        seen += [one["revision"] for one in response.json()["revisions"]]
        address = response.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')

    assert seen == [9, 8, 7, 6, 5, 4, 2, 1]


def test_the_difference_of_two_moments_is_a_patch_for_each_key(task):
    assert task.get("/api/diff?from=1&to=3").json() == {
        "from": 1,
        "to": 3,
        "patches": {
            "Other": [{"op": "add", "path": "", "value": True}],
            "Task": [{"op": "replace", "path": "/b/c", "value": 3}],
        },
    }
    back = task.get("/api/diff?from=4&to=1&key=Task").json()["patches"]
    assert back["Task"][0]["op"] == "add"
    assert list(task.get("/api/diff").json()["patches"]) == ["Other", "Task"]


def test_blame_says_who_set_each_leaf(task):
    answer = task.get("/api/blame/Task").json()

    assert answer["leaves"] == [{"pointer": "/b/c", "revision": 2}]
    assert answer["revisions"]["2"]["reason"] == "it grew"
    assert task.get("/api/blame/Task/b").json()["leaves"] == [{"pointer": "/b/c", "revision": 2}]


@pytest.mark.parametrize(
    ("address", "status", "detail"),
    [
        ("/api/state/Task?at=5", 422, "revision 5 does not exist; the newest is 4"),
        ("/api/state/Task?at=2026-01-01T00:00:00", 422, "names no zone"),
        ("/api/state/Task?at=2999-01-01T00:00:00Z", 422, "in the future"),
        ("/api/state/Task?at=soon", 422, "neither a revision nor a time"),
        ("/api/state/Task?at=1&at=2", 400, "given 2 times"),
        ("/api/state/Other?at=1", 404, "there was no key 'Other' at revision 1"),
        ("/api/state/Task/a?at=4", 404, "nothing is stored at /Task/a"),
        ("/api/history/Nope", 404, "history knows no key 'Nope'"),
        ("/api/history/Task?limit=0", 422, "must be a whole number from 1 to 1000"),
        ("/api/history/Task?page=2", 422, "unknown parameter 'page'"),
        ("/api/diff?from=9", 422, "revision 9 does not exist"),
        ("/api/blame/Nope", 404, "there is no key 'Nope'"),
        ("/api/blame/Task/nope", 404, "nothing is stored at /Task/nope"),
    ],
)
def test_a_bad_question_is_a_problem(task, address, status, detail):
    response = task.get(address)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]


def test_a_page_of_history_costs_a_fixed_number_of_queries(task, django_assert_num_queries):
    task.get("/api/history/Task")

    with django_assert_num_queries(2):
        task.get("/api/history/Task")


def test_blame_by_author_counts_their_leaves_the_last_to_write_first(task, owner):
    task.put("/api/state/Task/list", "[1,2,[]]", content_type=JSON)
    owner.put("/api/state/Task/b/c", "4", content_type=JSON)

    ada, agent = task.get("/api/blame/Task?by=author").json()["authors"]

    assert (ada["actor"], ada["leaves"], ada["newest"]) == ("user:ada", 1, ["/b/c"])
    assert (ada["last"]["revision"], ada["last"]["source"]) == (6, "admin")
    assert (agent["actor"], agent["leaves"], agent["last"]["revision"]) == ("key:default", 3, 5)
    assert task.get("/api/blame/Task?by=moon").status_code == 422


@pytest.fixture
def nested(agent):
    agent.put("/api/state/Nest", '{"box":{"a":{"n":0},"b":1}}', content_type=JSON)
    agent.put("/api/state/Nest/box/a/n", "1", content_type=JSON)
    agent.put("/api/state/Nest/box/a", '{"z":1}', content_type=JSON)
    return agent


def patches_of(agent, address):
    return [one["patch"] for one in agent.get(address).json()["revisions"]]


def test_what_stood_there_is_of_that_moment_whatever_came_before(nested):
    assert patches_of(nested, "/api/history/Nest/box?was=true") == [
        [{"op": "replace", "path": "/box/a", "value": {"z": 1}, "was": {"n": 1}}],
        [{"op": "replace", "path": "/box/a/n", "value": 1, "was": 0}],
        [{"op": "add", "path": "", "value": {"box": {"a": {"n": 0}, "b": 1}}}],
    ]


def test_a_brief_history_tells_what_became_of_the_node_alone(nested):
    operations = [
        {"op": "replace", "path": "/box", "value": {"other": {}}},
        {"op": "move", "from": "/box", "path": "/c"},
    ]
    nested.patch("/api/state/Nest", operations, content_type="application/json-patch+json")
    nested.put("/api/state/Nest/c/b", "2", content_type=JSON)

    assert patches_of(nested, "/api/history/Nest/c/b?was=true&brief=true") == [
        [{"op": "add", "path": "/c/b", "value": 2}],
        [{"op": "move", "from": "/box", "path": "/c"}, {"op": "remove", "path": "/c/b", "was": 1}],
        [{"op": "add", "path": "/box/b", "value": 1}],
    ]


def test_a_brief_history_leaves_out_what_is_large(agent):
    agent.put("/api/state/Large", '{"n":1,"text":"' + "x" * 70_000 + '"}', content_type=JSON)

    [whole] = agent.get("/api/history/Large?brief=true").json()["revisions"]

    assert (whole["truncated"], whole["total"], "patch" in whole) == (True, 1, False)
    assert patches_of(agent, "/api/history/Large/n?brief=true") == [[{"op": "add", "path": "/n", "value": 1}]]


def test_history_and_blame_can_be_of_a_moment(nested):
    nested.patch(
        "/api/state/Nest", '[{"op":"move","from":"/box","path":"/c"}]', content_type="application/json-patch+json"
    )
    nested.put("/api/state/Nest/c/b", "2", content_type=JSON)

    seen = nested.get("/api/history/Nest/box/a?at=2").json()["revisions"]
    blame = nested.get("/api/blame/Nest/box?at=2").json()

    assert [one["revision"] for one in seen] == [2, 1]
    assert blame["leaves"] == [{"pointer": "/box/a/n", "revision": 2}, {"pointer": "/box/b", "revision": 1}]
    assert nested.get("/api/blame/Nest/box").status_code == 404
    assert nested.get("/api/blame/Nest?at=0").status_code == 404


def test_a_brief_page_looks_so_far_and_no_further(task, monkeypatch):
    monkeypatch.setattr(timeline, "LOOKED", 4)
    for number in range(9):
        task.put("/api/state/Task/n", str(number), content_type=JSON)

    pages, address = [], "/api/history/Task/b/c?brief=true"
    while address:
        response = task.get(address)
        pages.append([one["revision"] for one in response.json()["revisions"]])
        address = response.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')

    assert pages == [[], [], [2, 1]]


@pytest.mark.parametrize("name", [".", "..", "plain", "a/b"])
def test_a_pointer_alone_names_a_node_of_which_to_tell(agent, name):
    pointer = "/" + name.replace("/", "~1")
    put = [{"op": "put", "pointer": pointer, "value": {name: 1}}]
    agent.post("/api/transactions", {"operations": put}, content_type="application/json")
    agent.put("/api/state/Other", "1", content_type="application/json")

    history, blame = (agent.get(f"/api/{call}", {"pointer": pointer * 2}) for call in ("history", "blame"))

    assert [one["revision"] for one in history.json()["revisions"]] == [1]
    assert blame.json()["leaves"] == [{"pointer": pointer, "revision": 1}]
    assert len(agent.get("/api/history", {"pointer": ""}).json()["revisions"]) == 2


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("history?pointer=/a&actor=key:x", "unknown parameter 'actor'"),
        ("history?brief=true", "brief and at are about one node"),
        ("history?pointer=/a&pointer=/b", "one pointer at a time"),
        ("blame", "name it, as /api/blame/{address} or with pointer="),
        ("blame?pointer=", "name it, as /api/blame/{address} or with pointer="),
    ],
)
def test_what_no_pointer_can_name_is_said(agent, query, detail):
    response = agent.get(f"/api/{query}")

    assert response.status_code in (400, 422)
    assert detail in response.json()["detail"]
