"""The page where an owner forgets something."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from access.models import SecurityEvent
from conversations.models import Message
from nola_site.forget import run
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
CARD = "4111 1111 1111 1111"


@pytest.fixture(autouse=True)
def memory(db):
    store.put(Address("Card"), make_document({"number": CARD}), Author("user:ada", Source.API))


def test_it_shows_what_holds_it_and_forgets_it_once_that_was_seen(owner):
    seen = owner.post("/admin/forget/", {"what": CARD, "reason": "by mistake"})
    assert "keys: 1" in seen.content.decode() and store.head() == 1
    assert "no-store" in seen["Cache-Control"]

    done = owner.post("/admin/forget/", {"what": CARD, "reason": "by mistake", "sure": "1"}, follow=True)

    assert "Forgotten in revision 2" in done.content.decode() and CARD not in done.content.decode()
    assert store.read(Address("Card")).text == '{"number":"[redacted]"}'
    made = Revision.objects.get(seq=2)
    assert (made.actor, made.source, made.reason) == ("user:ada", "forget", "by mistake")
    assert SecurityEvent.objects.filter(event="forgotten", actor="user:ada").count() == 1


def test_it_leads_to_where_it_stands_before_it_goes(owner, agent):
    store.put(Address("a/b"), make_document({"x": [1, f"pay with {CARD}"], CARD: 2}), Author("user:ada", Source.API))
    store.put(Address("Gone"), make_document(CARD), Author("user:ada", Source.API))
    store.put(Address("Gone"), make_document("nothing"), Author("user:ada", Source.API))
    body = {"messages": [{"speaker": "user", "message": f"it is {CARD}"}]}
    agent.post("/api/conversations/trip/messages", body, content_type="application/json")

    page = owner.post("/admin/forget/", {"what": CARD}).content.decode()

    message = Message.objects.get().pk
    found = re.findall(
        r"<li>(?:<a class=\"ui-link\" href=\"([^\"]*)\">)?(.*?)(?:</a>)?</li>", page.partition("forget-spots")[2]
    )
    assert found[:5] == [
        ("/admin/state/tree/#/Card/number", "Card › number"),
        ("/admin/state/tree/#/a~1b/x/1", "a/b › x › 1"),
        ("", "a/b › [redacted] 6"),
        ("/admin/activity/#key=Gone", "the past of Gone"),
        (f"/admin/conversations/message/{message}/change/", f"message {message} in trip"),
    ]


def test_places_stand_in_the_order_of_their_keys_whatever_was_written_last(owner):
    for number, name in enumerate(["b", "a", "é", "Z", "Card", "b"]):
        store.put(Address(name), make_document({"number": CARD, "n": number}), Author("user:ada", Source.API))

    page = owner.post("/admin/forget/", {"what": CARD}).content.decode()

    assert re.findall(r">(\S+) › number</a>", page) == ["Card", "Z", "a", "b", "é"]


def test_of_many_places_the_first_are_named_and_the_rest_counted(owner):
    store.put(Address("Many"), make_document([CARD] * 40), Author("user:ada", Source.API))

    page = owner.post("/admin/forget/", {"what": CARD}).content.decode()

    assert page.count('class="ui-link" href="/admin/state/tree/#') == run.SPOTS
    assert f"and {41 - run.SPOTS} more" in page


def test_a_place_is_one_unless_it_is_said_to_be_a_text(owner):
    store.put(Address("Path"), make_document("in /Card/number it is"), Author("user:ada", Source.API))

    owner.post("/admin/forget/", {"what": "/Card/number", "kind": "text", "sure": "1"})

    assert store.read_all().text == f'{{"Card":{{"number":"{CARD}"}},"Path":"in [redacted] it is"}}'


def test_what_cannot_be_forgotten_is_said_and_nothing_is_done(owner):
    response = owner.post("/admin/forget/", {"what": "abc", "sure": "1"})

    assert "it takes 4 at least" in response.content.decode()
    assert store.head() == 1


def test_nobody_else_forgets_anything():
    editor = User.objects.create_user("eve", is_staff=True)
    editor.user_permissions.set(Permission.objects.exclude(codename="administer"))
    client = Client()
    client.force_login(editor)

    assert client.post("/admin/forget/", {"what": CARD, "sure": "1"}).status_code == 403
    assert store.head() == 1


def test_the_first_screen_and_the_history_tell_of_it(owner):
    owner.post("/admin/forget/", {"what": CARD, "sure": "1"})

    assert "forgot a value" in owner.get("/admin/").content.decode()
    assert owner.get("/admin/activity/2/").status_code == 200
    assert owner.get("/admin/state/stateentry/Card/history/").url == "/admin/activity/#key=Card"
