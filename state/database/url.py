"""Which database the settings name: the file in the data directory, or the one at DATABASE_URL."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SCHEMES = ("postgres", "postgresql")
DRIVER = "psycopg"
FORM = "postgres://user:password@host:5432/database"
PATIENCE = 5000  # milliseconds for another's lock; then the database is busy
PREPARED = 1  # a statement that was run so often is prepared, which takes a quarter of the time
PATIENT = {  # of libpq: for how long a machine that does not answer is waited for
    "application_name": "nola",
    "connect_timeout": "5",  # seconds
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}
STALE = 60  # seconds after which a connection that says nothing in the middle of a write is given up
# Of the server: it knows in a minute that our machine is gone, and frees what we have locked; else in two hours.
PROBES = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
# Each statement is small, whatever the planner thinks of it: workers and compiled code would take longer than it does.
PLANS = {"max_parallel_workers_per_gather": 0, "jit": "off"}
STEADY = "-c idle_in_transaction_session_timeout=0"  # for who reads one moment for long
READING = "-c default_transaction_read_only=on"
FILES = (".sqlite3", ".db", ".sqlite")


class BadDatabaseURL(ValueError):
    """It names no database; the message repeats none of it, since there may be a password in it."""


def find_database(url: str, folder: Path) -> dict[str, Any]:
    """Django's settings for the database at a URL, or for the file in a folder. Raises BadDatabaseURL."""
    return _postgres(url) if url else _sqlite(folder / "nola.sqlite3")


def find_other(text: str, *, to_read: bool = False) -> dict[str, Any]:
    """The same for a database that somebody names: an address, a file of SQLite, or a data directory.

    Long work on it is not given up; `to_read`: nothing can be written to it. Raises BadDatabaseURL.
    """
    scheme, is_address, rest = text.partition("://")
    if is_address and scheme != "sqlite":
        found = _postgres(text)
        limits = f"{found['OPTIONS']['options']} {STEADY}{f' {READING}' if to_read else ''}"
        return {**found, "OPTIONS": {**found["OPTIONS"], "options": limits}}
    path = Path(unquote(rest) if is_address else text).expanduser().absolute()
    if not text or (is_address and not rest.startswith("/")):
        raise BadDatabaseURL("is no address such as sqlite:///path/of/nola.sqlite3: a path begins with a third slash")
    found = _sqlite(path if path.suffix in FILES else path / "db" / "nola.sqlite3")
    return {**found, "OPTIONS": {"init_command": "PRAGMA query_only = ON"}} if to_read else found


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "state.database.sqlite",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",  # else most concurrent read-modify-writes fail
            "timeout": 5,
            # What is deleted is overwritten where that costs no writing; an erasure rewrites the file (traces.py).
            # Each connection, one a thread, keeps 1,000 kB of pages.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=FAST;"
            " PRAGMA cache_size=-1000;",
        },
    }


def _postgres(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadDatabaseURL(
            f"is no address such as {FORM}; write /, @, : and # in a password as %2F, %40, ..."
        ) from None
    if parts.scheme not in SCHEMES:
        raise BadDatabaseURL(f"must begin with postgres://, as in {FORM}; without it Nola keeps its own file")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise BadDatabaseURL(f"names no database: it must end with its name, as in {FORM}")
    if find_spec(DRIVER) is None:
        raise BadDatabaseURL(
            f"needs the driver {DRIVER}, which is not installed: make setup-postgres"
            " (or, elsewhere, pip install -r requirements-postgres.txt)"
        )
    more = dict(parse_qsl(parts.query, keep_blank_values=True))  # as libpq has them: host, sslmode, connect_timeout
    return {
        "ENGINE": "state.database.postgres",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": more.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": str(more.pop("port", "") or port or ""),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            **PATIENT,
            "server_side_binding": True,
            "prepare_threshold": PREPARED,
            **more,
            "options": _set_limits(more),
        },
    }


def _set_limits(more: dict[str, str]) -> str:
    """What is set in each session: for how long it may wait, and be waited for."""
    limits = {"lock_timeout": PATIENCE, "idle_in_transaction_session_timeout": STALE * 1000, **PROBES, **PLANS}
    return " ".join([*(f"-c {name}={value}" for name, value in limits.items()), more.get("options", "")]).strip()


def hide_password(url: str) -> str:
    """The address without its password, to be shown."""
    parts: SplitResult = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
