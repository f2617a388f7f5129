"""Keys that are limited to a user write for that user alone, and imports are writes as well."""

import json

import pytest

from conversations.api.tests.limits import MARK, limited, said, say, send
from conversations.models import Conversation, Message


def test_what_it_writes_is_of_its_user(bob):
    say(bob, "trip", "one", user_id="bob")
    say(bob, "trip", "two")
    send(bob, "POST", "/conversations", {"session_id": "new", "messages": [said("three")]})

    assert set(Message.objects.values_list("message", "user_id")) == {("one", "bob"), ("two", "bob"), ("three", "bob")}


def test_it_begins_a_conversation_without_messages_for_its_user(bob, agent):
    assert send(bob, "POST", "/conversations", {"session_id": "empty"})[0] == 201

    assert send(bob, "GET", "/conversations/empty")[0] == 200
    say(agent, "empty", "hello", user_id="eve")
    assert send(bob, "GET", "/conversations/empty")[0] == 404


@pytest.mark.parametrize("path", ["/conversations/trip/messages", "/conversations"])
def test_it_may_not_write_for_another_user(bob, path):
    message = {**said("hello"), "user_id": "eve"}

    status, body = send(bob, "POST", path, message if "trip" in path else {"messages": [message]})

    assert (status, body["detail"]) == (403, "The API key 'bob' writes for the user id 'bob' alone; leave user_id out")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("session", ["taken", "gone", "both"])
def test_a_name_that_another_user_has_is_taken(agent, bob, session):
    say(agent, session, "hello", user_id="eve")
    if session == "gone":
        send(agent, "DELETE", "/conversations/gone")
    if session == "both":
        say(agent, session, "hello", user_id="bob")
    expected = 409, f"the session id {session!r} is taken; choose another one"

    for path, body in ((f"/conversations/{session}/messages", said("me")), ("/conversations", {"session_id": session})):
        status, found = send(bob, "POST", path, body)
        assert (status, found["detail"]) == expected
    assert Message.objects.filter(message="me").count() == 0


def test_it_changes_deletes_and_purges_its_own(bob):
    ids = say(bob, "trip", "one", "two", "three")

    assert send(bob, "PATCH", "/conversations/trip", {"title": "Trip"})[1]["title"] == "Trip"
    assert send(bob, "PATCH", f"/conversations/trip/messages/{ids[0]}", {"status": "error"})[0] == 200
    assert send(bob, "DELETE", f"/conversations/trip/messages/{ids[0]}")[0] == 204
    assert send(bob, "DELETE", f"/conversations/trip/messages?id={ids[1]}")[0] == 204
    assert send(bob, "DELETE", "/conversations/trip")[0] == 204
    assert send(bob, "GET", "/conversations/trip")[0] == 410
    assert send(bob, "POST", "/conversations/trip/purge", {"confirm": "trip"})[0] == 200
    assert not Conversation.objects.exists()


def test_a_request_that_is_sent_again_shows_no_more_than_is_its_own_by_now(bob, agent):
    header = {"Idempotency-Key": "once"}
    assert send(bob, "POST", "/conversations/trip/messages", said("hello"), **header)[0] == 201
    assert send(bob, "POST", "/conversations/trip/messages", said("hello"), **header)[1]["added"] == 1

    say(agent, "trip", "secret", user_id="eve")

    assert send(bob, "POST", "/conversations/trip/messages", said("hello"), **header)[0] == 409


def test_it_removes_no_receipts(bob):
    assert send(bob, "DELETE", "/context/receipts?before=2026-01-31T12:00:00Z")[0] == 403


# Imports


def bring(client, *chats, query=""):
    lines = "\n".join(json.dumps(one) for one in chats)
    response = client.post(f"/api/conversations/import{query}", lines, content_type="application/x-ndjson")
    return response.status_code, response.json()


def chat(session, *texts, user="eve"):
    messages = [
        {"id": str(number), "user_id": user, **said(text), "timestamp": f"2026-01-31T12:00:0{number}Z"}
        for number, text in enumerate(texts, 1)
    ]
    about = {"title": "", "channel": "", "source": "", "started": None, "started_text": "", "archived": False}
    return {"session_id": session, **about, "metadata": {}, "current_leaf": None, "messages": messages}


def test_what_it_imports_is_of_its_user(bob):
    assert bring(bob, chat("trip", "one", "two"), chat("empty"))[0] == 200

    assert set(Message.objects.values_list("message", "user_id")) == {("one", "bob"), ("two", "bob")}
    assert {one["session_id"] for one in send(bob, "GET", "/conversations")[1]["conversations"]} == {"trip", "empty"}


def test_an_import_leaves_conversations_of_others_alone_and_tells_nothing_of_them(agent, bob):
    bring(agent, chat("trip", f"{MARK} one", "two"))
    before = [*Message.objects.values()]

    for _ in range(2):  # what is sent again adds nothing
        _, report = bring(bob, chat("trip", f"{MARK} one", "two", "three"))

    assert MARK not in json.dumps(report)
    assert [*Message.objects.filter(user_id="eve").values()] == before
    assert [one["session_id"] for one in send(bob, "GET", "/conversations")[1]["conversations"]] == ["trip~2"]
    assert Message.objects.filter(user_id="bob").count() == 3


def test_an_import_writes_no_state_for_those_who_may_not(make_key):
    client = limited(make_key, ["write:conversations"], "talks")

    status, body = bring(client, chat("trip", "one"), query="?state=notes")

    assert (status, Conversation.objects.exists()) == (403, False)
    assert body["detail"].startswith("The API key 'talks' may not write the state")
    assert bring(client, chat("trip", "one"))[0] == 200
