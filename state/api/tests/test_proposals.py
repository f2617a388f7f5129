"""Proposals over HTTP: who only suggests moves nothing, and a person decides."""

import json

import pytest
from django.test import Client

from state.models import Change, Proposal, Revision, StateEntry
from state.proposals import records
from state.store import head

pytestmark = pytest.mark.django_db
JSON, MERGE, PATCH = "application/json", "application/merge-patch+json", "application/json-patch+json"
PERSONA = {"name": "Nola", "mood": "good", "traits": ["calm", "kind"]}
WAITS = {"proposal": 1, "state": "waits for a person"}


def key_client(make_key, name, *scopes):
    make_key(f"nola_{name}-0000", name, scopes)
    return Client(headers={"Authorization": f"Bearer nola_{name}-0000"})


@pytest.fixture
def suggester(make_key):
    return key_client(make_key, "planner", "read", "suggest")


@pytest.fixture(autouse=True)
def memory(agent):
    send(agent, "PUT", "/api/state/Persona", PERSONA)
    send(agent, "PUT", "/api/state/Notes", {})


def send(client, method, path, body=None, media_type=JSON, **headers):
    text = "" if body is None else json.dumps(body)
    return client.generic(method, path, text, content_type=media_type, headers=headers)


def read(client, path="/api/state/Persona"):
    return client.get(path).json()


WRITES = {
    "put": ("PUT", "/api/state/Persona/mood", "low", JSON),
    "put of a new key": ("PUT", "/api/state/New/a", 1, JSON),
    "merge": ("PATCH", "/api/state/Persona", {"mood": None, "age": 3}, MERGE),
    "patch": ("PATCH", "/api/state/Persona", [{"op": "add", "path": "/traits/0", "value": "brave"}], PATCH),
    "delete": ("DELETE", "/api/state/Persona/traits/0", None, JSON),
    "delete of a key": ("DELETE", "/api/state/Notes", None, JSON),
    "transaction": (
        "POST",
        "/api/transactions",
        {"operations": [
            {"op": "put", "pointer": "/Notes/a", "value": 1},
            {"op": "delete", "pointer": "/Persona"},
            {"op": "merge", "pointer": "/Other", "value": {"x": 1}},
        ]},
        JSON,
    ),
    "with a base": ("PUT", "/api/state/Persona/mood?base=2", "low", JSON),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
def test_a_write_by_who_only_suggests_becomes_a_proposal(suggester, agent, name):
    before, there = head(), read(agent, "/api/state")

    response = send(suggester, *WRITES[name])

    assert (response.status_code, response.json()) == (202, WAITS)
    assert response["Location"] == "/api/proposals/1"
    assert (head(), read(agent, "/api/state")) == (before, there)


@pytest.mark.parametrize("name", WRITES)
def test_accepting_all_of_it_does_what_the_write_would_have_done(suggester, agent, owner, name):
    send(suggester, *WRITES[name])
    send(agent, *WRITES[name])
    written = dict(StateEntry.objects.values_list("key_name", "value_json"))
    [ops, undone] = changes(head()), send(owner, "POST", "/api/undo", {"revision": head()})
    assert undone.status_code == 200

    response = send(owner, "POST", "/api/proposals/1/accept")

    assert response.status_code == 200
    assert dict(StateEntry.objects.values_list("key_name", "value_json")) == written
    assert changes(response.json()["revision"]).keys() == ops.keys()


def changes(revision):
    return dict(Change.objects.filter(revision=revision).values_list("key", "forward"))


def test_the_revision_is_by_who_proposed_it_and_names_who_accepted(suggester, owner):
    send(suggester, *WRITES["put"], **{"Nola-Reason": "it%20rains"})

    revision = send(owner, "POST", "/api/proposals/1/accept").json()["revision"]

    row = Revision.objects.get(pk=revision)
    assert (row.actor, row.source, row.reason) == ("key:planner", "api", "it rains")
    assert row.info == {"proposal": 1, "accepted_by": "user:ada"}
    assert Proposal.objects.get().revision == revision
    leaves = read(owner, "/api/blame/Persona/mood")
    assert "key:planner" in json.dumps(leaves)


def test_what_would_be_refused_is_refused_at_once(suggester):
    assert send(suggester, "PUT", "/api/state/Persona/traits/9", 1).status_code == 409
    assert send(suggester, "DELETE", "/api/state/Nothing").status_code == 404
    assert suggester.put("/api/state/Persona", "{", content_type=JSON).status_code == 400
    assert send(suggester, "PUT", "/api/state/Persona", 1, **{"If-Match": '"x"'}).status_code == 412
    assert send(suggester, "PUT", "/api/state/Persona?base=99", 1).status_code == 422
    assert not Proposal.objects.exists()


def test_what_would_change_nothing_is_no_proposal(suggester):
    response = send(suggester, "PUT", "/api/state/Persona/mood", "good")

    assert (response.status_code, response.json()) == (200, {"proposal": None, "state": "nothing to change"})
    assert not Proposal.objects.exists()


def test_a_dry_run_proposes_nothing(suggester):
    method, path, body, _ = WRITES["transaction"]

    response = send(suggester, method, path, body | {"dry_run": True})

    assert response.json()["changed"] == ["Notes", "Other", "Persona"]
    assert not Proposal.objects.exists()


def test_the_same_again_is_the_one_that_waits(suggester, owner):
    for _ in range(2):
        assert send(suggester, *WRITES["put"]).json()["proposal"] == 1
    send(owner, "PUT", "/api/state/Persona/age", 3)
    assert send(suggester, *WRITES["put"]).json()["proposal"] == 1
    send(owner, "POST", "/api/proposals/1/reject")

    assert send(suggester, *WRITES["put"]).json()["proposal"] == 2


def test_what_means_another_item_by_now_is_another_proposal(suggester, owner):
    send(suggester, "PUT", "/api/state/Persona/traits/0", "bold")
    send(owner, "PATCH", "/api/state/Persona", [{"op": "add", "path": "/traits/0", "value": "new"}], PATCH)

    assert send(suggester, "PUT", "/api/state/Persona/traits/0", "bold").json()["proposal"] == 2


def test_an_idempotency_key_answers_as_before(suggester, owner):
    first = send(suggester, *WRITES["put"], **{"Idempotency-Key": "one"})
    send(owner, "POST", "/api/proposals/1/accept")
    again = send(suggester, *WRITES["put"], **{"Idempotency-Key": "one"})
    nothing = [send(suggester, "PUT", "/api/state/Notes", {}, **{"Idempotency-Key": "two"}) for _ in range(2)]

    assert (again.status_code, again.json(), again["Location"]) == (202, first.json(), first["Location"])
    assert [one.json()["state"] for one in nothing] == ["nothing to change"] * 2
    assert Proposal.objects.count() == 1


def test_an_acceptance_with_an_idempotency_key_is_done_once(suggester, owner):
    send(suggester, *WRITES["put"])

    first, again = (send(owner, "POST", "/api/proposals/1/accept", {}, **{"Idempotency-Key": "k"}) for _ in range(2))

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()


def test_so_many_wait_and_no_more(suggester, owner, monkeypatch):
    monkeypatch.setattr(records, "MOST_WAITING", 2)
    for mood in "ab":
        send(suggester, "PUT", "/api/state/Persona/mood", mood)

    response = send(suggester, "PUT", "/api/state/Persona/mood", "c")

    assert response.status_code == 429
    assert "withdraw some" in response.json()["detail"]
    assert int(response["Retry-After"]) > 0
    assert send(suggester, "PUT", "/api/state/Persona/mood", "a").json()["proposal"] == 1
    assert suggester.delete("/api/proposals/1").status_code == 204
    assert send(suggester, "PUT", "/api/state/Persona/mood", "c").status_code == 202


def test_a_proposal_has_no_more_bytes_than_a_write(suggester, settings):
    settings.NOLA_MAX_BODY_MB = 1
    big = [{"op": "add", "path": "/big", "value": letter * 600_000} for letter in "xy"]
    operation = {"op": "patch", "pointer": "/Notes", "patch": [big[0], {"op": "remove", "path": "/big"}, big[1]]}

    response = send(suggester, "POST", "/api/transactions", {"operations": [operation]})

    assert response.status_code == 413
    assert not Proposal.objects.exists()


# Reading them


def test_the_list_tells_who_when_why_and_where(suggester, owner):
    send(suggester, *WRITES["transaction"], **{"Nola-Reason": "tidy"})
    send(suggester, *WRITES["put"])

    listed = read(owner, "/api/proposals")["proposals"]

    assert [one["proposal"] for one in listed] == [2, 1]
    at = listed[1].pop("at")
    assert at.startswith("20")
    assert listed[1] == {
        "proposal": 1,
        "state": "waiting",
        "actor": "key:planner",
        "reason": "tidy",
        "base": 2,
        "pointers": ["/Notes/a", "/Other", "/Persona"],
        "count": 3,
    }


def test_the_list_is_paged_and_filtered(suggester, owner):
    for mood in "abc":
        send(suggester, "PUT", "/api/state/Persona/mood", mood)
    send(owner, "POST", "/api/proposals/2/reject", {"reason": "no"})

    first = owner.get("/api/proposals?limit=2&state=waiting&actor=key:planner")

    assert [one["proposal"] for one in first.json()["proposals"]] == [3, 1]
    assert "Link" not in first
    first = owner.get("/api/proposals?limit=2")
    rest = owner.get(first["Link"].partition(">")[0][1:])
    assert [one["proposal"] for one in rest.json()["proposals"]] == [1]
    assert [one["proposal"] for one in read(owner, "/api/proposals?state=rejected")["proposals"]] == [2]
    assert read(owner, "/api/proposals?actor=key:other") == {"proposals": []}
    assert owner.get("/api/proposals?state=open").status_code == 422
    assert owner.get("/api/proposals?cursor=x").status_code == 422


def test_one_tells_what_stands_there_now(suggester, owner):
    send(suggester, "PATCH", "/api/state/Persona", {"mood": "low", "age": 3}, MERGE)

    found = read(owner, "/api/proposals/1")

    assert found["operations"] == [
        {"pointer": "/Persona/mood", "op": "replace", "path": "/mood", "value": "low", "was": "good"},
        {"pointer": "/Persona/age", "op": "add", "path": "/age", "value": 3},
    ]
    assert list(found["patches"]) == ["Persona"]
    assert found["conflicts"] == []


def test_one_tells_what_has_come_in_its_way(suggester, owner):
    send(suggester, *WRITES["put"])
    send(owner, "PUT", "/api/state/Persona/mood", "best")

    found = read(owner, "/api/proposals/1")

    assert found["patches"] == {}
    [conflict] = found["conflicts"]
    assert (conflict["base"], conflict["theirs"], conflict["yours"]) == ("good", "best", "low")


def test_one_tells_what_is_there_already_and_what_stands_in_place_of_the_rest(suggester, owner):
    send(suggester, "PATCH", "/api/state/Persona", {"mood": "low", "age": 3, "name": "Nora"}, MERGE)
    send(owner, "PATCH", "/api/state/Persona", {"age": 3, "name": "Nina"}, MERGE)

    found = {one["pointer"]: one for one in read(owner, "/api/proposals/1")["operations"]}

    assert found["/Persona/mood"]["was"] == "good"
    assert found["/Persona/name"]["was"] == "Nina"
    assert found["/Persona/age"]["done"] is True
    send(owner, "PATCH", "/api/state/Persona", {"mood": "low", "name": "Nora"}, MERGE)
    rest = read(owner, "/api/proposals/1")
    assert [one["done"] for one in rest["operations"]] == [True, True, True]
    assert (rest["patches"], rest["conflicts"]) == ({"Persona": []}, [])


def test_who_suggests_sees_its_own_alone(suggester, make_key):
    other = key_client(make_key, "other", "read", "suggest")
    send(suggester, *WRITES["put"])

    assert read(other, "/api/proposals") == {"proposals": []}
    assert read(other, "/api/proposals?actor=key:planner") == {"proposals": []}
    assert other.get("/api/proposals/1").status_code == 404
    assert other.delete("/api/proposals/1").status_code == 404
    assert suggester.get("/api/proposals/1").status_code == 200


# Deciding


def test_who_suggests_decides_nothing(suggester):
    send(suggester, *WRITES["put"])
    before = head()

    assert send(suggester, "POST", "/api/proposals/1/accept").status_code == 403
    assert send(suggester, "POST", "/api/proposals/1/reject").status_code == 403
    assert (head(), Proposal.objects.get().state) == (before, "waiting")


def test_who_decides_rejects_and_does_not_withdraw(suggester, agent):
    send(suggester, *WRITES["put"])

    response = agent.delete("/api/proposals/1")

    assert response.status_code == 403
    assert "you may reject it" in response.json()["detail"]
    assert Proposal.objects.get().state == "waiting"


def test_a_key_that_writes_decides_too(suggester, agent):
    send(suggester, *WRITES["put"])

    assert send(agent, "POST", "/api/proposals/1/accept").status_code == 200
    assert read(agent)["mood"] == "low"


def test_what_is_rejected_changes_nothing_and_says_why(suggester, owner):
    send(suggester, *WRITES["put"])
    before, there = head(), read(owner, "/api/state")

    told = send(owner, "POST", "/api/proposals/1/reject", {"reason": "not now"}).json()

    assert (head(), read(owner, "/api/state")) == (before, there)
    assert told["state"] == "rejected"
    seen = read(suggester, "/api/proposals/1")["decided"]
    assert (seen["by"], seen["reason"]) == ("user:ada", "not now")


@pytest.mark.parametrize("end", ["accept", "reject", "withdraw"])
def test_what_is_decided_is_decided(suggester, owner, end):
    send(suggester, *WRITES["put"])
    if end == "withdraw":
        assert suggester.delete("/api/proposals/1").status_code == 204
    else:
        assert send(owner, "POST", f"/api/proposals/1/{end}").status_code == 200
    before = head()

    assert send(owner, "POST", "/api/proposals/1/accept").status_code == 409
    assert send(owner, "POST", "/api/proposals/1/reject").status_code == 409
    assert suggester.delete("/api/proposals/1").status_code == 409
    assert head() == before


def test_some_of_it_can_be_accepted_and_the_rest_is_let_be(suggester, owner):
    body = {"name": "Eve", "mood": "low", "traits": ["calm", "bold"], "age": 3}
    send(suggester, "PUT", "/api/state/Persona", body)

    response = send(owner, "POST", "/api/proposals/1/accept", {"pointers": ["/Persona/traits", "/Persona/age"]})

    assert response.status_code == 200
    assert read(owner) == PERSONA | {"traits": ["calm", "bold"], "age": 3}
    found = read(owner, "/api/proposals/1")
    assert (found["state"], found["accepted"]) == ("accepted in part", ["/Persona/traits", "/Persona/age"])
    assert send(owner, "POST", "/api/proposals/1/accept").status_code == 409


@pytest.mark.parametrize("pointers", [[], ["/Persona/nothing"], ["/Other"]])
def test_pointers_at_which_it_does_nothing_are_refused(suggester, owner, pointers):
    send(suggester, *WRITES["put"])

    assert send(owner, "POST", "/api/proposals/1/accept", {"pointers": pointers}).status_code == 422
    assert Proposal.objects.get().state == "waiting"


def test_what_builds_on_what_is_left_out_is_refused(suggester, owner):
    ops = [{"op": "add", "path": "/plan", "value": {}}, {"op": "add", "path": "/plan/step", "value": 1}]
    send(suggester, "PATCH", "/api/state/Persona", ops, PATCH)

    response = send(owner, "POST", "/api/proposals/1/accept", {"pointers": ["/Persona/plan/step"]})

    assert response.status_code == 409
    assert "/Persona/plan/step and /Persona/plan can only be accepted together" in response.json()["detail"]


def test_what_has_changed_elsewhere_since_stays(suggester, owner):
    send(suggester, *WRITES["put"])
    send(suggester, "PUT", "/api/state/Persona/traits/0", "bold")
    send(owner, "PATCH", "/api/state/Persona", [{"op": "add", "path": "/traits/0", "value": "new"}], PATCH)

    assert send(owner, "POST", "/api/proposals/1/accept").status_code == 200
    assert send(owner, "POST", "/api/proposals/2/accept").status_code == 200
    assert read(owner) == PERSONA | {"mood": "low", "traits": ["new", "bold", "kind"]}


def test_a_conflict_shows_all_sides_and_changes_nothing_until_one_is_preferred(suggester, owner):
    send(suggester, "PATCH", "/api/state/Persona", {"mood": "low", "age": 3}, MERGE)
    send(owner, "PUT", "/api/state/Persona/mood", "best")
    before = head()

    response = send(owner, "POST", "/api/proposals/1/accept")

    assert response.status_code == 409
    [conflict] = response.json()["conflicts"]
    assert (conflict["base"], conflict["theirs"], conflict["yours"]) == ("good", "best", "low")
    assert (head(), Proposal.objects.get().state) == (before, "waiting")
    assert send(owner, "POST", "/api/proposals/1/accept", {"prefer": "mine"}).status_code == 200
    assert read(owner) == PERSONA | {"mood": "low", "age": 3}


def test_the_later_change_can_be_preferred(suggester, owner):
    send(suggester, "PATCH", "/api/state/Persona", {"mood": "low", "age": 3}, MERGE)
    send(owner, "PUT", "/api/state/Persona/mood", "best")

    assert send(owner, "POST", "/api/proposals/1/accept", {"prefer": "theirs"}).status_code == 200
    assert read(owner) == PERSONA | {"mood": "best", "age": 3}


def test_a_conflict_is_no_matter_for_what_is_left_out(suggester, owner):
    send(suggester, "PATCH", "/api/state/Persona", {"mood": "low", "age": 3}, MERGE)
    send(owner, "PUT", "/api/state/Persona/mood", "best")

    assert send(owner, "POST", "/api/proposals/1/accept", {"pointers": ["/Persona/age"]}).status_code == 200


def test_what_is_there_already_closes_it_without_a_revision(suggester, owner):
    send(suggester, *WRITES["put"])
    send(owner, "PUT", "/api/state/Persona/mood", "low")
    before = head()

    response = send(owner, "POST", "/api/proposals/1/accept")

    assert response.json() == {"revision": before, "changed": []}
    assert Proposal.objects.get().state == "accepted"


def test_a_protected_path_can_be_proposed_and_is_for_a_person_to_accept(suggester, agent, owner):
    send(owner, "PUT", "/api/state/ProtectedPaths", ["/Persona"])

    assert send(suggester, *WRITES["put"]).status_code == 202
    refused = send(agent, "POST", "/api/proposals/1/accept")
    assert (refused.status_code, refused.json()["pointer"]) == (403, "/Persona")
    assert Proposal.objects.get().state == "waiting"
    assert send(owner, "POST", "/api/proposals/1/accept").status_code == 200
    assert read(owner)["mood"] == "low"


def test_a_proposal_of_nobody_is_not_there(owner, suggester):
    for number in (9, 2**63 - 1):
        assert owner.get(f"/api/proposals/{number}").status_code == 404
        assert send(owner, "POST", f"/api/proposals/{number}/accept").status_code == 404
        assert send(owner, "POST", f"/api/proposals/{number}/reject").status_code == 404
        assert suggester.delete(f"/api/proposals/{number}").status_code == 404
