import pytest
from django.utils import timezone

from conversations import log
from conversations.drafts import NewConversation, NewMessage
from state.revisions import Author, Source

AGENT = Author("key:agent", Source.API)
CONVERSATIONS = "/admin/conversations/conversation/"
MESSAGES = "/admin/conversations/message/"


@pytest.fixture
def talk(owner):
    messages = [
        NewMessage("user", "Hello <b>there</b> {{x}}", timezone.now()),
        NewMessage("assistant", "It failed", timezone.now(), status="error"),
    ]
    return log.create(NewConversation("s/1", title="First talk", channel="cli"), AGENT, messages)


def test_conversations_are_listed_with_their_messages_counted(owner, talk):
    page = owner.get(CONVERSATIONS).content.decode()

    assert "First talk" in page
    assert [row.kept for row in owner.get(CONVERSATIONS).context["cl"].result_list] == [2]


def test_a_conversation_reads_like_a_chat_with_inert_texts(owner, talk):
    page = owner.get(f"{CONVERSATIONS}{talk.pk}/change/").content.decode()

    assert "Hello &lt;b&gt;there&lt;/b&gt; {{x}}" in page
    assert page.index("Hello") < page.index("It failed")
    assert "· error" in page


def test_messages_can_be_found_by_words_and_by_conversation(owner, talk):
    log.create(NewConversation("other"), AGENT, [NewMessage("user", "Goodbye", timezone.now())])

    found = owner.get(f"{MESSAGES}?q=failed").context["cl"].result_list
    of_talk = owner.get(f"{MESSAGES}?conversation__id__exact={talk.pk}").context["cl"].result_list

    assert [message.message for message in found] == ["It failed"]
    assert len(of_talk) == 2


def test_a_list_costs_a_fixed_number_of_queries(owner, talk, django_assert_max_num_queries):
    for number in range(30):
        log.append("s/1", [NewMessage("user", f"more {number}", timezone.now())], AGENT)

    with django_assert_max_num_queries(10):
        owner.get(MESSAGES)


@pytest.mark.parametrize("page", [CONVERSATIONS, MESSAGES])
def test_there_is_no_writing_past_the_store(owner, talk, page):
    assert owner.get(f"{page}add/").status_code == 403
    assert owner.post(f"{page}1/delete/", {"post": "yes"}).status_code == 403
