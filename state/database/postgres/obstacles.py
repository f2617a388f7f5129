"""What keeps Nola from using a PostgreSQL at all: said at a start, in a sentence each, with the way out."""

import re
from typing import Any

from django.db import DatabaseError, NotSupportedError

REFUSALS = {  # what is in the words of the server, or of the driver, and what to do
    "password authentication failed": "Correct the user and the password in DATABASE_URL",
    "no password supplied": "Put the password into DATABASE_URL",
    "no pg_hba.conf entry": "Let this machine in: in pg_hba.conf of that server",
    "role .* does not exist": "Correct the user in DATABASE_URL, or create it there (createuser)",
    "database .* does not exist": "Create it there (createdb), or correct the name in DATABASE_URL",
    "too many (clients|connections)|connection slots": (
        "Let it have more (max_connections), or Nola take fewer: NOLA_WORKERS and NOLA_THREADS, see docs/running.md"
    ),
    "starting up|shutting down": "Wait until it is up, and start again",
}
UNREACHABLE = "See that PostgreSQL runs there, and that DATABASE_URL names it right"
LOOK = (
    "SELECT current_setting('server_encoding'), pg_is_in_recovery(), current_setting('transaction_read_only')::bool,"
    " current_schema(), has_schema_privilege(current_schema(), 'CREATE'), to_regclass('state_meta')"
)
MAY_WRITE = "SELECT has_table_privilege('state_meta', 'UPDATE') AND has_table_privilege('state_revision', 'INSERT')"


def describe(connection: Any) -> str:
    """Which database it is, without user and password."""
    settings = connection.settings_dict
    where = settings["HOST"] or "this machine"
    return f"{settings['NAME']} at {where}{':' if settings['PORT'] else ''}{settings['PORT']}"


def find_obstacle(connection: Any) -> str:
    """The sentences; "" where there is nothing in the way."""
    name = f"the database {describe(connection)}"
    try:
        connection.ensure_connection()
        problem = _look(connection)
    except NotSupportedError as error:
        return f"{name} cannot be used: {_flatten(error)}. Upgrade it, or name another in DATABASE_URL."
    except DatabaseError as error:
        said = _flatten(error)
        way = next((way for words, way in REFUSALS.items() if re.search(words, said)), UNREACHABLE)
        return f"{name} cannot be used: {said}. {way}."
    return f"{name} {problem}." if problem else ""


def _look(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(LOOK)
        encoding, is_standby, is_readonly, schema, may_create, tables = cursor.fetchone()
        if encoding != "UTF8":
            return f"has the encoding {encoding}. Nola needs UTF8: createdb --encoding UTF8 --template template0"
        if is_standby:
            return "is a standby, which only reads. Name the primary in DATABASE_URL"
        if is_readonly:
            return "is read-only for this user (default_transaction_read_only). Let it write, or name another user"
        if schema is None:
            return "has no schema for this user (search_path). Create one, or name another user in DATABASE_URL"
        if tables:
            cursor.execute(MAY_WRITE)
            is_ours = cursor.fetchone()[0]
        else:
            is_ours = may_create
    if not is_ours:
        return (
            "is read-only for this user: it may not write there. Make it the owner of the database (ALTER DATABASE"
            f" ... OWNER TO ...) and of the schema {schema}, or name another user in DATABASE_URL"
        )
    return ""


def _flatten(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
