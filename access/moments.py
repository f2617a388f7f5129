"""Moments as people read them, in the zone of NOLA_TIME_ZONE, with the exact time on hover.

`lib/dates.js` says the same on the pages, and tests/data/moments.json holds both to it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.html import format_html
from django.utils.safestring import SafeString

AHEAD = -60  # seconds: clocks differ, and what is to come is not long ago


def short_time(at: datetime, now: datetime | None = None) -> str:
    """The time of today, "14:03"; in this year "3 Nov, 14:03"; else "3 Nov 2025"."""
    local, today = timezone.localtime(at), timezone.localtime(now or timezone.now())
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return format_date(local, "j M, H:i" if local.year == today.year else "j M Y")


def ago(at: datetime, now: datetime | None = None) -> str:
    """How long ago it was, up to a month; else the short time."""
    seconds = ((now or timezone.now()) - at).total_seconds()
    minutes = int(seconds // 60)
    days = minutes // (24 * 60)
    if seconds < AHEAD or days > 30:
        return short_time(at, now)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if not days:
        return f"{minutes // 60} h ago"
    return "1 day ago" if days == 1 else f"{days} days ago"


def full_time(at: datetime) -> str:
    """To the second, for people: "3 Nov 2025, 14:03:22"."""
    return format_date(timezone.localtime(at), "j M Y, H:i:s")


def exact_time(at: datetime) -> str:
    """To the second, with the offset of the zone: "2025-11-03T14:03:22+01:00"."""
    return timezone.localtime(at).isoformat(timespec="seconds")


FORMS = {"": short_time, "ago": ago, "full": full_time}


def show_when(at: datetime | None, form: str = "") -> SafeString | None:
    """A moment on a page, in one of the FORMS; None for none."""
    if at is None:
        return None
    shown = FORMS[form](at)
    exact = exact_time(at)
    return format_html('<time class="ui-when" datetime="{}" title="{}">{}</time>', exact, exact, shown)


def make_column(field: str, title: str) -> Callable[..., SafeString | None]:
    """A method of an admin that shows a moment of its rows, and by which a list is ordered."""

    @admin.display(description=title, ordering=field, empty_value="–")
    def show(self: Any, row: Any) -> SafeString | None:
        return show_when(getattr(row, field))

    return show
