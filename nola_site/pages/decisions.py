"""What waits for a person to decide, each with the page on which that is done."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from access.models import ApiKey
from access.rights import Right, may
from access.sign_in import is_first_password_kept
from nola_site.doors import opens
from state.proposals.records import count_waiting

SOON = timedelta(days=7)  # before an API key expires
KEYS = 3  # that are told one by one


@dataclass(frozen=True)
class Decision:
    """Something that waits: in words, and where it is settled."""

    icon: str
    text: str
    link: str
    label: str


def list_decisions(user: Any) -> list[Decision]:
    """What waits for this person; nothing that they could not settle."""
    return [*_proposals(user), *_keys(user), *_password(user)]


def _proposals(user: Any) -> Iterator[Decision]:
    if opens("proposals:index", user) and (count := count_waiting()):
        text = "1 proposal waits for you" if count == 1 else f"{count:,} proposals wait for you"
        yield Decision("rate_review", text, reverse("proposals:index"), "Look at them" if count > 1 else "Look at it")


def _keys(user: Any) -> Iterator[Decision]:
    """API keys that expire soon, or have expired and were not revoked."""
    if not user.has_perms(("access.view_apikey", "access.change_apikey")):
        return
    now = timezone.now()
    ending = ApiKey.objects.filter(revoked_at=None, expires_at__lte=now + SOON).order_by("expires_at", "pk")
    found = list(ending[: KEYS + 1])
    for key in found[:KEYS]:
        assert key.expires_at
        text = f"The API key {key.name} {_tell_end(key.expires_at - now)}"
        yield Decision("key", text, reverse("admin:access_apikey_change", args=[key.pk]), "Renew or revoke")
    if len(found) > KEYS:
        yield Decision("key", "More API keys expire soon", reverse("admin:access_apikey_changelist"), "Look at them")


def _tell_end(left: timedelta) -> str:
    if left <= timedelta(0):
        return "has expired"
    days = ceil(left / timedelta(days=1))
    return "expires within a day" if days == 1 else f"expires in {days} days"


def _password(user: Any) -> Iterator[Decision]:
    """The password of the first run, which lies in a file until it is changed."""
    if not may(user, Right.ADMINISTER) or not is_first_password_kept():
        return
    if user.get_username() == settings.NOLA_ADMIN_USER:
        text = "Your password is still the one that the first run has made; it stands in db/admin-password"
        yield Decision("password", text, reverse("admin:password_change"), "Change it")
    else:
        text = f"{settings.NOLA_ADMIN_USER} still has the password that the first run has made"
        yield Decision("password", text, reverse("admin:auth_user_changelist"), "People")
