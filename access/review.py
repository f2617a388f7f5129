"""What is notable about who may come in and who tried to, for ./nola doctor."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from access.models import ApiKey, SecurityEvent
from access.rights import SCOPES, Right
from access.security import A_DAY, COUNTED, MOST_A_DAY, Event
from access.sign_in import is_first_password_kept

LONG = timedelta(days=30)  # for a key to lie about unused


class Notable(NamedTuple):
    """Something to know, and what to do about it; "" where it is only to be known."""

    text: str
    do: str = ""


def find_notable() -> Iterator[Notable]:
    """What the owner should know, in short."""
    yield from _find_tries()
    yield from _find_keys()
    if is_first_password_kept():
        yield Notable("the first password still holds, and stands in db/admin-password", "change it in the admin")


def _find_tries() -> Iterator[Notable]:
    lately = SecurityEvent.objects.filter(at__gt=timezone.now() - A_DAY).order_by()
    do = "look under Security log in the admin"
    failed = lately.filter(event=Event.SIGN_IN_FAILED)
    if count := failed.count():
        addresses = failed.values("address").distinct().count()
        yield Notable(f"signing in failed in the last day: {count:,} rows, from {addresses:,} addresses", do)
    if count := lately.filter(event__in=[Event.REFUSED, Event.SLOWED]).count():
        yield Notable(f"calls were refused in the last day: {count:,} rows", do)
    if lately.filter(event__in=COUNTED).count() >= MOST_A_DAY:
        yield Notable(f"the security log has taken {MOST_A_DAY:,} rows of such in a day; the server's log has more", do)


def _find_keys() -> Iterator[Notable]:
    now = timezone.now()
    keys = ApiKey.objects.filter(revoked_at=None)
    ended, live = keys.filter(expires_at__lte=now), keys.filter(Q(expires_at=None) | Q(expires_at__gt=now))
    unused = live.filter(last_used_at=None, created_at__lt=now - LONG)
    if names := _join(unused):
        yield Notable(f"API keys that were made a month ago and never used: {names}", "revoke what nobody needs")
    if names := _join(ended):
        yield Notable(f"API keys that have expired: {names}", "revoke them, or give them more time")
    powerful = [key.pk for key in live if _administers(key)]
    if names := _join(live.filter(pk__in=powerful)):
        yield Notable(f"API keys that may purge and administer: {names}")
    people = User.objects.filter(is_active=True, is_superuser=True).values_list("username", flat=True)
    yield Notable(f"people who may do everything: {', '.join(people) or 'nobody'}")


def _administers(key: ApiKey) -> bool:
    return any(Right.ADMINISTER in SCOPES.get(word, ()) for word in key.scopes.split())


def _join(keys: QuerySet[ApiKey]) -> str:
    return ", ".join(keys.values_list("name", flat=True))
