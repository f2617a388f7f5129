"""Who may call the API: a bearer API key, or a signed-in member of staff on our own pages."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import AuthenticationError, HttpError
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from access import rates
from access.models import ApiKey, hash_key

READING = ("GET", "HEAD", "OPTIONS")
VIEW = ("state.view_stateentry",)
CHANGE = ("state.view_stateentry", "state.add_stateentry", "state.change_stateentry", "state.delete_stateentry")
NEEDED = {"GET": VIEW, "HEAD": VIEW, "PUT": CHANGE, "PATCH": CHANGE, "DELETE": CHANGE, "POST": CHANGE}
STAMP_EVERY = 60.0  # seconds between two notes of a key's last use

FIND_KEY = f"SELECT id, name, scopes FROM {ApiKey._meta.db_table} WHERE sha256 = %s AND revoked_at IS NULL"

HOLDS_KEY = f"SELECT scopes FROM {ApiKey._meta.db_table} WHERE id = %s AND sha256 = %s AND revoked_at IS NULL"

_stamped: dict[int, float] = {}


class KeyCredential(NamedTuple):
    """An API key that came in."""

    id: int
    sha256: str


class SessionCredential(NamedTuple):
    """A browser session that came in."""

    key: str


Credential = KeyCredential | SessionCredential


class KeyAuth(HttpBearer):
    """`Authorization: Bearer <key>`. The actor is key:<name>."""

    def __call__(self, request: HttpRequest) -> str | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        return self.authenticate(request, token) if scheme.lower() == "bearer" else None

    def authenticate(self, request: HttpRequest, token: str) -> str:
        if not token:
            raise AuthenticationError(message="The Authorization header names no key")
        with connection.cursor() as cursor:  # on every call, hence not through the ORM, which takes as long as the rest
            sha256 = hash_key(token)
            cursor.execute(FIND_KEY, [sha256])
            row = cursor.fetchone()
        if row is None:
            raise AuthenticationError(message="This API key is unknown or revoked")
        key_id, name, scopes = row
        needed = "read" if request.method in READING else "write"
        if needed not in scopes.split():
            raise HttpError(403, f"The API key {name!r} may not {needed}")
        if needed == "write":
            rates.check(f"key:{name}")
        _stamp(key_id)
        request.credential = KeyCredential(key_id, sha256)  # type: ignore[attr-defined]
        return f"key:{name}"


class StaffAuth(APIKeyCookie):
    """The admin's session: staff only, from our own pages only, with the CSRF token on anything but reading."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> str | None:
        if not key or not request.user.is_staff:
            return None
        if not request.user.has_perms(NEEDED[request.method or ""]):
            raise HttpError(403, "Your account may not do this; ask an admin for the permissions on keys")
        if not _same_origin(request):
            raise HttpError(403, "With a browser session the API answers only to its own pages; use an API key")
        request.body  # noqa: B018 - the CSRF check may read a form, after which the body is gone
        if check_csrf(request):
            raise HttpError(403, "The CSRF token is missing or wrong; send the cookie nola_csrf as X-CSRFToken")
        request.credential = SessionCredential(key)  # type: ignore[attr-defined]
        return f"user:{request.user.get_username()}"


def may_read(credential: Credential) -> bool:
    """Whether a credential that came in earlier still opens the door: for what stays open after its request."""
    if isinstance(credential, KeyCredential):
        with connection.cursor() as cursor:
            cursor.execute(HOLDS_KEY, credential)
            row = cursor.fetchone()
        return row is not None and "read" in row[0].split()
    request = HttpRequest()
    request.session = SessionStore(credential.key)
    user = get_user(request)
    return isinstance(user, User) and user.is_staff and user.has_perms(VIEW)


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
        _without_waiting(lambda: keys.update(last_used_at=timezone.now()))


def _without_waiting(write: Callable[[], object]) -> None:
    if connection.vendor != "sqlite":
        write()
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            write()
        finally:
            cursor.execute("PRAGMA busy_timeout = 5000")
