import json

import pytest

from state.files.envelopes import is_envelope
from state.models import Revision

JSON = "application/json"


def time_of(revision):
    return Revision.objects.get(pk=revision).at.isoformat()


@pytest.fixture
def notes(agent):
    agent.put("/api/state/Note", '{"level_1":"short","level_3":"long"}', content_type=JSON)
    agent.put("/api/state/a~1b", "[1.0]", content_type=JSON)
    agent.put("/api/state/Note/level_1", '"shorter"', content_type=JSON)
    return agent


def metadata(revision, **others):
    told = {
        "last_updated": time_of(revision),
        "context_level": 3,
        "status": "ready",
        "needs_sync": False,
        "stale_threshold_seconds": 600,
        "source_file": "Note.json",
    }
    return told | others


@pytest.mark.parametrize(
    ("address", "about", "data"),
    [
        ("/Note?envelope=1", (3, {}), {"level_1": "shorter", "level_3": "long"}),
        ("/Note?envelope=1&level=1", (3, {"context_level": 1}), "shorter"),
        ("/Note?envelope=1&stimuli=conversational", (3, {"context_level": 2}), "shorter"),
        ("/Note?envelope=1&at=2", (1, {}), {"level_1": "short", "level_3": "long"}),
        ("/Note/level_3?envelope=1", (3, {}), "long"),
        ("/a~1b/0?envelope=1", (2, {"source_file": "a%2Fb.json"}), 1.0),
        (
            "?envelope=1&at=2",
            (2, {"source_file": None}),
            {"Note": {"level_1": "short", "level_3": "long"}, "a/b": [1.0]},
        ),
        ("?envelope=1&pointer=/Note/level_1&pointer=/a~1b", (3, {"source_file": None}), None),
    ],
)
def test_an_envelope_tells_when_and_at_which_level(notes, address, about, data):
    response = notes.get(f"/api/state{address}")

    assert response.status_code == 200
    body = response.json()
    revision, others = about
    assert body["metadata"] == metadata(revision, **others)
    assert list(body) == ["metadata", "data"]
    assert body["data"] == data or data is None
    assert response["ETag"].startswith('W/"')


def test_an_envelope_answers_304_until_the_key_changes(notes):
    tag = notes.get("/api/state/Note?envelope=1")["ETag"]
    notes.put("/api/state/Other", "1", content_type=JSON)

    assert notes.get("/api/state/Note?envelope=1", headers={"If-None-Match": tag}).status_code == 304
    notes.put("/api/state/Note/level_1", '"new"', content_type=JSON)
    assert notes.get("/api/state/Note?envelope=1", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("envelope=yes", "envelope='yes' must be 1, or be left out"),
        ("envelope=1&view=tree", "envelope=1 goes around a value, and not with view=tree"),
    ],
)
def test_an_envelope_that_makes_no_sense_is_refused(notes, query, detail):
    response = notes.get(f"/api/state/Note?{query}")

    assert (response.status_code, response.json()["detail"]) == (422, detail)


def test_the_envelope_of_an_empty_memory(agent):
    body = agent.get("/api/state?envelope=1").json()

    assert (body["metadata"]["last_updated"], body["data"]) == (None, {})


def test_an_envelope_costs_two_queries_more(notes, django_assert_num_queries):
    with django_assert_num_queries(4):
        notes.get("/api/state/Note?envelope=1")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('{"metadata": {"status": "ready"}, "data": 1}', True),
        ('{"data": null, "metadata": {"last_updated": "x", "more": 1}}', True),
        ('{"metadata": {}, "data": 1}', False),
        ('{"metadata": {"name": "x"}, "data": 1}', False),
        ('{"metadata": {"status": "ready"}}', False),
        ('{"metadata": {"status": "ready"}, "data": 1, "more": 1}', False),
        ('{"metadata": [], "data": 1}', False),
        ("[]", False),
    ],
)
def test_what_counts_as_an_envelope(text, is_one):
    assert is_envelope(json.loads(text)) == is_one
