"""The limits of a document hold for what a write would make of it, whichever way it is written."""

import json

import pytest

from state import edits
from state.jsondoc import budget, text
from state.models import StateEntry

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"


@pytest.fixture
def full(agent, monkeypatch):
    """A document of a hundred values, in a Nola that keeps no more."""
    agent.put("/api/state/K", {"a": [0] * 95, "b": [3], "z": 0}, content_type="application/json")
    for module in (text, edits):
        monkeypatch.setattr(module, "MAX_NODES", 100)
    return agent


def stored():
    return json.dumps(StateEntry.objects.get(pk="K").value_json)


@pytest.mark.parametrize(
    ("method", "path", "body", "media_type"),
    [
        ("PUT", "/api/state/K/c", 1, "application/json"),
        ("PUT", "/api/state/K/b/1", 1, "application/json"),
        ("PATCH", "/api/state/K", {"c": 1}, MERGE_PATCH),
        ("PATCH", "/api/state/K", [{"op": "add", "path": "/b/-", "value": 1}], JSON_PATCH),
        ("PATCH", "/api/state/K", [{"op": "copy", "from": "/a/0", "path": "/c"}], JSON_PATCH),
    ],
)
def test_a_write_that_makes_too_many_values_is_refused(full, method, path, body, media_type):
    before = stored()

    response = full.generic(method, path, json.dumps(body), content_type=media_type)

    assert (response.status_code, stored()) == (413, before)
    assert response.json()["detail"].startswith("'K' would have 101 values at all depths; the limit is 100")


def test_a_transaction_that_makes_too_many_values_is_refused(full):
    operations = [{"op": "put", "pointer": "/K/c", "value": 1}]

    response = full.post("/api/transactions", {"operations": operations}, content_type="application/json")

    assert response.status_code == 413
    assert response.json()["op_index"] == 0


def test_a_document_over_the_limit_may_still_shrink(full, monkeypatch):
    for module in (text, edits):
        monkeypatch.setattr(module, "MAX_NODES", 50)

    assert full.put("/api/state/K/b/0", 4, content_type="application/json").status_code == 200
    assert full.delete("/api/state/K/a/0").status_code == 204
    assert full.put("/api/state/K/b/1", 4, content_type="application/json").status_code == 413


def test_a_copy_over_what_is_there_counts_what_goes(full):
    ops = [{"op": "copy", "from": "/a", "path": "/a"}, {"op": "copy", "from": "/b", "path": "/a"}]

    response = full.patch("/api/state/K", ops, content_type=JSON_PATCH)

    assert response.json() == {"a": [3], "b": [3], "z": 0}


def test_a_request_that_takes_too_long_is_refused_and_changes_nothing(agent, monkeypatch):
    agent.put("/api/state/K", [0], content_type="application/json")
    monkeypatch.setattr(budget, "MAX_SECONDS", -1)

    response = agent.patch("/api/state/K", [{"op": "add", "path": "/-", "value": 1}], content_type=JSON_PATCH)

    assert (response.status_code, stored()) == (413, "[0]")
    assert "Send it in smaller parts" in response.json()["detail"]


def test_a_number_that_no_row_can_have_is_refused(agent):
    response = agent.post("/api/undo", {"revisions": [10**30]}, content_type="application/json")

    assert response.status_code == 422
