"""Which chats are one conversation, across files and with what is in Nola."""

import itertools
from datetime import UTC, datetime

import pytest

from conversations import log
from conversations.imports.tests.legacy import bring, chat, counts, lines, said, texts, turn, write
from conversations.models import Conversation, Message
from state.report import Category
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db


def test_the_same_chat_in_two_folders_is_one_and_reported_as_duplicate(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    write(tmp_path, "stimuli/conversations/one.json", chat())

    report = bring(tmp_path)

    assert said("react_1") == [("user", "hi"), ("assistant", "hello")]
    assert texts(report, Category.DUPLICATE) == [
        "stimuli/conversations/one.json: 2 messages of react_1 are in Stimuli/conversations/one.json too",
        "stimuli/conversations/one.json: react_1 is in Stimuli/conversations/one.json too",
    ]


def test_colliding_session_ids_are_kept_apart_on_every_run(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    other = chat(started="2025-01-01T10:00:00.5", turns=[turn("11:00:00", "other", "talk")])
    write(tmp_path, "stimuli/conversations/one.json", other)

    first, second = bring(tmp_path), bring(tmp_path)

    assert said("react_1") == [("user", "hi"), ("assistant", "hello")]
    assert said("react_1~2") == [("user", "other"), ("assistant", "talk")]
    assert Conversation.objects.count() == 2
    assert texts(first, Category.CONFLICTING) == texts(second, Category.CONFLICTING)
    assert texts(first, Category.CONFLICTING) == [
        "stimuli/conversations/one.json: another conversation react_1 than in Stimuli/conversations/one.json;"
        " kept apart as react_1~2"
    ]


def test_a_session_that_is_really_called_like_a_numbered_one_keeps_its_name(tmp_path):
    write(tmp_path, "Stimuli/conversations/a.json", chat(turns=[turn("10:00:00", "one", "")]))
    write(tmp_path, "Stimuli/conversations/b.json", chat(started="2025-03-03", turns=[turn("11:00:00", "two", "")]))
    write(tmp_path, "Stimuli/conversations/c.json", chat("react_1~2", [turn("12:00:00", "three", "")]))

    bring(tmp_path)
    bring(tmp_path)

    assert said("react_1") == [("user", "one")]
    assert said("react_1~2") == [("user", "three")]
    assert said("react_1~3") == [("user", "two")]
    assert Conversation.objects.count() == 3


def test_two_versions_of_one_utterance_are_both_kept_and_reported(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    write(tmp_path, "stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "good day")]))

    report = bring(tmp_path)

    assert said("react_1") == [("user", "hi"), ("assistant", "hello"), ("assistant", "good day")]
    assert texts(report, Category.CONFLICTING) == [
        "stimuli/conversations/one.json: 1 messages of react_1 read otherwise in Stimuli/conversations/one.json;"
        " both are kept"
    ]


def test_the_same_turn_in_two_files_is_compared(tmp_path):
    write(tmp_path, "Stimuli/conversations/a.json", chat(turns=[turn("10:00:00", "hi", "", mood="calm")]))
    write(tmp_path, "Stimuli/conversations/b.json", chat(turns=[turn("10:00:00", "hi", "", mood="wild", place="Rome")]))

    report = bring(tmp_path)

    assert Message.objects.get().metadata == {"mood": "calm", "place": "Rome"}
    assert texts(report, Category.CONFLICTING) == [
        "Stimuli/conversations/b.json: metadata.mood of 1 messages of react_1: kept as in Stimuli/conversations/a.json"
    ]


def test_two_turns_of_one_second_that_differ_are_both_kept(tmp_path):
    turns = [
        turn("10:00:00", "hi", "hello"),
        turn("10:00:00", "hi", "good day"),
        turn("10:00:00", "yes", "", mood="calm"),
        turn("10:00:00", "yes", "", mood="wild"),
        turn("10:00:00", "yes", "", mood="wild"),
    ]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    first, second = bring(tmp_path), bring(tmp_path)

    assert said("react_1") == [
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "hi"),
        ("assistant", "good day"),
        ("user", "yes"),
        ("user", "yes"),
    ]
    assert counts(first)["duplicate messages"] == 1
    assert second.revisions == 0


def test_messages_that_another_door_has_written_are_known_by_what_they_say(tmp_path):
    noon = datetime(2025, 1, 1, 9, tzinfo=UTC)
    new = [log.NewMessage("user", "hi", noon, "2025-01-01T10:00:00", client_id="7")]
    log.create(log.NewConversation("react_1"), Author("key:bot", Source.API), new)
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "")]))

    bring(tmp_path)

    assert said("react_1") == [("user", "hi")]


def test_a_log_that_lost_its_beginning_adds_nothing(tmp_path):
    entries = lines(("Conversation started.", ""), ("User: one", ""), ("Conversation started.", ""), ("User: two", ""))
    write(tmp_path, "Stimuli/log.txt", entries)
    bring(tmp_path)
    write(tmp_path, "Stimuli/log.txt", "\n".join(entries.split("\n")[2:]))

    assert bring(tmp_path).revisions == 0


@pytest.mark.parametrize("order", list(itertools.permutations("abcd")))
def test_colliding_chats_are_told_apart_whatever_the_order_of_the_files(tmp_path, order):
    chats = {
        "a": chat(turns=[turn("10:00:00", "one", "")], started="2025-01-01"),
        "b": chat(turns=[turn("11:00:00", "two", "")], started="2025-02-02"),
        "c": chat(turns=[turn("11:00:00", "two", ""), turn("11:00:01", "more", "")], started=None),
        "d": chat(turns=[turn("12:00:00", "three", "")], started="2025-02-02"),
    }
    for number, name in enumerate(order):
        write(tmp_path, f"Stimuli/conversations/{number}.json", chats[name])

    bring(tmp_path)
    again = bring(tmp_path)

    found = sorted([text for _, text in said(one.session_id)] for one in Conversation.objects.all())
    assert found == [["one"], ["two", "more", "three"]]
    assert again.revisions == 0


def test_a_chat_without_a_start_that_could_belong_to_two_is_kept_apart(tmp_path):
    write(tmp_path, "Stimuli/conversations/a.json", chat(turns=[turn("10:00:00", "one", "")], started="2025-01-01"))
    write(tmp_path, "Stimuli/conversations/b.json", chat(turns=[turn("11:00:00", "two", "")], started="2025-02-02"))
    write(tmp_path, "Stimuli/conversations/c.json", chat(turns=[{"user": "three"}], started=None))

    bring(tmp_path)
    again = bring(tmp_path)

    assert [said(name) for name in ("react_1", "react_1~2", "react_1~3")] == [
        [("user", "one")],
        [("user", "two")],
        [("user", "three")],
    ]
    assert again.revisions == 0


def test_two_conversations_that_are_apart_in_nola_stay_apart(tmp_path):
    one, two = turn("10:00:00", "one", ""), turn("11:00:00", "two", "")
    write(tmp_path, "Stimuli/conversations/a.json", chat(turns=[one], started="2025-01-01"))
    write(tmp_path, "Stimuli/conversations/b.json", chat(turns=[two], started="2025-02-02"))
    bring(tmp_path)
    write(tmp_path, "Stimuli/conversations/c.json", chat(turns=[one, two, turn("12:00:00", "three", "")], started=None))

    bring(tmp_path)
    again = bring(tmp_path)

    assert [text for _, text in said("react_1~2")] == ["two"]
    assert again.revisions == 0
