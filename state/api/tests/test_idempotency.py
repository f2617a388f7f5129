from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from state import store
from state.api import idempotency
from state.api.idempotency import Claim
from state.models import Idempotency, Revision

JSON = "application/json"


def put(client, value="1", key="abc", address="Log/0", **headers):
    headers = {"Idempotency-Key": key, **headers}
    return client.put(f"/api/state/{address}", value, content_type=JSON, headers=headers)


def test_a_write_that_is_sent_again_is_answered_again_and_not_done_again(agent):
    agent.put("/api/state/Log", "[]", content_type=JSON)
    first = put(agent)
    agent.put("/api/state/Log/0", "99", content_type=JSON)

    again = put(agent)

    assert (first.status_code, first.content, first["Nola-Revision"]) == (201, b"1", "2")
    assert (again.status_code, again.content, again["Nola-Revision"]) == (201, b"1", "2")
    assert again["ETag"] == first["ETag"]
    assert agent.get("/api/state/Log").json() == [99]
    assert Revision.objects.count() == 3


@pytest.mark.parametrize(
    ("method", "address", "body", "media_type"),
    [
        ("patch", "/api/state/Log", '[{"op":"add","path":"/-","value":1}]', "application/json-patch+json"),
        ("delete", "/api/state/Log/0", "", JSON),
        ("post", "/api/state/restore", '[{"model":"state.stateentry","pk":"A","fields":{"value_json":1}}]', JSON),
        ("post", "/api/transactions", '{"operations":[{"op":"put","pointer":"/A","value":1}]}', JSON),
    ],
)
def test_every_kind_of_write_can_be_sent_again(agent, method, address, body, media_type):
    agent.put("/api/state/Log", "[0]", content_type=JSON)
    send = lambda: agent.generic(method.upper(), address, body, media_type, headers={"Idempotency-Key": "k"})  # noqa: E731

    first, again = send(), send()

    assert first.status_code in (200, 204)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert Revision.objects.count() == 2


def test_the_same_key_with_another_request_is_refused(agent):
    put(agent)

    response = put(agent, "2")

    assert response.status_code == 422
    assert "was used for another request" in response.json()["detail"]
    assert Revision.objects.count() == 1


def test_a_key_belongs_to_its_credential(agent, make_key):
    make_key("nola_other-key-000000", "other")
    other = Client(headers={"Authorization": "Bearer nola_other-key-000000"})

    assert put(agent).status_code == 201
    assert put(other, "2").status_code == 200


def test_a_write_that_was_refused_can_be_sent_again(agent):
    agent.put("/api/state/Log", "7", content_type=JSON)
    refused = put(agent)
    agent.put("/api/state/Log", "[]", content_type=JSON)

    assert (refused.status_code, put(agent).status_code) == (409, 201)


def test_a_write_that_changed_nothing_is_remembered_too(agent):
    agent.put("/api/state/Log", "[1]", content_type=JSON)
    put(agent)
    agent.put("/api/state/Log", "[5]", content_type=JSON)

    assert put(agent).content == b"1"
    assert agent.get("/api/state/Log").json() == [5]


def test_a_dry_run_takes_no_key(agent):
    body = {"operations": [{"op": "put", "pointer": "/A", "value": 1}], "dry_run": True}
    headers = {"Idempotency-Key": "k"}

    agent.post("/api/transactions", body, content_type=JSON, headers=headers)
    real = agent.post("/api/transactions", body | {"dry_run": False}, content_type=JSON, headers=headers)

    assert real.json() == {"revision": 1, "changed": ["A"]}


def test_keys_are_kept_for_a_day(agent, monkeypatch):
    put(agent)
    monkeypatch.setattr(idempotency, "KEPT", timedelta(0))

    assert put(agent, "2").status_code == 200
    assert Idempotency.objects.count() == 1


def test_of_two_at_once_one_is_done_and_both_are_answered(agent, monkeypatch):
    real, hidden = Claim.earlier, []

    def blind_once(claim):
        if not hidden:
            hidden.append(True)
            return None
        return real(claim)

    put(agent)
    monkeypatch.setattr(Claim, "earlier", blind_once)
    again = put(agent)

    assert (again.status_code, again.content) == (201, b"1")
    assert Revision.objects.count() == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_that_cannot_be_kept_is_refused(agent, key):
    assert put(agent, key=key).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_while_a_write_with_a_key_is_planned(agent, monkeypatch):
    locked = []
    plan = store.plan_put
    monkeypatch.setattr(
        store, "plan_put", lambda *args, **more: locked.append(connection.in_atomic_block) or plan(*args, **more)
    )

    put(agent)

    assert locked == [False]
    assert Idempotency.objects.get().revision == 1


def test_a_write_that_lost_the_race_against_itself_is_answered_like_the_winner(agent, monkeypatch):
    real, hidden = Claim.earlier, []

    def blind_once(claim):
        return real(claim) if hidden else hidden.append(True)

    headers = {"If-None-Match": "*"}
    put(agent, address="Task", **headers)
    monkeypatch.setattr(Claim, "earlier", blind_once)
    again = put(agent, address="Task", **headers)

    assert (again.status_code, again.content) == (201, b"1")
