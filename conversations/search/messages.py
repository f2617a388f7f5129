"""Finding messages by their words: through the full-text index, with what was deleted left out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from access.database import WordSearch, engine
from conversations.models import Message
from conversations.parts import read_whole
from conversations.search import index
from conversations.search.index import TABLE
from conversations.search.tokenize import SearchTerm, Snippet, cut_snippet, find_spans

RANKED = 5000  # of a common word the newest so many hits are ranked: bm25 over all of them would take a second
SCORED = 20_000  # characters of a message
MOST_SCORED = 100  # of the hits of one user the newest so many are ranked, which takes reading them
FILTERS = {
    "user_id": "c.user_id = %s",  # of the conversation, to which a key may be limited
    "session": "c.session_id = %s",
    "speaker": "m.speaker = %s",
    "user": "m.user_id = %s",
    "channel": "c.channel = %s",
    "since": "m.timestamp >= %s",
    "until": "m.timestamp < %s",
}
OF_SESSION = "m.conversation_id = (SELECT id FROM conversation WHERE session_id = %s)"
THERE = " AND m.deleted_revision IS NULL AND c.deleted_revision IS NULL"


class MessageHit(NamedTuple):
    """A message that matches, and where."""

    message: Message
    snippet: Snippet


@dataclass(frozen=True, slots=True)
class MessageHits:
    """A page of hits, best first. Where there are more than `ranked`, the newest so many are ranked."""

    hits: list[MessageHit]
    total: int
    ranked: int | None


def search_messages(
    asked: Sequence[SearchTerm], filters: Mapping[str, Any], limit: int, *, skip: int = 0, newest_first: bool = False
) -> MessageHits:
    """The messages in which all the terms are, of those that the FILTERS let through.

    bm25 tells by the order how rare words are in all messages. So where only those of one user may be known, the order
    is that of `score_text`, which knows nothing but the message.
    """
    words = index.search(asked)
    where, values = f"{join_messages(words)}{THERE}", [*words.values]
    for name, value in filters.items():
        where += f" AND {FILTERS[name]}"
        values.append(_adapted(value))
    bounds = _bounds(filters)
    if bounds:
        where += f" AND {TABLE}.rowid BETWEEN %s AND %s"
        values += bounds
    most = RANKED
    if newest_first:
        ids, found = words.list_newest(where, values, RANKED, limit, skip)
    elif "user_id" in filters:
        most = MOST_SCORED
        newest, found = words.list_newest(where, values, RANKED, max(MOST_SCORED, skip + limit), 0)
        ids = [*_rank_by_score(newest[:most], asked), *newest[most:]][skip : skip + limit]
    else:
        ids, found = words.rank(where, values, RANKED, limit, skip)
    return MessageHits(_hits(ids, asked), min(found, RANKED), most if found > most else None)


def join_messages(words: WordSearch) -> str:
    """FROM and WHERE for what is found, with the message `m` and the conversation `c` of each row."""
    said = ("conversation_history m", f"m.id = {TABLE}.rowid")
    lookups = engine().format_lookups(said, ("conversation c", "c.id = m.conversation_id"))
    return f"FROM {words.rows} {lookups} WHERE {words.condition} "


def score_text(text: str, asked: Sequence[SearchTerm]) -> float:
    """How good a hit is, by the text alone: who says the words most often in the shortest text is best."""
    said = sum(1 for _ in find_spans(text[:SCORED], asked))
    return said / (said + 1 + min(len(text), SCORED) / 1000)


def _rank_by_score(ids: Sequence[int], asked: Sequence[SearchTerm]) -> list[int]:
    if not ids:
        return []
    marks = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, message, metadata FROM conversation_history WHERE id IN ({marks})", ids)
        found = cursor.fetchall()
    scores = {pk: score_text(read_whole(text, json.loads(metadata)), asked) for pk, text, metadata in found}
    return sorted(scores, key=lambda pk: (-scores[pk], -pk))


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _bounds(filters: Mapping[str, Any]) -> tuple[int, int] | None:
    """Between which ids the messages of a session, or of a time, lie: the index need not be walked outside of them."""
    narrow = {name: value for name, value in filters.items() if name in ("session", "since", "until")}
    if not narrow:
        return None
    where = " AND ".join(FILTERS[name] for name in narrow).replace(FILTERS["session"], OF_SESSION)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(min(m.id), 0), coalesce(max(m.id), 0) FROM conversation_history m WHERE {where}",
            [_adapted(value) for value in narrow.values()],
        )
        first, last = cursor.fetchone()
    return first, last


def search_conversations(asked: Sequence[SearchTerm], limit: int) -> list[int]:
    """The conversations, by primary key, in whose newest RANKED hits all the terms are in one message."""
    words = index.search(asked)
    hits = f"SELECT m.conversation_id {join_messages(words)}{THERE} ORDER BY {TABLE}.rowid DESC LIMIT {RANKED}"
    return list(dict.fromkeys(_ids(hits, words.values)))[:limit]


def _ids(query: str, values: Sequence[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [pk for (pk,) in cursor.fetchall()]


def _hits(ids: Sequence[int], asked: Sequence[SearchTerm]) -> list[MessageHit]:
    rows = Message.objects.select_related("conversation").in_bulk(ids)
    return [
        MessageHit(rows[pk], cut_snippet(read_whole(rows[pk].message, rows[pk].metadata), asked))
        for pk in ids
        if pk in rows
    ]
