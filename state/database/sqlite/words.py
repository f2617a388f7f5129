"""Which words are in which text: an index of FTS5, which holds no text itself."""

from collections.abc import Iterable, Sequence
from typing import Any

from access.database import Phrase

TOKENS = "unicode61 remove_diacritics 2 categories 'L* N* Co So'"


class WordIndex:
    """See access.database.WordIndex."""

    def __init__(self, connection: Any, table: str) -> None:
        self.connection, self.table = connection, table

    def create(self) -> None:
        self._run(format_create(self.table))

    def clear(self) -> None:
        self._run(f"INSERT INTO {self.table} ({self.table}) VALUES ('delete-all')")

    def add(self, texts: Iterable[tuple[int, str]]) -> None:
        self._run_many(f"INSERT INTO {self.table} (rowid, text) VALUES (%s, %s)", texts)

    def remove(self, texts: Iterable[tuple[int, str]]) -> None:
        self._run_many(f"INSERT INTO {self.table} ({self.table}, rowid, text) VALUES ('delete', %s, %s)", texts)

    def squeeze(self, pages: int, *, begin: bool) -> bool:
        before = self.connection.connection.total_changes
        # a negative number begins with all parts of the index, others go on with it
        self._run(f"INSERT INTO {self.table} ({self.table}, rank) VALUES ('merge', {-pages if begin else pages})")
        return bool(self.connection.connection.total_changes - before < 2)  # as the documentation of FTS5 has it

    def search(self, asked: Sequence[Phrase]) -> "WordSearch":
        return WordSearch(self.connection, self.table, asked)

    def _run(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)

    def _run_many(self, statement: str, texts: Iterable[tuple[int, str]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(statement, list(texts))


class WordSearch:
    """See access.database.WordSearch."""

    def __init__(self, connection: Any, table: str, asked: Sequence[Phrase]) -> None:
        self.connection, self.table = connection, table
        # tokens hold letters, digits and symbols: nothing needs escaping
        phrases = (f'"{" ".join(words)}"{" *" if is_prefix else ""}' for words, is_prefix in asked)
        self.rows, self.condition, self.values = table, f"{table} MATCH %s", [" AND ".join(phrases)]

    def list_newest(self, where: str, values: Sequence[Any], most: int, limit: int, skip: int) -> tuple[list[int], int]:
        ids = self._list_newest(where, values, most + 1)
        return ids[:most][skip : skip + limit], len(ids)

    def rank(self, where: str, values: Sequence[Any], most: int, limit: int, skip: int) -> tuple[list[int], int]:
        ids = self._list_newest(where, values, most + 1)
        if not ids:
            return [], 0
        ranked = f"{where} AND {self.table}.rowid >= %s ORDER BY bm25({self.table}), {self.table}.rowid DESC"
        return self._list(f"{ranked} LIMIT %s OFFSET %s", [*values, ids[:most][-1], limit, skip]), len(ids)

    def _list_newest(self, where: str, values: Sequence[Any], most: int) -> list[int]:
        return self._list(f"{where} ORDER BY {self.table}.rowid DESC LIMIT {most}", values)

    def _list(self, where: str, values: Sequence[Any]) -> list[int]:
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {self.table}.rowid {where}", values)
            return [pk for (pk,) in cursor.fetchall()]


def format_create(table: str) -> str:
    """The statement that makes the index, if it is not there."""
    return f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5(text, content='', tokenize=\"{TOKENS}\")"
