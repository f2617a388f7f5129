"""What a database must hold to be a memory of ours, wherever it lies: whether it may be used, or put back."""

from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from state import clock
from state.clock import Clock
from state.database.sql import fetch_rows
from state.errors import DamagedDatabase, ForeignDatabase, NewerDatabase
from state.history import audit
from state.history.audit import OnProgress, show_nothing

OURS = {"state_meta", "state_revision", "state_change", "state_storage", "django_migrations"}


def verify_contents(
    name: str, connection: BaseDatabaseWrapper, *, thorough: bool, progress: OnProgress = show_nothing
) -> Clock:
    """Check what a database of this name holds, as `verify_database` does. Raises DatabaseError too, and ValueError."""
    check_ours(name, connection)
    flaw = next((audit.find_flaws if thorough else audit.find_tail_flaws)(connection, progress), None)
    if flaw:
        raise DamagedDatabase(f"{name} is not what its history says: {flaw}")
    return clock.read(connection) or Clock("", "", 0, "", "")


def check_ours(name: str, connection: BaseDatabaseWrapper) -> None:
    """Raises ForeignDatabase and NewerDatabase."""
    if not set(connection.introspection.table_names()) >= OURS:
        raise ForeignDatabase(f"{name} is a database of something else: it has none of Nola's tables")
    unknown = find_unknown_migrations(connection)
    if unknown:
        raise NewerDatabase(
            f"{name} was written by a newer Nola (it has {unknown[0]}). Install that release, or a newer one"
        )


def find_unknown_migrations(connection: BaseDatabaseWrapper) -> list[str]:
    """What was applied to a database that this release does not know."""
    return list_unknown(fetch_rows(connection, "SELECT app, name FROM django_migrations ORDER BY app, name"))


def list_unknown(applied: Iterable[tuple[str, str]]) -> list[str]:
    """Those of migrations that this release does not know."""
    on_disk = MigrationLoader(None).disk_migrations
    known = {*on_disk, *(old for one in on_disk.values() for old in one.replaces)}
    apps = {app for app, _ in known}
    return [f"{app}.{name}" for app, name in applied if app in apps and (app, name) not in known]
