"""What a start needs: directories, an up-to-date database, seeds in a new one, an admin and an API key to come in with.

Safe to repeat: what is there stays.
"""

import hashlib
import os
import secrets
import time
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, connections

from access.database import engine
from access.models import ApiKey, hash_key, new_key
from access.rights import ALL
from nola_site.safety import recovery
from nola_site.safety.recovery import CannotStart
from state.database import unfinished
from state.files.atomic import CannotWrite, NoRoom

PATIENCE = 60.0  # seconds after which it is asked anew for the lock
LINGERING = 5.0  # seconds in which a server that was stopped is gone from its database
OTHER_KEY = (
    "signs with another key, so that who is signed in at one would not be at the other. Give all servers one"
    " NOLA_SECRET_KEY, or none and one data directory."
)
OTHER_DIRECTORY = (
    "has another data directory, so that checkpoints and uploads of one would not be found at the other, and what is"
    " forgotten would stay in its files. Give all servers one (NOLA_DATA_DIR), on a volume that they share."
)


@dataclass
class Welcome:
    """What is shown once: secrets that this run has made."""

    admin_password: str = ""
    api_key: str = ""


def prepare() -> Welcome:
    """Make everything ready to serve. Raises CannotStart."""
    make_directories()
    lock = engine().open_lock("first-run")  # several workers, and servers, may start at once
    try:
        recovery.check_database()
        while not lock.take(PATIENCE):
            pass
        used_before = recovery.was_used()
        was_there = recovery.examine_database()
        settings.SECRET_KEY = keep_secret("secret-key", os.environ.get("NOLA_SECRET_KEY"), settings.SECRET_KEY)
        if engine().find_file() is None:
            join_servers()
        else:
            (settings.NOLA_DB_DIR / recovery.ELSEWHERE).unlink(missing_ok=True)
        if was_there:
            recovery.keep_before_migrations()
        call_command("migrate", interactive=False, verbosity=0)
        unfinished.clear()
        recovery.fill_or_go_on(was_there, used_before)
        return Welcome(ensure_admin(), ensure_api_key())
    except DatabaseError as error:
        raise CannotStart(
            f"the database {engine().describe()} cannot be used: {' '.join(str(error).split())}. It was left as it is."
        ) from error
    except (NoRoom, CannotWrite) as error:
        raise CannotStart(f"{error}.") from error
    finally:
        connections.close_all()  # the server forks next; a connection must not be shared
        lock.release()


def make_directories() -> None:
    """Create the data directories, and see that they can be written. Raises CannotStart."""
    try:
        settings.NOLA_DATA_DIR.mkdir(parents=True, exist_ok=True)
        settings.NOLA_DB_DIR.mkdir(mode=0o700, exist_ok=True)
        settings.NOLA_CHECKPOINT_DIR.mkdir(exist_ok=True)
        settings.NOLA_BACKUP_DIR.mkdir(exist_ok=True)
        (settings.NOLA_DB_DIR / ".first-run").touch()
        database = engine().find_file()
        if database and database.exists():
            database.open("r+b").close()
    except OSError as error:
        raise CannotStart(
            f"the data directory {settings.NOLA_DATA_DIR} cannot be written ({error.strerror}: {error.filename})."
            " Make it writable for this user, or set NOLA_DATA_DIR to another."
        ) from None


def keep_secret(name: str, given: str | None, fresh: str) -> str:
    """A secret: the setting if there is one, else what db/`name` holds, else `fresh`, which is kept there."""
    path = settings.NOLA_DB_DIR / name
    if given:
        return given
    if not path.exists() or not path.read_text().strip():
        draft = path.with_suffix(".new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(fresh + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)  # whole or not at all
    return path.read_text().strip()


def join_servers() -> None:
    """Be one of the servers that use this database, which all must know the same. Raises CannotStart."""
    directory = keep_secret(recovery.ELSEWHERE, None, secrets.token_hex(16))
    ours = [hashlib.sha256(f"nola:{one}".encode()).hexdigest()[:8] for one in (settings.SECRET_KEY, directory)]
    until = time.monotonic() + LINGERING
    while others := [mark.split(":") for mark in engine().join_servers(":".join(ours)) - {":".join(ours)}]:
        if time.monotonic() > until:
            signs_alike = all(mark[0] == ours[0] for mark in others)
            raise CannotStart(
                "another server that uses this database "
                + (OTHER_DIRECTORY if signs_alike else OTHER_KEY)
                + " If there is none any more, PostgreSQL knows it within a minute."
            )
        time.sleep(0.5)


def ensure_admin() -> str:
    """Create the first admin. A password from the settings always holds. Returns a password made just now, or ""."""
    users = get_user_model().objects
    user = users.filter(username=settings.NOLA_ADMIN_USER).first()
    given = settings.NOLA_ADMIN_PASSWORD
    if user is None and (given or not users.filter(is_superuser=True).exists()):
        password = keep_secret("admin-password", given, secrets.token_urlsafe(12))
        users.create_superuser(settings.NOLA_ADMIN_USER, password=password)
        return "" if given else password
    if user and given and not user.check_password(given):
        user.set_password(given)
        user.save(update_fields=["password"])
    return ""


def ensure_api_key() -> str:
    """Create the key "default" if there never was one. A key from the settings holds. Returns a new one, or ""."""
    given, keys = settings.NOLA_API_KEY, ApiKey.objects
    if not given and keys.filter(name="default").exists():
        return ""
    if given and keys.exclude(name="default").filter(sha256=hash_key(given)).exists():
        raise CannotStart("the setting NOLA_API_KEY is the key of another name already; choose a new one.")
    key = keep_secret("api-key", given, new_key())
    fields = {"sha256": hash_key(key), "prefix": key[:9], "scopes": " ".join(ALL), "revoked_at": None}
    ApiKey.objects.update_or_create(name="default", defaults=fields)
    if given and given != _kept_key():
        (settings.NOLA_DB_DIR / "api-key").unlink(missing_ok=True)  # it opens nothing any more
    return "" if given else key


def _kept_key() -> str:
    path = settings.NOLA_DB_DIR / "api-key"
    return path.read_text().strip() if path.exists() else ""
