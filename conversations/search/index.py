"""The full-text index of messages: which words are in which message, or its parts. SQLite FTS5, holding no text itself.

Every message is in it from the transaction that writes it until it is purged; whether it was deleted is asked when
searching, so that deleting and undoing need not touch the index. Rows are numbered as their messages.
"""

import json
from collections.abc import Iterable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from conversations.parts import read_whole
from conversations.search.tokenize import split_words
from state.write_lock import write_transaction

TABLE = "conversation_words"
CREATE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {TABLE} USING fts5(text, content='',"
    " tokenize=\"unicode61 remove_diacritics 2 categories 'L* N* Co So'\")"
)
AT_ONCE = 1000
MERGED = 500  # pages


Words = Iterable[tuple[int, str, Any]]  # of messages: their ids, texts and metadata


def add(messages: Words, database: BaseDatabaseWrapper = connection) -> None:
    """Index messages in the transaction that writes them."""
    _run(database, f"INSERT INTO {TABLE} (rowid, text) VALUES (%s, %s)", messages)


def remove(messages: Words, database: BaseDatabaseWrapper = connection) -> None:
    """Take messages out of the index; it must be told the very words that it was given."""
    _run(database, f"INSERT INTO {TABLE} ({TABLE}, rowid, text) VALUES ('delete', %s, %s)", messages)


def replace(pk: int, text: str, before: Any, after: Any) -> None:
    """Index a message anew whose metadata changes, if its words do."""
    if read_whole("", before) != read_whole("", after):
        remove([(pk, text, before)])
        add([(pk, text, after)])


def squeeze() -> None:
    """Rewrite the index so that no word of a removed message is left in it, in steps between which others may write."""
    pages = -MERGED  # a negative number begins with all parts of the index, others go on with it
    is_done = connection.vendor != "sqlite"
    while not is_done:
        with write_transaction(), connection.cursor() as cursor:
            before = connection.connection.total_changes
            cursor.execute(f"INSERT INTO {TABLE} ({TABLE}, rank) VALUES ('merge', {pages})")
            is_done = connection.connection.total_changes - before < 2  # as the documentation of FTS5 has it
        pages = MERGED


def ensure(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make the index if it is not there, and add the messages it lacks. Connected to post_migrate."""
    database = connections[using]
    if database.vendor != "sqlite" or "conversation_history" not in database.introspection.table_names():
        return
    with database.cursor() as cursor:
        cursor.execute(CREATE)
        cursor.execute("SELECT EXISTS (SELECT 1 FROM conversation_history)")
        if not cursor.fetchone()[0]:
            cursor.execute(f"INSERT INTO {TABLE} ({TABLE}) VALUES ('delete-all')")
    _fill(database)


def make_anew(database: BaseDatabaseWrapper) -> None:
    """Index all messages again, so that no other word is left in the index."""
    with database.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} ({TABLE}) VALUES ('delete-all')")
    _fill(database)


def _fill(database: BaseDatabaseWrapper) -> None:
    """Add the messages that are not in it."""
    with database.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT id, message, metadata FROM conversation_history"
                f" WHERE id > (SELECT coalesce(max(rowid), 0) FROM {TABLE}) ORDER BY id LIMIT {AT_ONCE}"
            )
            rows = [(pk, text, json.loads(metadata)) for pk, text, metadata in cursor.fetchall()]
            if not rows:
                return
            _run(database, f"INSERT INTO {TABLE} (rowid, text) VALUES (%s, %s)", rows)


def _run(database: BaseDatabaseWrapper, statement: str, messages: Words) -> None:
    if database.vendor == "sqlite":
        with database.cursor() as cursor:
            cursor.executemany(statement, [(pk, split_words(read_whole(*said))) for pk, *said in messages])
