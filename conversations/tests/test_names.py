"""What conversations are called."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import delete, log
from conversations.drafts import NewConversation, NewMessage
from conversations.names import (
    MOST,
    clean,
    name_by_words,
    name_conversation,
    name_conversations,
    name_sessions,
    shorten,
    strip_marks,
)
from state.revisions import Author, Source

AGENT = Author("key:agent", Source.API)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def begin(session_id, *said, **fields):
    """A conversation of which each message is a pair of who says what, or has its metadata too."""
    messages = [NewMessage(who, text, START, metadata=dict(*more)) for who, text, *more in said]
    return log.create(NewConversation(session_id, **fields), AGENT, messages)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ([("assistant", "Hello!"), ("user", "Plan my week")], "Plan my week"),
        ([("system", "You are kind"), ("assistant", "Good morning")], "Good morning"),
        ([("system", "You are kind")], "You are kind"),
        ([("user", " \n "), ("user", "there")], "there"),
        ([("user", "my profile", {"hidden": "profile"}), ("user", "and now")], "and now"),
        ([("assistant", f"{n}") for n in range(20)] + [("user", "late")], "0"),
    ],
)
@pytest.mark.django_db
def test_the_first_words_of_the_user_stand_for_a_title(said, name):
    assert name_conversation(begin("s", *said)) == name


@pytest.mark.parametrize(("title", "name"), [("The trip", "The trip"), ("a\n  b", "a b"), (" \u200b\u3164 ", "said")])
@pytest.mark.django_db
def test_a_title_that_can_be_seen_is_the_name(title, name):
    assert name_conversation(begin("s", ("user", "said"), title=title)) == name


@pytest.mark.django_db
def test_where_nothing_was_said_the_day_is_the_name(settings):
    assert name_conversation(begin("s", started=START)) == "1 March 2026, 13:00"
    assert name_conversation(begin("t", ("user", "\u200b\n---\n"), started=START)) == "1 March 2026, 13:00"
    assert name_conversation(begin("u")) == "u"


@pytest.mark.django_db
def test_what_was_deleted_gives_no_name():
    row = begin("s", ("user", "a secret"), ("user", "the rest"))
    delete.delete_messages("s", [row.messages.get(message="a secret").pk], AGENT)
    assert name_conversation(row) == "the rest"

    delete.delete_conversations(["s"], AGENT)
    assert name_sessions(["s", "t"]) == {}


@pytest.mark.django_db
def test_many_are_named_by_one_query(django_assert_num_queries):
    rows = [begin(f"s{n}", ("user", f"words {n}"), title="T" * (n % 2)) for n in range(30)]

    with django_assert_num_queries(1):
        names = name_conversations(rows)

    assert [names[row.pk] for row in rows] == [("T" if n % 2 else f"words {n}") for n in range(30)]


@pytest.mark.django_db
def test_a_name_costs_the_same_in_a_long_conversation(count_steps):
    short = begin("short", *[("assistant", "a")] * 30)
    long = begin("long", *[("assistant", "a")] * 800)

    assert count_steps(lambda: name_conversation(short)) == count_steps(lambda: name_conversation(long)) > 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# Title\n\nand text", "Title and text"),
        ("**Bold** and *slanted* and `code`", "Bold and slanted and code"),
        ("__init__ of a_long_name * 2 * 3", "init of a_long_name * 2 * 3"),
        ("> quoted\n- item\n* * *\n1. one", "quoted item 1. one"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("see [the page](https://example.org/a_b) ![and a picture](x.png)", "see the page and a picture"),
        ("a\u202eb\u0000c\td", "ab c d"),
        ("👩\u200d💻 codes", "👩\u200d💻 codes"),
        ("a < b, c[0] and 2**8 or __x__", "a < b, c[0] and 2**8 or x"),
        ("\u200d", ""),
    ],
)
def test_marks_and_what_cannot_be_seen_are_left_out(text, line):
    assert clean(strip_marks(text)) == line


def test_a_long_line_is_cut_at_a_word():
    assert shorten("w" * MOST) == "w" * MOST
    assert shorten("word " * 11 + "words and more") == "word " * 11 + "words…"
    assert shorten("a, " * 40) == f"{'a, ' * 19}a…"
    assert shorten("w" * 200) == f"{'w' * MOST}…"


@given(st.text(max_size=300))
def test_whatever_was_said_gives_one_short_line(text):
    line = name_by_words(text)

    assert len(line) <= MOST + 1
    assert line == " ".join(line.split())
