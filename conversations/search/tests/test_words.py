"""The words, the hits and their order are those of FTS5, whatever the database."""

import sqlite3
import unicodedata
from contextlib import closing
from datetime import UTC, datetime

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from access.database import engine
from conversations import delete, log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation, Message
from conversations.search import index, messages
from conversations.search.messages import search_messages
from conversations.search.tokenize import BadSearch, parse_terms, split_words
from state.database.postgres.words import find_words
from state.database.sqlite import words as fts5
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def open_fts5():
    database = sqlite3.connect(":memory:")
    database.execute(fts5.format_create(index.TABLE))
    database.execute(f"CREATE VIRTUAL TABLE said USING fts5vocab({index.TABLE}, 'instance')")
    return closing(database)


def ask_fts5(database, statement, asked):
    search = fts5.WordIndex(None, index.TABLE).search(asked)
    return database.execute(statement.format(search.condition.replace("%s", "?")), search.values)


def test_words_of_each_character_are_those_of_fts5():
    characters = [chr(code) for code in range(1, 0x110000) if unicodedata.category(chr(code)) != "Cs"]
    texts = [split_words(text) for one in characters for text in (one, f"É{one}x")]
    found = [[] for _ in texts]

    with open_fts5() as database:
        database.executemany(f"INSERT INTO {index.TABLE} (rowid, text) VALUES (?, ?)", enumerate(texts))
        for word, number in database.execute("SELECT term, doc FROM said ORDER BY doc, offset"):
            found[number].append(word)

    assert [text for text, words in zip(texts, found, strict=True) if find_words(text) != words] == []


LETTERS = "aábABé \0\n-_'\"*|&!<>:()\\%.,ßﷺ你好里สวัสดีกั๊か\u3099ガー😀👍🏽™²㏕가각ﬁЖ\u0301"
WORDS = ["a", "b", "a b", "a a", "ab", "abc", "Ab", "garden", "gard", "你好", "里斯本", "กั", "😀", "👍🏽", "x" * 300]
TEXT = st.one_of(
    st.text(alphabet=st.sampled_from(LETTERS), max_size=30), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
)
ASKED = st.one_of(
    TEXT,
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda said: f'"{" ".join(said)}"'),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda said: f'"{" ".join(said)}"*'),
    st.sampled_from(WORDS).map("{}*".format),
)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXT, min_size=1, max_size=8), st.lists(ASKED, min_size=1, max_size=6), st.data())
@example(["a a a", "a a", "a b a b a", "a", ""], ['"a a"', '"a b a"*', '"a a"*', "a", "a*"], None)
@example(["x" * 300, "x" * 299 + "y", "x" * 199], ["x" * 300, "x" * 299 + "*", "x" * 199 + "*", "x" * 200], None)
@example(["กั", "กัก", "ก"], ["ั", "กั", '"ก ั"*', "ก ั"], None)
def test_hits_and_their_order_are_those_of_fts5(texts, questions, data):
    before = set(Message.objects.values_list("pk", flat=True))
    Conversation.objects.filter(deleted_revision=None).update(deleted_revision=1)
    name = f"s{Conversation.objects.count()}"
    log.create(NewConversation(name), ADA, [NewMessage("user", text, NOON) for text in texts])
    there = set(Message.objects.values_list("pk", flat=True)) - before
    gone = {pk for pk in there if data and data.draw(st.integers(0, 4)) == 0}
    if gone:
        delete.delete_messages(name, sorted(gone), ADA)
    asked = [terms for question in questions if (terms := parse(question))]

    with open_fts5() as database:
        rows = [(pk, split_words(text)) for pk, text in Message.objects.values_list("pk", "message")]
        database.executemany(f"INSERT INTO {index.TABLE} (rowid, text) VALUES (?, ?)", rows)
        statement = f"SELECT rowid FROM {index.TABLE} WHERE {{}} ORDER BY bm25({index.TABLE}), rowid DESC"
        expected = [[pk for (pk,) in ask_fts5(database, statement, terms) if pk in there - gone] for terms in asked]

    assert [[hit.message.pk for hit in search_messages(terms, {}, 50).hits] for terms in asked] == expected


def parse(question):
    try:
        return parse_terms(question[:1000])
    except BadSearch:
        return []


@pytest.mark.django_db
def test_common_and_rare_words_are_found_in_the_same_order(monkeypatch):
    """Whichever way the database takes to find them."""
    monkeypatch.setattr(messages, "RANKED", 300)
    texts = [
        f"{'common ' * (number % 7 + 1)}{'half' if number % 2 else ''} w{number % 50} {number}" for number in range(600)
    ]
    log.create(NewConversation("s"), ADA, [NewMessage("user", text, NOON) for text in texts])
    connection.cursor().execute("ANALYZE")
    asked = [parse_terms(one) for one in ("common", "half", "common half", "w7", '"common common half"', "c* w1*")]
    first = Message.objects.order_by("pk")[300].pk

    with open_fts5() as database:
        rows = [(pk, split_words(text)) for pk, text in Message.objects.values_list("pk", "message")]
        database.executemany(f"INSERT INTO {index.TABLE} (rowid, text) VALUES (?, ?)", rows)
        newest = f"SELECT rowid FROM {index.TABLE} WHERE {{}} ORDER BY rowid DESC LIMIT 300"
        best = f"SELECT rowid FROM {index.TABLE} WHERE {{}} ORDER BY bm25({index.TABLE}), rowid DESC"
        expected = []
        for terms in asked:
            ranked = {pk for (pk,) in ask_fts5(database, newest, terms)}
            expected.append([pk for (pk,) in ask_fts5(database, best, terms) if pk in ranked])

    assert first < expected[0][0]
    assert [[hit.message.pk for hit in search_messages(terms, {}, 1000).hits] for terms in asked] == expected


@pytest.mark.django_db
def test_a_text_of_more_words_than_an_index_takes_is_found_by_each():
    ligatures = [chr(code) for code in range(0xFD50, 0xFD8F)]
    words = [
        "".join(ligatures[number // 63**place % 63] for place in range(4)) + ligatures[0] * 5
        for number in range(25_000)
    ]
    log.create(
        NewConversation("s"), ADA, [NewMessage("user", f"{' '.join(words)} end", NOON), NewMessage("user", "x", NOON)]
    )

    found = {
        one: search_messages(parse_terms(one), {}, 5).total for one in (words[9], f'"{words[0]} {words[1]}"', "end")
    }
    missing = [search_messages(parse_terms(one), {}, 5).total for one in (f'"{words[1]} {words[0]}"', "en", "y")]

    assert [*found.values()] == [1, 1, 1]
    assert missing == [0, 0, 0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mean", "fillers", "first", "second"),
    [(9, 2, (6, 7), (9, 12)), (6, 4, (1, 1), (5, 13)), (9, 6, (2, 3), (7, 18)), (12, 8, (2, 5), (6, 23))],
)
def test_where_only_rounding_tells_which_text_is_better_the_same_is(mean, fillers, first, second):
    """How often each says a word, and in how many: with so many on average, both are as good but for the last digit."""
    texts = [" ".join(["a"] * said + ["x"] * (size - said)) for said, size in (first, second)] * 2
    texts += [" ".join(["x"] * (mean - 1))] * fillers
    log.create(NewConversation("s"), ADA, [NewMessage("user", text, NOON) for text in texts])

    with open_fts5() as database:
        rows = [(pk, split_words(text)) for pk, text in Message.objects.values_list("pk", "message")]
        database.executemany(f"INSERT INTO {index.TABLE} (rowid, text) VALUES (?, ?)", rows)
        best = f"SELECT rowid FROM {index.TABLE} WHERE {{}} ORDER BY bm25({index.TABLE}), rowid DESC"
        expected = [pk for (pk,) in ask_fts5(database, best, parse_terms("a"))]

    pages = [search_messages(parse_terms("a"), {}, 1, skip=skip).hits for skip in range(len(expected))]
    assert [hit.message.pk for page in pages for hit in page] == expected
    assert [hit.message.pk for hit in search_messages(parse_terms("a"), {}, 50).hits] == expected


def count_looked_at(plan):
    """The rows that a plan, as it was run, has come by."""
    rows = plan["Actual Rows"] + sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
    return rows * plan["Actual Loops"] + sum(map(count_looked_at, plan.get("Plans", [])))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite plans without numbers of rows")
@pytest.mark.django_db
@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("filters", [{}, {"speaker": "user"}, {"user_id": "user"}, {"session": "s3"}])
def test_no_row_is_read_again_for_each_hit_whatever_is_known_of_the_tables(
    filters, newest_first, is_known, monkeypatch
):
    for number in range(5):
        said = [NewMessage("user", f"some words about {number} and {n}", NOON) for n in range(200)]
        log.create(NewConversation(f"s{number}", user_id="user"), ADA, said)
    monkeypatch.setattr(engine(), "known", set())
    if is_known:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    asked = []

    def keep(execute, statement, values, many, context):
        asked.append((statement, values))
        return execute(statement, values, many, context)

    with connection.execute_wrapper(keep):
        assert search_messages(parse_terms("words"), filters, 20, newest_first=newest_first).total
    with connection.cursor() as cursor:
        for statement, values in asked:
            if not statement.startswith("EXPLAIN"):
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
                assert (
                    count_looked_at(cursor.fetchone()[0][0]["Plan"]) < 50 * 1000
                )  # once for each hit and row it would be 2,000 * 1000
