from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError

from access import delays
from access.actors import user_actor
from access.security import Event, record_event

LONGEST = 4096  # bytes


class LongPasswordValidator:
    """Refuses a password that would not be looked at when somebody signs in with it."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(password.encode()) > LONGEST:
            raise ValidationError(f"This password is longer than {LONGEST:,} bytes.")

    def get_help_text(self) -> str:
        return ""


class KeptPasswordValidator:
    """What follows a new password: it is written down, and the first run's file with the admin's old one goes."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        pass

    def password_changed(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if user is None:
            return
        delays.forgive_name(user.get_username())
        record_event(Event.PASSWORD_CHANGED, user_actor(user))
        if user.get_username() == settings.NOLA_ADMIN_USER:
            (settings.NOLA_DB_DIR / "admin-password").unlink(missing_ok=True)

    def get_help_text(self) -> str:
        return ""
