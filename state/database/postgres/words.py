"""Which words are in which text: the words, the hits and their order as FTS5 has them.

A row holds the words of a text, each between two spaces. A GIN index finds the rows that have some words; whether these
follow one another is seen in the row. Neither knows a language: both take the words as they come.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from access.database import Phrase

# What `conversations.search.tokenize` keeps, and FTS5 takes for no word: signs of vowels, brackets, ...
_NO_WORD = re.compile(
    "[\u0e31\u0e34-\u0e37\u0e3f\u0e47-\u0e4f\u0e5a-\u0e5b\u0eb1\u0eb4-\u0ebc\u0ecc-\u0ecd\u102b-\u103e\u104a-\u104f"
    "\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108c\u108f\u109a-\u109d\u17b4-\u17d6"
    "\u17d8-\u17db\u19b0-\u19c0\u19c8-\u19c9\u1cf2-\u1cf3\u266f\u2768-\u2775\u3099-\u309a\u30a0\u30fb]"
)
_WORD = re.compile("[0-9a-z]+")
LONGEST = 200  # characters of a word in the GIN index; PostgreSQL takes 2,046 bytes
LARGEST = 1_000_000  # bytes of all the words of a text in it; PostgreSQL takes 1 MiB
LARGE = "*"  # stands there for the words of a text with more, in which each is looked for
GIN = "gin_pending_list_limit = 1024"  # kB that wait to be taken into it: each search reads through them
WALKED = 5000  # hits that a search asks for, about
NEVER = "FALSE"  # the condition for what is no word, as FTS5 has it
CLOSE = (
    "EXISTS (SELECT FROM (SELECT score, lead(score) OVER (ORDER BY score DESC) AS next"
    " FROM (SELECT DISTINCT size, score FROM scored) AS one) AS two WHERE score - next < 1e-12::float8 * score)"
)
HAS = "strpos(text, %s) > 0"
QUERY = "(SELECT %s::tsquery)"  # which is not known when it is planned: else all rows would be read for a common word
# Of bm25: what a phrase counts, by the number of texts that have it, and what a text does in which it is so often
WEIGHT = (
    "(SELECT CASE WHEN weight > 0 THEN weight ELSE 1e-6::float8 END FROM (SELECT"
    " ln((texts - hits + 0.5::float8) / (hits + 0.5::float8)) AS weight FROM (SELECT {hits} OFFSET 0) AS of (hits)"
    " OFFSET 0) AS one)"
)
RATE = "({said} * 2.2::float8 / ({said} + 1.2::float8 * (0.25::float8 + 0.75::float8 * size / mean)))"


class WordIndex:
    """See access.database.WordIndex."""

    def __init__(self, connection: Any, table: str) -> None:
        self.connection, self.table = connection, table

    def create(self) -> None:
        table, total = self.table, f"{self.table}_total"
        for statement in (
            f'CREATE TABLE IF NOT EXISTS {table} (rowid bigint PRIMARY KEY, text text COLLATE "C" NOT NULL,'
            " size integer NOT NULL, words tsvector NOT NULL)",
            f"CREATE INDEX IF NOT EXISTS {table}_words ON {table} USING gin (words) WITH ({GIN})",
            f"CREATE TABLE IF NOT EXISTS {total} (texts bigint NOT NULL, size bigint NOT NULL)",
            f"INSERT INTO {total} SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM {total})",
        ):
            self.fetch(statement)

    def clear(self) -> None:
        self.fetch(f"DELETE FROM {self.table}")
        self.fetch(f"UPDATE {self.table}_total SET texts = 0, size = 0")

    def add(self, texts: Iterable[tuple[int, str]]) -> None:
        rows = [(pk, *_make_row(text)) for pk, text in texts]
        self._count(
            f"INSERT INTO {self.table}"
            " SELECT pk, text, size, array_to_tsvector(string_to_array(coalesce(cut, btrim(text)), '  '))"
            " FROM unnest(%s::bigint[], %s::text[], %s::integer[], %s::text[]) AS given (pk, text, size, cut)"
            " ON CONFLICT DO NOTHING",
            "+",
            [list(column) for column in zip(*rows, strict=True)],
        )

    def remove(self, texts: Iterable[tuple[int, str]]) -> None:
        ids = [pk for pk, _ in texts]
        self._count(f"DELETE FROM {self.table} WHERE rowid = ANY(%s)", "-", [ids] if ids else [])

    def _count(self, statement: str, sign: str, values: list[Any]) -> None:
        """Change rows, and the numbers of all of them by what that changes."""
        if values:
            self.fetch(
                f"WITH changed AS ({statement} RETURNING size) UPDATE {self.table}_total SET"
                f" texts = texts {sign} (SELECT count(*) FROM changed),"
                f" size = size {sign} (SELECT coalesce(sum(size), 0) FROM changed)",
                values,
            )

    def squeeze(self, pages: int, *, begin: bool) -> bool:
        return True  # a row that is gone has left nothing in others

    def search(self, asked: Sequence[Phrase]) -> "WordSearch":
        return WordSearch(self, [Words(*one) for one in asked])

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> Any:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone() if cursor.description else None


class WordSearch:
    """See access.database.WordSearch."""

    def __init__(self, index: WordIndex, phrases: "Sequence[Words]") -> None:
        self.index, self.table, self.phrases = index, index.table, phrases
        self.query = " & ".join(one.format_query() for one in phrases)
        self.rows, self.condition = self.table, NEVER
        self.values: list[Any] = []
        if not all(one.words for one in phrases):
            return
        if self._is_common():
            self.condition = " AND ".join([f"strpos({self.table}.text, %s) > 0"] * len(phrases))
            self.values = [one.needle for one in phrases]
        else:
            self._find_by_index()

    def _is_common(self) -> bool:
        """Whether to read rows from the newest on is faster than to find all that have the words, and sort them.

        PostgreSQL guesses in how many texts they are; it counts too few where it does not know a word yet.
        """
        one = f"SELECT FROM {self.table}"
        (found,) = self.index.fetch(
            f"EXPLAIN (FORMAT JSON) {one} WHERE words @@ %s::tsquery UNION ALL {one}", [self.query]
        )
        hits, texts = (part["Plan Rows"] for part in found[0]["Plan"]["Plans"])
        if any(one.is_read for one in self.phrases):
            return bool(hits > texts / 8)  # at most so many
        return bool(hits > 0.02 * texts and hits**2 > WALKED * texts / 2)

    def _find_by_index(self) -> None:
        """Take the rows from the newest on, so that only those are joined with others that are asked for."""
        read = [one.needle for one in self.phrases if one.is_read]
        rest = [one.needle for one in self.phrases if not one.is_read]
        conditions = [f"words @@ {QUERY}", *[HAS] * len(read)]
        if rest:
            conditions.append(f"(words <> '{LARGE}' OR {' AND '.join([HAS] * len(rest))})")
        found = f"SELECT rowid, text, size FROM {self.table} WHERE {' AND '.join(conditions)}"
        self.rows, self.condition = f"({found} ORDER BY rowid DESC OFFSET 0) AS {self.table}", "TRUE"
        self.values = [f"{self.query} | '{LARGE}'", *read, *rest]

    def list_newest(self, where: str, values: Sequence[Any], most: int, limit: int, skip: int) -> tuple[list[int], int]:
        count, ids = self.index.fetch(
            f"WITH {self._format_newest(where)} SELECT (SELECT count(*) FROM newest),"
            " ARRAY(SELECT rowid FROM newest ORDER BY rowid DESC LIMIT %s OFFSET %s)",
            [*values, most + 1, max(min(limit, most - skip), 0), skip],
        )
        return ids, count

    def rank(self, where: str, values: Sequence[Any], most: int, limit: int, skip: int) -> tuple[list[int], int]:
        if self.condition == NEVER:
            return [], 0
        count, ids, is_close = self._rank(where, values, most, limit, skip, weighed=len(self.phrases) > 1)
        # One phrase weighs the same in each text. To count those is needed where a last digit tells which is better.
        if len(self.phrases) == 1 and is_close:
            count, ids, _ = self._rank(where, values, most, limit, skip, weighed=True)
        return ids, count

    def _rank(
        self, where: str, values: Sequence[Any], most: int, limit: int, skip: int, *, weighed: bool
    ) -> tuple[int, list[int], bool]:
        """How many are found, the best, and whether two differ by what rounding may have changed."""
        said = [one.format_count() for one in self.phrases]
        hits = [one.format_hits(self.table) if weighed else ("0", []) for one in self.phrases]
        counts = ", ".join(f"{count} AS said{number}" for number, (count, _) in enumerate(said))
        weights = ", ".join(f"{WEIGHT.format(hits=one)} AS weight{number}" for number, (one, _) in enumerate(hits))
        score = " + ".join(f"weight{number} * {RATE.format(said=f'said{number}')}" for number in range(len(said)))
        found: tuple[int, list[int], bool] = self.index.fetch(
            f"WITH {self._format_newest(where)},"
            f" counted AS (SELECT rowid, size, {counts} FROM newest ORDER BY rowid DESC LIMIT %s),"
            " asked AS MATERIALIZED"
            f" (SELECT size::float8 / nullif(texts, 0) AS mean, {weights} FROM {self.table}_total),"
            f" scored AS MATERIALIZED (SELECT rowid, size, {score} AS score FROM counted, asked)"
            " SELECT (SELECT count(*) FROM newest),"
            f" ARRAY(SELECT rowid FROM scored ORDER BY score DESC, rowid DESC LIMIT %s OFFSET %s), {CLOSE}",
            [
                *(*values, most + 1, *(value for _, some in said for value in some), most),
                *(*(value for _, some in hits for value in some), limit, skip),
            ],
        )
        return found

    def _format_newest(self, where: str) -> str:
        columns = ", ".join(f"{self.table}.{name}" for name in ("rowid", "text", "size"))
        # a limit that is not known beforehand is planned for as one that is soon reached
        most = "(SELECT %s::bigint)"
        return f"newest AS MATERIALIZED (SELECT {columns} {where} ORDER BY {self.table}.rowid DESC LIMIT {most})"


class Words:
    """Words that follow one another, and how they are looked for; of the last one, the beginning if `is_prefix`."""

    def __init__(self, words: Sequence[str], is_prefix: bool) -> None:
        self.words, self.is_prefix = [one for word in words for one in find_words(word)], is_prefix
        self.needle = f" {'  '.join(self.words)}{'' if is_prefix else ' '}"

    @property
    def is_read(self) -> bool:
        """Whether the GIN index alone does not tell that a text has them."""
        return len(self.words) > 1 or any(len(word) >= LONGEST for word in self.words)

    def format_query(self) -> str:
        """The tsquery for texts that have all of them."""
        quoted = [f"'{word[:LONGEST]}'" for word in self.words]
        return " & ".join(quoted) + (":*" if self.is_prefix else "")

    def format_hits(self, table: str) -> tuple[str, list[Any]]:
        """The expression for in how many texts they are, counted until they are in most."""
        query, counted = (
            self.format_query(),
            "(SELECT count(*) FROM (SELECT FROM {} WHERE {} LIMIT texts / 2 + 1) AS one)",
        )
        read = counted.format(table, f"words @@ {QUERY} AND {HAS}")
        if self.is_read:
            return read, [f"{query} | '{LARGE}'", self.needle]
        return f"{counted.format(table, f'words @@ {QUERY}')} + {read}", [query, f"'{LARGE}'", self.needle]

    def format_count(self) -> tuple[str, list[Any]]:
        """The expression for how often they are in a text."""
        if self._may_overlap():
            return "(SELECT count(*)::float8 FROM regexp_matches(text, %s, 'g'))", [f"(?={self.needle})"]
        lost = "octet_length(text) - octet_length(replace(text, %s, ''))"
        return f"(({lost}) / {len(self.needle.encode())})::float8", [self.needle]

    def _may_overlap(self) -> bool:
        """Whether the end of it may be the beginning of the next one, by more than the space between."""
        return any(self.needle.startswith(self.needle[start:]) for start in range(1, len(self.needle) - 1))


def _make_row(text: str) -> tuple[str, int, str | None]:
    """The words of a text, their number, and what the GIN index has in their place where it cannot have them."""
    words = find_words(text)
    joined = "  ".join(words)
    if len(joined) <= LARGEST // 4 and max(map(len, words), default=0) <= LONGEST:
        return f" {joined} ", len(words), None
    cut = "  ".join({word[:LONGEST] for word in words})
    return f" {joined} ", len(words), cut if len(cut.encode()) <= LARGEST else LARGE


def find_words(text: str) -> list[str]:
    """The words that FTS5 finds in what `conversations.search.tokenize` has made of a text."""
    return _WORD.findall(text.lower()) if text.isascii() else _NO_WORD.sub(" ", text).split()
