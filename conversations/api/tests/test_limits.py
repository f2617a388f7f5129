"""Keys that are limited to a user or to places: they read as if nothing else were there, and write nothing else."""

import json
import re

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.database import engine
from access.models import ApiKey
from conversations import delete
from conversations.api.tests.limits import JSON, MARK, limited, said, say, send
from conversations.models import Conversation, Message
from nola_site.api import api
from state.models import Receipt

# What such a key reads


@pytest.fixture
def mixed(agent, bob):
    """A store with what is bob's, and a mark in all that is not."""
    for key, value in {"Persona": {"name": "Nola", MARK: 1}, "Diary": [f"{MARK} diary"], f"{MARK}Key": "word"}.items():
        assert agent.put(f"/api/state/{key}", json.dumps(value), JSON).status_code == 201
    weights = {"Persona": 3, f"/Diary/{MARK}": 2, MARK: "none"}
    assert agent.put("/api/state/ContextWeights", json.dumps(weights), JSON).status_code == 201
    say(bob, "trip", "word one", "word two")
    for number, user in enumerate(["eve", "user", f"{MARK}-user"]):
        about = {"title": f"word {MARK}", "channel": MARK, "metadata": {MARK: MARK}, "tags": [MARK]}
        body = {"session_id": f"{MARK}-{number}", **about, "messages": [{**said(f"word {MARK}"), "user_id": user}]}
        assert send(agent, "POST", "/conversations", body)[0] == 201
    say(agent, "both", f"word {MARK}", user_id="bob")
    say(agent, "both", f"word {MARK}", user_id="eve", metadata={"thinking": f"{MARK} thought"})
    send(agent, "POST", "/conversations", {"session_id": f"{MARK}-empty", "title": MARK})
    say(agent, f"{MARK}-gone", f"word {MARK}", user_id="eve")
    send(agent, "DELETE", f"/conversations/{MARK}-gone")
    send(agent, "POST", "/context", {"q": MARK, "conversation": "both"})
    return agent


SESSIONS = ["trip", f"{MARK}-0", f"{MARK}-1", f"{MARK}-empty", f"{MARK}-gone", "both", "nothing", "import"]
QUERIES = {  # by path: what is asked there
    "/conversations": [
        "", "limit=1", "archived=false", f"channel={MARK}", f"tag={MARK}", f"title={MARK}", "title=word", "source=",
        "format=json", "format=jsonl", "format=markdown",
    ],
    "/conversations/{session_id}": ["", "format=json", "format=jsonl", "format=markdown"],
    "/conversations/import": [""],
    "/conversations/{session_id}/messages": ["", "order=newest&limit=1", "branch=current", "around={id}"],
    "/conversations/{session_id}/messages/{int:message_id}": [""],
    "/search": [
        f"q={MARK}", "q=word", "q=word&order=newest", "q=word&limit=1", "q=word&in=messages", "q=word&in=state",
        "q=word&user=eve", f"q=word&channel={MARK}", "q=word&session={session}", "q=word&since=2020-01-01", "q=diary",
        "q=word&level=3", f"q={MARK}&level=1", "q=nola", "q=name",
    ],
    "/context": [
        "", f"q={MARK}", "q=word&format=markdown", "budget=1", "conversation={session}",
        "conversation={session}&q=word", f"key=Persona&key={MARK}Key", f"pointer=/Persona/{MARK}", "key=ContextWeights",
        "at={revision}", "at={revision}&q=word&conversation={session}", "level=1",
        "stimuli=realtime&q=word", "hidden=true&q=word",
    ],
    "/context/receipts": ["", "limit=1"],
    "/context/{receipt}": [""],
}  # fmt: skip


def reads():
    """The paths of all calls that read conversations, search or context."""
    return {
        (prefix + path).rstrip("/")
        for prefix, router in api._routers
        if prefix in ("/conversations", "/search", "/context")
        for path, view in router.path_operations.items()
        if any("GET" in one.methods for one in view.operations)
    }


def addresses(path):
    """A path with all that could stand in its places, and each of its queries."""
    ids = list(Message.objects.values_list("pk", flat=True))
    for session in SESSIONS if "{session" in path + "".join(QUERIES[path]) else [""]:
        for pk in ids if "{int" in path or "around" in "".join(QUERIES[path]) else [0]:
            for name in Receipt.objects.values_list("receipt", flat=True) if "{receipt" in path else [""]:
                place = path.replace("{session_id}", session).replace("{int:message_id}", str(pk))
                for query in QUERIES[path]:
                    asked = query.replace("{session}", session).replace("{id}", str(pk)).replace("{revision}", "9")
                    yield f"/api{place.replace('{receipt}', name)}?{asked}"


def read(client, address):
    response = client.get(address)
    text = response.getvalue().decode()
    return response.status_code, re.sub(r'"exported":"[^"]*"', "", text), sorted(response.headers.items())


def test_nothing_of_others_shows_anywhere(mixed, bob):
    assert set(QUERIES) == reads()
    for limits in ({}, {"places": '["/Persona/name", "/Nothing/here"]'}):
        ApiKey.objects.filter(name="bob").update(**limits)
        for address in dict.fromkeys(one for path in QUERIES for one in addresses(path)):
            if limits or address.startswith("/api/conversations"):
                _, text, headers = read(bob, address)
                asked = re.sub(rf"there (is|was) no conversation '[^']*'|Conversation {MARK}[^\n]*", "", text)
                told = re.sub(r'"(q|section|detail)":"[^"]*"|Found for \w+', "", asked)
                assert MARK not in told + str([value for name, value in headers if name != "Link"]), address


def test_what_is_of_others_is_not_there_in_the_same_words(mixed, bob):
    for session in SESSIONS[1:7]:
        for path in ("", "/messages", "/messages/1", "/messages?around=1", "?format=json"):
            status, body = send(bob, "GET", f"/conversations/{session}{path}")
            assert (status, body["detail"]) == (404, f"there is no conversation {session!r}")
        for method, path, body in (
            ("PATCH", "", {"title": "mine"}),
            ("DELETE", "", None),
            ("DELETE", "/messages?all=true", None),
            ("DELETE", "/messages?id=1", None),
            ("PATCH", "/messages/1", {"status": "ok"}),
            ("POST", "/purge", {"confirm": session}),
        ):
            status, body = send(bob, method, f"/conversations/{session}{path}", body)
            assert (status, body["detail"]) == (404, f"there is no conversation {session!r}")


def test_it_reads_what_is_its_own(mixed, bob):
    _, listed = send(bob, "GET", "/conversations")
    _, page = send(bob, "GET", "/conversations/trip/messages")
    _, found = send(bob, "GET", "/search?q=word&in=messages")
    _, context = send(bob, "GET", "/context?conversation=trip&q=word")

    assert [(one["session_id"], one["messages"]) for one in listed["conversations"]] == [("trip", 2)]
    assert [(one["message"], one["user_id"]) for one in page["messages"]] == [("word one", "bob"), ("word two", "bob")]
    assert (found["found"], [one["session_id"] for one in found["messages"]]) == (2, ["trip", "trip"])
    assert context["messages"]["shown"] == 2


def test_places_limit_the_state_in_search_and_context(mixed, make_key):
    client = limited(make_key, name="places", places='["/Persona/name"]')

    _, found = send(client, "GET", "/search?q=nola&in=state")
    _, context = send(client, "GET", "/context")

    assert [(one["key"], one["pointer"]) for one in found["state"]] == [("Persona", "/name")]
    assert [(one["section"], one["weight"]) for one in context["sections"]] == [("/Persona", 1)]  # no weights to see
    assert context["text"] == '{"state":{"/Persona":{"name":"Nola"}}}'
    assert send(client, "GET", "/context?key=Diary")[1]["left_out"] == [
        {"section": "/Diary", "why": "absent", "detail": "nothing shows there at level 3"}
    ]


def test_a_rendering_for_one_limit_is_not_given_to_another(mixed, make_key):
    some = limited(make_key, name="some", places='["/Persona/name"]')

    whole = send(mixed, "GET", "/context?key=Persona")[1]["text"]
    part = send(some, "GET", "/context?key=Persona")[1]["text"]

    assert (MARK in whole, MARK in part) == (True, False)
    assert send(mixed, "GET", "/context?key=Persona")[1]["text"] == whole


def test_receipts_with_limits_are_those_that_the_key_has_kept(mixed, bob):
    _, kept = send(bob, "POST", "/context", {"conversation": "trip"})
    [other] = Receipt.objects.exclude(receipt=kept["receipt"])

    _, listed = send(bob, "GET", "/context/receipts")

    assert [one["receipt"] for one in listed["receipts"]] == [kept["receipt"]]
    assert send(bob, "GET", f"/context/{kept['receipt']}")[1] == kept
    assert send(bob, "GET", f"/context/{other.receipt}")[0] == 404
    assert len(send(mixed, "GET", "/context/receipts")[1]["receipts"]) == 2


def test_what_others_say_does_not_change_the_order_of_hits(agent, bob):
    say(bob, "trip", "word a", "word word b c d e f g h i j k")
    before = send(bob, "GET", "/search?q=word")[1]["messages"]

    say(agent, "long", "long " * 1000, user_id="eve")  # by bm25, long texts are good ones now

    assert send(bob, "GET", "/search?q=word")[1]["messages"] == before


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/conversations", 7),
        ("/conversations/trip", 7),
        ("/conversations/trip/messages", 4),
        ("/search?q=word", 6),
        ("/context?q=word&conversation=trip", 12),
    ],
)
def test_a_limit_costs_no_query(agent, bob, path, queries, monkeypatch):
    tables = {"conversation", "conversation_history"}
    monkeypatch.setattr(engine(), "known", tables, raising=False)  # by PostgreSQL, as it is but for the first minute
    say(bob, "trip", "word one", "word two")
    counts = []
    for client in (agent, bob):
        client.get(f"/api{path}")  # notes the use of the key
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"/api{path}").status_code == 200
        counts.append(len(captured))

    assert max(counts) == queries


def test_the_newest_hits_are_ranked_and_the_others_come_behind(bob, monkeypatch):
    monkeypatch.setattr("conversations.search.messages.MOST_SCORED", 2)
    ids = say(bob, "trip", "word", "word word", "word and much more", "word")

    pages = [send(bob, "GET", f"/search?q=word&limit=2&cursor={skip}")[1] for skip in (0, 2)]

    assert [one["id"] for page in pages for one in page["messages"]] == [ids[3], ids[2], ids[1], ids[0]]
    assert [(page["found"], page["ranked"]) for page in pages] == [(4, "the newest 2"), (4, "the newest 2")]


# The law: as from a store that has nothing else

words = st.sampled_from(["word", "word word", "other word, much longer than the rest of them"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from("abc"), st.sampled_from(["bob", "eve", "bob"]), words),
        st.tuples(st.just("begin"), st.sampled_from("abcd"), st.sampled_from(["bob", ""])),
        st.tuples(st.just("delete"), st.sampled_from("abc"), st.booleans()),
    ),
    max_size=12,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_it_reads_as_from_a_store_without_the_others(agent, bob, begin_ids_anew, wanted):
    begin_ids_anew()
    with transaction.atomic():
        begun = {session for step in wanted if (session := take(step, agent, bob))}
        asked = ["/conversations", "/conversations?limit=1", "/conversations?format=jsonl", "/search?q=word"]
        asked += ["/search?q=word&limit=1", "/search?q=word&order=newest&cursor=1", "/context?q=word&budget=60"]
        asked += [f"/conversations/{name}{more}" for name in "abcd" for more in ("", "/messages", "?format=markdown")]
        asked += [f"/context?conversation={name}&at={revision}" for name in "abcd" for revision in (1, 3, 5)]
        before = [read(bob, f"/api{one}") for one in asked]

        for row in Conversation.objects.all():
            if not is_bobs(row, begun):
                delete._erase(row)

        assert [read(bob, f"/api{one}") for one in asked] == before
        transaction.set_rollback(True)


def take(step, agent, bob):
    """Do a step; the session id of a conversation that was begun for bob without a message."""
    what, session, *more = step
    if what == "say":
        user, text = more
        body = {**said(text), "user_id": user, "timestamp": "2026-01-31T12:00:00Z"}
        send(agent, "POST", f"/conversations/{session}/messages", body)
    elif what == "begin":
        status, _ = send(bob if more[0] else agent, "POST", "/conversations", {"session_id": session})
        return session if more[0] and status == 201 else ""
    else:
        send(agent, "DELETE", f"/conversations/{session}{'' if more[0] else '/messages?all=true'}")
    return ""


def is_bobs(row, begun):
    """Whose a conversation is, from its messages."""
    users = set(row.messages.values_list("user_id", flat=True))
    return users == {"bob"} or (not users and row.session_id in begun)


# Some of the rights


def test_who_may_read_one_part_gets_the_other_left_out(mixed, make_key):
    state, talks = (limited(make_key, [f"read:{part}"], part) for part in ("state", "conversations"))

    for client, has, lacks in ((state, "state", "messages"), (talks, "messages", "state")):
        found = send(client, "GET", "/search?q=word")[1]
        assert (has in found, lacks in found) == (True, False)
    assert send(state, "GET", "/search?q=word&in=messages")[0] == 403
    assert send(state, "GET", "/search?q=word&speaker=user")[0] == 403
    assert send(talks, "GET", "/search?q=word&in=state")[0] == 403
    assert send(talks, "GET", "/search?q=word&level=1")[0] == 403


def test_a_context_leaves_out_what_may_not_be_read(mixed, make_key):
    state, talks = (limited(make_key, [f"read:{part}"], part) for part in ("state", "conversations"))

    of_state, of_talks = (send(client, "GET", "/context?q=word")[1] for client in (state, talks))

    assert [one["section"] for one in of_state["sections"]] == ["/Diary", "/Persona", f"/{MARK}Key"]
    assert "one" not in of_state["text"] and "trip" not in of_state["text"]
    assert "sections" not in of_talks and "Nola" not in of_talks["text"] and "diary" not in of_talks["text"]
    assert "trip" in of_talks["text"]
    assert send(state, "GET", "/context?conversation=trip")[0] == 403
    assert send(talks, "GET", "/context?key=Persona")[0] == 403


def test_receipts_need_both_rights(mixed, make_key):
    talks = limited(make_key, ["read:conversations", "write:conversations"], "talks")

    _, kept = send(talks, "POST", "/context", {"q": "word"})

    assert send(talks, "GET", f"/context/{kept['receipt']}")[0] == 403
    assert send(talks, "GET", "/context/receipts")[0] == 403
    assert send(mixed, "GET", f"/context/{kept['receipt']}")[0] == 200
