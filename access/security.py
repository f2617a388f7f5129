"""The security log: who came in or tried to, which keys were made and revoked, what was refused and what is gone.

Rows are only ever added (see state.guards). Each is a line of JSON in the server's log too. What strangers can cause is
bounded: of one sort, actor and address a row a minute, of all of it a thousand a day; the rest is counted.
"""

import ipaddress
import json
import logging
import threading
import time
from datetime import timedelta
from enum import StrEnum

from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone

from access.actors import user_actor
from access.database import write_without_waiting
from access.models import SecurityEvent

MOST_DETAIL = 500  # characters
MOST_ACTOR = 200
A_MINUTE, A_DAY = timedelta(minutes=1), timedelta(days=1)
MOST_A_DAY = 1000  # rows
MOST_REMEMBERED = 10_000  # sorts of what is counted, in each process
log = logging.getLogger("nola.security")


class Event(StrEnum):
    """What can have happened."""

    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    SLOWED = "slowed down"
    KEY_MADE = "key made"
    KEY_CHANGED = "key changed"
    KEY_REVOKED = "key revoked"
    KEY_ROTATED = "key rotated"
    PERSON_MADE = "person made"
    PERSON_CHANGED = "person changed"
    PERSON_REMOVED = "person removed"
    PASSWORD_CHANGED = "password changed"
    REFUSED = "refused"
    PURGED = "purged"
    RESTORED = "restored"
    FORGOTTEN = "forgotten"


COUNTED = (Event.SIGN_IN_FAILED, Event.SLOWED, Event.REFUSED)  # what anybody can cause as often as they like
_seen: dict[tuple[str, str, str], tuple[float, int]] = {}  # when it was last written down, how often it was since
_lock = threading.Lock()


def record_event(event: Event, actor: str, detail: str = "", address: str = "") -> None:
    """Add a row. `actor` is as in the history (user:ada, key:planner, cli:ada), `address` the network address, if any.

    Never a secret in `detail`. It never fails. What anybody can cause does not wait either: while another writes, the
    line in the log is all. What is done in a terminal has said so there.
    """
    repeats = _count_repeats(event, actor, address) if event in COUNTED else 0
    if repeats is None and event != Event.SIGN_IN_FAILED:
        return
    more = f" ({repeats:,} more since the last row)" if repeats else ""
    row = SecurityEvent(
        event=event, actor=actor[:MOST_ACTOR], detail=detail[: MOST_DETAIL - len(more)] + more, address=address
    )
    if not actor.startswith("cli:"):
        _say(row)
    if repeats is None:
        return
    try:
        if event not in COUNTED:
            with transaction.atomic():
                row.save()
        elif _has_room(row):
            write_without_waiting(row.save)
    except DatabaseError as error:
        log.warning("this stands in no row of the security log: %s", error)


def record_by_person(event: Event, request: HttpRequest, detail: str = "") -> None:
    """Add a row for what somebody who is signed in has done."""
    record_event(event, user_actor(request.user), detail, read_address(request))


def _count_repeats(event: Event, actor: str, address: str) -> int | None:
    """How often it was since it was last written down; None if that is less than a minute ago."""
    what, now = (event, actor, address), time.monotonic()
    with _lock:
        last, count = _seen.get(what, (-A_MINUTE.total_seconds(), 0))
        is_due = now - last >= A_MINUTE.total_seconds()
        if len(_seen) >= MOST_REMEMBERED:
            _seen.clear()
        _seen[what] = (now, 0) if is_due else (last, count + 1)
    return count if is_due else None


def _has_room(row: SecurityEvent) -> bool:
    """Whether another process has not written the same within the minute, and the day is not full."""
    now = timezone.now()
    lately = SecurityEvent.objects.filter(at__gt=now - A_DAY, event__in=COUNTED)
    same = lately.filter(at__gt=now - A_MINUTE, event=row.event, actor=row.actor, address=row.address)
    return lately.order_by()[:MOST_A_DAY].count() < MOST_A_DAY and not same.exists()


def _say(row: SecurityEvent) -> None:
    said = {"event": row.event, "actor": row.actor, "detail": row.detail, "address": row.address}
    log.info(json.dumps({name: text for name, text in said.items() if text}, ensure_ascii=False))


def read_address(request: HttpRequest) -> str:
    """The network address that a request comes from.

    Behind a proxy it is the last one in X-Forwarded-For. That is believed only where NOLA_PUBLIC_URL says that there is
    a proxy with https, and of a request that came through it.
    """
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) and "HTTP_X_FORWARDED_PROTO" in request.META:
        last = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if _is_address(last):
            return last
    return str(request.META.get("REMOTE_ADDR", ""))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
