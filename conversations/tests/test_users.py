"""Whose a conversation is: kept as its messages say, however they came."""

from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from conversations import audit, checkpoint, log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation
from conversations.users import FILL, belongs_to
from state.jsondoc.text import parse_json
from state.revisions import Author, Source

AGENT = Author("key:agent", Source.API)


def said(user_id, text="hello"):
    return NewMessage("user", text, timezone.now(), user_id=user_id)


def user_of(session):
    return Conversation.objects.get(session_id=session).user_id


def flaws():
    return list(audit.find_flaws(connection, lambda text: None))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("begun_for", "first", "later", "user_id"),
    [
        (None, [], [], None),
        ("bob", [], [], "bob"),
        ("bob", [], ["eve"], ""),
        (None, [], ["bob"], "bob"),
        (None, ["bob", "bob"], ["bob"], "bob"),
        (None, ["bob"], ["bob", "eve"], ""),
        (None, ["bob", "eve"], ["bob"], ""),
        (None, ["bob"], ["eve"], ""),
    ],
)
def test_a_conversation_is_the_users_whose_id_all_its_messages_have(begun_for, first, later, user_id):
    log.create(NewConversation("s", user_id=begun_for), AGENT, [said(one) for one in first])
    if later:
        log.append("s", [said(one) for one in later], AGENT)

    assert user_of("s") == user_id
    assert belongs_to("s", "bob") == (user_id == "bob")
    assert not belongs_to("other", "bob")


@pytest.mark.django_db
def test_a_deleted_message_counts(agent):
    log.create(NewConversation("s"), AGENT, [said("bob"), said("eve")])
    last = Conversation.objects.get().messages.get(user_id="eve")

    assert agent.delete(f"/api/conversations/s/messages/{last.pk}").status_code == 204

    assert user_of("s") == ""


@pytest.mark.django_db
def test_a_restored_conversation_is_its_users_again():
    log.create(NewConversation("s"), AGENT, [said("bob")])
    rows = [parse_json(row).value for row in checkpoint.dump_rows(connection)]
    for row in rows:
        if "session_id" in row["fields"]:
            row["fields"]["session_id"] = "t"

    checkpoint.restore_rows(rows, AGENT)

    assert user_of("t") == "bob"


@pytest.mark.django_db
@pytest.mark.parametrize("fill", [import_module("conversations.migrations.0010_user").FILL, FILL])
def test_a_store_from_before_is_told_whose_its_conversations_are(fill):
    for session, users in {"a": ["bob"], "b": ["bob", "eve"], "c": []}.items():
        log.create(NewConversation(session), AGENT, [said(one) for one in users])
    Conversation.objects.update(user_id=None)

    with connection.cursor() as cursor:
        cursor.execute(fill)

    assert [user_of(session) for session in "abc"] == ["bob", "", None]


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [None, "eve", ""])
def test_the_audit_finds_one_that_is_kept_for_another(wrong):
    log.create(NewConversation("s"), AGENT, [said("bob")])
    log.create(NewConversation("empty", user_id="bob"), AGENT)
    assert flaws() == []

    Conversation.objects.filter(session_id="s").update(user_id=wrong)

    assert flaws() == ["1 conversations, 's' for one, are kept for another user than their messages say"]
