"""Backups of a PostgreSQL: dumps, and whether they hold a memory that can be put back."""

from pathlib import Path

from state.backups.contents import OURS, list_unknown, verify_contents
from state.clock import Clock, format_time
from state.database.postgres.dumps import check_dump, open_dump, read_dump
from state.database.sql import read_at_once
from state.errors import ForeignDatabase, NewerDatabase
from state.history.audit import OnProgress, show_nothing


def verify_dump(path: Path, name: str, *, thorough: bool, progress: OnProgress = show_nothing) -> Clock:
    """Check a dump: that all of it can be read, and, if thorough, that it can be restored and its history verifies.

    Returns its clock. Raises DamagedDatabase, ForeignDatabase, NewerDatabase and UnsupportedDatabase.
    """
    progress("reading the dump")
    if not check_dump(path) >= OURS:
        raise ForeignDatabase(f"{name} is a database of something else: it has none of Nola's tables")
    applied = [(str(row["app"]), str(row["name"])) for row in read_dump(path, "django_migrations")]
    if unknown := list_unknown(applied):
        raise NewerDatabase(
            f"{name} was written by a newer Nola (it has {unknown[0]}). Install that release, or a newer one"
        )
    if thorough:
        progress("restoring it into a database of its own")
        with open_dump(path) as connection, read_at_once(connection):
            verify_contents(name, connection, thorough=True, progress=progress)
    return _read_clock(path)


def _read_clock(path: Path) -> Clock:
    for row in read_dump(path, "state_meta"):
        names = ("store_id", "epoch", "last_chain")
        store, epoch, chain = (row[name] or "" for name in names)
        return Clock(store, epoch, int(row["last_seq"] or 0), chain, format_time(row["last_at"]))
    return Clock("", "", 0, "", "")
