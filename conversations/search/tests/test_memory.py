"""The one function that searches all of the memory: what it finds, in which order, and what it costs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from access.rights import Grant, Right
from conversations import log
from conversations.drafts import NewConversation, NewMessage
from conversations.search.keys import search_keys
from conversations.search.memory import PARTS, search_memory, tell_searched
from conversations.search.names import mark_parts, rank_names
from conversations.search.state_leaves import search_values
from conversations.search.titles import search_titles
from conversations.search.tokenize import parse_typed
from state import store
from state.jsondoc.text import make_document
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
ALL = Grant("Ada", "People", frozenset(Right))
MARK = "s3cr3t"


def put(documents):
    store.put_keys({key: make_document(value) for key, value in documents.items()}, ADA)


def say(session, *texts, title="", user_id="user", hours=0):
    messages = [
        NewMessage("user", text, NOON + timedelta(hours=hours, minutes=n), user_id=user_id)
        for n, text in enumerate(texts)
    ]
    return log.create(NewConversation(session, title=title, started=NOON + timedelta(hours=hours)), ADA, messages)


def keys(question, **more):
    return ["/".join(hit.tokens) for hit in search_keys(question, 50, **more)[0]]


def values(question, seconds=9.0):
    found = search_values(parse_typed(question), 50, seconds)
    return [leaf.key + leaf.pointer for leaf in found.leaves]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("mood", ["Mood", "Moods", "my mood", "old_mood", "Bad moods", "amoodx"]),
        ("  MOOD ", ["Mood", "Moods", "my mood", "old_mood", "Bad moods", "amoodx"]),
        ("mood my", ["my mood"]),
        ("moods", ["Moods", "Bad moods"]),
        ("strasse", ["Straße"]),
        ("", []),
        ("nowhere", []),
    ],
)
def test_names_are_ranked_as_one_expects(question, found):
    names = ["amoodx", "Bad moods", "old_mood", "my mood", "Moods", "Straße", "Mood"]

    assert rank_names(names, question) == found


@pytest.mark.parametrize(
    ("name", "question", "marked"),
    [
        ("Mood and mood", "mood", ["Mood", "mood"]),
        ("Straße 5", "strasse", ["Straße"]),
        ("ﬁsh", "f", ["ﬁ"]),
        ("abab", "ab ba", ["abab"]),
        ("Žluťoučký", "zlut", ["Žluť"]),
        ("é", "e", ["é"]),
        ("none", "x", []),
    ],
)
def test_the_parts_are_marked_as_they_are_spelt(name, question, marked):
    text, matches = mark_parts(name, question)

    assert [text[start:end] for start, end in matches] == marked


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("/Profile/na", ["Profile/nap", "Profile/name", "Profile/a na"]),
        ("profile/NA", ["Profile/nap", "Profile/name", "Profile/a na"]),
        ("/profile/Name", ["Profile/name"]),
        ("/Profile/list/0/", ["Profile/list/0/x"]),
        ("/Profile/list/", ["Profile/list/0", "Profile/list/1"]),
        ("/Profile/a~1b/", ["Profile/a/b/c"]),
        ("/Pro", ["Profile"]),
        ("slash/key", ["slash/key"]),
        ("/Profile/name/deeper", []),
        ("/Nothing/x", []),
        ("/Profile/~2", []),
    ],
)
def test_a_pointer_is_followed_while_it_is_typed(question, found):
    profile = {"nap": 1, "name": "Ada", "a na": 2, "list": [{"x": 1}, 2], "a/b": {"c": 1}}
    put({"Profile": profile, "slash/key": 1})

    assert keys(question) == found


def test_a_key_is_found_by_its_name_and_a_value_by_its_words():
    put(
        {
            "Garden": {"rose": "red"},
            "Plan": {"garden": {"beds": 4}, "note": "the garden"},
            "garden": "Garden",
            "Tea": "x",
        }
    )

    assert keys("garden") == ["garden", "Garden"]
    assert values("garden") == ["Plan/garden", "Plan/note", "garden"]
    assert values("garden red") == ["Garden/rose"]


@pytest.mark.parametrize("question", ["m", "mo", "mood", "calm mood"])
def test_of_many_keys_of_that_name_the_values_are_still_found(question):
    put({f"Mood{n}": {"a": n} for n in range(60)} | {"Zoo": "a calm mood"})

    assert values(question) == ["Zoo"]


def test_conversations_are_found_by_title_session_and_first_words():
    say("s1", "about tomatoes", "and beans", title="Garden")
    say("s2", "the garden again", hours=1)
    say("garden-3", "hello", hours=2)
    say("s4", "hello garden", title="Work", hours=3)
    say("s5", "hello", "garden", hours=4)
    log.change_all(["s4"], {"archived": True}, ADA)

    hits = search_titles("garden", 9)[0]

    assert [hit.conversation.session_id for hit in hits] == ["s1", "s2", "s4", "garden-3"]
    assert [(hit.name.text, hit.opening.text) for hit in hits] == [
        ("Garden", "about tomatoes"),
        ("the garden again", ""),
        ("Work", "hello garden"),
        ("hello", ""),
    ]
    assert [hit.conversation.session_id for hit in search_titles("garden", 1, skip=1)[0]] == ["s2"]
    assert [search_titles("garden", n)[1] for n in (3, 4)] == [True, False]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("gard", ["gardens", "garden", "gard"]),
        ("garden", ["gardens", "garden"]),
        ("ga", []),
        ("ga*", ["gardens", "garden", "gard"]),
        ("里", ["里斯本"]),
        ('"the garden"', []),
    ],
)
def test_a_word_that_is_typed_may_go_on_from_its_third_letter(question, found):
    say("s", "gard", "garden", "gardens", "里斯本")

    hits = search_memory(question, ALL, 9, newest_first=True).messages.hits

    assert [hit.message.message for hit in hits] == found


def test_whole_words_come_before_those_that_go_on():
    say("s", *["garden"] * 3, *["gardens"] * 9)

    hits = search_memory("garden", ALL, 2).messages.hits

    assert [hit.message.message for hit in hits] == ["garden", "garden"]


def test_only_the_parts_that_are_asked_for_and_may_be_read_are_searched():
    put({"word": "word"})
    say("s", "a word", title="word")
    rights = {"state": frozenset({Right.READ_STATE}), "talk": frozenset({Right.READ_CONVERSATIONS})}

    for part in PARTS:
        hits = search_memory("word", ALL, 5, parts=[part])
        found = {"keys": hits.keys, "values": hits.values, "conversations": hits.conversations}
        assert {name for name, some in (found | {"messages": hits.messages.hits}).items() if some} <= {part}
    state, talk = (search_memory("word", replace(ALL, rights=some), 5) for some in rights.values())
    assert (len(state.keys), state.conversations, state.messages.hits) == (1, [], [])
    assert (talk.keys, talk.values, len(talk.conversations), len(talk.messages.hits)) == ([], [], 1, 1)
    assert search_memory("word", replace(ALL, rights=frozenset()), 5).is_empty


@pytest.mark.parametrize(
    "question", ["s", MARK, f"/{MARK}", "/Mixed/", f"/Mixed/{MARK[:2]}", f"/{MARK}Key/", "word", "e"]
)
def test_of_what_is_limited_nothing_of_the_rest_is_told(question):
    put({f"{MARK}Key": {"word": MARK}, "Mixed": {"seen": "word", MARK: f"word {MARK}"}, "Bare": {MARK: 1}})
    say("mine", "a word", title="mine", user_id="bob")
    say(MARK, f"a word {MARK}", title=f"word {MARK}", user_id="eve")
    grant = replace(ALL, places=("/Mixed/seen", "/Bare/none"), user_id="bob")

    hits = search_memory(question, grant, 9)

    assert MARK not in repr((hits.keys, hits.values, hits.conversations, hits.messages))
    assert hits.more == set()
    assert not any(letter.isdigit() for letter in tell_searched(grant, hits))


def test_of_what_is_limited_the_rest_is_found():
    put({"Mixed": {"seen": "word", MARK: 1}})
    say("mine", "a word", title="my word", user_id="bob")
    grant = replace(ALL, places=("/Mixed/seen",), user_id="bob")

    hits = search_memory("word", grant, 9)

    assert [leaf.pointer for leaf in hits.values] == ["/seen"]
    assert [hit.glimpse for hit in search_memory("mixed", grant, 9).keys] == ['{"seen":"word"}']
    assert ["/".join(hit.tokens) for hit in search_memory("/mixed/", grant, 9).keys] == ["Mixed/seen"]
    assert (len(hits.conversations), len(hits.messages.hits)) == (1, 1)


def test_where_time_is_up_it_says_how_far_it_came():
    put({f"K{n}": "a word" for n in range(30)})

    hits = search_memory("word", ALL, 50, seconds=0)

    assert (hits.values, hits.looked_through) == ([], 0)
    assert "30 keys and the values of the first 0," in tell_searched(ALL, hits)
    assert search_memory("word", ALL, 50).looked_through is None


def test_what_is_said_often_is_looked_for_once():
    assert len(parse_typed("the " * 30 + "end")) == 2
