"""What the index keeps, looked at from behind."""

from django.db import connection

from conversations.models import Message
from conversations.parts import read_whole
from conversations.search.index import TABLE
from conversations.search.tokenize import split_words
from state.database.postgres.words import find_words


def read_index() -> bytes:
    """All that is in its tables."""
    tables = [f"{TABLE}_data"] if is_fts5() else [TABLE, f"{TABLE}_total"]
    found = b""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            found += b"\n".join(
                bytes(one) if isinstance(one, bytes) else str(one).encode() for row in cursor for one in row
            )
    return found


def check_index() -> None:
    """Fails where it does not fit together, or has not the words of all messages and no other."""
    with connection.cursor() as cursor:
        if is_fts5():
            cursor.execute(f"INSERT INTO {TABLE} ({TABLE}) VALUES ('integrity-check')")
            cursor.execute(f"SELECT id FROM {TABLE}_docsize ORDER BY id")
            ids = cursor.fetchall()
            assert ids == [*Message.objects.order_by("pk").values_list("pk")]
            return
        messages = Message.objects.values_list("pk", "message", "metadata")
        words = {pk: _find_words(read_whole(text, metadata)) for pk, text, metadata in messages}
        cursor.execute(f"SELECT rowid, text, size FROM {TABLE} ORDER BY rowid")
        assert {pk: (text.split(), size) for pk, text, size in cursor} == words
        cursor.execute(f"SELECT texts, size FROM {TABLE}_total")
        assert cursor.fetchall() == [(len(words), sum(size for _, size in words.values()))]


def is_fts5() -> bool:
    return connection.vendor == "sqlite"


def _find_words(text: str) -> tuple[list[str], int]:
    words = find_words(split_words(text))
    return words, len(words)
