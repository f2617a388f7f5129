import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from access import auth
from access.models import ApiKey
from conftest import KEY
from state.checkpoints.restore import seed_store
from state.models import Revision

JSON = "application/json"
CALLS = [
    ("get", "/api/state"),
    ("head", "/api/state"),
    ("get", "/api/state/Identity"),
    ("put", "/api/state/Identity"),
    ("delete", "/api/state/Identity/name"),
    ("post", "/api/state/restore"),
]


@pytest.fixture
def seeded(db):
    seed_store()


@pytest.mark.parametrize(("method", "address"), CALLS)
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic YWRtaW46YWRtaW4=", "Bearer", f"Token {KEY}"])
def test_without_a_valid_credential_there_is_no_state(agent, seeded, method, address, header):
    stranger = Client(headers={"Authorization": header} if header else {})

    response = stranger.generic(method.upper(), address, "1", content_type=JSON)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert b"Nola" not in response.content
    assert Revision.objects.count() == 1


def test_an_invalid_key_is_not_made_good_by_a_session(owner, seeded):
    response = owner.get("/api/state", headers={"Authorization": "Bearer wrong"})

    assert response.status_code == 401


def test_a_revoked_key_is_refused(agent, seeded):
    ApiKey.objects.update(revoked_at=timezone.now())

    assert agent.get("/api/state").status_code == 401


def test_a_key_that_may_only_read_cannot_write(make_key, seeded):
    make_key("nola_reader-key-0000", "reader", ("read",))
    reader = Client(headers={"Authorization": "Bearer nola_reader-key-0000"})

    assert reader.get("/api/state/Identity/name").json() == "Nola"
    response = reader.put("/api/state/Identity/name", '"Eve"', content_type=JSON)
    assert response.status_code == 403
    assert response.json()["detail"] == (
        "The API key 'reader' may neither write the state nor suggest changes of the state;"
        " an owner can let it, under API keys"
    )
    assert Revision.objects.count() == 1


def test_the_use_of_a_key_is_noted_once_a_minute(agent, seeded, stamps, django_assert_num_queries):
    stamps.clear()
    agent.get("/api/state")
    noted = ApiKey.objects.get().last_used_at

    with django_assert_num_queries(2):
        agent.get("/api/state")

    assert noted is not None
    assert ApiKey.objects.get().last_used_at == noted


def test_a_busy_database_does_not_stop_a_reader(agent, seeded, stamps, monkeypatch):
    stamps.clear()
    asked = []

    def busy(write):
        asked.append(write)
        raise OperationalError("database is locked")

    monkeypatch.setattr(auth, "write_without_waiting", busy)

    assert agent.get("/api/state").status_code == 200
    assert len(asked) == 1


def test_the_owner_reads_and_writes_with_the_admin_session(db, seeded):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("ada", password="a-long-password"))
    browser.get("/admin/")
    token = browser.cookies["nola_csrf"].value

    read = browser.get("/api/state/Identity/name")
    without = browser.put("/api/state/Identity/name", '"Eve"', content_type=JSON)
    written = browser.put("/api/state/Identity/name", '"Ada"', content_type=JSON, headers={"X-CSRFToken": token})

    assert (read.status_code, without.status_code, written.status_code) == (200, 403, 200)
    assert "CSRF" in without.json()["detail"]
    assert (Revision.objects.first().actor, Revision.objects.first().source) == ("user:ada", "admin")


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}]
)
def test_a_session_is_no_use_to_other_sites(owner, seeded, headers):
    assert owner.get("/api/state", headers=headers).status_code == 403
    assert owner.get("/api/state", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_staff_may_do_over_the_api_what_they_may_do_in_the_admin(db, seeded):
    browser = Client()
    bob = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    browser.force_login(bob)
    assert browser.get("/api/state").status_code == 403

    bob.user_permissions.add(Permission.objects.get(codename="view_stateentry"))

    assert browser.get("/api/state").status_code == 200
    assert browser.put("/api/state/x", "1", content_type=JSON).status_code == 403
    assert Revision.objects.count() == 1


def test_somebody_who_is_not_staff_is_nobody(db, seeded):
    browser = Client()
    browser.force_login(User.objects.create_user("bob", password="a-long-password"))

    assert browser.get("/api/state").status_code == 401


def test_health_and_docs_need_no_credential_and_tell_no_state(client, seeded):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {
        "status": "ok",
        "database": "ok",
        "revision": 1,
        "last_checkpoint": None,
        "last_backup": None,
    }
    docs = client.get("/api/docs").content.decode()
    assert "/static/nola/reference/reference.js" in docs
    assert "https://" not in docs


def test_a_new_key_is_shown_once_and_works(owner, seeded):
    page = owner.post(
        "/admin/access/apikey/add/", {"name": "planner", "scopes": ["read"], "ends": "never"}, follow=True
    ).content.decode()

    key = page.split('id="key-text" tabindex="0">')[1].split("<")[0]
    assert Client(headers={"Authorization": f"Bearer {key}"}).get("/api/state/Identity/name").json() == "Nola"
    stored = ApiKey.objects.get(name="planner")
    assert key not in (stored.sha256, stored.prefix)
    assert key not in owner.get("/admin/access/apikey/").content.decode()


def test_keys_are_revoked_and_never_deleted(owner, agent, seeded):
    key = ApiKey.objects.get()

    owner.post("/admin/access/apikey/", {"action": "revoke", "_selected_action": [key.pk]})

    assert agent.get("/api/state").status_code == 401
    assert owner.post(f"/admin/access/apikey/{key.pk}/delete/", {"post": "yes"}).status_code == 403
