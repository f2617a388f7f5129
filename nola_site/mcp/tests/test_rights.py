"""Which tools open to whom: with each word of a scope, with limits, and over either wire. Said here a second time."""

import pytest
from django.test import Client
from django.utils import timezone

from access import rates
from access.models import ApiKey
from access.rights import SCOPES
from nola_site.mcp.tests.talking import ask, ask_stateless, call
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
KEY = "nola_key-of-this-test-0000"
CALLS = {
    "context": {},
    "read": {"pointer": "/Facts"},
    "search": {"q": "one"},
    "write": {"pointer": "/Facts", "value": 2},
    "edit": {"operations": [{"op": "add", "pointer": "/More", "value": 1}]},
    "delete": {"pointer": "/Facts"},
    "history": {},
    "undo": {"revision": 2},
    "messages": {"session": "talk"},
    "messages+": {"session": "talk", "append": [{"speaker": "user", "message": "hi"}]},
}
OPENS = {  # of a scope, the tools that it opens; an undo needs the right to write what it takes back too
    "read": {"context", "read", "search", "history", "messages"},
    "read:state": {"context", "read", "search", "history"},
    "read:conversations": {"context", "search", "history", "messages"},
    "write": {"context", "read", "search", "messages", "write", "edit", "delete", "messages+"},
    "write:state": {"context", "read", "search", "write", "edit", "delete"},
    "write:conversations": {"context", "search", "messages", "messages+"},
    "suggest": {"context", "read", "search", "write", "edit", "delete"},  # which become proposals
    "admin": set(),
    "read write": set(CALLS),
    "read:state write:state": {"context", "read", "search", "history", "write", "edit", "delete", "undo"},
}


@pytest.fixture(autouse=True)
def memory(db):
    store.put(Address("Facts"), make_document("one"), Author("user:ada", Source.API))
    store.put(Address("Facts"), make_document("two"), Author("key:planner", Source.API))
    store.put(Address("Else"), make_document("one"), Author("user:ada", Source.API))


@pytest.fixture
def keyed(make_key):
    def make(scopes, **more):
        make_key(KEY, "planner", tuple(scopes.split()))
        ApiKey.objects.filter(name="planner").update(**more)
        return Client(headers={"Authorization": f"Bearer {KEY}"})

    return make


@pytest.fixture
def talk(agent):
    agent.post("/api/conversations", {"session_id": "talk"}, content_type="application/json")


def opens(client, name):
    before = store.head()
    result = call(client, name.rstrip("+"), **CALLS[name])
    is_open = "may n" not in result["content"][0]["text"]
    assert is_open or (result["isError"] and store.head() == before)
    return is_open


def test_no_scope_is_forgotten():
    assert set(SCOPES) <= set(OPENS)


@pytest.mark.parametrize("scopes", sorted(OPENS))
def test_a_key_opens_the_tools_of_its_scope(keyed, talk, scopes):
    client = keyed(scopes)

    assert {name for name in CALLS if opens(client, name)} == OPENS[scopes]


def test_what_a_key_that_may_only_suggest_writes_waits_for_a_person(keyed, agent):
    client = keyed("read suggest")

    answers = {name: call(client, name.rstrip("+"), **arguments) for name, arguments in CALLS.items()}

    told = {name: answer["structuredContent"] for name, answer in answers.items()}
    assert store.head() == 3
    assert [told[name]["state"] for name in ("write", "edit", "delete")] == ["waits for a person"] * 3
    agent.post(f"/api/proposals/{told['write']['proposal']}/accept", {}, content_type="application/json")
    assert store.read(Address("Facts")).text == "2"
    assert call(client, "write", pointer="/Facts", value=2)["structuredContent"] == {"revision": 4, "changed": []}


def test_a_proposal_keeps_the_name_of_the_client_and_so_does_what_becomes_of_it(keyed, agent):
    arguments = {"pointer": "/Facts", "value": 2}
    ask_stateless(keyed("suggest"), "tools/call", {"name": "write", "arguments": arguments})

    assert agent.get("/api/proposals/1").json()["client"] == "tester 3"
    agent.post("/api/proposals/1/accept", {}, content_type="application/json")
    assert Revision.objects.latest("seq").info["client"] == "tester 3"


def test_resources_and_the_prompt_need_their_rights(keyed):
    client = keyed("admin")

    for method, params in (
        ("resources/list", {}),
        ("resources/read", {"uri": "nola://state/Facts"}),
        ("prompts/get", {"name": "load-context"}),
    ):
        assert "read the state" in ask(client, method, params)["error"]["message"]


def test_what_a_key_may_not_read_is_not_found(keyed, talk, agent):
    call(agent, "messages", session="talk", append=[{"speaker": "user", "message": "one"}])
    client = keyed("read:state")

    found = call(client, "search", q="one")["structuredContent"]["found"]
    told = call(client, "history")["structuredContent"]["revisions"]

    assert found == [{"pointer": "/Else", "text": "one"}]
    assert all(not line.startswith(("message", "conversation")) for one in told for line in one["what"])


@pytest.mark.parametrize("authorization", [None, "Basic x", "Bearer", "Bearer nola_unknown-00000000"])
def test_nobody_else_comes_in(authorization):
    headers = {"Authorization": authorization} if authorization else {}

    response = ask_stateless(Client(), "tools/list", **headers)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response["Content-Type"] == "application/problem+json"


def test_a_browser_session_does_not_come_in(owner):
    assert ask_stateless(owner, "tools/list").status_code == 401


def test_a_key_that_was_revoked_opens_nothing(keyed):
    client = keyed("read", revoked_at=timezone.now())

    assert ask_stateless(client, "tools/list").status_code == 401


def test_a_key_that_writes_too_fast_is_told_so_in_words_that_the_model_sees(keyed, monkeypatch):
    client = keyed("read write")

    def refuse(actor):
        raise rates.TooManyWrites(f"{actor} writes too much", 12)

    monkeypatch.setattr(rates, "check", refuse)
    result = call(client, "write", pointer="/A", value=1)
    read = call(client, "read")

    assert result["isError"]
    assert result["content"][0]["text"] == 'key:planner writes too much\n{"retry_after_seconds":12}'
    assert store.head() == 3
    assert not read["isError"]
