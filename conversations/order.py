"""The order of the messages of a conversation, everywhere: that of the tree, and of time as far as the tree lets it.

The place of a message is its time, or right behind the message it answers if that is later. So none stands before the
one it answers, and those that answer the same one stand by time, then as they came. Places are stored, so that a page
is read by an index; they follow from times and parents alone. A parent that was deleted is none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import Q, QuerySet

from conversations.drafts import NewMessage
from conversations.models import ORDER, Message

BACKWARDS = tuple(f"-{name}" for name in ORDER)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LEVELS = 50  # of answers that are placed level by level; what goes deeper is placed with its whole conversation
AT_ONCE = 500


def find_place(time: datetime, above: int | None = None) -> int:
    """The place of a message, from that of the one it answers: its time, in microseconds since 1970, or behind it."""
    own = (time - EPOCH) // MICROSECOND
    return own if above is None else max(own, above + 1)


def find_places(messages: Mapping[Any, tuple[datetime, Any]], known: Mapping[Any, int] | None = None) -> dict[Any, int]:
    """The places of messages, by name, from the time and the parent of each; `known` are places of others.

    A message answers none if its parent is neither here nor known, or is itself.
    """
    places: dict[Any, int] = {}
    for first in messages:
        path = {first: None}  # upwards, to one whose parent has its place
        one = first
        while (one := messages[one][1]) in messages and one not in places and one not in path:
            path[one] = None
        for name in reversed(path):
            if name not in places:
                time, parent = messages[name]
                places[name] = find_place(time, places.get(parent, (known or {}).get(parent)))
    return places


def find_last(messages: Sequence[NewMessage]) -> str:
    """The ref of the message that stands last; "" if there is none."""
    places = find_places({one.ref: (one.timestamp, one.parent) for one in messages})
    by_time = [one.ref for one in sorted(messages, key=lambda one: one.timestamp)]
    return max(reversed(by_time), key=places.__getitem__, default="")


def is_behind(place: int, time: datetime, pk: int) -> Q:
    """The messages behind a place."""
    return Q(Q(place__gt=place) | Q(timestamp__gt=time) | Q(timestamp=time, id__gt=pk), place__gte=place)


def is_before(place: int, time: datetime, pk: int) -> Q:
    """The messages before a place."""
    return Q(Q(place__lt=place) | Q(timestamp__lt=time) | Q(timestamp=time, id__lt=pk), place__lte=place)


# Stored places


def settle_messages(ids: Iterable[int]) -> None:
    """Place messages anew, and what answers them as far as it moves: after their times were set, for one."""
    some = list(ids)
    for _ in range(LEVELS):
        some = find_answers([pk for few in _portions(some) for pk in _settle(few)])
        if not some:
            return
    talk = Message.objects.filter(conversation__in=Message.objects.filter(pk__in=some[:1]).values("conversation"))
    settle_all(talk)


def find_answers(ids: Sequence[int]) -> list[int]:
    """The messages that answer these; also those that were deleted."""
    rows = Message.objects.order_by().values_list("pk", flat=True)
    return [pk for few in _portions(ids) for pk in rows.filter(parent__in=few)]


def _settle(ids: Sequence[int]) -> list[int]:
    """Place some messages by where their parents stand; those that moved."""
    names = ("pk", "timestamp", "place", "parent_id", "parent__place", "parent__deleted_revision")
    moved = {}
    for pk, time, place, parent, above, deleted in Message.objects.filter(pk__in=ids).order_by().values_list(*names):
        now = find_place(time, None if parent == pk or deleted is not None else above)
        if now != place:
            moved[pk] = now
    _write(moved, Message.objects.db)
    return [*moved]


def settle_all(rows: QuerySet, progress: Callable[[str], None] = lambda text: None) -> None:
    """Place all of these messages anew, which are whole conversations."""
    done = 0
    for few in _pages(rows.order_by("pk").values_list("pk", "timestamp", "place"), 20_000):
        _write({pk: now for pk, time, place in few if (now := find_place(time)) != place}, rows.db)
        done += len(few)
        progress(f"placing messages: {done:,}")
    linked = rows.filter(parent__isnull=False).order_by()
    for conversation in linked.values_list("conversation", flat=True).distinct():
        _write(_place_linked(linked.filter(conversation=conversation)), rows.db)


def _place_linked(linked: QuerySet) -> dict[int, int]:
    """The places of those messages of a conversation that answer another; all others stand at their time already."""
    names = ("pk", "timestamp", "parent_id", "parent__timestamp", "parent__deleted_revision")
    messages: dict[int, tuple[datetime, int | None]] = {}
    above: dict[int, int] = {}
    for pk, time, parent, parent_time, deleted in linked.values_list(*names):
        messages[pk] = (time, parent if deleted is None else None)
        above[parent] = find_place(parent_time)
    places = find_places(messages, {pk: place for pk, place in above.items() if pk not in messages})
    return {pk: place for pk, place in places.items() if place != find_place(messages[pk][0])}


def _pages(rows: QuerySet, size: int) -> Iterable[list[Any]]:
    last = 0
    while few := list(rows.filter(pk__gt=last)[:size]):
        yield few
        last = few[-1][0]


def _portions(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _write(places: Mapping[int, int], using: str) -> None:
    if places:
        with connections[using].cursor() as cursor:
            cursor.executemany(
                "UPDATE conversation_history SET place = %s WHERE id = %s",
                [(place, pk) for pk, place in places.items()],
            )
