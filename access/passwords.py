from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser


class KeptPasswordValidator:
    """Removes the first run's password file once the admin's password has changed."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        pass

    def password_changed(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if user and user.get_username() == settings.NOLA_ADMIN_USER:
            (settings.NOLA_DB_DIR / "admin-password").unlink(missing_ok=True)

    def get_help_text(self) -> str:
        return ""
