"""What was said up to a revision, for a prompt: the last messages of a conversation, and messages that have some words.

Messages are as they were at the revision, to the last status: what was done since is looked up in the history and taken
back, in memory only. What was purged since is gone from the past too.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from conversations import read
from conversations.log import DeletedTalk, UnknownTalk
from conversations.models import Conversation, Message
from conversations.order import BACKWARDS, find_answers, find_places
from conversations.parts import HIDDEN, read_whole
from conversations.search import index
from conversations.search.index import TABLE
from conversations.search.messages import FILTERS, MessageHit, join_messages, score_text
from conversations.search.tokenize import SearchTerm, cut_snippet
from conversations.users import is_of
from conversations.versions import read_text
from state.history.audit import REDACTED
from state.models import Change

LOOKED_AT = 1000  # the newest messages that have the words
RANKED = 100  # of these, the newest that were there at the revision
FETCHED = 500


class _PastMessage(NamedTuple):
    """What there is to know of a message before its text is read."""

    place: int
    timestamp: datetime
    pk: int
    parent: int | None
    status: str


@dataclass
class PastTalk:
    """What messages and conversations were at a revision, where something was done to them since."""

    there: dict[int, bool] = field(default_factory=dict)  # messages, by id
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)
    conversations: dict[str, bool] = field(default_factory=dict)  # by session id
    leaves: dict[str, int | None] = field(default_factory=dict)


def read_past_talk(revision: int, session_id: str | None = None) -> PastTalk:
    """What was otherwise at a revision; of one conversation, if that is named."""
    changes = Change.objects.filter(revision_id__gt=revision, kind__in=["conversation", "message"])
    changes = changes.exclude(forward=REDACTED)
    if session_id is not None:
        changes = changes.filter(key=session_id)
    found = PastTalk()
    for kind, key, inverse in (
        changes.order_by("-id").values_list("kind", "key", "inverse").iterator(chunk_size=FETCHED)
    ):
        if kind == "message":
            found.there.update((pk, True) for pk in inverse.get("add", ()))
            found.there.update((pk, False) for pk in inverse.get("remove", ()))
            for pk, fields in inverse.get("set", {}).items():
                found.fields.setdefault(int(pk), {}).update(fields)
        else:
            if "add" in inverse or "remove" in inverse:
                found.conversations[key] = "add" in inverse
            if "current_leaf_id" in inverse.get("set", {}):
                found.leaves[key] = inverse["set"]["current_leaf_id"]
    return found


# The last messages


def read_last_messages(
    session_id: str, count: int, revision: int, *, with_hidden: bool = False, user_id: str = ""
) -> list[Message]:
    """The last messages of the branch that was in use at a revision, the newest first; no errors among them, and no
    hidden ones, unless they are asked for.

    Raises UnknownTalk, and DeletedTalk if the conversation was deleted by then.
    """
    row = Conversation.objects.filter(session_id=session_id).first()
    if row is None or not is_of(row, user_id):
        raise UnknownTalk(f"there is no conversation {session_id!r}")
    then = read_past_talk(revision, session_id)
    if not then.conversations.get(session_id, row.deleted_revision is None):
        if row.deleted_revision is not None and row.deleted_revision <= revision:
            raise DeletedTalk(
                f"the conversation {session_id!r} was deleted in revision {row.deleted_revision}; undo that first"
            )
        raise UnknownTalk(f"there was no conversation {session_id!r} at revision {revision}")
    leaf = then.leaves.get(session_id, row.current_leaf_id)
    hidden = set() if with_hidden else _find_hidden(row, then)
    has_moved = _has_moved(then)
    most = None if leaf or has_moved else count + len(hidden)
    told = [*_untouched(row, revision, most), *_touched(row, revision, then)]
    told = sorted(_place_anew(told) if has_moved else told, reverse=True)
    before = read.link_messages((one.pk, one.parent) for one in reversed(told)) if leaf else {}
    kept = read.walk_branch(before, leaf) if leaf else None
    shown = (one for one in told if one.status != "error" and one.pk not in hidden)
    ids = [one.pk for one in shown if kept is None or one.pk in kept][:count]
    return _in_order(ids, then)


def _find_hidden(row: Conversation, then: PastTalk) -> set[int]:
    """The messages of a conversation that were hidden."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, metadata FROM conversation_history WHERE conversation_id = %s AND metadata LIKE %s",
            [row.pk, f'%"{HIDDEN}"%'],
        )
        found = {pk: json.loads(metadata) for pk, metadata in cursor.fetchall()}
    found |= {pk: fields["metadata"] for pk, fields in then.fields.items() if "metadata" in fields}
    return {pk for pk, metadata in found.items() if metadata.get(HIDDEN)}


def _untouched(row: Conversation, revision: int, count: int | None) -> Iterable[_PastMessage]:
    """What nothing has been done to since; without a branch to follow, no more of it than can be asked for."""
    rows = row.messages.filter(deleted_revision=None, revision__lte=revision)
    if count is not None:
        rows = rows.exclude(status="error")
    values = rows.order_by(*BACKWARDS).values_list("place", "timestamp", "pk", "parent_id", "status")
    return (_PastMessage(*value) for value in (values if count is None else values[:count]))


def _touched(row: Conversation, revision: int, then: PastTalk) -> Iterable[_PastMessage]:
    """What something has been done to since and was there, as it was."""
    rows = row.messages.filter(revision__gt=revision) if then.there or then.fields else Message.objects.none()
    for one in rows.only("place", "timestamp", "parent", "status", "deleted_revision", "revision", "conversation"):
        if then.there.get(one.pk, one.deleted_revision is None):
            fields = then.fields.get(one.pk, {})
            time = datetime.fromisoformat(fields["timestamp"]) if "timestamp" in fields else one.timestamp
            yield _PastMessage(
                one.place, time, one.pk, fields.get("parent_id", one.parent_id), fields.get("status", one.status)
            )


def _has_moved(then: PastTalk) -> bool:
    """Whether messages stood elsewhere: the time of one was set since, or what it answers was deleted or came back."""
    is_retimed = any(fields.keys() & {"timestamp", "parent_id"} for fields in then.fields.values())
    return is_retimed or any(then.there.get(pk, True) for pk in find_answers([*then.there]))


def _place_anew(told: Sequence[_PastMessage]) -> list[_PastMessage]:
    """Messages where they stood when these were all."""
    places = find_places({one.pk: (one.timestamp, one.parent) for one in told})
    return [one._replace(place=places[one.pk]) for one in told]


def _in_order(ids: Sequence[int], then: PastTalk) -> list[Message]:
    rows = Message.objects.select_related("conversation").in_bulk(ids)
    _set_back(rows, then)
    return [rows[pk] for pk in ids]


def _set_back(rows: Mapping[int, Message], then: PastTalk) -> None:
    """Give messages the times, the metadata and the texts that they had, before a newer export completed them."""
    for pk, row in rows.items():
        fields = then.fields.get(pk, {})
        if "timestamp" in fields:
            row.timestamp = datetime.fromisoformat(fields["timestamp"])
        if "earlier_id" in fields:
            row.message = read_text(row, fields["earlier_id"])
        row.metadata = fields.get("metadata", row.metadata)


# Those that have some words


def search_past(
    asked: Sequence[SearchTerm], limit: int, revision: int, *, with_hidden: bool = False, user_id: str = ""
) -> list[MessageHit]:
    """Messages that were there at a revision and have all the terms, the best first; hidden ones only if asked for.

    Best is who says the words most often in the shortest text, and of equals the newest. It is judged by the messages
    alone, and not, as in a search, by how rare the words are by now: later messages do not change the order.
    """
    then = read_past_talk(revision)
    words = index.search(asked)
    mine = f" AND {FILTERS['user_id']}" if user_id else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, m.deleted_revision IS NULL, c.session_id, c.deleted_revision IS NULL"
            f" {join_messages(words)}{mine} ORDER BY {TABLE}.rowid DESC LIMIT {LOOKED_AT}",
            [*words.values, *([user_id] if user_id else [])],
        )
        found = [row[0] for row in cursor.fetchall() if _was_there(row, then)][:RANKED]
    rows = Message.objects.select_related("conversation").in_bulk(found)
    _set_back(rows, then)
    texts = {
        pk: read_whole(row.message, row.metadata)
        for pk, row in rows.items()
        if with_hidden or not row.metadata.get(HIDDEN)
    }
    best = sorted(texts, key=lambda pk: (-score_text(texts[pk], asked), -pk))[:limit]
    return [MessageHit(rows[pk], cut_snippet(texts[pk], asked)) for pk in best]


def _was_there(row: tuple[int, int, str, int], then: PastTalk) -> bool:
    pk, is_there, session_id, is_conversation = row
    return bool(then.there.get(pk, is_there) and then.conversations.get(session_id, is_conversation))


def list_sessions(found: Iterable[Message]) -> list[str]:
    """The conversations that messages are of."""
    return sorted({one.conversation.session_id for one in found})
