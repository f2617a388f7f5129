"""API keys from beginning to end, on the command line and in the admin."""

import io
import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from access.admin_keys import MAY
from access.keys import BadKeySettings, KeySettings, create_key, parse_place, parse_time
from access.models import ApiKey, SecurityEvent
from access.rights import PERMISSIONS, SCOPES, Right, grant_key
from state.checkpoints.restore import seed_store

pytestmark = pytest.mark.django_db
NEW = "/admin/access/apikey/add/"


def apikey(*arguments):
    """What the command writes to its output: a key, where it makes one."""
    out = io.StringIO()
    call_command("apikey", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue().strip()


def client_of(key):
    return Client(headers={"Authorization": f"Bearer {key}"})


def grant_of(name):
    row = ApiKey.objects.get(name=name)
    return grant_key(row.name, row.scopes, row.places, row.user_id)


def status(key):
    return client_of(key).get("/api/state").status_code


def test_a_key_is_made_with_what_it_may_do():
    key = apikey(
        "create", "bot", "--scopes", "read", "suggest", "--prefix", "Persona", "Tasks/open", "--user-id", "ada"
    )

    grant = grant_of("bot")
    assert grant.rights >= {Right.READ_STATE, Right.READ_CONVERSATIONS, Right.READ_HISTORY, Right.SUGGEST_STATE}
    assert Right.WRITE_STATE not in grant.rights
    assert (grant.places, grant.user_id) == (("/Persona", "/Tasks/open"), "ada")
    assert key not in "".join(map(str, ApiKey.objects.values_list()))


def test_a_key_reads_and_writes_if_nothing_else_is_said():
    seed_store()
    client = client_of(apikey("create", "bot"))

    assert client.put("/api/state/x", "1", content_type="application/json").status_code == 201
    assert client.get("/api/state/x").json() == 1
    assert client.post("/api/conversations/x/purge", "{}", content_type="application/json").status_code == 403


def test_a_key_ends_when_it_was_said_to(monkeypatch):
    key = apikey("create", "bot", "--expires", "1h")
    assert status(key) == 200

    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert status(key) == 401
    assert apikey("list").startswith("expired")


def test_both_keys_hold_for_a_day_after_a_rotation_and_the_one_before_does_not():
    first = apikey("create", "bot")
    second = apikey("rotate", "bot")
    assert [status(key) for key in (first, second)] == [200, 200]

    third = apikey("rotate", "bot")
    assert [status(key) for key in (first, second, third)] == [401, 200, 200]

    ApiKey.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    assert [status(key) for key in (first, second, third)] == [401, 401, 200]


def test_revoking_ends_all_that_a_key_ever_was():
    keys = [apikey("create", "bot"), apikey("rotate", "bot")]

    apikey("revoke", "bot")

    assert [status(key) for key in keys] == [401, 401]
    assert apikey("list").startswith("revoked")
    with pytest.raises(CommandError, match="revoked already"):
        apikey("revoke", "bot")
    with pytest.raises(CommandError, match="is revoked; make another"):
        apikey("rotate", "bot")
    with pytest.raises(CommandError, match="history names it for good"):
        apikey("create", "bot")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "bot", "--scopes", "nope"], "no scope 'nope'; there are: read, write"),
        (["create", "bot", "--prefix", "a~b"], "'a~b' is no place"),
        (["create", "bot", "--prefix", ""], "'' is no place"),
        (["create", "bot", "--expires", "soon"], "'soon' is no time; write 12h"),
        (["create", " "], "1 to 60 characters"),
        (["create", "a\nb"], "1 to 60 characters"),
        (["create", "x" * 61], "1 to 60 characters"),
        (["revoke", "nobody"], "no key 'nobody'"),
        (["rotate", "nobody"], "no key 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused_and_makes_nothing(arguments, words):
    with pytest.raises(CommandError, match=words):
        apikey(*arguments)

    assert not ApiKey.objects.exists()
    assert not SecurityEvent.objects.exists()


def test_places_and_times_are_read_as_people_write_them():
    assert [parse_place(text) for text in ("Persona", "Tasks/open", "/a~1b", "a b")] == [
        "/Persona",
        "/Tasks/open",
        "/a~1b",
        "/a b",
    ]
    assert parse_time("never") is None
    later = parse_time("2w")
    assert later is not None
    assert timedelta(days=13) < later - timezone.now() < timedelta(days=15)
    for text in ("0d", "-1d", "1", "d", "1m", "999999d", "１d"):
        with pytest.raises(BadKeySettings):
            parse_time(text)


def test_each_thing_done_to_a_key_is_in_the_security_log():
    key = apikey("create", "bot", "--prefix", "Persona")
    apikey("rotate", "bot")
    apikey("revoke", "bot")

    rows = list(SecurityEvent.objects.order_by("id").values_list("event", "detail"))
    assert rows == [("key made", "bot: read, write; only /Persona"), ("key rotated", "bot"), ("key revoked", "bot")]
    assert key not in json.dumps(rows)


# The admin


def shown(page):
    return page.content.decode().split('id="key-text" tabindex="0">')[1].split("<")[0]


def staff(*permissions):
    user = User.objects.create_user("eve", is_staff=True)
    for name in permissions:
        user.user_permissions.add(Permission.objects.get(codename=name.split(".")[1]))
    client = Client()
    client.force_login(user)
    return client


def test_the_admin_shows_a_new_key_once_and_keeps_it_nowhere(owner):
    page = owner.post(NEW, {"name": "bot", "scopes": ["read:state"], "places": "Persona\n", "ends": "30d"})

    key = shown(page)
    assert "no-store" in page["Cache-Control"]
    assert f'curl -H "Authorization: Bearer {key}"'.replace('"', "&quot;") in page.content.decode().replace(
        '"', "&quot;"
    )
    assert client_of(key).get("/api/conversations").status_code == 403
    assert grant_of("bot").places == ("/Persona",)
    assert key not in owner.get("/admin/access/apikey/").content.decode()
    assert key not in "".join(map(str, owner.session.items()))


def test_the_admin_changes_and_rotates_a_key(owner):
    old = shown(owner.post(NEW, {"name": "bot", "scopes": ["read"], "ends": "never"}))
    row = ApiKey.objects.get()
    page = owner.get(f"/admin/access/apikey/{row.pk}/change/").content.decode()
    assert f'action="/admin/access/apikey/{row.pk}/rotate/"' in page

    owner.post(f"/admin/access/apikey/{row.pk}/change/", {"scopes": ["read:state", "suggest"], "ends": "as it is"})
    new = shown(owner.post(f"/admin/access/apikey/{row.pk}/rotate/"))

    assert ApiKey.objects.get().scopes == "read:state suggest"
    assert [status(key) for key in (old, new)] == [200, 200]
    assert owner.get(f"/admin/access/apikey/{row.pk}/rotate/").status_code == 405


def test_the_form_of_a_key_names_each_scope_and_what_it_implies(owner):
    page = owner.get("/admin/access/apikey/add/").content.decode()

    assert sorted(re.findall(r'name="scopes" value="([^"]+)"', page)) == sorted(SCOPES)
    assert all(label.says for _, choices in MAY for _, label in choices)
    assert "is not there for this key" in page


def test_the_list_of_keys_says_in_words_what_each_may_do(owner):
    apikey("create", "bot", "--scopes", "read:state", "suggest", "--prefix", "Persona")

    page = owner.get("/admin/access/apikey/").content.decode()

    assert "read the state, suggest changes" in page
    assert "Persona" in page


def test_nobody_gives_a_key_more_than_they_have():
    seer = staff("access.add_apikey", "access.change_apikey", "access.view_apikey", *PERMISSIONS[Right.READ_STATE])
    apikey("create", "strong")
    strong = ApiKey.objects.get()

    page = seer.post(NEW, {"name": "bot", "scopes": ["read", "admin"], "ends": "never"}).content.decode()
    changed = seer.post(f"/admin/access/apikey/{strong.pk}/change/", {"scopes": ["write"], "ends": "as it is"})
    rotated = seer.post(f"/admin/access/apikey/{strong.pk}/rotate/", follow=True).content.decode()

    assert "your account may not administer, nor purge, nor read conversations" in page
    assert "may not read conversations, nor write conversations, nor write the state" in changed.content.decode()
    assert "key-text" not in rotated
    assert "which your account may not" in rotated
    assert [row.scopes for row in ApiKey.objects.all()] == ["read write"]


def test_who_has_a_right_may_give_it():
    seer = staff("access.add_apikey", *PERMISSIONS[Right.READ_STATE], *PERMISSIONS[Right.READ_HISTORY])

    key = shown(seer.post(NEW, {"name": "bot", "scopes": ["read:state"], "ends": "never"}))

    assert status(key) == 200


def test_who_may_only_look_at_keys_cannot_end_them():
    apikey("create", "bot")
    seer = staff("access.view_apikey")

    seer.post("/admin/access/apikey/", {"action": "revoke", "_selected_action": [ApiKey.objects.get().pk]})
    assert seer.post(f"/admin/access/apikey/{ApiKey.objects.get().pk}/rotate/").status_code == 403

    assert ApiKey.objects.get().revoked_at is None


def test_a_key_that_works_is_active(owner):
    create_key("worker", KeySettings(["read"]), "cli:ada")

    page = owner.get("/admin/access/apikey/").content.decode()

    assert "active" in page and "holds" not in page
