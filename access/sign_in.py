"""Signing in to the admin: wrong passwords are slowed down and written down, and all look alike from outside."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from unfold.forms import AuthenticationForm

from access import delays
from access.passwords import LONGEST
from access.security import Event, read_address, record_event

FIRST_PASSWORD = "admin-password"  # the file in the directory of the database that keeps it


class SignInForm(AuthenticationForm):
    """Name and password. `wait` is how many seconds somebody has to wait before their password is looked at."""

    error_messages = {"invalid_login": "The name or the password is wrong. Capital letters count.", "inactive": ""}
    wait = 0

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password:
            return dict(self.cleaned_data)
        address = read_address(self.request)
        self.wait = delays.find_wait(name, address)
        if self.wait:
            record_event(Event.SLOWED, _name_actor(name), "signing in", address)
            raise ValidationError(f"Too many wrong passwords. Try again in {format_wait(self.wait)}.")
        try:
            if len(password.encode()) > LONGEST:
                raise self.get_invalid_login_error()
            super().clean()
        except ValidationError:
            delays.count_failure(name, address)
            record_event(Event.SIGN_IN_FAILED, _name_actor(name), "", address)
            raise
        delays.forgive(name, address)
        record_event(Event.SIGNED_IN, f"user:{name}", "", address)
        return dict(self.cleaned_data)


def _name_actor(name: str) -> str:
    """Who tried to sign in. A name that nobody has may be a password in the wrong box, so it is not written down."""
    return f"user:{name}" if User.objects.filter(username=name).exists() else "somebody"


def format_wait(seconds: int) -> str:
    """A wait for people: "40 seconds", "3 minutes"."""
    count, unit = (seconds, "second") if seconds < 100 else (round(seconds / 60), "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def is_first_password_kept() -> bool:
    """Whether the file is there in which the first run has left a password."""
    return bool((settings.NOLA_DB_DIR / FIRST_PASSWORD).exists())


def answer_wait(response: HttpResponse) -> HttpResponse:
    """429 with Retry-After for the page of somebody who has to wait; any other answer as it is."""
    form = (getattr(response, "context_data", None) or {}).get("form")
    if wait := getattr(form, "wait", 0):
        response.status_code = 429
        response.headers["Retry-After"] = str(wait)
    return response
