"""`GET /api/history` over everything."""

import pytest

from state import clock
from state.history import events, journal
from state.models import Revision
from state.revisions import Author, Source

JSON, JSON_PATCH = "application/json", "application/json-patch+json"
OTHER = "nola_another-key-for-tests"


@pytest.fixture
def lively(agent, owner, make_key):
    make_key(OTHER, name="planner")
    planner = {"Authorization": f"Bearer {OTHER}"}
    agent.put("/api/state/Tasks", '[{"done":false}]', content_type=JSON, headers={"Nola-Reason": "to begin"})
    agent.put("/api/state/Tasks/0/done", "true", content_type=JSON, headers=planner)
    agent.put("/api/state/Log", '"x"', content_type=JSON, headers=planner)
    agent.post("/api/conversations/trip/messages", {"speaker": "user", "message": "swordfish"}, content_type=JSON)
    agent.post("/api/undo", {"revision": 3}, content_type=JSON, headers=planner)
    owner.put("/api/state/Tasks/0/done", "false", content_type=JSON)
    return agent


def seen(client, address):
    """The revisions of all pages."""
    found = []
    while address:
        response = client.get(address)
        assert response.status_code == 200, response.content
        found += [one["revision"] for one in response.json()["revisions"]]
        address = response.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')
    return found


def test_everything_that_happened_is_told_newest_first(lively):
    response = lively.get("/api/history")

    revisions = response.json()["revisions"]
    assert [one["revision"] for one in revisions] == [6, 5, 4, 3, 2, 1]
    assert response["Nola-Revision"] == "6"
    assert revisions[-1] == {
        "revision": 1,
        "at": Revision.objects.get(pk=1).at.isoformat(),
        "actor": "key:default",
        "source": "api",
        "reason": "to begin",
        "info": {},
        "changes": [
            {"kind": "state", "key": "Tasks", "patch": [{"op": "add", "path": "", "value": [{"done": False}]}]}
        ],
    }
    assert revisions[1]["info"] == {"undoes": [3]}


def test_messages_are_told_by_their_ids_and_never_by_their_text(lively):
    [_, _, revision, *_] = lively.get("/api/history?was=true").json()["revisions"]

    assert [change["kind"] for change in revision["changes"]] == ["conversation", "message"]
    assert "add" in revision["changes"][1]["patch"]
    assert "swordfish" not in str(revision["changes"])


def test_it_tells_what_was(lively):
    newest = lively.get("/api/history?was=true&limit=1").json()["revisions"][0]

    assert newest["changes"][0]["patch"] == [{"op": "replace", "path": "/0/done", "value": False, "was": True}]


@pytest.mark.parametrize(
    ("query", "revisions"),
    [
        ("actor=key:planner", [5, 3, 2]),
        ("actor=key:planner&actor=user:ada", [6, 5, 3, 2]),
        ("actor=key:nobody", []),
        ("source=undo", [5]),
        ("source=admin&source=undo", [6, 5]),
        ("kind=message", [4]),
        ("kind=conversation&kind=state", [6, 5, 4, 3, 2, 1]),
        ("key=Tasks", [6, 2, 1]),
        ("key=Log&key=trip", [5, 4, 3]),
        ("key=trip&kind=state", []),
        ("key=Tasks&actor=key:planner", [2]),
        ("since=2&until=5", [5, 4, 3]),
        ("until=3&source=api", [3, 2, 1]),
        ("batch=none", []),
        ("reason=To%20Beg", [1]),
        ("reason=%25", []),
    ],
)
def test_filters_let_through_what_has_all_that_is_asked_for(lively, query, revisions):
    assert seen(lively, f"/api/history?{query}") == revisions
    assert seen(lively, f"/api/history?{query}&limit=1") == revisions


def test_a_time_is_as_good_as_a_revision(lively):
    at = Revision.objects.get(pk=3).at.isoformat().replace("+", "%2B")

    assert seen(lively, f"/api/history?until={at}") == [3, 2, 1]
    assert seen(lively, f"/api/history?since={at}") == [6, 5, 4]


def test_only_the_changes_that_are_asked_for_are_shown(lively):
    both = [{"op": "put", "pointer": "/Tasks", "value": 1}, {"op": "put", "pointer": "/Log", "value": 2}]
    lively.post("/api/transactions", {"operations": both}, content_type=JSON)

    newest = lively.get("/api/history?key=Log").json()["revisions"][0]

    assert [change["key"] for change in newest["changes"]] == ["Log"]


def test_a_batch_is_found_by_its_name(lively):
    lines = '{"session_id":"old","speaker":"user","message":"a"}\n'
    batch = lively.post("/api/conversations/import", lines, content_type="application/x-ndjson").json()["batch"]

    found = lively.get("/api/history", {"batch": batch}).json()["revisions"]

    assert found
    assert {one["info"]["batch"] for one in found} == {batch}


@pytest.mark.parametrize("query", ["", "?actor=key:planner", "?key=Tasks&was=true", "?kind=message", "?batch=x"])
def test_a_page_costs_a_fixed_number_of_queries(lively, django_assert_max_num_queries, query):
    for number in range(30):
        lively.put("/api/state/Tasks/0/n", str(number), content_type=JSON)

    with django_assert_max_num_queries(7) as queries:
        lively.get(f"/api/history{query}")

    asked = [one["sql"] for one in queries if "FROM state_meta" not in one["sql"]]  # where the clock stands
    log = [sql for sql in asked if "FROM state_revision" in sql or "FROM state_change" in sql]
    assert len(log) <= (4 if "key=" in query else 2)


def test_where_matches_are_rare_a_page_may_be_empty_and_leads_on(lively, monkeypatch):
    monkeypatch.setattr(journal, "SCAN", 2)

    first = lively.get("/api/history?source=restore")

    assert (first.json(), "Link" in first) == ({"revisions": []}, True)
    assert seen(lively, "/api/history?actor=key:planner&limit=1") == [5, 3, 2]


def test_a_page_has_a_bounded_size(lively, monkeypatch):
    monkeypatch.setattr(journal, "MAX_PAGE", 1)

    assert len(lively.get("/api/history").json()["revisions"]) == 1
    assert seen(lively, "/api/history") == [6, 5, 4, 3, 2, 1]


def test_what_is_too_large_to_tell_is_named(agent):
    large = '"' + "x" * events.MAX_EVENT + '"'
    agent.put("/api/state/Big", large, content_type=JSON)
    agent.put("/api/state/Big", "1", content_type=JSON)

    small, whole = agent.get("/api/history?was=true").json()["revisions"]

    assert small["changes"] == [
        {"kind": "state", "key": "Big", "patch": [{"op": "replace", "path": "", "value": 1}]}
    ]  # what was would be too large
    assert (whole["truncated"], whole["total"], whole["changes"]) == (True, 1, [{"kind": "state", "key": "Big"}])


def test_a_revision_without_changes_is_told_too(agent):
    clock.continue_above(0, Author("system:test", Source.RESTORE, "put back"))

    [only] = agent.get("/api/history").json()["revisions"]
    assert (only["reason"], only["changes"]) == ("put back", [])


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("source=fax", "source='fax' is none; there are: api, admin"),
        ("kind=thing", "kind='thing' is none; there are: state"),
        ("since=99", "revision 99 does not exist; the newest is 6"),
        ("cursor=x", "cursor='x' is none of ours"),
        ("limit=0", "limit='0' must be a whole number"),
        ("was=1", "was must be true or false"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(lively, query, detail):
    response = lively.get(f"/api/history?{query}")

    assert response.status_code == 422
    assert response.json()["detail"].startswith(detail)


def test_nobody_reads_it_without_a_key(client, db):
    assert client.get("/api/history").status_code == 401
