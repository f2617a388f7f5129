"""Finding conversations by what they are called: their titles, session ids, and the first words that were said."""

from typing import NamedTuple

from django.db import connection

from conversations.models import Conversation
from conversations.names import name_conversations
from conversations.search.names import mark_parts, rank_name, split_parts
from conversations.search.tokenize import Snippet

NEWEST = 2000  # conversations that are looked at
OPENING = 200  # characters of the first message
FIND = f"""
    SELECT c.id, c.title, c.session_id, (
        SELECT substr(m.message, 1, {OPENING}) FROM conversation_history m
        WHERE m.conversation_id = c.id AND m.deleted_revision IS NULL ORDER BY m.place, m.timestamp, m.id LIMIT 1)
    FROM conversation c WHERE c.deleted_revision IS NULL AND (%s = '' OR c.user_id = %s)
    ORDER BY c.started DESC NULLS LAST, c.id DESC LIMIT {NEWEST}
"""


class ConversationHit(NamedTuple):
    """A conversation, what it is called (by its title, its first words or its session id), and else its first words."""

    conversation: Conversation
    name: Snippet
    opening: Snippet


def search_titles(question: str, limit: int, *, skip: int = 0, user_id: str = "") -> tuple[list[ConversationHit], bool]:
    """Conversations with all that is typed in title, session id and first words, best first; whether there are more."""
    parts = split_parts(question)
    if not parts:
        return [], False
    with connection.cursor() as cursor:
        cursor.execute(FIND, [user_id, user_id])
        rows = cursor.fetchall()
    fits = []
    for place, (pk, title, session, opening) in enumerate(rows):
        said = " ".join((opening or "").split())
        name = title or said or session
        rank = rank_name(name, question, parts)
        if rank is None and rank_name(f"{title}\n{session}\n{said}", question, parts) is not None:
            rank = 4
        if rank is not None:
            fits.append((rank, place, pk, said))
    some = sorted(fits)[skip : skip + limit]
    found = Conversation.objects.in_bulk([fit[2] for fit in some])
    names = name_conversations(found.values())
    hits = []
    for *_, pk, said in some:
        if pk in found:
            is_told = not found[pk].title and rank_name(names[pk], question, parts) is not None
            opening = "" if is_told or said == names[pk] else said
            hits.append(ConversationHit(found[pk], mark_parts(names[pk], question), mark_parts(opening, question)))
    return hits, len(fits) > skip + limit
