"""What the pages of conversations, search and context show and offer to whom, without a browser."""

import json
import re
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

CONVERSATIONS = "/admin/conversations/conversation/"
SEARCH, CONTEXT = "/admin/search/", "/admin/context/"
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


def find(client, address, question):
    """What the search tells, without what was asked."""
    text = show(client, f"{SEARCH}{address}q={quote(question)}")
    return (text.partition('id="content"')[2] or text).replace(question, "" if len(question) > 1 else question)


@pytest.mark.parametrize("address", ["?", "hits?", "?in=keys&", "?in=values&"])
@pytest.mark.parametrize("question", ["hello", "Secret", "/Secret/h", "violet", "e", "!"])
def test_the_search_of_who_reads_conversations_tells_nothing_of_the_state(memory, address, question):
    found = find(person(*TALK), address, question)

    assert not re.search("violet|Secret|[0-9] keys?|tree", found)
    assert "keys and values, which your account may not read" in found


@pytest.mark.parametrize("address", ["?", "hits?", "?in=messages&", "?speaker=user&", "?in=conversations&"])
@pytest.mark.parametrize("question", ["hello", "First", "s/1", "failed", "e", "!"])
def test_the_search_of_who_reads_the_state_tells_nothing_of_conversations(memory, address, question):
    found = find(person(*SEE), address, question)

    assert not re.search("there|First talk|It failed|cli<|[0-9] (message|conversation)|conversation/", found)
    assert "conversations, which your account may not read" in found


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
