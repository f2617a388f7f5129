from datetime import UTC, datetime

import pytest

from conversations import log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation, Message
from state import chain, store
from state.models import Change, Revision
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API, info={"batch": "b"})
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_a_conversation_and_its_first_messages_are_one_revision():
    row = log.create(NewConversation("s"), ADA, [NewMessage("user", "hi", NOON), NewMessage("assistant", "yes", NOON)])

    assert Revision.objects.get().info == {"batch": "b"}
    assert row.revision == 1
    assert [(one.speaker, one.message, one.revision) for one in row.messages.all()] == [
        ("user", "hi", 1),
        ("assistant", "yes", 1),
    ]


def test_a_change_holds_ids_and_a_hash_and_never_the_text():
    log.create(NewConversation("s"), ADA, [NewMessage("user", "secret", NOON, timestamp_text="noon")])

    change = Change.objects.get(kind="message")
    pk = Message.objects.get().pk
    assert (change.key, change.forward, change.inverse) == ("s", {"add": [pk]}, {"remove": [pk]})
    assert change.result_hash == chain.hash_text(f'[[{pk},"user","secret","noon"]]')


def test_a_new_conversation_is_recorded_with_its_fields():
    log.create(NewConversation("s", title="Trip", started=NOON, metadata={"a": 1}), ADA)

    change = Change.objects.get()
    assert (change.kind, change.key, change.inverse) == ("conversation", "s", {"remove": True})
    assert change.forward == {
        "add": {
            "title": "Trip",
            "channel": "",
            "source": "",
            "started": "2025-01-01T12:00:00+00:00",
            "started_text": "",
            "archived": False,
            "metadata": {"a": 1},
        }
    }


def test_a_session_id_is_given_once():
    log.create(NewConversation("s"), ADA)

    with pytest.raises(log.SessionIdTaken, match="there is a conversation 's' already"):
        log.create(NewConversation("s"), ADA)

    assert store.head() == 1


def test_appending_leaves_the_conversations_own_revision():
    log.create(NewConversation("s"), ADA)

    log.append("s", [NewMessage("user", "hi", NOON)], ADA)

    assert Conversation.objects.get().revision == 1
    assert Message.objects.get().revision == 2


def test_appending_to_an_unknown_conversation_is_refused():
    with pytest.raises(log.UnknownTalk, match="there is no conversation 'nope'"):
        log.append("nope", [NewMessage("user", "hi", NOON)], ADA)


def test_changing_a_field_records_what_it_was():
    log.create(NewConversation("s", title="old"), ADA)

    log.change("s", {"title": "new", "archived": False}, ADA)

    change = Change.objects.get(revision=2)
    assert (change.forward, change.inverse) == ({"set": {"title": "new"}}, {"set": {"title": "old"}})
    assert (Conversation.objects.get().title, Conversation.objects.get().revision) == ("new", 2)


def test_changing_nothing_makes_no_revision():
    log.create(NewConversation("s", title="old"), ADA)

    log.change("s", {"title": "old"}, ADA)

    assert store.head() == 1


def test_nothing_to_append_makes_no_revision():
    log.create(NewConversation("s"), ADA)

    log.append("s", [], ADA)

    assert store.head() == 1


def test_a_write_that_fails_leaves_rows_and_history_untouched():
    log.create(NewConversation("s"), ADA)
    broken = NewMessage("user", "hi", None)

    with pytest.raises(Exception, match=r"NOT NULL|null value"):
        log.append("s", [NewMessage("user", "x" * 10, NOON)] * 1500 + [broken], ADA)

    assert Message.objects.count() == 0
    assert store.head() == 1
