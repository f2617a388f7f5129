"""Whose a conversation is: the user's whose id all its messages have, deleted ones too; else it is nobody's.

It follows from the messages alone, but for a conversation without any, which is that of the user for whom it was begun.
It is kept with the conversation, so that a key that is limited to a user finds its own as fast as another finds all.
"""

from collections.abc import Iterable

from django.db import connection, connections

from conversations.drafts import NewMessage
from conversations.models import Conversation, Message

FILL = """
    UPDATE conversation SET user_id = (
        SELECT CASE WHEN min(user_id) = max(user_id) THEN min(user_id) WHEN min(user_id) IS NOT NULL THEN '' END
        FROM conversation_history WHERE conversation_id = conversation.id
    ) WHERE user_id IS NULL
"""
NOTE = "UPDATE conversation SET user_id = CASE WHEN coalesce(user_id, %s) = %s THEN %s ELSE '' END WHERE id = %s"


def find_user(messages: Iterable[Message | NewMessage], begun_for: str | None = None) -> str | None:
    """The user id of all of these messages; "" where they have several; `begun_for` where there are none."""
    ids = {one.user_id for one in messages}
    return ids.pop() if len(ids) == 1 else "" if ids else begun_for


def note_user(row: Conversation, messages: Iterable[Message | NewMessage]) -> None:
    """Keep whose a conversation is once these messages are in it."""
    found = find_user(messages)
    if found in (None, row.user_id) or row.user_id == "":
        return
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [found, found, found, row.pk])
    row.user_id = found if row.user_id is None else ""


def fill_users(using: str) -> None:
    """Keep whose conversations are that came without it: a release before said it of none."""
    with connections[using].cursor() as cursor:
        cursor.execute(FILL)


def is_of(row: Conversation, user_id: str) -> bool:
    """Whether somebody who is limited to a user id may know of a conversation; "" is no limit."""
    return user_id in ("", row.user_id)


def belongs_to(session_id: str, user_id: str) -> bool:
    """Whether the conversation of a session id, deleted or not, is that of a user."""
    return Conversation.objects.filter(session_id=session_id, user_id=user_id).exists()
