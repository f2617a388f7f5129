"""Settings, all from the environment. Each variable stands in the README; a wrong value stops the start by its name."""

import os
import re
import secrets
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from django.templatetags.static import static

from state.database.url import BadDatabaseURL, find_database

KNOWN = {
    "NOLA_DATA_DIR", "NOLA_HOST", "NOLA_PORT", "NOLA_WORKERS", "NOLA_THREADS", "NOLA_ALLOWED_HOSTS", "NOLA_PUBLIC_URL",
    "NOLA_STREAMS", "NOLA_STREAMS_PER_KEY", "NOLA_WRITES_PER_MINUTE",
    "NOLA_TIME_ZONE", "NOLA_MAX_BODY_MB", "NOLA_ADMIN_USER", "NOLA_ADMIN_PASSWORD", "NOLA_API_KEY", "NOLA_SECRET_KEY",
    "NOLA_CHECKPOINT_MINUTES", "NOLA_BACKUP_HOURS", "NOLA_KEEP_DAYS", "NOLA_KEEP_BACKUPS",
}  # fmt: skip
for variable in os.environ:
    if variable.startswith("NOLA_") and variable not in KNOWN:
        raise SystemExit(f"nola: there is no setting {variable}; there are: {', '.join(sorted(KNOWN))}")

BASE_DIR = Path(__file__).resolve().parent.parent


def refuse(name: str, problem: str) -> NoReturn:
    raise SystemExit(f"nola: the setting {name}={os.environ.get(name, '')!r} {problem}")


def envint(name: str, default: int, lowest: int, highest: int) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not lowest <= int(value) <= highest:
        refuse(name, f"must be a whole number from {lowest} to {highest}")
    return int(value)


def envlist(name: str) -> list[str]:
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


def envorigin(name: str) -> str:
    value = os.environ.get(name, "").rstrip("/")
    parts = urlsplit(value)
    plain = f"{parts.scheme}://{parts.netloc}" == value and "@" not in parts.netloc
    if value and (
        parts.scheme not in ("http", "https") or not parts.hostname or not plain or not _port_is_right(parts)
    ):
        refuse(name, "must be an address such as https://nola.example.org, without a path")
    return value


def _port_is_right(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def envzone(name: str) -> str:
    value = os.environ.get(name) or machine_zone()
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        refuse(name, "is not a time zone; use a name such as Europe/Prague")
    return value


def machine_zone() -> str:
    """The name of this machine's time zone, UTC where it has none."""
    target = os.path.realpath("/etc/localtime")
    return target.partition("zoneinfo/")[2] or "UTC"


def envdir(name: str, default: Path) -> Path:
    path = Path(os.environ.get(name) or default).expanduser().absolute()
    if path.exists() and not path.is_dir():
        refuse(name, "is not a directory")
    return path


# Where things are kept

NOLA_DATA_DIR = envdir("NOLA_DATA_DIR", BASE_DIR / "data")
NOLA_DB_DIR = NOLA_DATA_DIR / "db"
NOLA_CHECKPOINT_DIR = NOLA_DATA_DIR / "checkpoints"
NOLA_BACKUP_DIR = NOLA_DATA_DIR / "backups"
NOLA_SEED_DIR = BASE_DIR / "fixtures"
FIXTURE_DIRS = [NOLA_CHECKPOINT_DIR, NOLA_SEED_DIR]

try:
    DATABASES = {"default": find_database(os.environ.get("DATABASE_URL", ""), NOLA_DB_DIR)}
except BadDatabaseURL as problem:
    raise SystemExit(f"nola: the setting DATABASE_URL {problem}") from None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SERIALIZATION_MODULES = {"json": "state.checkpoints.serializers"}

# Safety

NOLA_CHECKPOINT_MINUTES = envint("NOLA_CHECKPOINT_MINUTES", 60, 0, 10_080)
NOLA_BACKUP_HOURS = envint("NOLA_BACKUP_HOURS", 24, 0, 720)
NOLA_KEEP_DAYS = envint("NOLA_KEEP_DAYS", 30, 1, 3650)
NOLA_KEEP_BACKUPS = envint("NOLA_KEEP_BACKUPS", 7, 1, 1000)

# Serving

NOLA_HOST = os.environ.get("NOLA_HOST") or "127.0.0.1"
NOLA_PORT = envint("NOLA_PORT", 8000, 1, 65535)
NOLA_WORKERS = envint("NOLA_WORKERS", 2, 1, 64)
NOLA_THREADS = envint("NOLA_THREADS", 8, 2, 256)
NOLA_MAX_BODY_MB = envint("NOLA_MAX_BODY_MB", 16, 1, 1024)
NOLA_STREAMS = envint("NOLA_STREAMS", 2000, 1, 65536)
NOLA_STREAMS_PER_KEY = envint("NOLA_STREAMS_PER_KEY", 500, 1, 65536)
NOLA_WRITES_PER_MINUTE = envint("NOLA_WRITES_PER_MINUTE", 1200, 0, 1_000_000)
NOLA_PUBLIC_URL = envorigin("NOLA_PUBLIC_URL")

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *envlist("NOLA_ALLOWED_HOSTS")]
if NOLA_HOST not in ("0.0.0.0", "::"):
    ALLOWED_HOSTS.append(NOLA_HOST)
CSRF_TRUSTED_ORIGINS = []
if NOLA_PUBLIC_URL:
    ALLOWED_HOSTS.append(urlsplit(NOLA_PUBLIC_URL).hostname or "")
    CSRF_TRUSTED_ORIGINS.append(NOLA_PUBLIC_URL)
if NOLA_PUBLIC_URL.startswith("https:"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 30 * 24 * 3600  # whoever came by https once comes by it again; in answers to https alone
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains: they are not ours to decide about
    "security.W008",  # a redirect to https: the proxy makes it; agents and health checks on this machine call by http
    "security.W021",  # HSTS preload: the same
]
DATA_UPLOAD_MAX_MEMORY_SIZE = NOLA_MAX_BODY_MB * 1024 * 1024

# Who may come in


def secret_key() -> str:
    """NOLA_SECRET_KEY, or the key that the first run keeps beside the database, or one for this process alone."""
    kept = NOLA_DB_DIR / "secret-key"
    try:
        found = os.environ.get("NOLA_SECRET_KEY") or kept.read_text().strip()
    except OSError:
        found = ""
    return found or secrets.token_urlsafe(50)


SECRET_KEY = secret_key()
NOLA_ADMIN_USER = os.environ.get("NOLA_ADMIN_USER") or "admin"
NOLA_ADMIN_PASSWORD = os.environ.get("NOLA_ADMIN_PASSWORD", "")
NOLA_API_KEY = os.environ.get("NOLA_API_KEY", "")
if NOLA_API_KEY and not re.fullmatch(r"[!-~]{20,}", NOLA_API_KEY):
    raise SystemExit("nola: the setting NOLA_API_KEY must be at least 20 ASCII characters without a space")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "access.passwords.LongPasswordValidator"},
    {"NAME": "access.passwords.KeptPasswordValidator"},
]
SESSION_COOKIE_NAME = "nola_session"
CSRF_COOKIE_NAME = "nola_csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# Django

INSTALLED_APPS = [  # without ninja, which each command would import
    "unfold.apps.BasicAppConfig",
    "nola_site.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "access",
    "state",
    "conversations",
    "nola_site",
]
MIDDLEWARE = [
    "nola_site.serving.calls.CallMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "nola_site.urls"
WSGI_APPLICATION = "nola_site.wsgi.application"
ASGI_APPLICATION = "nola_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "nola_site.formats"
USE_TZ = True
TIME_ZONE = envzone("NOLA_TIME_ZONE")
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],  # pages of the admin theme may evaluate too, see nola_site/doors.py
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

STATIC_URL = "static/"

WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"hosts": {"()": "nola_site.serving.logs.WrongHosts"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "nola": {"level": "INFO"},
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"filters": ["hosts"]},
    },
}


def opens(page: str) -> Callable[[Any], bool]:
    """Whether a page is for somebody, else the sidebar leaves it out."""
    return lambda request: import_module("nola_site.doors").opens(page, request.user)


def count_proposals() -> int:
    """How many wait, for the sidebar; a template calls it, and shows no badge for none."""
    return int(import_module("state.proposals.records").count_waiting())


def holds(permission: str) -> Callable[[Any], bool]:
    """The same for a page for which Django asks."""
    return lambda request: request.user.has_perm(permission)


TREE_PAGES = ("/admin/state/tree/", "/admin/state/stateentry/")  # the two views of the keys

UNFOLD = {
    "ENVIRONMENT": "nola_site.safety.recovery.show_badge",
    "DASHBOARD_CALLBACK": "nola_site.pages.home.show_dashboard",
    "SITE_TITLE": "Nola",
    "SITE_HEADER": "Nola",
    "SITE_SUBHEADER": "state & memory",
    "SITE_SYMBOL": "account_tree",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("nola/icon.svg")}],
    "SITE_URL": None,
    "STYLES": [
        lambda request: static("nola/tokens.css"),
        lambda request: static("nola/components.css"),
        lambda request: static("nola/list/list.css"),
        lambda request: static("nola/form.css"),
        lambda request: static("nola/admin.css"),
        lambda request: static("nola/search/search.css"),
    ],
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {
                "title": "Memory",
                "items": [
                    {"title": "Overview", "icon": "home", "link": "/admin/"},
                    {
                        "title": "Tree",
                        "icon": "account_tree",
                        "link": "/admin/state/tree/",
                        "permission": opens("tree"),
                        "active": lambda request: request.path.startswith(TREE_PAGES),
                    },
                    {
                        "title": "Activity",
                        "icon": "timeline",
                        "link": "/admin/activity/",
                        "permission": opens("activity"),
                    },
                    {
                        "title": "Proposals",
                        "icon": "rate_review",
                        "link": "/admin/proposals/",
                        "permission": opens("proposals:index"),
                        "badge": count_proposals,
                        "badge_variant": "primary",
                    },
                    {
                        "title": "Checkpoints",
                        "icon": "bookmark",
                        "link": "/admin/checkpoints/",
                        "permission": opens("checkpoints:index"),
                    },
                    {
                        "title": "Context",
                        "icon": "psychology",
                        "link": "/admin/context/",
                        "permission": opens("context"),
                    },
                    {
                        "title": "Conversations",
                        "icon": "forum",
                        "link": "/admin/conversations/conversation/",
                        "active": lambda request: request.path.startswith("/admin/conversations/"),
                        "permission": opens("admin:conversations_conversation_changelist"),
                    },
                    {"title": "Search", "icon": "search", "link": "/admin/search/", "permission": opens("search")},
                ],
            },
            {
                "title": "Access",
                "items": [
                    {"title": "Connect", "icon": "cable", "link": "/admin/connect/", "permission": opens("connect")},
                    {
                        "title": "API keys",
                        "icon": "key",
                        "link": "/admin/access/apikey/",
                        "permission": holds("access.view_apikey"),
                    },
                    {
                        "title": "People",
                        "icon": "person",
                        "link": "/admin/auth/user/",
                        "permission": holds("auth.view_user"),
                    },
                    {"title": "Forget", "icon": "ink_eraser", "link": "/admin/forget/", "permission": opens("forget")},
                    {
                        "title": "Security log",
                        "icon": "shield",
                        "link": "/admin/access/securityevent/",
                        "permission": opens("admin:access_securityevent_changelist"),
                    },
                    {"title": "API reference", "icon": "api", "link": "/api/docs"},
                ],
            },
        ],
    },
}
