"""What goes into the security log from all over, and the page that shows it."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from access import security
from access.models import ApiKey, SecurityEvent
from access.review import find_notable
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

    said = (
        "The API key 'planner' may neither write the state nor suggest changes of the state;"
        " an owner can let it, under API keys"
    )
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
    owner.post("/admin/access/apikey/add/", {"name": "scout", "scopes": ["read"], "ends": "never"})
    key = ApiKey.objects.get()
    owner.post(f"/admin/access/apikey/{key.pk}/change/", {"scopes": ["read", "write"], "ends": "as it is"})
    owner.post("/admin/access/apikey/", {"action": "revoke", "_selected_action": [key.pk]})

    assert rows("key made") == [("user:ada", "scout: read", "127.0.0.1")]
    assert rows("key changed") == [("user:ada", "scout: read, write", "127.0.0.1")]
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


def test_the_page_shows_the_log_newest_first_to_those_who_administer(owner):
    security.record_event(security.Event.KEY_MADE, "user:ada", "first")
    security.record_event(security.Event.KEY_REVOKED, "user:ada", "second")
    bob = User.objects.create_user("bob", is_staff=True)
    client = Client()
    client.force_login(bob)

    shown = owner.get("/admin/access/securityevent/").context_data["cl"].result_list
    assert [row.detail for row in shown][:2] == ["second", "first"]
    assert "Security log" in owner.get("/admin/").content.decode()
    assert client.get("/admin/access/securityevent/").status_code == 403
    bob.user_permissions.add(Permission.objects.get(codename="administer"))
    assert client.get("/admin/access/securityevent/").status_code == 200
    found = owner.get("/admin/access/securityevent/?event=key+revoked").context_data["cl"].result_list
    assert [row.detail for row in found] == ["second"]


def test_nobody_changes_the_log_in_the_admin(owner):
    security.record_event(security.Event.KEY_MADE, "user:ada", "first")
    row = SecurityEvent.objects.latest("pk")

    assert owner.post(f"/admin/access/securityevent/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert owner.post(f"/admin/access/securityevent/{row.pk}/change/", {"actor": "eve"}).status_code == 403
    assert owner.get("/admin/access/securityevent/add/").status_code == 403


def test_the_doctor_says_what_is_notable(reader, owner, settings, tmp_path):
    settings.NOLA_DB_DIR = tmp_path
    (tmp_path / "admin-password").write_text("x")
    now = timezone.now()
    for number, more in enumerate([{"expires_at": now}, {"created_at": now - timezone.timedelta(days=40)}, {}]):
        key = ApiKey.objects.create(name=f"key{number}", sha256=str(number), scopes="admin")
        ApiKey.objects.filter(pk=key.pk).update(**more)
    reader.put("/api/state/Facts", "2", content_type=JSON)
    Client().post("/admin/login/", {"username": "ada", "password": "wrong"})

    found = "\n".join(one.text for one in find_notable())

    for words in [
        "signing in failed in the last day: 1 rows, from 1 addresses",
        "refused in the last day: 1 rows",
        "never used: key1",
        "have expired: key0",
        "purge and administer: key1, key2",
        "people who may do everything: ada",
        "the first password still holds",
    ]:
        assert words in found
