"""What the pages of conversations, search and context show and offer to whom, without a browser."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from conversations.models import Message

CONVERSATIONS = "/admin/conversations/conversation/"
SEARCH, CONTEXT = "/admin/conversations/message/", "/admin/context/"
SEE = ["state.view_stateentry"]
TALK = ["conversations.view_conversation", "conversations.view_message"]
PAST = ["state.view_revision"]
SAY = [f"conversations.{verb}_conversation" for verb in ("add", "change", "delete")]
CHANGE = [f"state.{verb}_stateentry" for verb in ("add", "change", "delete")]


@pytest.fixture
def memory(agent, talk):
    agent.put("/api/state/Secret", '{"hello": "hello violet"}', content_type="application/json")
    return talk


def person(*permissions):
    user = User.objects.create_user("eve", is_staff=True)
    for one in permissions:
        app, codename = one.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def show(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_the_search_of_who_reads_conversations_shows_no_state(memory):
    page = show(person(*TALK), f"{SEARCH}?q=hello")

    assert "1 message" in page and "violet" not in page and "Secret" not in page


def test_the_search_of_who_reads_the_state_shows_no_message(memory):
    Message.objects.filter(speaker="user").update(message="Hello from the talk")
    client = person(*SEE)

    page = show(client, f"{SEARCH}?q=hello")

    assert "violet" in page
    assert "from the talk" not in page and "First talk" not in page and "cli" not in page.partition("<main")[2]
    assert "No value of the state has these words" in show(client, f"{SEARCH}?q=nowhere&speaker=user")
    assert "Every value of the state, by its words" in show(client, SEARCH)


@pytest.mark.parametrize(
    ("permissions", "offered"),
    [
        (TALK, []),
        (TALK + PAST, ["may_follow"]),
        (TALK + SAY, ["may_write"]),
        (TALK + SAY + PAST, ["may_follow", "may_undo", "may_write"]),
    ],
)
def test_a_conversation_offers_what_one_may_do(memory, permissions, offered):
    page = show(person(*permissions), f"{CONVERSATIONS}{memory.pk}/change/")

    text = page.partition('id="nola-talk-data" type="application/json">')[2].partition("</script>")[0]
    data = json.loads(text)
    assert sorted(name for name, value in data.items() if name.startswith("may_") and value) == offered
    assert ("Click to rename" in page) == ("may_write" in offered)
    assert len(data["page"]["messages"]) == 2


@pytest.mark.parametrize("permissions", [TALK, TALK + SAY])
def test_the_list_offers_what_one_may_do(memory, permissions):
    page = show(person(*permissions), CONVERSATIONS)

    assert 'value="export_json"' in page
    assert ('value="delete_with_undo"' in page) == ('value="archive"' in page) == (permissions != TALK)


@pytest.mark.parametrize(
    ("permissions", "there", "hidden"),
    [
        (SEE, ["in-state"], ["ctx-conversation", "keep"]),
        (TALK, ["in-conversations"], ["ctx-add", "keep"]),
        (SEE + TALK, ["in-state", "in-conversations", "receipts"], ["keep"]),
        (SEE + CHANGE + TALK + SAY, ["in-state", "in-conversations", "may-keep", "receipts", "weights"], []),
    ],
)
def test_the_context_offers_what_one_may_ask_for(memory, permissions, there, hidden):
    page = show(person(*permissions), CONTEXT)

    for name in ("in-state", "in-conversations", "may-keep"):
        assert (f" data-{name}" in page) == (name in there)
    for name in ("receipts", "weights"):
        assert (f'data-part="{name}"' in page) == (name in there)
    assert [one for one in ("ctx-add", "ctx-conversation") if f'hidden>\n      <label for="{one}">' in page] == [
        one for one in ("ctx-add", "ctx-conversation") if one in hidden
    ]
    assert ('data-part="keep" hidden' in page) == ("keep" in hidden)
