"""Reading conversations: one of them, lists of them, and their messages a page at a time."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, StrIndex

from conversations.log import check_there, find_messages
from conversations.models import ORDER, Conversation, Message
from conversations.order import BACKWARDS, find_place, is_before, is_behind
from state.errors import Malformed
from state.jsondoc.text import dump_json

Order = Literal["oldest", "newest"]
TAGS = "tags"  # the member of the metadata


class Tagged(msgspec.Struct):
    """The metadata of a conversation, of which nothing but the tags is read."""

    tags: Any = None


TAGGED = msgspec.json.Decoder(Tagged)


class BadCursor(Malformed):
    """Not a cursor that a page before has given."""


class MessagePage(NamedTuple):
    """Messages, and the cursors that lead on in either direction; None at that end."""

    messages: list[Message]
    older: str | None
    newer: str | None


class MessagePlace(NamedTuple):
    """Where a message stands in its conversation."""

    place: int
    timestamp: datetime
    pk: int


@dataclass(frozen=True, slots=True)
class MessageNumbers:
    """How much a conversation holds."""

    messages: int
    last: datetime | None


def find_conversation(session_id: str, user_id: str = "") -> Conversation:
    """A conversation that is there, and is of that user if one is named. Raises UnknownTalk and DeletedTalk."""
    return check_there(Conversation.objects.filter(session_id=session_id).first(), session_id, user_id)


def filter_conversations(wanted: Mapping[str, Any]) -> QuerySet[Conversation]:
    """Those that are there, newest first; `wanted` may say archived, channel, source, user_id, tag, and words of the
    title.
    """
    rows = Conversation.objects.filter(deleted_revision=None)
    for name in ("archived", "channel", "source", "user_id"):
        if name in wanted:
            rows = rows.filter(**{name: wanted[name]})
    if "title" in wanted:
        rows = rows.filter(title__icontains=wanted["title"])
    if "tag" in wanted:
        rows = rows.filter(pk__in=_tagged(wanted["tag"]))
    return rows


def _tagged(tag: str) -> list[int]:
    named = StrIndex("metadata", Value(dump_json(tag)))
    rows = Conversation.objects.alias(named=named).filter(named__gt=0).order_by()
    found = rows.values_list("pk", Cast("metadata", TextField()))
    return [pk for pk, metadata in found if _has_tag(TAGGED.decode(metadata).tags, tag)]


def _has_tag(tags: Any, tag: str) -> bool:
    return tag in (tags.values() if isinstance(tags, dict) else tags if isinstance(tags, list) else [tags])


def read_list(rows: QuerySet[Conversation], limit: int, cursor: str | None) -> tuple[list[Conversation], str | None]:
    """A page of a list, and the cursor of the next one. Raises BadCursor."""
    rows = rows.order_by("-started", "-id")
    if cursor is None:
        found = list(rows[: limit + 1])
    else:
        time, pk, _ = _position(cursor)
        found = _rows_after(rows, time, pk, limit + 1)
    more = found[limit - 1] if len(found) > limit else None
    return found[:limit], _cursor(more.started, more.pk) if more else None


def _rows_after(rows: QuerySet[Conversation], time: datetime | None, pk: int, count: int) -> list[Conversation]:
    """So many of the rows behind a place in the list, at whose end stand those without a time."""
    if time is None:
        return list(rows.filter(started=None, id__lt=pk)[:count])
    found = list(rows.filter(~Q(started=time, id__gte=pk), started__lte=time)[:count])
    return found + list(rows.filter(started=None)[: count - len(found)])


def read_numbers(rows: Sequence[Conversation]) -> dict[int, MessageNumbers]:
    """How many messages each conversation holds, and the time of its last one."""
    ids = [row.pk for row in rows]
    deleted = _counts(Message.objects.filter(conversation__in=ids, deleted_revision__isnull=False))
    counts = _counts(Message.objects.filter(conversation__in=ids))
    lasts = _lasts(ids)
    return {pk: MessageNumbers(counts.get(pk, 0) - deleted.get(pk, 0), lasts.get(pk)) for pk in ids}


def _counts(rows: QuerySet[Message]) -> dict[int, int]:
    return dict(rows.order_by().values_list("conversation").annotate(Count("pk")))


def _lasts(ids: Sequence[int]) -> dict[int, datetime | None]:
    newest = Message.objects.filter(conversation=OuterRef("pk"), deleted_revision=None).order_by(*BACKWARDS)
    rows = Conversation.objects.filter(pk__in=ids).annotate(last=Subquery(newest.values("timestamp")[:1]))
    return dict(rows.order_by().values_list("pk", "last"))


# Messages


def read_page(
    row: Conversation, order: Order, limit: int, cursor: str | None = None, *, branch: bool = False
) -> MessagePage:
    """A page of a conversation, from its beginning, its end or a cursor on; of the current branch only if `branch`.

    Raises BadCursor.
    """
    position = _place(cursor) if cursor is not None else None
    backwards = order == "newest"
    found = _slice(row, position, limit + 1, backwards, branch)
    more = _cursor_at(found[limit - 1]) if len(found) > limit else None
    found = found[:limit]
    return MessagePage(found, more, None) if backwards else MessagePage(found, None, more)


def read_around(row: Conversation, pk: int, limit: int, *, branch: bool = False) -> MessagePage:
    """The messages around one, oldest first. Raises UnknownTalk and DeletedTalk."""
    [middle] = find_messages(row, [pk])
    position = MessagePlace(middle.place, middle.timestamp, middle.pk)
    half = max(1, limit // 2)
    before = _slice(row, position, half + 1, True, branch)
    behind = _slice(row, position, limit - half + 1, False, branch)
    older = _cursor_at(before[half - 1]) if len(before) > half else None
    rest = limit - half
    last = behind[rest - 1] if len(behind) > rest and rest else None
    newer = _cursor_at(last) if last else None
    return MessagePage([*before[:half][::-1], middle, *behind[:rest]], older, newer)


def _slice(
    row: Conversation, position: MessagePlace | None, count: int, backwards: bool, branch: bool
) -> list[Message]:
    rows = row.messages.filter(deleted_revision=None).order_by(*(BACKWARDS if backwards else ORDER))
    if position:
        rows = rows.filter(is_before(*position) if backwards else is_behind(*position))
    if branch and row.current_leaf_id is not None:
        kept = read_branch(row)
        ids = [pk for pk in rows.values_list("pk", flat=True) if pk in kept][:count]
        there = Message.objects.in_bulk(ids)
        return [there[pk] for pk in ids]
    return list(rows[:count])


def link_messages(messages: Iterable[tuple[int, int | None]]) -> dict[int, int | None]:
    """The message that each message follows, of ids and parents in order: its parent, else the one before it. One that
    is its own parent begins the talk.
    """
    before: dict[int, int | None] = {}
    last: int | None = None
    for pk, parent in messages:
        before[pk] = (None if parent == pk else parent) if parent else last
        last = pk
    return before


def walk_branch(before: dict[int, int | None], leaf: int | None) -> set[int]:
    """The messages that lead to a leaf; to the last of all where that is not there."""
    kept: set[int] = set()
    one = leaf if leaf in before else next(reversed(before), None)
    while one is not None and one not in kept:
        kept.add(one)
        one = before.get(one)
    return kept


def _before(row: Conversation) -> dict[int, int | None]:
    messages = row.messages.filter(deleted_revision=None).order_by(*ORDER)
    return link_messages(messages.values_list("pk", "parent_id"))


def read_branch(row: Conversation) -> set[int]:
    """The ids of the messages that lead to the current leaf."""
    return walk_branch(_before(row), row.current_leaf_id)


def find_versions(row: Conversation, ids: Sequence[int]) -> dict[int, list[int]]:
    """For those of the messages that have alternatives, all that follow the same message, in order."""
    if row.current_leaf_id is None:
        return {}
    before = _before(row)
    alike: dict[int | None, list[int]] = {}
    for pk, parent in before.items():
        alike.setdefault(parent, []).append(pk)
    return {pk: found for pk in ids if pk in before and len(found := alike[before[pk]]) > 1}


def find_current_leaf(row: Conversation) -> int | None:
    """The message that ends the branch in use, None without branches: the last one of all if that was deleted."""
    if row.current_leaf_id is None:
        return None
    there = row.messages.filter(deleted_revision=None)
    if there.filter(pk=row.current_leaf_id).exists():
        return row.current_leaf_id
    return there.order_by(*BACKWARDS).values_list("pk", flat=True).first()


def find_leaf(row: Conversation, pk: int) -> int:
    """The end of the newest branch that goes on from a message."""
    newest: dict[int | None, int] = {parent: kid for kid, parent in _before(row).items()}
    seen = {pk}
    while (kid := newest.get(pk)) is not None and kid not in seen:
        seen.add(kid)
        pk = kid
    return pk


def _cursor(time: datetime | None, pk: int, *place: int) -> str:
    text = json.dumps([time.astimezone(UTC).isoformat() if time else None, pk, *place])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _cursor_at(message: Message) -> str:
    return _cursor(message.timestamp, message.pk, message.place)


def _position(cursor: str) -> tuple[datetime | None, int, int | None]:
    """The time, the id and the place that a cursor stands for. Raises BadCursor."""
    try:
        time, pk, *more = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        found = datetime.fromisoformat(time) if time is not None else None
        [place] = more or [None]
        is_good = type(pk) is int and 0 < pk < 2**63 and (place is None or (type(place) is int and abs(place) < 2**63))
        if is_good and (found is None or found.tzinfo):
            return found, pk, place
    except (ValueError, TypeError, binascii.Error):
        pass
    raise BadCursor("the cursor is none that a page before has given; leave it out to begin again")


def _place(cursor: str) -> MessagePlace:
    time, pk, place = _position(cursor)
    if time is None:
        raise BadCursor("the cursor is none that a page of messages has given; leave it out to begin again")
    return MessagePlace(find_place(time) if place is None else place, time, pk)
