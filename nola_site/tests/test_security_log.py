"""What goes into the security log from all over, and the page that shows it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from access import security
from access.models import ApiKey, SecurityEvent
from state import store
from state.address import Address
from state.checkpoints.files import save_checkpoint
from state.jsondoc.text import make_document
from state.revisions import Author, Source

KEY = "nola_key-of-this-test-0000"
JSON = "application/json"


@pytest.fixture(autouse=True)
def memory(db, monkeypatch):
    monkeypatch.setattr(security, "_seen", {})
    store.put(Address("Facts"), make_document(1), Author("user:ada", Source.API))


@pytest.fixture
def reader(make_key):
    make_key(KEY, "planner", ("read",))
    return Client(headers={"Authorization": f"Bearer {KEY}"})


def rows(event):
    found = SecurityEvent.objects.filter(event=event).order_by("pk")
    return list(found.values_list("actor", "detail", "address"))


def test_what_a_key_may_not_do_is_written_down_once(reader):
    for _ in range(5):
        assert reader.put("/api/state/Facts", "2", content_type=JSON).status_code == 403

    said = "The API key 'planner' may not write the state; an owner can let it, under API keys"
    assert rows("refused") == [("key:planner", said, "127.0.0.1")]


def test_calls_with_unknown_and_with_ended_keys_are_written_down(reader):
    Client(headers={"Authorization": "Bearer nola_guess"}).get("/api/state")
    ApiKey.objects.update(revoked_at=timezone.now())
    reader.get("/api/state")

    assert [actor for actor, *_ in rows("refused")] == ["an unknown key", "key:planner"]
    assert "nola_guess" not in str(rows("refused"))


def test_whoever_sends_no_credential_has_tried_nothing(client):
    client.get("/api/state")
    client.get("/admin/")

    assert rows("refused") == []


def test_pages_that_are_refused_are_written_down():
    User.objects.create_user("bob", is_staff=True)
    client = Client()
    client.force_login(User.objects.get())

    assert client.get("/admin/state/tree/").status_code == 403
    assert client.get("/admin/auth/user/").status_code == 403

    assert rows("refused") == [("user:bob", "the page tree", "127.0.0.1")]  # and the other within the same minute


def test_keys_that_are_made_changed_and_revoked_are_written_down(owner):
    owner.post("/admin/access/apikey/add/", {"name": "scout", "scopes": ["read"]})
    key = ApiKey.objects.get()
    owner.post(f"/admin/access/apikey/{key.pk}/change/", {"scopes": ["read", "write"]})
    owner.post("/admin/access/apikey/", {"action": "revoke", "_selected_action": [key.pk]})

    assert rows("key made") == [("user:ada", "scout: may read", "127.0.0.1")]
    assert rows("key changed") == [("user:ada", "scout: may read, write", "127.0.0.1")]
    assert rows("key revoked") == [("user:ada", "scout", "127.0.0.1")]
    assert key.sha256 not in str([*SecurityEvent.objects.values_list()])


def test_purges_are_written_down(agent):
    agent.post("/api/conversations", '{"session_id":"talk"}', content_type=JSON)
    agent.post("/api/conversations/talk/purge", '{"confirm":"talk"}', content_type=JSON)

    assert [(actor, address) for actor, _, address in rows("purged")] == [("key:default", "127.0.0.1")]


def test_restores_are_written_down_where_something_changed(agent, owner):
    save_checkpoint("kept")
    agent.post("/api/state/restore", '{"checkpoint":"kept"}', content_type=JSON)
    assert rows("restored") == []

    agent.put("/api/state/Facts", "2", content_type=JSON)
    agent.post("/api/state/restore", '{"checkpoint":"kept"}', content_type=JSON)
    agent.put("/api/state/Facts", "3", content_type=JSON)
    owner.post("/admin/checkpoints/kept/restore/", {})

    assert [actor for actor, *_ in rows("restored")] == ["key:default", "user:ada"]
