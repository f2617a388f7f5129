"""The full-text index of messages: which words are in which message, or its parts.

Every message is in it from the transaction that writes it until it is purged; whether it was deleted is asked when
searching, so that deleting and undoing need not touch the index. Rows are numbered as their messages.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import WordIndex, WordSearch, engine
from conversations.parts import read_whole
from conversations.search.tokenize import SearchTerm, split_words
from state.database.sqlite.words import format_create
from state.write_lock import write_transaction

TABLE = "conversation_words"
CREATE = format_create(TABLE)  # for the migrations
AT_ONCE = 1000
MERGED = 500  # pages


Words = Iterable[tuple[int, str, Any]]  # of messages: their ids, texts and metadata


def add(messages: Words, database: BaseDatabaseWrapper = connection) -> None:
    """Index messages in the transaction that writes them."""
    _open(database).add(_split(messages))


def remove(messages: Words, database: BaseDatabaseWrapper = connection) -> None:
    """Take messages out of the index; it must be told the very words that it was given."""
    _open(database).remove(_split(messages))


def replace(pk: int, text: str, before: Any, after: Any) -> None:
    """Index a message anew whose metadata changes, if its words do."""
    if read_whole("", before) != read_whole("", after):
        remove([(pk, text, before)])
        add([(pk, text, after)])


def search(asked: Sequence[SearchTerm]) -> WordSearch:
    """The rows of the TABLE in which all the terms are."""
    return _open(connection).search(asked)


def squeeze() -> None:
    """Rewrite the index so that no word of a removed message is left in it, in steps between which others may write."""
    words = _open(connection)
    is_done, is_begun = False, False
    while not is_done:
        with write_transaction():
            is_done = words.squeeze(MERGED, begin=not is_begun)
        is_begun = True


def ensure(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make the index if it is not there, and add the messages it lacks. Connected to post_migrate."""
    database = connections[using]
    if "conversation_history" not in database.introspection.table_names():
        return
    words = _open(database)
    words.create()
    with database.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM conversation_history)")
        if not cursor.fetchone()[0]:
            words.clear()
    _fill(database)


def make_anew(database: BaseDatabaseWrapper) -> None:
    """Index all messages again, so that no other word is left in the index."""
    _open(database).clear()
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
            add(rows, database)


def _open(database: BaseDatabaseWrapper) -> WordIndex:
    return engine(database).open_words(TABLE)


def _split(messages: Words) -> Iterator[tuple[int, str]]:
    return ((pk, split_words(read_whole(*said))) for pk, *said in messages)
