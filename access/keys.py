"""Making, changing and ending API keys, for the command line and the admin."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from access.database import write_in_turn
from access.models import ApiKey, hash_key, new_key
from access.rights import SCOPES, Grant, Right, grant_key
from access.security import Event, record_event

BOTH_HOLD = timedelta(days=1)  # after a rotation
UNITS = {"h": "hours", "d": "days", "w": "weeks"}
POINTER = re.compile(r"(/([^~]|~[01])*)+", re.DOTALL)


class BadKeySettings(ValueError):
    """What a key is to be is not possible; says why."""


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What a key may do, how far, and until when."""

    scopes: Sequence[str]
    places: Sequence[str] = ()  # pointers
    user_id: str = ""
    expires_at: datetime | None = None

    @property
    def columns(self) -> dict[str, object]:
        """Themselves as the row of a key has them. Raises BadKeySettings."""
        unknown = [word for word in self.scopes if word not in SCOPES]
        if unknown or not self.scopes:
            named = f"there is no scope {unknown[0]!r}" if unknown else "a key needs a scope"
            raise BadKeySettings(f"{named}; there are: {', '.join(SCOPES)}")
        return {
            "scopes": " ".join(dict.fromkeys(self.scopes)),
            "places": json.dumps(list(dict.fromkeys(self.places)), ensure_ascii=False),
            "user_id": self.user_id,
            "expires_at": self.expires_at,
        }


def create_key(name: str, settings: KeySettings, actor: str, address: str = "") -> str:
    """Make a key of a name that is free; returns it, which is the only time that it is there. Raises BadKeySettings."""
    name = check_name(name)
    key = new_key()
    columns = settings.columns
    with write_in_turn():
        if ApiKey.objects.filter(name=name).exists():
            raise BadKeySettings(f"the name {name!r} is taken: history names it for good, revoked or not")
        row = ApiKey.objects.create(name=name, sha256=hash_key(key), prefix=key[:9], **columns)
    record_event(Event.KEY_MADE, actor, describe_key(row), address)
    return key


def change_key(row: ApiKey, settings: KeySettings, actor: str, address: str = "") -> None:
    """Let a key do something else from now on. Raises BadKeySettings."""
    ApiKey.objects.filter(pk=row.pk).update(**settings.columns)
    row.refresh_from_db()
    record_event(Event.KEY_CHANGED, actor, describe_key(row), address)


def rotate_key(row: ApiKey, actor: str, address: str = "") -> str:
    """Give a key another secret; the one it has holds for a day more. Raises BadKeySettings."""
    if row.revoked_at is not None:
        raise BadKeySettings(f"the key {row.name!r} is revoked; make another")
    key = new_key()
    ApiKey.objects.filter(pk=row.pk).update(
        sha256=hash_key(key), prefix=key[:9], previous_sha256=row.sha256, previous_until=timezone.now() + BOTH_HOLD
    )
    record_event(Event.KEY_ROTATED, actor, row.name, address)
    return key


def revoke_keys(rows: Iterable[ApiKey], actor: str, address: str = "") -> list[str]:
    """End keys at once, and what they replaced with them; returns the names of those that were not ended before."""
    names = [row.name for row in rows if row.revoked_at is None]
    ApiKey.objects.filter(name__in=names).update(revoked_at=timezone.now(), previous_sha256="", previous_until=None)
    for name in names:
        record_event(Event.KEY_REVOKED, actor, name, address)
    return names


def find_missing(settings: KeySettings, granter: Grant) -> list[Right]:
    """What a key would give that its maker does not have: nobody gives more. Who may write may let suggest."""
    given = grant_key("", " ".join(settings.scopes)).rights
    held = granter.rights | ({Right.SUGGEST_STATE} if Right.WRITE_STATE in granter.rights else set())
    return sorted(given - held)


def describe_key(row: ApiKey) -> str:
    """A key in one line: "planner: read, write:state; only /Persona; until 2027-01-31 12:00 UTC"."""
    places = json.loads(row.places)
    parts = [", ".join(row.scopes.split())]
    parts += [f"only {' '.join(places)}"] if places else []
    parts += [f"only conversations of {row.user_id}"] if row.user_id else []
    parts += [f"until {row.expires_at:%Y-%m-%d %H:%M} UTC"] if row.expires_at else []
    return f"{row.name}: {'; '.join(parts)}"


def describe_state(row: ApiKey, now: datetime) -> str:
    """Whether it opens anything: "active", "revoked", "expired", or "rotated" while both hold."""
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    if row.previous_until is not None and row.previous_until > now:
        return "rotated"
    return "active"


# What people type


def check_name(text: str) -> str:
    """The name of a key. Raises BadKeySettings."""
    name = text.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise BadKeySettings("the name of a key has 1 to 60 characters that can be seen")
    return name


def parse_place(text: str) -> str:
    """A place as a pointer: `Persona`, `Tasks/open` and `/Tasks/open` are names from the key on, `~1` is a `/` in one.

    Raises BadKeySettings.
    """
    place = text if text.startswith("/") else f"/{text}"
    if not POINTER.fullmatch(place) or place == "/":
        raise BadKeySettings(f"{text!r} is no place: write a key, as Persona, or a path in it, as Tasks/open")
    return place


def parse_time(text: str) -> datetime | None:
    """When a key ends: "12h", "30d", "8w" from now on, or "never". Raises BadKeySettings."""
    if text == "never":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text)
    if found is None:
        raise BadKeySettings(f"{text!r} is no time; write 12h, 30d, 8w, or never")
    return timezone.now() + timedelta(**{UNITS[found[2]]: int(found[1])})
