"""Triggers that keep the history and the security log append-only, whoever writes to the database.

The one update they let through is a redaction: payloads may be blanked, salt and result hash are cleared, `redacted_by`
is set, and the digest stays, so that the chain still verifies. A payload may be rewritten in part, and who wrote a
revision and why, only under a revision that has a change of the kind `redaction`, in which the hashes of what is left
stand: `state.history.audit` finds what differs from these. SQLite drops triggers silently when a migration rebuilds a
table, so `ensure_guards` runs after every migrate.
"""

from collections.abc import Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import engine

TABLES = {"state_revision": "seq", "state_change": "id", "security_log": "id"}
CLOCK = "state_meta"  # the table that each write changes

_REDACTION = """
    NEW.redacted_by IS NOT NULL AND (OLD.redacted_by IS NULL OR OLD.redacted_by < NEW.redacted_by)
    AND NEW.salt = '' AND NEW.result_hash = ''
    AND NEW.id = OLD.id AND NEW.revision = OLD.revision AND NEW.kind = OLD.kind AND NEW.digest = OLD.digest
    AND ((NEW.key = OLD.key
          AND NEW.forward IN (OLD.forward, '"[redacted]"') AND NEW.inverse IN (OLD.inverse, '"[redacted]"'))
      OR EXISTS (SELECT 1 FROM state_change r WHERE r.revision = NEW.redacted_by AND r.kind = 'redaction'))
"""
_REDACTED_REVISION = """
    NEW.seq = OLD.seq AND NEW.at = OLD.at AND NEW.source = OLD.source AND NEW.chain = OLD.chain
    AND EXISTS (SELECT 1 FROM state_change r WHERE r.kind = 'redaction' AND r.revision > OLD.seq)
"""
_REDACTED_EVENT = """
    NEW.id = OLD.id AND NEW.at = OLD.at AND NEW.event = OLD.event
    AND EXISTS (SELECT 1 FROM state_change c JOIN state_revision r ON r.seq = c.revision
                WHERE c.kind = 'redaction' AND r.at >= OLD.at)
"""
_UPDATES = {"state_revision": _REDACTED_REVISION, "state_change": _REDACTION, "security_log": _REDACTED_EVENT}


def ensure_guards(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Create the triggers anew, at once, so that they hold at each moment. Connected to post_migrate."""
    with transaction.atomic(using):
        engine(connections[using]).take_turn()
        create_guards(connections[using])


def create_guards(connection: BaseDatabaseWrapper) -> None:
    """The same for a database that may be a file beside the live one."""
    if not set(TABLES) <= set(connection.introspection.table_names()):
        return  # migrated back to before the history
    with connection.cursor() as cursor:
        for (table, event), when in _find_missing(connection):
            for statement in engine(connection).format_trigger(table, event, when):
                cursor.execute(statement)
        for statement in engine(connection).format_announcement(CLOCK):
            cursor.execute(statement)


def find_missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """What the database would let through: "insert into state_change" and so on, where a trigger is gone or altered."""
    return [f"{event} on {table}" for (table, event), _ in _find_missing(connections[using])]


def drop_guards(using: str = DEFAULT_DB_ALIAS) -> None:
    """Lift the guards, for a test database that is flushed between tests."""
    lift_guards(connections[using])


def lift_guards(connection: BaseDatabaseWrapper) -> None:
    """The same for a file beside the live database."""
    with connection.cursor() as cursor:
        for table in TABLES:
            for event in ("insert", "update", "delete"):
                cursor.execute(engine(connection).drop_trigger(table, event))


def _find_missing(connection: BaseDatabaseWrapper) -> list[tuple[tuple[str, str], str]]:
    has_trigger = engine(connection).has_trigger
    return [(guard, when) for guard, when in _conditions() if not has_trigger(*guard, when)]


def _conditions() -> Iterator[tuple[tuple[str, str], str]]:
    """When each trigger refuses, by table and event."""
    for table, key in TABLES.items():
        yield (table, "insert"), f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
        yield (table, "delete"), "TRUE"
        yield (table, "update"), f"NOT ({_UPDATES[table]})"
