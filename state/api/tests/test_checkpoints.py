import json

import pytest

from state.checkpoints.files import read_checkpoints
from state.checkpoints.restore import read_fixture
from state.models import Revision

JSON = "application/json"


@pytest.fixture
def kept(agent, monkeypatch):
    """An agent, and a checkpoint `before` of three keys, after which one was changed, one deleted and one added."""
    monkeypatch.setattr("state.api.checkpoints.PATIENCE", 60)
    for key, text in [("A", '{"n":1.0,"é":"😀"}'), ("B", "[1,2,3]"), ("C", "null")]:
        agent.put(f"/api/state/{key}", text, content_type=JSON)
    take(agent, name="before")
    agent.put("/api/state/A/n", "2", content_type=JSON)
    agent.delete("/api/state/B")
    agent.put("/api/state/New", "1", content_type=JSON)
    return agent


def take(client, **body):
    return client.post("/api/checkpoints", body, content_type=JSON)


def restore(client, **body):
    return client.post("/api/state/restore", body, content_type=JSON)


def state(client):
    return client.get("/api/state").content.decode()


BEFORE = '{"A":{"n":1.0,"é":"😀"},"B":[1,2,3],"C":null}'
AFTER = '{"A":{"n":2,"é":"😀"},"C":null,"New":1}'


def test_a_checkpoint_is_made_listed_fetched_verified_and_deleted(agent, settings):
    agent.put("/api/state/A", "1", content_type=JSON)

    response = take(agent, name="mine", why="to show")

    made = response.json()
    assert (response.status_code, response["Location"]) == (201, "/api/checkpoints/mine")
    assert (made["name"], made["revision"], made["scope"], made["why"], made["sound"]) == (
        "mine",
        1,
        "all",
        "to show",
        True,
    )
    assert agent.get("/api/checkpoints").json()["checkpoints"][0]["name"] == "mine"
    assert {one["kind"] for one in agent.get("/api/checkpoints").json()["checkpoints"]} == {"checkpoint", "seed"}
    fixture = json.loads(b"".join(agent.get("/api/checkpoints/mine")))
    assert fixture[0]["model"] == "nola.checkpoint"
    assert fixture[1:] == [{"model": "state.stateentry", "pk": "A", "fields": {"value_json": 1}}]
    assert agent.get("/api/checkpoints/mine/verify").json() == made
    assert agent.delete("/api/checkpoints/mine").status_code == 204
    assert agent.get("/api/checkpoints/mine").status_code == 404


def test_a_checkpoint_changes_nothing_in_the_store(agent):
    agent.put("/api/state/A", "1", content_type=JSON)

    take(agent)

    assert Revision.objects.count() == 1


def test_restoring_a_whole_state_removes_what_was_not_there(kept):
    response = restore(kept, checkpoint="before")

    assert response.json() == {"revision": 7, "changed": ["A", "B", "New"]}
    assert state(kept) == BEFORE


def test_merge_leaves_other_keys_alone(kept):
    restore(kept, checkpoint="before", mode="merge")

    assert json.loads(state(kept)) == {**json.loads(BEFORE), "New": 1}


def test_one_key_restored_deletes_no_other(kept):
    restore(kept, checkpoint="before", keys=["B"])

    assert json.loads(state(kept)) == {**json.loads(AFTER), "B": [1, 2, 3]}


def test_one_node_can_be_restored(kept):
    restore(kept, checkpoint="before", pointer="/A/n")

    assert kept.get("/api/state/A").content.decode() == '{"n":1.0,"é":"😀"}'
    assert kept.get("/api/state/New").status_code == 200


def test_a_key_that_the_checkpoint_lacks_goes_with_replace_only(kept):
    refused = restore(kept, checkpoint="before", keys=["New"])
    done = restore(kept, checkpoint="before", keys=["New"], mode="replace")

    assert (refused.status_code, done.json()["changed"]) == (422, ["New"])


def test_the_preview_is_the_patch_and_changes_nothing(kept):
    files = len(read_checkpoints())

    patches = restore(kept, checkpoint="before", dry_run=True).json()["patches"]

    assert patches == {
        "A": [{"op": "replace", "path": "/n", "value": 1.0}],
        "B": [{"op": "add", "path": "", "value": [1, 2, 3]}],
        "New": [{"op": "remove", "path": ""}],
    }
    assert (state(kept), len(read_checkpoints())) == (AFTER, files)


def test_a_restore_is_one_revision_with_a_checkpoint_before_and_can_be_undone(kept):
    restored = restore(kept, checkpoint="before").json()["revision"]

    assert kept.post("/api/undo", {"revision": restored}, content_type=JSON).status_code == 200
    assert json.loads(state(kept)) == json.loads(AFTER)
    automatic = next(one for one in read_checkpoints() if one.is_automatic)
    assert (automatic.header.revision, automatic.header.why) == (6, "before restore")
    assert read_fixture(automatic.path).documents.keys() == {"A", "C", "New"}


def test_a_restore_that_changes_nothing_leaves_no_trace(kept):
    restore(kept, checkpoint="before")
    files = len(read_checkpoints())

    again = restore(kept, checkpoint="before")

    assert (again.json()["changed"], len(read_checkpoints())) == ([], files)


def test_a_document_with_its_header_in_the_body_is_a_whole_state_too(kept):
    fixture = json.loads(b"".join(kept.get("/api/checkpoints/before")))

    response = kept.post("/api/state/restore", fixture, content_type=JSON)

    assert response.json()["changed"] == ["A", "B", "New"]


def test_diff_tells_what_changed_since(kept):
    take(kept, name="after")

    since = kept.get("/api/checkpoints/before/diff").json()
    between = kept.get("/api/checkpoints/after/diff?to=before").json()

    assert since["patches"] == {
        "A": [{"op": "replace", "path": "/n", "value": 2}],
        "B": [{"op": "remove", "path": ""}],
        "New": [{"op": "add", "path": "", "value": 1}],
    }
    assert between["patches"]["B"] == [{"op": "add", "path": "", "value": [1, 2, 3]}]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"name": "before"}, 422, "there is a checkpoint 'before' already"),
        ({"name": "identity"}, 422, "is the name of a seed"),
        ({"name": "auto-1"}, 422, "are for checkpoints that are made, and pruned, by themselves"),
        ({"name": "../x"}, 422, "letters, digits, dots"),
        ({"name": ".hidden"}, 422, "letters, digits, dots"),
        ({"keys": ["Nope"]}, 404, "there is no key 'Nope'"),
        ({"keys": []}, 422, "keys"),
        ({"nope": 1}, 422, "nope"),
    ],
)
def test_a_checkpoint_that_cannot_be_made_is_refused(kept, body, status, detail):
    response = take(kept, **body)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]
    assert len(read_checkpoints()) == 1


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"checkpoint": "part", "mode": "replace"}, "takes a checkpoint of the whole state"),
        ({"checkpoint": "identity", "mode": "replace"}, "takes a checkpoint of the whole state"),
        ({"checkpoint": "before", "mode": "replace", "pointer": "/A"}, "a pointer restores one node"),
        ({"checkpoint": "before", "mode": "merged"}, "mode"),
    ],
)
def test_replace_is_refused_where_it_would_delete_what_the_file_never_held(kept, body, detail):
    take(kept, name="part", keys=["A"])

    response = restore(kept, **body)

    assert response.status_code == 422
    assert detail in response.json()["detail"]
    assert state(kept) == AFTER


def test_a_checkpoint_of_some_keys_restores_those_alone(kept):
    take(kept, name="part", keys=["A"])
    kept.put("/api/state/A", "0", content_type=JSON)

    restore(kept, checkpoint="part")

    assert state(kept) == AFTER


def test_a_seed_cannot_be_deleted(agent):
    assert agent.delete("/api/checkpoints/identity").status_code == 422
    assert agent.get("/api/checkpoints/identity").status_code == 200


def test_a_key_that_may_only_read_can_look_and_not_touch(make_key, client, kept):
    make_key("nola_reader-key-for-tests", "reader", ("read",))
    headers = {"Authorization": "Bearer nola_reader-key-for-tests"}

    assert client.get("/api/checkpoints", headers=headers).status_code == 200
    assert client.post("/api/checkpoints", {}, content_type=JSON, headers=headers).status_code == 403
    assert client.delete("/api/checkpoints/before", headers=headers).status_code == 403
    assert client.get("/api/checkpoints").status_code == 401


@pytest.mark.parametrize("method", ["put", "patch"])
def test_other_methods_are_refused(kept, method):
    assert getattr(kept, method)("/api/checkpoints/before").status_code == 405


def test_before_more_than_one_key_is_deleted_a_checkpoint_is_taken(kept):
    operations = [{"op": "delete", "pointer": "/A"}, {"op": "delete", "pointer": "/C"}]
    kept.delete("/api/state/New")
    assert not [one for one in read_checkpoints() if one.is_automatic]

    kept.post("/api/transactions", {"operations": operations}, content_type=JSON)

    [automatic] = [one for one in read_checkpoints() if one.is_automatic]
    assert read_fixture(automatic.path).documents.keys() == {"A", "C"}
