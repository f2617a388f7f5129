"""What a person had seen when they were here last, so that a page can tell what is new since.

A visit ends with half an hour in which no page of it was shown. It is the person's, in whichever browser, and stands in
the database: a backup that is put back brings what had been seen of it.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import DatabaseError
from django.utils import timezone

from access.database import write_without_waiting
from access.models import Visit

PAUSE = timedelta(minutes=30)  # without a page, after which the next one begins another visit
NOTED = timedelta(minutes=1)  # between two notes of what is seen; what comes in between may be told twice, never not


class LastVisit(NamedTuple):
    """Up to which revision a person had seen the memory, and when that was."""

    revision: int
    at: datetime


def note_visit(user: Any, head: int) -> LastVisit | None:
    """Note that a person sees the memory at a revision. Returns the visit before this one, None in the first."""
    now, row = timezone.now(), Visit.objects.filter(pk=user.pk).first()
    if row is None:
        _try(lambda: Visit.objects.create(pk=user.pk, seen=head, seen_at=now))
        return None
    mine = Visit.objects.filter(pk=row.pk, seen_at=row.seen_at)  # unless another browser has just noted it
    seen = {"seen": head, "seen_at": now}
    if now - row.seen_at > PAUSE:
        _try(lambda: mine.update(before=row.seen, before_at=row.seen_at, **seen))
        return LastVisit(row.seen, row.seen_at)
    if abs(now - row.seen_at) > NOTED:
        _try(lambda: mine.update(**seen))
    return None if row.before is None or row.before_at is None else LastVisit(row.before, row.before_at)


def _try(write: Any) -> None:
    with suppress(DatabaseError):  # busy or read-only: the next page will do
        write_without_waiting(write)
