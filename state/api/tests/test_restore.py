import pytest

from state.checkpoints.restore import seed_store
from state.models import Revision

JSON = "application/json"


@pytest.fixture
def seeded(agent):
    seed_store()
    return agent


def restore(client, body):
    return client.post("/api/state/restore", body, content_type=JSON)


def row(key, value):
    return {"model": "state.stateentry", "pk": key, "fields": {"value_json": value}}


def test_a_deleted_key_comes_back_from_its_seed(seeded):
    before = seeded.get("/api/state/Identity").content
    seeded.delete("/api/state/Identity")

    response = restore(seeded, {"checkpoint": "identity"})

    assert (response.status_code, response.json()) == (200, {"revision": 3, "changed": ["Identity"]})
    assert seeded.get("/api/state/Identity").content == before
    assert (Revision.objects.first().source, Revision.objects.first().info) == ("restore", {"checkpoint": "identity"})


def test_a_memory_that_was_never_written_to_can_be_restored(agent):
    response = restore(agent, {"checkpoint": "identity"})

    assert (response.status_code, response.json()) == (200, {"revision": 1, "changed": ["Identity"]})


def test_a_restore_leaves_other_keys_alone(seeded):
    seeded.put("/api/state/Mine", "1", content_type=JSON)
    seeded.put("/api/state/Persona/preferences/units", '"imperial"', content_type=JSON)

    restore(seeded, {"checkpoint": "identity"})

    assert seeded.get("/api/state/Mine").json() == 1
    assert seeded.get("/api/state/Persona/preferences/units").json() == "imperial"


def test_a_restore_that_changes_nothing_makes_no_revision(seeded):
    response = restore(seeded, {"checkpoint": "persona"})

    assert response.json() == {"revision": 1, "changed": []}
    assert Revision.objects.count() == 1


def test_one_subtree_can_be_restored(seeded):
    seeded.put("/api/state/Persona/voice", '"loud"', content_type=JSON)
    seeded.put("/api/state/Persona/preferences/units", '"imperial"', content_type=JSON)

    response = restore(seeded, {"checkpoint": "persona", "pointer": "/Persona/voice"})

    assert response.json()["changed"] == ["Persona"]
    assert seeded.get("/api/state/Persona/voice/level_1").json() == "Warm, brief and plain."
    assert seeded.get("/api/state/Persona/preferences/units").json() == "imperial"


def test_a_dry_run_answers_with_the_patch_and_changes_nothing(seeded):
    seeded.put("/api/state/Persona/preferences/units", '"imperial"', content_type=JSON)

    response = restore(seeded, {"checkpoint": "persona", "dry_run": True})

    patch = [{"op": "replace", "path": "/preferences/units", "value": "metric"}]
    assert response.json() == {"revision": 2, "changed": ["Persona"], "patches": {"Persona": patch}}
    assert Revision.objects.count() == 2


def test_a_fixture_document_in_the_body_is_restored(seeded):
    plain = restore(seeded, [row("A", {"z": 1, "a": [None]}), row("B", 2)])
    chosen = restore(seeded, {"checkpoint": [row("A", 3), row("B", 4)], "keys": ["B"]})

    assert plain.json()["changed"] == ["A", "B"]
    assert chosen.json()["changed"] == ["B"]
    assert seeded.get("/api/state/A").content == b'{"z":1,"a":[null]}'


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"checkpoint": "nope"}, 422, "there is no checkpoint 'nope'; there are: context, identity, persona"),
        ({"checkpoint": "../settings"}, 422, "is no checkpoint's name"),
        ({"checkpoint": "identity", "keys": ["Persona"]}, 422, "the checkpoint has no key 'Persona'; it has: Identity"),
        ({"checkpoint": "identity", "pointer": "/Identity/x"}, 422, "the checkpoint has nothing at /Identity/x"),
        ({"checkpoint": "identity", "pointer": "Identity"}, 400, "does not start with /"),
        ({"checkpoint": "identity", "mode": "replace"}, 422, "mode"),
        ({"checkpoint": "identity", "force": True}, 422, "force"),
        ({}, 422, "checkpoint"),
        ([{"model": "auth.user", "pk": 1, "fields": {}}], 422, "row 1 is a auth.user"),
        ([row("A", 1), row("A", 2)], 422, "row 2 of the fixture is the key 'A' once more"),
        ([{"model": "state.stateentry", "pk": "A", "fields": {}}], 422, "without value_json"),
        ([1], 422, "row 1 of the fixture"),
        ([row("", 1)], 422, "a key cannot be empty"),
        ("[", 400, "line 1, column 2"),
    ],
)
def test_a_restore_that_cannot_be_is_refused_whole(seeded, body, status, detail):
    response = restore(seeded, body)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]
    assert Revision.objects.count() == 1


def test_a_truncated_checkpoint_is_refused_with_its_place(seeded, settings, tmp_path):
    settings.FIXTURE_DIRS = [tmp_path, settings.NOLA_SEED_DIR]
    text = (settings.NOLA_SEED_DIR / "identity.json").read_text()
    (tmp_path / "half.json").write_text(text[:300])

    response = restore(seeded, {"checkpoint": "half"})

    assert response.status_code == 422
    assert "the checkpoint 'half' cannot be read: not acceptable JSON: line " in response.json()["detail"]
