"""The page of one change: all there is to know of it, and no more than its reader may see."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

from state import store
from state.address import Address
from state.guards import lift_guards
from state.jsondoc.text import parse_json
from state.models import Revision
from state.revisions import Author, Source

PLANNER = Author("key:planner", Source.MCP, "the mail says <so>", {"client": "Some client", "files": ["a.json"]})


def put(pointer, text, author=PLANNER):
    key, *tokens = pointer.split("/")
    return store.put(Address(key, tuple(tokens)), parse_json(text), author).revision


def show(client, seq):
    response = client.get(f"/admin/activity/{seq}/")
    assert response.status_code == 200
    return response.content.decode()


def test_it_tells_who_when_how_and_why(owner):
    seq = put("Tasks", '{"a":1}')
    page = show(owner, seq)

    for text in ("key:planner", "Some client", "the mail says &lt;so&gt;", "Files", "a.json", "verifies"):
        assert text in page
    assert Revision.objects.get().chain in page


def test_it_has_the_patch_to_copy_and_what_was_there(owner):
    put("Tasks", '{"a":1.0}')
    page = owner.get(f"/admin/activity/{put('Tasks/a', '12345678901234567890123')}/")

    [patch] = page.context["patches"]
    assert json.loads(patch.text) == [{"op": "replace", "path": "/a", "value": 12345678901234567890123}]
    assert '"was":1.0' in page.context["event"]


def test_a_long_patch_is_cut_and_leads_to_all_of_it(owner):
    seq = put("a&b", json.dumps("x" * 50_000))
    page = owner.get(f"/admin/activity/{seq}/")

    [patch] = page.context["patches"]
    assert (len(patch.text), patch.left > 30_000) == (20_000, True)
    assert "key=a%26b" in page.content.decode()
    assert owner.get(f"/api/diff?from={seq - 1}&to={seq}&key=a%26b").json()["patches"]["a&b"]


def test_an_undo_and_what_it_took_back_lead_to_each_other(owner):
    put("Tasks", "1")
    seq = put("Tasks", "2")
    owner.post("/api/undo", {"revision": seq}, content_type="application/json")
    put("Tasks", "3")

    assert owner.get(f"/admin/activity/{seq}/").context["undone_by"] == [seq + 1]
    undo = owner.get(f"/admin/activity/{seq + 1}/").context
    assert (undo["undoes"], undo["undone_by"]) == ([seq], [])


def test_it_knows_the_request(agent, owner):
    headers = {"Idempotency-Key": "request-7"}
    agent.put("/api/state/Tasks", "1", content_type="application/json", headers=headers)
    agent.put("/api/state/Tasks", "2", content_type="application/json")

    assert owner.get("/admin/activity/1/").context["request_key"] == "request-7"
    assert owner.get("/admin/activity/2/").context["request_key"] is None


@pytest.mark.parametrize(
    ("table", "column"), [("state_revision", "reason"), ("state_change", "forward"), ("state_change", "key")]
)
def test_it_says_when_it_is_not_as_it_was_written(owner, table, column):
    first, second = put("Tasks", "1"), put("Other", "1")
    row = "seq" if table == "state_revision" else "revision"
    lift_guards(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = '\"x\"' WHERE {row} = %s", [second])

    assert owner.get(f"/admin/activity/{first}/").context["flaw"] is None
    assert "not as it was written" in owner.get(f"/admin/activity/{second}/").context["flaw"]
    assert "does not verify" in show(owner, second)


def test_what_was_forgotten_verifies_and_says_so(owner):
    put("Card", '{"number":"4242"}')
    owner.post("/admin/forget/", {"what": "/Card", "sure": "1"})

    for seq in (1, 2):
        assert owner.get(f"/admin/activity/{seq}/").context["flaw"] is None
    assert "4242" not in show(owner, 1)
    assert 'href="/admin/activity/2/" data-seq="2">change 2' in show(owner, 1)


def test_a_reader_sees_no_other_kind_of_memory(owner):
    state = put("Tasks", "1")
    owner.post("/api/conversations", {"session_id": "talk"}, content_type="application/json")
    user = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_revision", "view_conversation", "view_message"])
    )
    client = Client()
    client.force_login(user)

    assert client.get(f"/admin/activity/{state}/").status_code == 404
    page = show(client, state + 1)
    assert "talk" in page
    assert 'data-part="undo"' not in page


@pytest.mark.parametrize("seq", [0, 99, 2**63, 10**30])
def test_there_is_no_such_change(owner, seq):
    assert owner.get(f"/admin/activity/{seq}/").status_code == 404


def test_it_costs_a_fixed_number_of_queries(owner, django_assert_max_num_queries):
    seq = store.put_keys({f"Key {n}": parse_json(str(n)) for n in range(60)}, PLANNER).revision
    for number in range(30):
        put("Key 1", str(number + 100))

    with django_assert_max_num_queries(12):
        page = owner.get(f"/admin/activity/{seq}/")

    assert (len(page.context["patches"]), page.context["has_more"]) == (50, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/admin/state/revision/", "/admin/activity/"),
        ("/admin/state/revision/?changes__kind=state&changes__key=a%26b", "/admin/activity/#key=a%26b"),
        ("/admin/state/revision/?source__exact=api&q=mail", "/admin/activity/#source=api&reason=mail"),
        ("/admin/state/revision/12/change/", "/admin/activity/12/"),
    ],
)
def test_addresses_of_earlier_releases_lead_there(client, db, old, new):
    assert client.get(old).headers["Location"] == new
