import json
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import delete, log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Message
from conversations.search import index
from conversations.search.tests.kept import check_index, read_index
from conversations.search.tokenize import INDEXED
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
JSON = "application/json"
pytestmark = pytest.mark.django_db


def say(*texts, session="s", **more):
    messages = [NewMessage("user", text, NOON + timedelta(minutes=n)) for n, text in enumerate(texts)]
    log.create(NewConversation(session, **more), ADA, messages)


def ask(client, q, **more):
    query = "&".join(f"{name}={quote(str(value))}" for name, value in {"q": q, **more}.items())
    return client.get(f"/api/search?{query}")


def found(client, q, **more):
    return [one["snippet"] for one in ask(client, q, **more).json()["messages"]]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("the herb garden grows", "GARDEN herb"),
        ("the herb garden grows", '"herb garden"'),
        ("the herb garden grows", "gard*"),
        ("the herb garden grows", '"herb gar"*'),
        ("Žluťoučký kůň", "zlutoucky kun"),
        ("我们在里斯本住哪里", "里斯"),
        ("我们在里斯本住哪里", "住"),
        ("東京タワーに行った", "タワー"),
        ("서울에서 만나요", "서울"),
        ("ไปเที่ยวกรุงเทพ", "กรุงเทพ"),
        ("Nola記憶 and more", "Nola記憶"),
        ("what a day 😀!", "😀"),
        ("call foo-bar(baz)", "foo-bar"),
        ("see https://example.org/a?b=1", "https://example.org/a?b=1"),
        ("die lange Straße hinab", "strasse"),
        ("die lange STRASSE hinab", "straße"),
        ("die lange Straße hinab", '"lange stras"*'),
        ("oﬃce and ﬁsh", "office fish"),
        ("ＮＯＬＡ said ｶﾞﾗｽ", "nola ガラス"),
        ("İstanbul'da ΤΈΛΟΣ", "istanbul τέλος"),
        ("서울에서 만나요", unicodedata.normalize("NFD", "서울")),
        (unicodedata.normalize("NFD", "서울에서 žluťoučký"), "서울 Žluťoučký"),
        ("120 m² of Nola™", "m2 nola"),
    ],
)
def test_words_are_found_in_every_script(agent, text, question):
    say(text, "something else altogether")

    [hit] = ask(agent, question).json()["messages"]

    assert hit["snippet"] == text
    assert hit["matches"]


@pytest.mark.parametrize(
    "question",
    ["garde", '"garden herb"', "里本", "xyzzy", "herb xyzzy", "NOT", "garden OR xyzzy", "かき", "서", "strase"],
)
def test_what_is_not_there_is_not_found(agent, question):
    say("the herb garden grows", "我们在里斯本住哪里", "かぎ", "선", "Straße")

    assert found(agent, question) == []


def test_matches_are_offsets_of_characters_in_the_snippet(agent):
    say("😀 the Garden, and again the garden; but no gardens")

    [hit] = ask(agent, "garden").json()["messages"]

    assert [hit["snippet"][start:end] for start, end in hit["matches"]] == ["Garden", "garden"]


@pytest.mark.parametrize(
    ("text", "question", "marked"),
    [
        ("ßß die Straße, GROSSE ﬁsche", "strasse große fische", ["Straße", "GROSSE", "ﬁsche"]),
        ("½ and ¾, then ½", "2", ["½", "½"]),
        ("x Ｎola™ y", "nola", ["Ｎola"]),
        ("é e\u0301 ｶﾞ", "e ガ", ["é", "e\u0301", "ｶﾞ"]),
    ],
)
def test_matches_are_offsets_in_the_text_as_it_is_stored(agent, text, question, marked):
    say(text)
    agent.put("/api/state/Text", json.dumps(text), content_type=JSON)

    body = ask(agent, question).json()

    for hit in (*body["messages"], *body["state"]):
        assert hit["snippet"] == text
        assert [text[start:end] for start, end in hit["matches"]] == marked
    assert (len(body["messages"]), len(body["state"])) == (1, 1)


SPELLINGS = [
    str.upper,
    str.lower,
    str.casefold,
    *(partial(unicodedata.normalize, f"NF{f}") for f in ("C", "D", "KC", "KD")),
]
LETTERS = [*"aäÄßẞéİσςΣøŁЖёﬁﬀ가각がガ你ÅÅｗ٢²Ⅷ", "ｶﾞ"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(LETTERS), min_size=1, max_size=6).map("".join), st.data())
def test_a_word_is_found_however_it_is_spelt(agent, word, data):
    Message.objects.all().update(deleted_revision=1)
    ways = data.draw(st.lists(st.sampled_from(SPELLINGS), max_size=3))
    text = f"one {word} two"
    log.create(NewConversation(f"s{Message.objects.count()}"), ADA, [NewMessage("user", text, NOON)])
    agent.put("/api/state/Text", json.dumps(text), content_type=JSON)
    question = reduce(lambda spelt, way: way(spelt), ways, word)

    body = ask(agent, f'"{question}"').json()

    for [hit] in (body["messages"], body["state"]):
        assert [text[start:end] for start, end in hit["matches"]] == [word]


def test_the_tree_is_filtered_by_the_same_words(owner):
    owner.put("/api/state/Wege", '{"a":["Straße",1],"ＢＩＧ":2,"c":3}', content_type=JSON)

    street, big = (owner.get(f"/admin/state/tree/find?q={q}").json() for q in ("STRASSE", "big"))

    assert [one["tree"]["part"][0][1]["part"][0][0] for one in (street, big)] == ["a", "ＢＩＧ"]


def test_the_snippet_of_a_long_message_shows_the_match_itself(agent):
    say("word " * 5000 + "needle " + "word " * 5000)

    [hit] = ask(agent, "needle").json()["messages"]

    assert len(hit["snippet"]) < 400
    assert [hit["snippet"][start:end] for start, end in hit["matches"]] == ["needle"]


def test_a_message_with_more_of_the_word_comes_first(agent):
    say("a tree stands somewhere in a long text about other things", "tree tree tree", "no such thing")

    assert found(agent, "tree")[0] == "tree tree tree"
    assert found(agent, "tree", order="newest")[0] == "tree tree tree"


def test_filters_narrow_by_session_speaker_user_channel_and_day(agent):
    say("tea in the morning", session="a", channel="cli")
    messages = [NewMessage("assistant", "tea at night", NOON + timedelta(days=2), user_id="bob")]
    log.create(NewConversation("b", channel="web"), ADA, messages)

    assert found(agent, "tea", speaker="assistant") == ["tea at night"]
    assert found(agent, "tea", user="bob") == ["tea at night"]
    assert found(agent, "tea", channel="cli") == ["tea in the morning"]
    assert found(agent, "tea", session="a") == ["tea in the morning"]
    assert found(agent, "tea", since="2025-01-03", until="2025-01-03") == ["tea at night"]
    assert found(agent, "tea", until="2025-01-02T00:00:00Z") == ["tea in the morning"]
    assert ask(agent, "tea", since="2025-13-01").status_code == 422
    assert ask(agent, "tea", since="2025-01-01T00:00:00").status_code == 422


def test_what_is_deleted_is_not_found_and_is_again_after_undo(agent):
    say("a secret word")
    say("another secret", session="t")
    delete.delete_conversations(["s"], ADA)
    delete.delete_messages("t", [Message.objects.last().pk], ADA)
    assert found(agent, "secret") == []

    agent.post("/api/undo", {"actor": "user:ada", "since": "2"}, content_type=JSON)

    assert sorted(found(agent, "secret")) == ["a secret word", "another secret"]


@pytest.mark.parametrize("pages", [1, 500])
def test_what_is_purged_is_in_no_page_of_the_index(agent, monkeypatch, pages):
    monkeypatch.setattr(index, "MERGED", pages)
    say("the word is xylophone", "我们")
    say("plain", session="t")
    for number in range(40):  # each a part of the index of its own
        log.append("t", [NewMessage("user", f"more {n} {number}", NOON) for n in range(20)], ADA)

    assert b"lophone" in read_index()

    delete.purge_conversation("s", "s", ADA)

    assert b"lophone" not in read_index()
    check_index()
    assert found(agent, "plain") == ["plain"]


def test_of_a_common_word_the_newest_are_ranked_and_it_says_so(agent, monkeypatch):
    monkeypatch.setattr("conversations.search.messages.RANKED", 10)
    say(*[f"the common word {n}" for n in range(25)])

    body = ask(agent, "common", limit=10).json()

    assert (body["found"], body["ranked"]) == (10, "the newest 10")
    assert {int(one["snippet"].split()[-1]) for one in body["messages"]} == set(range(15, 25))


def test_pages_of_hits_hold_each_once(agent):
    say(*[f"word {n}" for n in range(25)])
    seen, path = [], "/api/search?q=word&limit=10"
    while path:
        response = agent.get(path)
        seen += [one["id"] for one in response.json()["messages"]]
        path = response.headers.get("Link", "").partition(">")[0].removeprefix("<")

    assert len(seen) == len(set(seen)) == 25


def test_leaves_of_the_state_are_found_by_value_and_name(agent):
    document = {"theme": {"accent": "violet"}, "notes": ["Buy herbs", "Café au lait"], "n": 42, "空": "東京に行く"}
    agent.put("/api/state/Preferences", json.dumps(document), content_type=JSON)

    def leaves(q):
        return [(one["key"], one["pointer"]) for one in ask(agent, q, **{"in": "state"}).json()["state"]]

    assert leaves("violet") == [("Preferences", "/theme/accent")]
    assert leaves("theme violet") == [("Preferences", "/theme/accent")]
    assert leaves("accent") == [("Preferences", "/theme/accent")]
    assert leaves("cafe") == [("Preferences", "/notes/1")]
    assert leaves("42") == [("Preferences", "/n")]
    assert leaves("東京") == [("Preferences", "/空")]
    assert leaves("herb*") == [("Preferences", "/notes/0")]
    assert leaves("preferences") == [("Preferences", "")]
    assert leaves("none") == []
    assert leaves("preferences notes") == [("Preferences", "/notes")]
    assert ask(agent, "violet").json()["state"][0] == {
        "key": "Preferences",
        "pointer": "/theme/accent",
        "snippet": "violet",
        "matches": [[0, 6]],
    }


def test_a_key_that_is_a_mere_text_is_found(agent):
    agent.put("/api/state/Motto", '"carpe diem"', content_type=JSON)

    [leaf] = ask(agent, "diem").json()["state"]
    assert (leaf["key"], leaf["pointer"]) == ("Motto", "")


@pytest.mark.parametrize("question", ["", " ", "!!!", '"', "*", "\0", "x" * 1001, " ".join("x" * 33)])
def test_a_question_that_asks_nothing_or_too_much_is_said(agent, question):
    response = ask(agent, question)

    assert response.status_code == 422
    assert response.json()["detail"].startswith("the search ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(alphabet=st.sampled_from("ab\"*()-^:{}+&|\\'%_ \n\0ÄäёЖ你好😀,.NEAROT"), max_size=30))
def test_any_text_is_a_safe_question(agent, question):
    response = ask(agent, question)

    assert response.status_code in (200, 422)


def test_only_the_beginning_of_a_huge_message_is_indexed(agent):
    say("start " + "x" * INDEXED + " finish")

    assert len(found(agent, "start")) == 1
    assert found(agent, "finish") == []


def test_messages_from_before_the_index_are_added_to_it(agent):
    say("an old message", "another old one")
    removed = [(one.pk, one.message, one.metadata) for one in Message.objects.all()]
    index.remove(removed)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {index.TABLE}")

    index.ensure()

    assert len(found(agent, "old")) == 2


@pytest.mark.sqlite  # elsewhere there has never been another
@pytest.mark.django_db(transaction=True)
def test_an_index_of_words_as_they_were_spelt_is_made_anew(agent):
    say("die Straße")
    call_command("migrate", "conversations", "0003", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {index.TABLE} ({index.TABLE}) VALUES ('delete-all')")
        cursor.execute(f"INSERT INTO {index.TABLE} (rowid, text) SELECT id, message FROM conversation_history")
    assert found(agent, "strasse") == []

    call_command("migrate", verbosity=0)

    assert found(agent, "strasse") == ["die Straße"]
    delete.purge_conversation("s", "s", ADA)
    check_index()
    assert found(agent, "strasse") == []


def test_a_search_costs_a_fixed_number_of_queries(agent, django_assert_max_num_queries):
    say(*["word"] * 100)
    ask(agent, "a first use of the key is noted")

    with django_assert_max_num_queries(8):
        ask(agent, "word", limit=100)


def test_what_stands_beside_a_message_is_found_and_followed_when_it_changes(agent):
    call = {"type": "tool_use", "name": "lookup", "input": {"word": "heron"}}
    paste = {"name": "birds.txt", "text": "bitterns in the reeds"}
    message = NewMessage("user", "look", NOON, metadata={"parts": [call], "pastes": [paste]})
    log.create(NewConversation("s"), ADA, [message])
    pk = Message.objects.get().pk
    words = ["heron", "lookup", "bitterns", "birds"]
    assert [len(found(agent, word)) for word in words] == [1, 1, 1, 1]
    assert "bitterns" in found(agent, "look bitterns")[0]

    path = f"/api/conversations/s/messages/{pk}"
    revision = agent.patch(path, {"metadata": {"pastes": None}}, content_type=JSON)
    assert [len(found(agent, word)) for word in words] == [1, 1, 0, 0]
    agent.post("/api/undo", {"revision": int(revision["Nola-Revision"])}, content_type=JSON)
    assert [len(found(agent, word)) for word in words] == [1, 1, 1, 1]

    delete.purge_conversation("s", "s", ADA)
    check_index()
    assert [found(agent, word) for word in words] == [[], [], [], []]
