import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from conversations import log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation, Message
from state import store
from state.models import Revision
from state.revisions import Author, Source

AGENT = Author("key:agent", Source.API)
CONVERSATIONS = "/admin/conversations/conversation/"
MESSAGES = "/admin/conversations/message/"


def listed(owner, query=""):
    return list(owner.get(f"{CONVERSATIONS}{query}").context["cl"].result_list)


def data_of(page):
    text = page.content.decode().partition('id="nola-talk-data" type="application/json">')[2].partition("</script>")[0]
    return json.loads(text)


def act(owner, name, *rows):
    return owner.post(CONVERSATIONS, {"action": name, "_selected_action": [row.pk for row in rows]}, follow=True)


def test_conversations_are_listed_with_their_messages_counted(owner, talk):
    [row] = listed(owner)

    assert "First talk" in owner.get(CONVERSATIONS).content.decode()
    assert (row.numbers.messages, row.numbers.last) == (2, Message.objects.last().timestamp)


@pytest.mark.parametrize("question", ["first", "s/1", "fail", "hello there", '"it failed"'])
def test_conversations_are_found_by_title_session_and_what_was_said(owner, talk, question):
    log.create(NewConversation("other"), AGENT, [NewMessage("user", "Goodbye", timezone.now())])

    assert [row.session_id for row in listed(owner, f"?q={question}")] == ["s/1"]


def test_what_is_done_to_several_is_done_in_the_order_they_were_made_in(owner):
    for number in range(5):
        log.create(NewConversation(f"t{number}"), AGENT)
    for number in (1, 0, 3):
        log.change(f"t{number}", {"title": f"Talk {number}"}, AGENT)

    for action in ("archive", "reopen"):
        before = store.head()
        act(owner, action, *reversed(Conversation.objects.all()))
        assert store.head() == before + 1
        assert [one.key for one in Revision.objects.first().changes.all()] == [f"t{number}" for number in range(5)]


def test_selected_conversations_are_archived_and_taken_out(owner, talk):
    act(owner, "archive", talk)
    archived = Conversation.objects.get().archived
    act(owner, "reopen", talk)

    assert (archived, Conversation.objects.get().archived) == (True, False)
    assert [(one.actor, one.source) for one in Revision.objects.all()[:2]] == [("user:ada", "admin")] * 2


def test_selected_conversations_are_deleted_as_one_and_brought_back(owner, talk):
    other = log.create(NewConversation("other"), AGENT)

    page = act(owner, "delete_with_undo", talk, other)

    assert "2 conversations are deleted." in page.content.decode()
    assert (listed(owner), store.head()) == ([], 3)
    page = owner.post(f"{CONVERSATIONS}undo/3/", follow=True)
    assert "It is back." in page.content.decode()
    assert len(listed(owner)) == 2
    assert Revision.objects.first().info == {"undoes": [3]}


def test_selected_conversations_are_exported(owner, talk):
    response = owner.post(CONVERSATIONS, {"action": "export_json", "_selected_action": [talk.pk]})

    assert json.loads(b"".join(response.streaming_content))["conversations"][0]["title"] == "First talk"


def test_all_that_is_found_is_exported(owner, talk):
    log.create(NewConversation("other", channel="mail"), AGENT, [NewMessage("user", "Goodbye", timezone.now())])

    def exported(form, query=""):
        response = owner.get(f"{CONVERSATIONS}export/{form}/{query}")
        return b"".join(response.streaming_content).decode()

    everything = json.loads(exported("json"))["conversations"]
    assert sorted(one["session_id"] for one in everything) == ["other", "s/1"]
    assert [json.loads(line)["session_id"] for line in exported("jsonl", "?channel=mail").splitlines()] == ["other"]
    assert "Hello" in exported("markdown", "?q=hello") and "Goodbye" not in exported("markdown", "?q=hello")
    assert owner.get(f"{CONVERSATIONS}export/csv/").status_code == 404
    assert "Export all" in owner.get(CONVERSATIONS).content.decode()
    assert "Export 1 found" in owner.get(f"{CONVERSATIONS}?q=hello").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?channel=cli", ["s/1"]),
        ("?channel=", ["other"]),
        ("?source=", ["other", "s/1"]),
        ("?source=none", []),
        ("?archived=yes", ["other"]),
        ("?archived=no", ["s/1"]),
        ("?import=nothing", []),
    ],
)
def test_the_list_is_narrowed(owner, talk, query, found):
    log.create(NewConversation("other", archived=True), AGENT)

    assert sorted(row.session_id for row in listed(owner, query)) == found


def test_the_newest_message_stands_first_and_those_without_any_last(owner, talk):
    for days, name in ((-2, "old"), (2, "new")):
        said = [NewMessage("user", "x", timezone.now() + timedelta(days=days))]
        log.create(NewConversation(name, started=timezone.now()), AGENT, said)
    log.create(NewConversation("silent", started=timezone.now() + timedelta(days=9)), AGENT)

    assert [row.session_id for row in listed(owner)] == ["new", "s/1", "old", "silent"]
    assert [row.session_id for row in listed(owner, "?o=2")] == ["silent", "old", "s/1", "new"]


def test_the_newest_message_stands_first_and_the_head_says_so(owner, talk):
    log.create(NewConversation("older"), AGENT, [NewMessage("user", "Long ago", timezone.now() - timedelta(days=9))])

    page = owner.get(CONVERSATIONS).content.decode()

    assert re.search(r'<th[^>]*aria-sort="descending"><a[^>]*>Last message', page)
    assert page.index("First talk") < page.index("Long ago")


def test_an_empty_list_leads_on(owner):
    page = owner.get(CONVERSATIONS).content.decode()

    assert "What you and your agents say stands here" in page
    assert 'href="/admin/conversations/import/"' in page


def test_who_may_only_look_is_offered_nothing_else(talk):
    user = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_conversation", "view_message"]))
    client = Client()
    client.force_login(user)

    act(client, "delete_with_undo", talk)

    assert len(listed(client)) == 1
    assert client.post(f"{CONVERSATIONS}undo/1/").status_code == 403
    data = data_of(client.get(f"{CONVERSATIONS}{talk.pk}/change/"))
    assert data["may_write"] is False


def test_pages_cost_a_fixed_number_of_queries(owner, talk, django_assert_max_num_queries):
    log.append("s/1", [NewMessage("user", f"more {number}", timezone.now()) for number in range(300)], AGENT)

    for number in range(30):
        log.create(NewConversation(f"more {number}"), AGENT, [NewMessage("user", "x", timezone.now())])

    with django_assert_max_num_queries(15):
        owner.get(CONVERSATIONS)
    with django_assert_max_num_queries(14):
        owner.get(f"{CONVERSATIONS}{talk.pk}/change/")
    with django_assert_max_num_queries(14):
        owner.get("/admin/search/?q=more")


@pytest.mark.parametrize("page", [CONVERSATIONS, MESSAGES])
def test_there_is_no_writing_past_the_store(owner, talk, page):
    assert owner.get(f"{page}add/").status_code == 403
    assert owner.post(f"{page}1/delete/", {"post": "yes"}).status_code == 403
