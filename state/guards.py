"""Triggers that keep the history and the security log append-only, whoever writes to the database.

The one update they let through is a redaction: payloads may be blanked, salt and result hash are cleared, `redacted_by`
is set, and the digest stays, so that the chain still verifies. A payload may be rewritten in part, and who wrote a
revision and why, only under a revision that has a change of the kind `redaction`, in which the hashes of what is left
stand: `state.history.audit` finds what differs from these. SQLite drops triggers silently when a migration rebuilds a
table, so `ensure_guards` runs after every migrate.
"""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = {"state_revision": "seq", "state_change": "id", "security_log": "id"}

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
    """Create the triggers where they are missing or differ. Connected to post_migrate."""
    create_guards(connections[using])


def create_guards(connection: BaseDatabaseWrapper) -> None:
    """The same for a database that may be a file beside the live one."""
    if not set(TABLES) <= set(connection.introspection.table_names()):
        return  # migrated back to before the history
    with connection.cursor() as cursor:
        for statement in _statements(connection):
            cursor.execute(statement)


def find_missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """What the database would let through: "insert into state_change" and so on, where a trigger is gone or altered."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        there = dict(cursor.fetchall())
    return [
        f"{event} on {table}"
        for (table, event), condition in _conditions().items()
        if there.get(f"{table}_{event}") != _sqlite(table, event, condition)[1]
    ]


def drop_guards(using: str = DEFAULT_DB_ALIAS) -> None:
    """Lift the guards, for a test database that is flushed between tests."""
    lift_guards(connections[using])


def lift_guards(connection: BaseDatabaseWrapper) -> None:
    """The same for a file beside the live database."""
    with connection.cursor() as cursor:
        for table in TABLES:
            for event in ("insert", "update", "delete"):
                on = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_{event}{on}")


def _conditions() -> dict[tuple[str, str], str]:
    """When each trigger refuses, by table and event."""
    conditions = {}
    for table, key in TABLES.items():
        conditions[table, "insert"] = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
        conditions[table, "delete"] = "TRUE"
        conditions[table, "update"] = f"NOT ({_UPDATES[table]})"
    return conditions


def _statements(connection: BaseDatabaseWrapper) -> list[str]:
    make = _sqlite if connection.vendor == "sqlite" else _postgresql
    return [
        statement for (table, event), condition in _conditions().items() for statement in make(table, event, condition)
    ]


def _sqlite(table: str, event: str, condition: str) -> list[str]:
    # A REPLACE fires no delete trigger, hence the guard before inserting an id that exists.
    return [
        f"DROP TRIGGER IF EXISTS {table}_{event}",
        f"CREATE TRIGGER {table}_{event} BEFORE {event.upper()} ON {table} WHEN {condition}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    ]


def _postgresql(table: str, event: str, condition: str) -> list[str]:
    name = f"{table}_{event}"
    row = "OLD" if event == "delete" else "NEW"
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {condition} THEN RAISE EXCEPTION '{table} is append-only'"
        f" USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {row}; END $$",
        f"DROP TRIGGER IF EXISTS {name} ON {table}",
        f"CREATE TRIGGER {name} BEFORE {event.upper()} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
