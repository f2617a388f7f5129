"""How fast the history grows, measured as it grows: each change is weighed once, by the worker that keeps the schedule.

What was weighed is kept in db/growth, so that a page which shows it reads one small file, however long the history is.
Summed up in the database instead, a million changes take 0.6 s for the size and up to 2 s by key (0.3 s and 2 s with an
index over the lengths), each time that the first screen is opened.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from state import clock
from state.files.atomic import write_atomically

DAYS = 7  # that are remembered
KEYS = 200  # of a day that are remembered
AT_ONCE = 20_000  # changes weighed in one go
WEIGH = (
    "SELECT c.id, c.kind, c.key, r.at, length(c.forward) + length(c.inverse)"
    " FROM state_change c JOIN state_revision r ON r.seq = c.revision WHERE c.id > %s ORDER BY c.id LIMIT %s"
)


@dataclass
class GrowthDay:
    """What a day has added to the history, in characters, by key."""

    size: int = 0
    keys: dict[str, int] = field(default_factory=dict)


@dataclass
class HistoryGrowth:
    """What has been weighed: of which store, up to which change."""

    epoch: str = ""
    last: int = 0  # the id of a change
    size: int = 0  # of all, in characters
    first_day: str = ""
    days: dict[str, GrowthDay] = field(default_factory=dict)

    def a_day(self, today: date) -> float:
        """Characters a day, over the days that are remembered."""
        if not self.first_day:
            return 0.0
        span = min(DAYS, (today - date.fromisoformat(self.first_day)).days + 1)
        return sum(day.size for name, day in self.days.items() if _is_recent(name, today)) / max(1, span)

    def fastest(self, today: date) -> list[tuple[str, int]]:
        """The keys that have grown most in these days."""
        total: Counter[str] = Counter()
        for name, day in self.days.items():
            if _is_recent(name, today):
                total.update(day.keys)
        return total.most_common(3)


def _is_recent(name: str, today: date) -> bool:
    return today - timedelta(days=DAYS) < date.fromisoformat(name) <= today


def read_growth() -> HistoryGrowth:
    """What has been weighed so far; nothing where the file is missing or cannot be read."""
    try:
        found = json.loads(_file().read_text())
        days = {name: GrowthDay(**day) for name, day in found.pop("days").items()}
        return HistoryGrowth(**found, days=days)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return HistoryGrowth()


def remove_growth() -> None:
    """Weigh all of it anew: what was weighed may name keys that are forgotten."""
    _file().unlink(missing_ok=True)


def weigh_changes(most: int = AT_ONCE) -> bool:
    """Weigh what is new. Returns whether there may be more. Raises NoRoom and CannotWrite."""
    now, growth = clock.read(), read_growth()
    if now is None:
        return False
    if growth.epoch != now.epoch:  # another file was put back: its changes have other numbers
        growth = HistoryGrowth(now.epoch)
    with connection.cursor() as cursor:
        cursor.execute(WEIGH, [growth.last, most])
        rows = cursor.fetchall()
    for number, kind, key, at, size in rows:
        _add(growth, clock.format_time(at)[:10], key if kind == "state" else "", size)
        growth.last = number
    if rows or not growth.first_day:
        _trim(growth)
        with write_atomically(_file()) as file:
            file.write(json.dumps(asdict(growth)).encode())
    return len(rows) == most


def _add(growth: HistoryGrowth, name: str, key: str, size: int) -> None:
    growth.size += size
    growth.first_day = min(growth.first_day or name, name)
    day = growth.days.setdefault(name, GrowthDay())
    day.size += size
    if key:
        day.keys[key] = day.keys.get(key, 0) + size


def _trim(growth: HistoryGrowth) -> None:
    today = timezone.now().date()
    growth.days = {name: day for name, day in growth.days.items() if _is_recent(name, today)}
    for day in growth.days.values():
        day.keys = dict(Counter(day.keys).most_common(KEYS))


def _file() -> Path:
    return Path(settings.NOLA_DB_DIR) / "growth"
