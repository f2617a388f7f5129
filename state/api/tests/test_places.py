"""What a key that is limited to places may write, and what that tells it: nothing of what lies elsewhere."""

import json

import pytest
from django.test import Client

from access.models import ApiKey
from access.rights import SCOPES, Right
from state.models import Revision

pytestmark = pytest.mark.django_db
PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
WHOLE = {"mine": {"x": 1, "list": [1, 2]}, "rest": {"y": 2}, "scalar": 1, "list": [{"a": 1}]}
REFUSED = "The API key 'limited' may write nothing but what is at or below /Mixed/mine, /Mixed/new/inner, /Own"


def send(client, method, address, value=None, media_type="application/json", **headers):
    body = "" if value is None else json.dumps(value)
    return client.generic(method, address, body, content_type=media_type, headers=headers)


def limit(make_key, *places, scopes=("read", "write"), name="limited"):
    make_key(f"nola_{name}", name, scopes)
    ApiKey.objects.filter(name=name).update(places=json.dumps(places))
    return Client(headers={"Authorization": f"Bearer nola_{name}"})


@pytest.fixture
def limited(make_key):
    return limit(make_key, "/Mixed/mine", "/Mixed/new/inner", "/Own")


@pytest.fixture
def mixed(agent):
    """The revision of a key that is in part in the places."""
    return int(send(agent, "PUT", "/api/state/Mixed", WHOLE)["Nola-Revision"])


def value(client, key="Mixed"):
    return client.get(f"/api/state/{key}").json()


@pytest.mark.parametrize("address", ["Mixed", "Mixed/rest", "Mixed/rest/y", "Mixed/new", "Mixed/none", "None", "Mixe"])
@pytest.mark.parametrize(
    ("method", "body", "media_type"),
    [
        ("PUT", 1, "application/json"),
        ("PATCH", {"y": 3}, MERGE),
        ("PATCH", [{"op": "test", "path": "/mine/x", "value": 1}], PATCH),
        ("PATCH", [{"op": "copy", "from": "/rest", "path": "/mine/rest"}], PATCH),
        ("DELETE", None, "application/json"),
    ],
)
def test_a_write_elsewhere_is_refused_in_the_same_words_whatever_is_there(
    limited, mixed, method, body, media_type, address
):
    for headers in ({}, {"If-Match": "*"}, {"If-None-Match": "*"}):
        response = send(limited, method, f"/api/state/{address}", body, media_type, **headers)

        assert (response.status_code, response.json()["detail"]) == (403, REFUSED)
    assert Revision.objects.latest("seq").seq == mixed


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "put", "pointer": "/Mixed/rest", "value": 1},
        {"op": "delete", "pointer": "/Mixed"},
        {"op": "match", "pointer": "/Mixed", "etag": "*"},
        {"op": "absent", "pointer": "/Mixed/none"},
        {"op": "merge", "pointer": "/None", "value": {}},
        {"op": "patch", "pointer": "/Mixed", "patch": [{"op": "copy", "from": "/rest", "path": "/mine/rest"}]},
    ],
)
def test_a_transaction_that_reaches_elsewhere_is_refused(limited, mixed, operation):
    mine = {"op": "put", "pointer": "/Mixed/mine", "value": 1}

    response = send(limited, "POST", "/api/transactions", {"operations": [mine, operation]})

    assert (response.status_code, response.json()["detail"]) == (403, REFUSED)
    assert Revision.objects.latest("seq").seq == mixed


@pytest.mark.parametrize("operation", [{"op": "copy", "from": "/rest"}, {"op": "move", "from": "/rest"}])
def test_the_pointers_of_a_patch_begin_at_the_place(agent, limited, mixed, operation):
    response = send(limited, "PATCH", "/api/state/Mixed/mine", [{**operation, "path": "/stolen"}], PATCH)

    assert response.status_code == 409
    assert "there is no member 'rest'" in response.json()["detail"]
    assert value(agent) == WHOLE


def test_what_is_written_in_a_place_leaves_the_rest_alone(agent, limited, mixed):
    wanted = json.loads(json.dumps(WHOLE))

    assert send(limited, "PUT", "/api/state/Mixed/mine/x", 2).json() == 2
    wanted["mine"]["x"] = 2
    assert value(agent) == wanted
    moves = [{"op": "move", "from": "/list/0", "path": "/list/1"}, {"op": "add", "path": "/z", "value": 3}]
    assert send(limited, "PATCH", "/api/state/Mixed/mine", moves, PATCH).status_code == 200
    wanted["mine"] |= {"list": [2, 1], "z": 3}
    assert value(agent) == wanted
    assert send(limited, "PATCH", "/api/state/Mixed/mine", {"x": None}, MERGE).json() == {"list": [2, 1], "z": 3}
    del wanted["mine"]["x"]
    assert value(agent) == wanted
    assert send(limited, "PUT", "/api/state/Mixed/new/inner/deep", True).status_code == 201
    wanted["new"] = {"inner": {"deep": True}}
    assert value(agent) == wanted
    assert value(limited) == {"mine": wanted["mine"], "new": wanted["new"]}
    assert send(limited, "DELETE", "/api/state/Mixed/mine").status_code == 204
    del wanted["mine"]
    assert value(agent) == wanted


def test_a_place_of_a_key_that_is_not_there_makes_it(agent, limited):
    assert send(limited, "PUT", "/api/state/Mixed/new/inner", 1, **{"If-None-Match": "*"}).status_code == 201

    assert value(agent) == value(limited) == {"new": {"inner": 1}}


def test_what_shows_nothing_is_not_there_to_be_removed_or_patched(agent, limited):
    send(agent, "PUT", "/api/state/Mixed", {"rest": 1})

    missing = send(limited, "DELETE", "/api/state/Mixed/mine")
    unpatched = send(limited, "PATCH", "/api/state/Mixed/mine/x", [], PATCH)

    assert missing.status_code == unpatched.status_code == 404
    assert missing.json()["detail"] == unpatched.json()["detail"] == "there is no key 'Mixed'"


@pytest.mark.parametrize("outside", [1, "text", [1, {"inner": 1}], None])
def test_a_place_that_cannot_be_made_is_refused_without_saying_what_is_there(agent, limited, outside):
    send(agent, "PUT", "/api/state/Mixed", {"new": outside})

    response = send(limited, "PUT", "/api/state/Mixed/new/inner", 1)

    assert response.status_code == 409
    assert response.json()["detail"] == "what should lead to the place is not made of objects alone"
    assert value(agent) == {"new": outside}


def test_items_of_arrays_are_no_places(agent, make_key):
    client = limit(make_key, "/Mixed/list/0")
    send(agent, "PUT", "/api/state/Mixed", WHOLE)

    assert client.get("/api/state/Mixed/list/0").status_code == 404
    assert send(client, "PUT", "/api/state/Mixed/list/0", 1).status_code == 409
    assert send(client, "PATCH", "/api/state/Mixed/list/0", {"a": 2}, MERGE).status_code == 409
    assert send(client, "DELETE", "/api/state/Mixed/list/0").status_code == 404
    assert send(client, "PUT", "/api/state/Mixed/list/0", 1, **{"If-Match": "*"}).status_code == 412
    assert value(agent) == WHOLE


def test_a_write_for_an_earlier_revision_does_not_follow_what_went_elsewhere(agent, limited, mixed):
    send(agent, "PATCH", "/api/state/Mixed", [{"op": "move", "from": "/mine", "path": "/hidden"}], PATCH)

    response = send(limited, "PUT", f"/api/state/Mixed/mine/x?base={mixed}", 5)

    assert response.status_code == 409
    assert "hidden" not in response.content.decode()
    assert value(agent)["hidden"] == WHOLE["mine"]


def test_a_write_for_an_earlier_revision_keeps_what_others_did_in_the_place(agent, limited, mixed):
    send(agent, "PUT", "/api/state/Mixed/mine/list/0", "theirs")
    send(agent, "PUT", "/api/state/Mixed/rest", "theirs")

    response = send(limited, "PUT", f"/api/state/Mixed/mine?base={mixed}", {"x": "ours", "list": [1, 2]})

    assert response.json() == {"x": "ours", "list": ["theirs", 2]}
    assert value(agent) == WHOLE | {"mine": response.json(), "rest": "theirs"}


def test_a_dry_run_shows_what_would_show(agent, limited):
    send(agent, "PUT", "/api/state/Mixed", {"rest": 1, "new": {"other": 1}})
    operations = [{"op": "put", "pointer": "/Mixed/new/inner", "value": 1}]

    response = send(limited, "POST", "/api/transactions?was=true", {"operations": operations, "dry_run": True})

    assert response.json()["patches"] == {"Mixed": [{"op": "add", "path": "", "value": {"new": {"inner": 1}}}]}


def test_a_condition_that_fails_tells_what_has_changed_in_the_place_alone(agent, limited, mixed):
    send(agent, "PATCH", "/api/state/Mixed", {"mine": {"x": 2}, "rest": 3}, MERGE)

    response = send(limited, "PUT", f"/api/state/Mixed/mine?base={mixed}", 1, **{"If-Match": '"old"'})

    assert response.json()["patch"] == [{"op": "replace", "path": "/x", "value": 2}]


def test_a_document_that_would_be_too_large_is_not_measured(agent, limited, settings):
    send(agent, "PUT", "/api/state/Mixed", {"rest": "r" * 900_000})
    settings.NOLA_MAX_BODY_MB = 1

    response = send(limited, "PUT", "/api/state/Mixed/mine", "m" * 200_000)

    assert response.status_code == 413
    assert response.json()["detail"] == "'Mixed' would be larger with it than a key may be"


# Undo


def undo(client, revision, **more):
    return send(client, "POST", "/api/undo", {"revision": revision, **more})


def test_what_was_done_in_the_places_alone_can_be_taken_back(agent, limited, mixed):
    own = int(send(limited, "PUT", "/api/state/Mixed/new/inner", 1)["Nola-Revision"])
    theirs = int(send(agent, "PUT", "/api/state/Mixed/mine/x", 7)["Nola-Revision"])
    send(agent, "PUT", "/api/state/Mixed/rest", "later")

    assert undo(limited, theirs).status_code == undo(limited, own).status_code == 200
    assert value(limited) == {"mine": WHOLE["mine"]}
    assert value(agent) == WHOLE | {"rest": "later", "new": {}}


def test_the_making_of_a_place_can_be_taken_back(limited):
    made = int(send(limited, "PUT", "/api/state/Mixed/new/inner", 1)["Nola-Revision"])

    assert undo(limited, made).status_code == 200
    assert limited.get("/api/state/Mixed").status_code == 404


@pytest.mark.parametrize("more", [{}, {"dry_run": True}, {"prefer": "mine"}])
def test_what_was_done_elsewhere_too_cannot_be_taken_back(agent, limited, mixed, more):
    changes = {"mine": {"x": 5}, "rest": "r"}
    both = int(send(agent, "PATCH", "/api/state/Mixed", changes, MERGE)["Nola-Revision"])
    elsewhere = int(send(agent, "PUT", "/api/state/Else", 1)["Nola-Revision"])

    answers = {(one.status_code, one.content) for one in (undo(limited, seq, **more) for seq in (both, elsewhere))}

    assert len(answers) == 1
    assert answers.pop()[0] == 403
    assert Revision.objects.latest("seq").seq == elsewhere


@pytest.mark.parametrize("body", [{"actor": "key:default"}, {"batch": "b"}, {"actor": "key:nobody"}])
def test_what_somebody_did_cannot_be_taken_back_at_once(limited, mixed, body):
    assert send(limited, "POST", "/api/undo", body).status_code == 403


def test_an_undo_does_not_follow_what_went_elsewhere(agent, limited, mixed):
    changed = int(send(agent, "PUT", "/api/state/Mixed/mine/x", 7)["Nola-Revision"])
    send(agent, "PATCH", "/api/state/Mixed", [{"op": "move", "from": "/mine", "path": "/hidden"}], PATCH)

    response = undo(limited, changed)

    assert "hidden" not in response.content.decode()
    assert value(agent)["hidden"]["x"] == 7


# Limits that have changed, and the past


def test_a_write_that_is_sent_again_after_the_key_was_narrowed_is_refused(limited, mixed):
    again = {"Idempotency-Key": "once"}
    assert send(limited, "PUT", "/api/state/Own", 1, **again).status_code == 201
    ApiKey.objects.filter(name="limited").update(places='["/Mixed/mine"]')

    assert send(limited, "PUT", "/api/state/Own", 1, **again).status_code == 403


def test_a_transaction_that_is_sent_again_names_what_shows(agent, make_key, mixed):
    client = limit(make_key, "/Own")
    body = {"operations": [{"op": "put", "pointer": "/Own", "value": 1}]}

    answers = [send(client, "POST", "/api/transactions", body, **{"Idempotency-Key": "k"}).json() for _ in range(2)]

    assert answers[0] == answers[1] == {"revision": mixed + 1, "changed": ["Own"]}


@pytest.mark.parametrize("places", [[], ["/Mixed/mine"]])
def test_the_past_is_for_those_who_may_read_the_history(agent, make_key, monkeypatch, mixed, places):
    monkeypatch.setitem(SCOPES, "now", (Right.READ_STATE,))
    client = limit(make_key, *places, scopes=("now",))
    send(agent, "PUT", "/api/state/Mixed/mine/x", 2)

    for address in ("Mixed", "", "Mixed/mine"):
        assert client.get(f"/api/state/{address}?at={mixed}".replace("state/?", "state?")).status_code == 403
    assert client.get(f"/api/state/Mixed/mine?at={mixed + 1}").json()["x"] == 2
    assert client.get("/api/history").status_code == client.get("/api/changes").status_code == 403


def test_each_sees_the_history_of_the_memory_that_it_may_read(agent, make_key, mixed):
    send(agent, "POST", "/api/conversations", {"session_id": "talk"}, **{"Nola-Reason": "spoken"})
    clients = [limit(make_key, scopes=(scope,), name=scope[5:9]) for scope in ("read:state", "read:conversations")]

    for call in ("/api/history", "/api/changes", "/api/history?limit=1", "/api/changes?limit=1"):
        state, talks = (
            [change["kind"] for one in client.get(call).json()["revisions"] for change in one["changes"]]
            for client in clients
        )
        assert (set(state), set(talks)) == ({"state"}, {"conversation"}), call
    assert clients[0].get("/api/history?kind=conversation").json() == {"revisions": []}
    assert clients[1].get("/api/history?key=Mixed").json() == {"revisions": []}
    assert clients[1].get("/api/history?pointer=/Mixed").status_code == 403


def test_a_place_that_gives_way_to_null_is_gone(agent, limited):
    for text in ('{"mine": 1}', "null", '{"mine": 2}'):
        agent.put("/api/state/Mixed", text, content_type="application/json")

    found = limited.get("/api/history/Mixed").json()["revisions"]

    assert [one["patch"][0]["op"] for one in found] == ["add", "remove", "add"]
