"""The pages of proposals, without a browser: what they list, and what a decision does."""

import json

import pytest

from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import Proposal, Revision
from state.revisions import Author, Source

PAGE = "/admin/proposals/"
ADA = Author("user:ada", Source.ADMIN)
SUGGESTER = Author("key:planner", Source.API, "she <b>said</b> so", suggests=True)


def put(key, value, author=ADA):
    return store.put(Address(key), make_document(value), author)


def text(key):
    return store.read(Address(key)).text


@pytest.fixture
def page(owner):
    """A signed-in owner, and a proposal that waits."""
    put("Profile", {"city": "London", "born": 1815})
    put("Profile", {"city": "Lisbon", "born": 1816}, SUGGESTER)
    return owner


def said(response):
    return [str(message) for message in response.wsgi_request._messages]


def decide(client, **fields):
    return client.post(f"{PAGE}1/", fields)


def test_the_list_tells_who_wants_what_and_why(page):
    content = page.get(PAGE).content.decode()

    assert "Profile › city" in content
    assert "planner" in content
    assert "she &lt;b&gt;said&lt;/b&gt; so" in content


@pytest.mark.parametrize(
    ("now", "heading"),
    [
        ({"city": "London", "born": 1815, "also": 1}, "It would change 2 places"),
        ({"city": "Lisbon", "born": 1815}, "It would change 1 place"),
        ({"city": "Lisbon", "born": 1816}, "Nothing is left to change: all of it is there already"),
        ({"city": "Paris", "born": 1816}, "It would change 2 places"),  # one is to be decided
    ],
)
def test_the_heading_tells_how_much_is_left(page, now, heading):
    put("Profile", now)

    assert f">{heading}<" in page.get(f"{PAGE}1/").content.decode()


def test_what_was_decided_tells_how_much_it_was(page):
    decide(page, decision="accept")

    assert ">It was to change 2 places<" in page.get(f"{PAGE}1/").content.decode()


def test_what_waits_is_counted_in_the_sidebar_and_on_the_overview(page):
    for address in ("/admin/", "/admin/latest/"):
        assert "1 proposal waits for you" in page.get(address).content.decode()
    put("Other", 1, SUGGESTER)
    assert "2 proposals wait for you" in page.get("/admin/latest/").content.decode()
    Proposal.objects.update(state="rejected")

    assert "proposal" not in page.get("/admin/latest/").content.decode()


def test_accepting_is_one_revision_by_who_proposed_it(page):
    response = decide(page, decision="accept")

    assert said(response) == ["Proposal 1 is accepted, in revision 2. It can be undone, as any other."]
    assert text("Profile") == '{"city":"Lisbon","born":1816}'
    made = Revision.objects.get(pk=2)
    assert (made.actor, made.info) == ("key:planner", {"proposal": 1, "accepted_by": "user:ada"})


def test_some_of_it_is_accepted(page):
    decide(page, decision="accept", pointers=json.dumps(["/Profile/born"]))

    assert text("Profile") == '{"city":"London","born":1816}'


def test_rejecting_changes_nothing(page):
    response = decide(page, decision="reject", reason="not yet")

    assert "is rejected" in said(response)[0]
    assert text("Profile") == '{"city":"London","born":1815}'
    assert "not yet" in page.get(f"{PAGE}1/").content.decode()


def test_a_refusal_is_said_on_its_page(page):
    put("Profile", {"city": "Paris", "born": 1815})

    response = decide(page, decision="accept")

    assert response["Location"] == f"{PAGE}1/"
    assert "Changed since revision 1 at /Profile/city; say which side wins" in said(response)[0]
    decide(page, decision="accept", prefer="mine")
    assert text("Profile") == '{"city":"Lisbon","born":1816}'


@pytest.mark.parametrize("pointers", ["x", "{}", "[1]"])
def test_what_are_no_pointers_is_refused(page, pointers):
    assert decide(page, decision="accept", pointers=pointers).status_code == 400
    assert Proposal.objects.get().state == "waiting"


@pytest.mark.parametrize("number", [7, 2**70])
def test_a_proposal_that_is_not_there_is_404(page, number):
    assert page.get(f"{PAGE}{number}/").status_code == 404
