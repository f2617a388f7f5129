"""Who may call the API: a bearer API key, or a signed-in member of staff on our own pages."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connection
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import AuthenticationError, HttpError
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from access import rates
from access.actors import user_actor
from access.database import Query, write_without_waiting
from access.models import ApiKey, hash_key
from access.rights import Grant, Needs, grant_key, grant_person

READING = ("GET", "HEAD", "OPTIONS")
STAMP_EVERY = 60.0  # seconds between two notes of a key's last use

HOLDS = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)"
COLUMNS = f"SELECT id, name, scopes, places, user_id FROM {ApiKey._meta.db_table} WHERE {HOLDS}"
FIND_KEY = f"{COLUMNS} AND sha256 = %s"
FIND_REPLACED = f"{COLUMNS} AND previous_sha256 = %s AND previous_until > %s"  # what a rotation has replaced

Row = tuple[Any, ...]

_stamped: dict[int, float] = {}


class KeyCredential(NamedTuple):
    """An API key that came in."""

    id: int
    sha256: str


class SessionCredential(NamedTuple):
    """A browser session that came in."""

    key: str


Credential = KeyCredential | SessionCredential


class Follower(NamedTuple):
    """Who follows the feed: what came in, and what it granted by then."""

    credential: Credential
    grant: Grant


class KeyRow(NamedTuple):
    """An API key that opens the door, as it is now."""

    id: int
    name: str
    grant: Grant


def ask_for_key(sha256: str) -> Query:
    """The query that finds the key of a hash, but for one that was replaced.

    Asked on every call, hence not through the ORM, which takes as long as the rest.
    """
    return FIND_KEY, [_now(), sha256]


def make_key_row(row: Row) -> KeyRow:
    """The key that `ask_for_key` has found."""
    return KeyRow(row[0], row[1], grant_key(*row[1:]))


def find_key(sha256: str) -> KeyRow | None:
    """The key of a hash; None for one that opens nothing: unknown, revoked, expired, replaced for more than a day."""
    row = _execute(*ask_for_key(sha256)) or _execute(FIND_REPLACED, [_now(), sha256, _now()])
    return make_key_row(row) if row else None


def _now() -> str:
    return f"{datetime.now(UTC).replace(tzinfo=None)}"  # as the column has it


def _execute(statement: str, parameters: Sequence[Any]) -> Row | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cast("Row | None", cursor.fetchone())


class KeyAuth(HttpBearer):
    """`Authorization: Bearer <key>`. The actor is key:<name>, what it may do is `request.grant`.

    Who writes too fast is stopped here, unless it `has_reads` in its bodies: then by who knows what is asked.
    """

    def __init__(self, needs: Needs, *, has_reads: bool = False) -> None:
        super().__init__()
        self.needs = needs
        self.harmless = (*READING, "POST") if has_reads else READING

    def __call__(self, request: HttpRequest) -> str | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        return self.authenticate(request, token) if scheme.lower() == "bearer" else None

    def authenticate(self, request: HttpRequest, token: str) -> str:
        if not token:
            raise AuthenticationError(message="The Authorization header names no key")
        sha256 = hash_key(token)
        key = find_key(sha256)
        request.caller = f"key:{key.name}" if key else _name_ended(sha256)  # type: ignore[attr-defined]
        if key is None:
            raise AuthenticationError(message="This API key is unknown, revoked or expired")
        self.needs.check(key.grant)
        if request.method not in self.harmless:
            rates.check(f"key:{key.name}")
        _stamp(key.id)
        request.credential = KeyCredential(key.id, sha256)  # type: ignore[attr-defined]
        request.grant = key.grant  # type: ignore[attr-defined]
        return f"key:{key.name}"


class StaffAuth(APIKeyCookie):
    """The admin's session: staff only, from our own pages only, with the CSRF token on anything but reading."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, needs: Needs) -> None:
        super().__init__(csrf=False)
        self.needs = needs

    def authenticate(self, request: HttpRequest, key: str | None) -> str | None:
        if not key or not request.user.is_staff:
            return None
        grant = grant_person(request.user)
        request.caller = user_actor(request.user)  # type: ignore[attr-defined]
        self.needs.check(grant)
        if not _same_origin(request):
            raise HttpError(403, "With a browser session the API answers only to its own pages; use an API key")
        request.body  # noqa: B018 - the CSRF check may read a form, after which the body is gone
        if check_csrf(request):
            raise HttpError(403, "The CSRF token is missing or wrong; send the cookie nola_csrf as X-CSRFToken")
        request.credential = SessionCredential(key)  # type: ignore[attr-defined]
        request.grant = grant  # type: ignore[attr-defined]
        return user_actor(request.user)


def _name_ended(sha256: str) -> str:
    """Who calls with a key that opens nothing: one that was revoked or has expired is known by its name."""
    found = ApiKey.objects.filter(Q(sha256=sha256) | Q(previous_sha256=sha256)).values_list("name", flat=True).first()
    return f"key:{found}" if found else "an unknown key"


def may_follow(follower: Follower) -> bool:
    """Whether a credential that came in earlier still grants what it did: a stream tells no more and no less."""
    return grant_now(follower.credential) == follower.grant


def grant_now(credential: Credential) -> Grant:
    """What a credential that came in earlier grants by now: for what stays open after its request."""
    if isinstance(credential, KeyCredential):
        key = find_key(credential.sha256)
        return key.grant if key else Grant("This API key", "API keys", frozenset())
    request = HttpRequest()
    request.session = SessionStore(credential.key)
    return grant_person(get_user(request))


def _same_origin(request: HttpRequest) -> bool:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin in (f"{request.scheme}://{request.get_host()}", settings.NOLA_PUBLIC_URL)


def is_stamp_due(key_id: int) -> bool:
    """Whether a minute has passed since the use of a key was noted."""
    return time.monotonic() - _stamped.get(key_id, -STAMP_EVERY) >= STAMP_EVERY


def _stamp(key_id: int) -> None:
    """Note the use of a key, at most once a minute, and never wait for a writer to do so."""
    if not is_stamp_due(key_id):
        return
    _stamped[key_id] = time.monotonic()
    old = timezone.now() - timedelta(seconds=STAMP_EVERY)
    keys = ApiKey.objects.filter(pk=key_id).exclude(last_used_at__gt=old)
    with suppress(DatabaseError):  # busy or read-only: the next minute will do
        write_without_waiting(lambda: keys.update(last_used_at=timezone.now()))
