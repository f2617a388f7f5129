"""Who comes in where: every call and every page, with nobody, with each right alone, and with keys that have ended.

What a door needs is said here a second time, by address and in the permissions themselves.
"""

import re
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from ninja import Router

from access.models import ApiKey, SecurityEvent
from access.rights import PERMISSIONS, SCOPES
from nola_site.api import api
from nola_site.doors import declare
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import Change, Proposal, Revision, StateEntry
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
KEY = "nola_key-of-this-test-0000"
SEE = {"state.view_stateentry"}
WRITE = SEE | {"state.add_stateentry", "state.change_stateentry", "state.delete_stateentry"}
PAST = {"state.view_revision"}
TALK = {"conversations.view_conversation", "conversations.view_message"}
SAY = {f"conversations.{verb}_conversation" for verb in ("view", "add", "change", "delete")}
PURGE = {"conversations.purge_conversation"}
EVERYTHING = SEE | WRITE | PAST | TALK | SAY | PURGE | {"access.administer"}
SCOPE = {  # what a word of a scope opens, as if it were these permissions
    "read": SEE | PAST | TALK,
    "read:state": SEE | PAST,
    "read:conversations": TALK | PAST,
    "write": WRITE | SAY | TALK,
    "write:state": WRITE,
    "write:conversations": SAY | TALK,
    "suggest": SEE | {"suggest"},
    "admin": PURGE | {"access.administer"},
}
EITHER = (SEE | PAST, TALK | PAST)  # one of these
CALLS = [  # (methods, address, what it needs); the first that fits
    ("POST", "/api/conversations/[^/]+/purge", SAY | PURGE),
    ("GET HEAD", "/api/conversations.*", TALK),
    (".*", "/api/conversations.*", SAY),
    ("DELETE", "/api/context/receipts", SEE | TALK | PURGE),
    ("POST", "/api/context", (SEE | SAY, TALK | SAY)),
    ("GET HEAD", "/api/(context|search)", (SEE, TALK)),
    (".*", "/api/context.*", SEE | TALK),
    ("GET HEAD", "/api/(history|changes)", EITHER),
    ("GET HEAD", "/api/(history|diff|blame|deleted).*", SEE | PAST),
    (".*", "/api/proposals.*", WRITE),
    ("POST", "/api/undo", PAST),  # and what it undoes, see below
    ("GET HEAD", "/api/checkpoints/kept", SEE),
    ("GET HEAD", "/api/(state|query|checkpoints).*", SEE),
    (".*", "/api/(state|transactions|checkpoints).*", WRITE),
]
SUGGESTED = [  # what opens also to who may only suggest: it becomes a proposal, or is about its own
    ("PUT PATCH DELETE", "/api/state.*"),
    ("POST", "/api/transactions"),
    ("GET HEAD DELETE", "/api/proposals.*"),
]
PAGES = [
    ("/admin/conversations/(.*/)?(add|delete)/", {"nobody has it"}),  # nothing is done there
    ("/admin/access/apikey/.*delete/", {"nobody has it"}),
    ("/admin/access/apikey/.*rotate/", set()),  # shows nothing, and does nothing but by POST
    ("/admin/access/securityevent/(.*/)?(add|delete)/", {"nobody has it"}),
    ("/admin/access/securityevent/.*", {"access.administer"}),
    ("/admin/(state/tree/(moments|sizes)|state/stateentry/.*/history/)", SEE | PAST),
    (
        "/admin/(state/stateentry/(add/|.*/delete/)|checkpoints/.*(create|upload|verify|delete|accept|restore|undo)/)",
        WRITE,
    ),
    ("/admin/proposals/.*", WRITE),
    ("/admin/(state/tree/.*|state/stateentry/.*|checkpoints/.*)", SEE),
    ("/admin/activity/.*", EITHER),
    ("/admin/(context|conversations/message|search)/(hits)?", (SEE, TALK)),
    ("/admin/conversations/(conversation/undo|import)/.*", SAY),
    ("/admin/conversations/.*", TALK),
    ("/admin/auth/user/add/", {"auth.add_user", "auth.change_user"}),
    ("/admin/auth/user/.*(change|password)/", {"auth.change_user"}),
    ("/admin/auth/user/.*delete/", {"auth.delete_user"}),
    ("/admin/auth/user/.*", {"auth.view_user"}),
    ("/admin/access/apikey/add/", {"access.add_apikey"}),
    ("/admin/access/apikey/.*", {"access.view_apikey"}),
    ("/admin/forget/", {"access.administer"}),
    ("/admin/.*", set()),
]
APART = {
    "/admin/login/",
    "/admin/logout/",  # opens to everybody, by POST
    "/admin/autocomplete/",  # opens to nobody: there is nothing to complete
    "/admin/(?P<url>.*)",
}


def filled(path):
    """An address with something in each of its places."""
    names = {"address": "Facts", "session_id": "talk", "name": "kept", "receipt": "r", "message_id": "1", "number": "1"}
    return re.sub(r"{(?:\w+:)?(\w+)}", lambda found: names[found[1]], path)


OPERATIONS = sorted(
    {
        (method, "/api" + prefix + filled(path))
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for one in view.operations
        for method in one.methods
    }
)


def fits(methods, place, method, address):
    return re.fullmatch(methods.replace(" ", "|"), method) and re.fullmatch(place, address)


def suffices(permissions, needs):
    return any(one <= permissions for one in (needs if isinstance(needs, tuple) else (needs,)))


def needed_call(method, address):
    return next(needs for methods, place, needs in CALLS if fits(methods, place, method, address))


def is_suggested(method, address):
    return any(fits(*one, method, address) for one in SUGGESTED)


@pytest.fixture(autouse=True)
def memory(db):
    store.put(Address("Facts"), make_document(1), Author("user:ada", Source.API))


def call(client, method, address):
    return client.generic(method, address, "{}", content_type="application/json")


def opens(client, method, address):
    """Whether a call comes in; 401 and 403 are the only answers to one that does not."""
    before = Revision.objects.count()
    status = call(client, method, address).status_code
    if status in (401, 403):
        assert Revision.objects.count() == before
    return status not in (401, 403)


def person(permissions, name="eve"):
    user = User.objects.create_user(name, is_staff=True)
    for one in permissions:
        app, codename = one.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def keyed(make_key, scopes, **more):
    make_key(KEY, "planner", tuple(scopes))
    ApiKey.objects.filter(name="planner").update(**more)
    return Client(headers={"Authorization": f"Bearer {KEY}"})


def test_there_is_nothing_that_a_table_forgets():
    assert len(OPERATIONS) > 60
    assert set(SCOPES) == set(SCOPE)
    assert set().union(*PERMISSIONS.values()) == EVERYTHING


def test_nobody_comes_in_and_neither_does_staff_without_rights():
    stranger, guest = Client(), person([])

    assert {call(stranger, *one).status_code for one in OPERATIONS} == {401}
    assert {call(guest, *one).status_code for one in OPERATIONS} == {403}


@pytest.mark.parametrize("permissions", [{one} for one in sorted(EVERYTHING)] + [SEE | TALK, SEE | PAST, WRITE, SAY])
def test_a_session_opens_what_its_permissions_open(permissions):
    client = person(permissions)

    for method, address in OPERATIONS:
        assert opens(client, method, address) == suffices(permissions, needed_call(method, address)), (method, address)


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_key_opens_what_its_scope_opens(make_key, scope):
    client = keyed(make_key, [scope])

    for method, address in OPERATIONS:
        needs = needed_call(method, address)
        may = suffices(SCOPE[scope], needs) or (scope == "suggest" and is_suggested(method, address))
        assert opens(client, method, address) == may, (method, address)


BODIES = [
    ("application/json", "2"),
    ("application/merge-patch+json", '{"a": 1}'),
    ("application/json-patch+json", '[{"op": "replace", "path": "", "value": 2}]'),
    ("application/json", '{"operations": [{"op": "put", "pointer": "/Facts", "value": 2}]}'),
    ("application/json", '{"revision": 1}'),
    ("application/json", '[{"model": "state.stateentry", "pk": "Facts", "fields": {"value_json": 2}}]'),
]


@pytest.mark.parametrize("scopes", [["suggest"], ["read", "suggest"], ["suggest", "write:conversations"]])
def test_a_key_that_suggests_never_moves_a_key_of_the_state(make_key, scopes):
    client = keyed(make_key, scopes)
    suggested = 0

    for method, address in OPERATIONS:
        for media_type, body in BODIES:
            suggested += client.generic(method, address, body, content_type=media_type).status_code == 202

    assert suggested > 10
    assert StateEntry.objects.get().value_json == 1
    assert not Change.objects.filter(kind="state").exclude(revision=1).exists()
    assert Proposal.objects.count() > 3


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_key_that_has_ended_opens_nothing(make_key, column):
    client = keyed(make_key, ["read", "write", "admin"], **{column: timezone.now() - timedelta(seconds=1)})

    assert {call(client, *one).status_code for one in OPERATIONS} == {401}


def test_a_key_that_expires_later_opens(make_key):
    client = keyed(make_key, ["read"], expires_at=timezone.now() + timedelta(hours=1))

    assert client.get("/api/state").status_code == 200


def test_a_limited_key_does_not_open_what_cannot_be_limited(make_key):
    client = keyed(make_key, ["read", "write", "admin"], places='["/Facts"]')

    refused = {one for one in OPERATIONS if not opens(client, *one)}

    assert ("GET", "/api/checkpoints/kept") in refused
    assert ("POST", "/api/checkpoints") in refused


@pytest.mark.parametrize(("kind", "permissions"), [("state", WRITE), ("conversation", SAY)])
def test_an_undo_needs_the_rights_to_what_it_undoes(owner, kind, permissions):
    if kind == "conversation":
        owner.post("/api/conversations", '{"session_id":"talk"}', content_type="application/json")
    last = Change.objects.filter(kind=kind).latest("id").revision_id
    body = f'{{"revision":{last}}}'
    wrong, right = person(PAST | ((WRITE | SAY) - permissions), "mallory"), person(PAST | permissions)

    assert wrong.post("/api/undo", body, content_type="application/json").status_code == 403
    assert right.post("/api/undo", body, content_type="application/json").status_code == 200


def test_a_call_without_a_declaration_stops_the_start():
    router = Router()
    router.get("/new")(lambda request: None)

    with pytest.raises(ImproperlyConfigured, match="does not say what the call"):
        declare(router)


# Pages


def pages(patterns, prefix="/", names=()):
    for one in patterns:
        place = prefix + re.sub(
            r"\^|\$|\(\?P<app_label>[^)]*\)", lambda found: "state" if "label" in found[0] else "", str(one.pattern)
        )
        if isinstance(one, URLResolver):
            yield from pages(one.url_patterns, place)
        elif isinstance(one, URLPattern) and one.name:  # the others lead on, or nowhere
            yield place


def all_pages():
    facts, revision = StateEntry.objects.get(), Revision.objects.latest("seq")
    user, key = User.objects.latest("id"), ApiKey.objects.create(name="some", sha256="0")
    event = SecurityEvent.objects.create(event="signed in", actor="user:ada")
    ids = {"stateentry": facts.pk, "revision": revision.pk, "user": user.pk, "apikey": key.pk}
    ids["securityevent"] = event.pk
    for place in pages(get_resolver().url_patterns):
        if not place.startswith("/admin/") or place in APART:
            continue
        model = place.split("/")[3] if place.count("/") > 3 else ""
        filled_in = re.sub(r"<(?:\w+:)?(object_id|id)>", str(ids.get(model, 1)), place)
        yield re.sub(r"<(?:\w+:)?\w+>", "1", filled_in)


def opens_page(client, address):
    """Whether a page is shown; it is not where one is sent to sign in, or told that one may not."""
    response = client.get(address)
    return response.status_code != 403 and "/login/" not in response.get("Location", "")


def needed_page(address):
    return next(needs for place, needs in PAGES if re.fullmatch(place, address))


@pytest.mark.parametrize(
    "permissions",
    [set(), *({one} for one in sorted(EVERYTHING)), SEE | TALK, SEE | PAST, SEE | TALK | PAST, WRITE, SAY],
    ids=lambda some: "+".join(sorted(some)) or "none",
)
def test_a_page_opens_to_those_who_may_see_it(permissions):
    client = person(permissions)
    addresses = list(all_pages())

    assert len(addresses) > 45
    for address in addresses:
        assert opens_page(client, address) == suffices(permissions, needed_page(address)), address


def test_no_page_opens_to_nobody_or_to_somebody_who_is_not_staff():
    client = Client()
    client.force_login(User.objects.create_user("bob"))

    for address in all_pages():
        assert not opens_page(Client(), address), address
        assert not opens_page(client, address), address


def test_the_groups_hold_what_they_are_named_for():
    import_module("access.migrations.0003_groups").make_groups(apps, SimpleNamespace(connection=connection))
    held = {
        group.name: {f"{one.content_type.app_label}.{one.codename}" for one in group.permissions.all()}
        for group in Group.objects.all()
    }

    assert held["viewer"] == SEE | PAST | TALK
    assert held["editor"] == held["viewer"] | WRITE | SAY
    assert held["owner"] > EVERYTHING
