"""How the memory grows, and who writes: each change is weighed once, by the worker that keeps the schedule.

What was weighed is kept in db/growth, so that a page which shows it reads one small file, however long the history is.
Summed up in the database instead, a million changes take 0.6 s for the size and up to 2 s by key (0.3 s and 2 s with an
index over the lengths), each time that the first screen is opened. Days are those of NOLA_TIME_ZONE.
"""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone

from access.rights import Right
from state import clock
from state.clock import Clock
from state.files.atomic import write_atomically

DAYS = 30  # that are remembered
WEEK = 7  # of these the keys too
KEYS, ACTORS = 200, 50  # of a day that are remembered
AT_ONCE = 20_000  # changes and messages weighed in one go
TAIL = 2_000  # and by a page, of what is too new to have been weighed
WEIGH = (
    "SELECT c.id, c.kind, c.key, c.revision, length(c.forward) + length(c.inverse), r.at, r.actor"
    " FROM state_change c JOIN state_revision r ON r.seq = c.revision WHERE c.id > %s ORDER BY c.id LIMIT %s"
)
WEIGH_MESSAGES = (
    "SELECT m.id, r.at, length(m.message) FROM conversation_history m JOIN state_revision r ON r.seq = m.revision"
    " WHERE m.id > %s ORDER BY m.id LIMIT %s"
)
STATE, TALK = 1, 2  # the two parts of the memory; a revision may be of both


@dataclass
class GrowthDay:
    """What a day has added: characters of the history, by key too, and of messages; and how often who has written.

    Of an actor there are the revisions that changed keys, those that changed conversations, and those that did either.
    """

    size: int = 0
    said: int = 0
    keys: dict[str, int] = field(default_factory=dict)
    writes: dict[str, list[int]] = field(default_factory=dict)  # by actor; "" stands for those that are not remembered


@dataclass
class HistoryGrowth:
    """What has been weighed: of which store, by which days, up to which change and message."""

    epoch: str = ""
    zone: str = ""
    last: int = 0  # the id of a change
    last_message: int = 0
    revision: int = 0  # of that change
    parts: int = 0  # of this revision that were counted
    size: int = 0  # of all, in characters
    said: int = 0
    first_day: str = ""
    days: dict[str, GrowthDay] = field(default_factory=dict)

    def a_day(self, today: date) -> float:
        """Characters a day, over the last week."""
        if not self.first_day:
            return 0.0
        span = min(WEEK, (today - date.fromisoformat(self.first_day)).days + 1)
        return sum(day.size for name, day in self.days.items() if _is_within(name, today, WEEK)) / max(1, span)

    def fastest(self, today: date) -> list[tuple[str, int]]:
        """The keys that have grown most in these days."""
        total: Counter[str] = Counter()
        for name, day in self.days.items():
            if _is_within(name, today, WEEK):
                total.update(day.keys)
        return total.most_common(3)

    def list_days(self, today: date) -> list[tuple[date, GrowthDay]]:
        """The days to show, the oldest first: from the first on, but a week at least and no more than are known."""
        first = date.fromisoformat(self.first_day) if self.first_day else today
        count = max(WEEK, min(DAYS, (today - first).days + 1))
        days = [today - timedelta(days=number) for number in reversed(range(count))]
        return [(day, self.days.get(day.isoformat(), GrowthDay())) for day in days]


def count_writes(day: GrowthDay, rights: Collection[Right]) -> Counter[str]:
    """How often who has written on a day, as far as somebody with these rights may read it."""
    place = (Right.READ_STATE in rights) * STATE | (Right.READ_CONVERSATIONS in rights) * TALK
    found = {actor: counts[place - 1] for actor, counts in day.writes.items()} if place else {}
    return Counter({actor: count for actor, count in found.items() if count})


def _is_within(name: str, today: date, days: int) -> bool:
    return today - timedelta(days=days) < date.fromisoformat(name) <= today


def read_growth() -> HistoryGrowth:
    """What has been weighed so far; nothing where the file is missing, of other days, or cannot be read."""
    try:
        found = json.loads(_file().read_text())
        days = {name: GrowthDay(**day) for name, day in found.pop("days").items()}
        growth = HistoryGrowth(**found, days=days)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return HistoryGrowth()
    return growth if growth.zone == settings.TIME_ZONE else HistoryGrowth()


def read_latest(now: Clock | None) -> tuple[HistoryGrowth, bool]:
    """The same with what was written since it was weighed; and whether that is all, which it may not be for a while."""
    growth = _of_store(read_growth(), now)
    return growth, max(_weigh(growth, TAIL)) < TAIL


def remove_growth() -> None:
    """Weigh all of it anew: what was weighed may name keys that are forgotten."""
    _file().unlink(missing_ok=True)


def weigh_changes(most: int = AT_ONCE) -> bool:
    """Weigh what is new. Returns whether there may be more. Raises NoRoom and CannotWrite."""
    now = clock.read()
    if now is None:
        return False
    growth = _of_store(read_growth(), now)
    found = _weigh(growth, most)
    if any(found) or not growth.first_day:
        _trim(growth)
        with write_atomically(_file()) as file:
            file.write(json.dumps(asdict(growth)).encode())
    return max(found) == most


def _of_store(growth: HistoryGrowth, now: Clock | None) -> HistoryGrowth:
    """Nothing if it is of another file that was put back: its changes have other numbers."""
    epoch = now.epoch if now else ""
    return growth if growth.epoch == epoch and growth.zone else HistoryGrowth(epoch, settings.TIME_ZONE)


def _weigh(growth: HistoryGrowth, most: int) -> tuple[int, int]:
    """Add up to so many changes and messages that come next; how many there were of either."""
    with connection.cursor() as cursor:
        cursor.execute(WEIGH, [growth.last, most])
        changes = cursor.fetchall()
        cursor.execute(WEIGH_MESSAGES, [growth.last_message, most])
        messages = cursor.fetchall()
    for number, kind, key, revision, size, at, actor in changes:
        day = _find_day(growth, at)
        growth.last = number
        growth.size += size
        day.size += size
        if kind == "state":
            day.keys[key] = day.keys.get(key, 0) + size
        _count(growth, day, revision, actor, TALK if kind in ("conversation", "message") else STATE)
    for number, at, size in messages:
        growth.last_message = number
        growth.said += size
        _find_day(growth, at).said += size
    return len(changes), len(messages)


def _find_day(growth: HistoryGrowth, at: datetime | str) -> GrowthDay:
    name = _name_day(str(at)[:16], growth.zone)  # to the minute: no day ends within one
    growth.first_day = min(growth.first_day or name, name)
    return growth.days.setdefault(name, GrowthDay())


@lru_cache(2)
def _name_day(minute: str, zone: str) -> str:
    """The day of a minute of UTC, there."""
    return datetime.fromisoformat(minute).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def _count(growth: HistoryGrowth, day: GrowthDay, revision: int, actor: str, part: int) -> None:
    """Count a revision once in each part of the memory that it changed, and once in all."""
    if revision != growth.revision:
        growth.revision, growth.parts = revision, 0
    if growth.parts & part:
        return
    counts = day.writes.setdefault(actor, [0, 0, 0])
    counts[part - 1] += 1
    if not growth.parts:
        counts[2] += 1
    growth.parts |= part


def _trim(growth: HistoryGrowth) -> None:
    today = timezone.localdate()
    growth.days = {name: day for name, day in growth.days.items() if _is_within(name, today, DAYS)}
    for name, day in growth.days.items():
        most = KEYS if _is_within(name, today, WEEK) else 0
        day.keys = dict(Counter(day.keys).most_common(most))
        day.writes = _trim_writes(day.writes)


def _trim_writes(writes: dict[str, list[int]]) -> dict[str, list[int]]:
    others = writes.get("", [0, 0, 0])
    ranked = sorted((pair for pair in writes.items() if pair[0]), key=lambda pair: -pair[1][2])
    for _, counts in ranked[ACTORS:]:
        others = [one + more for one, more in zip(others, counts, strict=True)]
    return dict(ranked[:ACTORS]) | ({"": others} if any(others) else {})


def _file() -> Path:
    return Path(settings.NOLA_DB_DIR) / "growth"
