"""What is new since the last visit, and what waits for a decision: for whom, and with a way to it."""

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from access.models import ApiKey, Visit
from nola_site.pages import news
from nola_site.pages.tests.test_home import PLANNER, put, reader
from state import clock, store
from state.jsondoc.text import make_document
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
READER = Author("key:reader", Source.API)
TALKS = ("view_conversation", "view_message")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.NOLA_DB_DIR = tmp_path
    return tmp_path


@pytest.fixture
def later(monkeypatch):
    """Lets time pass."""
    passed = [timedelta()]
    now = timezone.now

    def pass_by(**span):
        passed[0] += timedelta(**span)

    monkeypatch.setattr("django.utils.timezone.now", lambda: now() + passed[0])
    return pass_by


def look(client):
    response = client.get("/admin/")
    assert response.status_code == 200
    return response


def news_of(client):
    return look(client).context["news"]


def told(client):
    return [(one.who.name, one.count, one.named, one.unnamed) for one in news_of(client).others]


def say(agent, session, *texts):
    body = [{"speaker": "user", "message": text} for text in texts]
    assert (
        agent.post(f"/api/conversations/{session}/messages", body, content_type="application/json").status_code == 201
    )


# What is new


def test_the_first_visit_tells_of_none_before_it(owner, later):
    put("A", 1)

    assert news_of(owner) is None
    assert "last visit" not in look(owner).content.decode()


def test_it_tells_who_has_changed_what_since(owner, later):
    put("Before", 1, PLANNER)
    look(owner)
    later(hours=5)
    for number in range(3):
        put("Tasks", number, PLANNER)
    put("Persona", 1, PLANNER)
    store.put_keys({name: make_document(1) for name in ("K1", "K2", " ")}, PLANNER)
    put("Persona", 2, READER)
    put("Persona", 3)

    page = look(owner)

    found = page.context["news"]
    assert [(one.who.name, one.count, one.keys) for one in found.others] == [
        ("planner", 5, Counter({"Tasks": 3, "Persona": 1, "K1": 1, "K2": 1, " ": 1})),
        ("reader", 1, Counter({"Persona": 1})),
    ]
    assert (found.others[0].named[0], found.others[0].unnamed, found.own) == ("Tasks", 2, 1)
    assert found.others[0].link == "/admin/activity/#actor=key%3Aplanner&when=visit&after=1"
    assert found.link == "/admin/activity/#when=visit&after=1"
    assert "New since your last visit" in page.content.decode()
    assert "And 1 change of your own" in page.content.decode()


def test_what_was_said_is_counted(owner, agent, later):
    say(agent, "old", "before")
    look(owner)
    later(hours=1)
    say(agent, "old", "a", "b")
    say(agent, "new", "c")

    found = news_of(owner)

    assert (found.messages, found.conversations, found.begun) == (3, 2, 1)
    assert "3 new messages in 2 conversations, 1 of them new" in " ".join(look(owner).content.decode().split())


def test_nothing_new_is_said_in_a_line(owner, later):
    put("A", 1, PLANNER)
    look(owner)
    later(hours=1)

    page = look(owner).content.decode()

    assert "Nothing new since your last visit" in page
    assert "Nothing waits for you." in page
    assert "home-news" not in page


def test_what_waits_and_nothing_new_are_both_said(owner, folder, later):
    put("A", 1, PLANNER)
    (folder / "admin-password").write_text("first")
    look(owner)
    later(hours=1)

    page = look(owner).content.decode()

    assert "Waits for you" in page and "Nothing new since your last visit" in page
    assert "Nothing waits for you" not in page


def test_what_one_has_done_oneself_is_no_news(owner, later):
    put("A", 1, PLANNER)
    look(owner)
    later(hours=1)
    put("A", 2)

    page = look(owner)

    assert (page.context["news"].others, page.context["news"].own) == ([], 1)
    assert "changed yourself" in page.content.decode()


def test_news_stays_over_reloads_and_in_another_browser_until_the_visit_ends(owner, later):
    put("A", 1, PLANNER)
    look(owner)
    later(hours=1)
    put("A", 2, PLANNER)
    first = told(owner)
    other = Client()
    other.force_login(Visit.objects.get().user)

    later(minutes=20)
    assert told(other) == told(owner) == first
    put("A", 3, PLANNER)
    assert told(owner) == [("planner", 2, ["A"], 0)]
    later(minutes=29)
    assert owner.get("/admin/latest/").context["news"].others[0].count == 2
    later(minutes=29)
    assert told(other) == [("planner", 2, ["A"], 0)]
    later(minutes=31)
    assert news_of(owner).others == []


def test_an_older_database_that_was_put_back_has_what_was_seen_of_it(owner, later):
    put("A", 1, PLANNER)
    look(owner)
    visit = Visit.objects.values().get()
    put("A", 2, PLANNER)
    later(hours=1)
    look(owner)  # and this visit is lost with all that came after the backup
    Visit.objects.update(**visit)
    clock.continue_above(500, Author("system:restore", Source.RESTORE))
    later(hours=1)
    put("A", 3, READER)

    found = news_of(owner)

    assert found.since.revision == 1
    assert [(one.who.name, one.count) for one in found.others] == [("planner", 1), ("reader", 1)]


def test_a_restore_of_keys_is_news(owner, later):
    put("A", 1, PLANNER)
    look(owner)
    later(hours=1)
    store.put_keys({"A": make_document(7)}, Author("cli:root", Source.RESTORE))

    assert told(owner) == [("root, command line", 1, ["A"], 0)]


def test_only_what_one_may_read_is_news(owner, agent, later):
    put("A", 1, PLANNER)
    clients = {"state": reader("view_stateentry", "view_revision")}
    User.objects.filter(username="bob").update(username="carol")
    clients["talk"] = reader("view_revision", *TALKS)
    User.objects.filter(username="bob").update(username="dave")
    clients["none"] = reader("view_stateentry")
    for client in clients.values():
        look(client)
    later(hours=1)
    put("Secret", 1, PLANNER)
    say(agent, "hidden", "a")

    state, talk = news_of(clients["state"]), news_of(clients["talk"])

    assert ([one.who.name for one in state.others], state.messages) == (["planner"], 0)
    assert ([one.who.name for one in talk.others], talk.messages) == (["default"], 1)
    assert "hidden" not in str(state) and "Secret" not in str(talk)
    assert news_of(clients["none"]) is None


def test_much_that_is_new_is_looked_at_in_part_and_says_so(owner, later, monkeypatch):
    put("A", 1, PLANNER)
    look(owner)
    later(hours=1)
    for number in range(6):
        put("A", number + 10, PLANNER)
    monkeypatch.setattr(news, "SCAN", 4)

    page = look(owner)

    assert page.context["news"].others[0].count == 4
    assert "newest are counted" in page.content.decode()
    assert Revision.objects.count() == 7


# What waits


def waiting(client):
    return [(one.text, one.link, one.label) for one in look(client).context["decisions"]]


def test_proposals_wait_for_who_may_decide(owner, make_key):
    make_key("nola_suggests-only-in-tests", "crawler", ("read", "suggest"))
    put("Tasks", {"a": 1})
    crawler = Client(headers={"Authorization": "Bearer nola_suggests-only-in-tests"})
    assert crawler.put("/api/state/Tasks/a", "2", content_type="application/json").status_code == 202

    assert waiting(owner) == [("1 proposal waits for you", "/admin/proposals/", "Look at it")]
    assert waiting(reader("view_stateentry", "view_revision")) == []


def test_keys_that_end_soon_are_told(owner, make_key):
    put("A", 1)
    now = timezone.now()
    for name, days in (("gone", -2), ("soon", 2.5), ("late", 30), ("revoked", 1)):
        make_key(f"nola_{name}-key-for-tests", name)
        ApiKey.objects.filter(name=name).update(expires_at=now + timedelta(days=days))
    ApiKey.objects.filter(name="revoked").update(revoked_at=now)
    keys = {key.name: f"/admin/access/apikey/{key.pk}/change/" for key in ApiKey.objects.all()}

    assert waiting(owner) == [
        ("The API key gone has expired", keys["gone"], "Renew or revoke"),
        ("The API key soon expires in 3 days", keys["soon"], "Renew or revoke"),
    ]
    assert [owner.get(link).status_code for _, link, _ in waiting(owner)] == [200, 200]
    assert waiting(reader("view_stateentry", "view_apikey")) == []


def test_the_first_password_is_to_be_changed(owner, folder, settings):
    put("A", 1)
    (folder / "admin-password").write_text("first")

    assert waiting(owner) == [
        ("admin still has the password that the first run has made", "/admin/auth/user/", "People")
    ]
    settings.NOLA_ADMIN_USER = "ada"
    [(text, link, label)] = waiting(owner)
    assert text.startswith("Your password is still the one")
    assert (link, label, owner.get(link).status_code) == ("/admin/password_change/", "Change it", 200)
    assert waiting(reader("view_stateentry")) == []


def test_what_is_late_leads_to_where_one_is_taken(owner, later):
    put("A", 1)
    later(days=3)

    problems = look(owner).context["problems"]

    assert [(one.link, one.label) for one in problems] == [("/admin/checkpoints/", "Take a checkpoint"), ("", "")]
