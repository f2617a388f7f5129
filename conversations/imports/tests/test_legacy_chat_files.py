"""What becomes of a predecessor's chat files: turns, lines, times and sessions."""

import json
from datetime import UTC, datetime

import pytest

from conversations.imports.tests.legacy import bring, chat, counts, lines, said, state, texts, turn, write
from conversations.models import Conversation, Message
from state.report import Category

pytestmark = pytest.mark.django_db


def test_a_turn_becomes_a_question_and_an_answer(tmp_path):
    extra = turn("10:00:01", "hi", "hello", stimuli_type="analytical", context_level=3, mood="calm")
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[extra]))

    bring(tmp_path)

    user, assistant = Message.objects.all()
    assert [user.speaker, assistant.speaker] == ["user", "assistant"]
    assert [user.message, assistant.message] == ["hi", "hello"]
    assert user.timestamp == assistant.timestamp == datetime(2025, 1, 1, 9, 0, 1, tzinfo=UTC)
    assert user.timestamp_text == "2025-01-01T10:00:01"
    assert (user.stimuli_type, user.context_level, user.user_id) == ("analytical", 3, "user")
    assert user.metadata == assistant.metadata == {"mood": "calm"}


def test_what_a_conversation_file_says_of_itself_is_kept(tmp_path):
    more = {"name": "Trip", "archived": True, "state_snapshot": {"a": 1}, "last_updated": "2025-01-02"}
    write(tmp_path, "Stimuli/conversations/one.json", chat(**more))

    bring(tmp_path)

    row = Conversation.objects.get()
    assert (row.session_id, row.title, row.channel, row.archived) == ("react_1", "Trip", "react-chat", True)
    assert (row.started_text, row.source) == ("2025-01-01T10:00:00", "Stimuli/conversations/one.json")
    assert row.started == datetime(2025, 1, 1, 9, 0, tzinfo=UTC)
    assert row.metadata == {"state_snapshot": {"a": 1}, "last_updated": "2025-01-02"}


def test_an_empty_half_of_a_turn_is_left_out_and_feed_type_is_a_stimuli_type(tmp_path):
    write(tmp_path, "Feeds/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "", feed_type="realtime")]))

    bring(tmp_path)

    assert [(one.speaker, one.stimuli_type) for one in Message.objects.all()] == [("user", "realtime")]


def test_a_chat_is_known_by_its_shape_wherever_it_lies(tmp_path):
    write(tmp_path, "backup/old.json", chat())

    bring(tmp_path)

    assert said("react_1") == [("user", "hi"), ("assistant", "hello")]
    assert state() == {}


def test_what_is_no_conversation_among_conversations_fails(tmp_path):
    write(tmp_path, "Stimuli/conversations/odd.json", {"a": 1})

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == [
        "Stimuli/conversations/odd.json: not a conversation: no list `turns`; move the file elsewhere if it is state"
    ]
    assert state() == {}


def test_a_text_file_holds_several_sessions(tmp_path):
    entries = [
        ("Conversation started, Ada.", "s1"),
        ("User: one", ""),
        ("Conversation started.", "s2"),
        ("Conversation started.", "s3"),
        ("User: three", ""),
        ("Nola: answer", ""),
        ("User: late", "s1"),
        ("User ended the chat session.", ""),
    ]
    write(tmp_path, "Stimuli/log.txt", lines(*entries))

    bring(tmp_path)

    assert said("s1") == [("user", "one"), ("user", "late")]
    assert said("s2") == []
    assert said("s3") == [("user", "three"), ("assistant", "answer"), ("system", "User ended the chat session.")]
    assert list(Conversation.objects.order_by("session_id").values_list("title", "channel", "started_text")) == [
        ("Ada", "cli", "2025-01-01T10:00:00"),
        ("", "cli", "2025-01-01T10:00:02"),
        ("", "cli", "2025-01-01T10:00:03"),
    ]


def test_lines_before_any_start_and_starts_without_id_are_named_after_the_file(tmp_path):
    write(tmp_path, "Feeds/log.txt", lines(("User: early", ""), ("Conversation started.", ""), ("User: late", "")))

    bring(tmp_path)

    assert said("log") == [("user", "early")]
    assert said("log-2025-01-01T10:00:01") == [("user", "late")]


def test_one_line_with_both_speakers_is_split_once(tmp_path):
    write(tmp_path, "Stimuli/log.txt", lines(("User: a\nb\nAssistant: c\nNola: d", "s")))

    bring(tmp_path)

    assert said("s") == [("user", "a\nb"), ("assistant", "c\nNola: d")]


def test_error_answers_have_a_status_and_unknown_entries_are_the_systems(tmp_path):
    entries = [
        ("Nola: [Error generating response: no model]", "s"),
        ('Agent status requested: {"up": true}', "s"),
        ("Agent status requested: nonsense", "s"),
        ("Something else", "s"),
    ]
    write(tmp_path, "Stimuli/log.txt", lines(*entries))

    bring(tmp_path)

    assert list(Message.objects.values_list("speaker", "message", "status", "metadata")) == [
        ("assistant", "[Error generating response: no model]", "error", {}),
        ("system", 'Agent status requested: {"up": true}', "ok", {"agent_status": {"up": True}}),
        ("system", "Agent status requested: nonsense", "ok", {}),
        ("system", "Something else", "ok", {}),
    ]


def test_a_broken_line_is_named_and_the_others_are_kept(tmp_path):
    good = '{"timestamp": "2025-01-01T10:00:00", "entry": "User: hi", "convo_id": "s"}\n'
    write(tmp_path, "Stimuli/log.txt", good.encode() + b'{"entry": "caf\xe9"}\r\n\r\n{"entry": "User: tr\n[1]\n')

    report = bring(tmp_path)

    assert said("s") == [("user", "hi")]
    assert texts(report, Category.FAILED) == [
        "Stimuli/log.txt:2: column 15: not UTF-8: byte 0xe9; save the file as UTF-8",
        "Stimuli/log.txt:4: column 11, inside /entry: a string is not closed",
        "Stimuli/log.txt:5: not a line of a chat: there is no `entry` in it",
    ]


def test_a_text_that_is_no_chat_is_skipped_but_a_broken_chat_fails(tmp_path):
    write(tmp_path, "Stimuli/notes.txt", "milk\nbread")
    write(tmp_path, "Stimuli/torn.txt", '{"timestamp": "2025')

    report = bring(tmp_path)

    assert texts(report, Category.SKIPPED) == ["Stimuli/notes.txt: no line of it is an entry of a chat"]
    assert texts(report, Category.FAILED) == [
        "Stimuli/torn.txt: line 1, column 15, inside /timestamp: a string is not closed"
    ]


def test_a_missing_or_unreadable_time_is_that_of_the_message_before(tmp_path):
    turns = [turn("10:00:01", "a", ""), {"timestamp": "yesterday", "user": "b"}, {"user": "c"}, {"user": "c"}]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    report = bring(tmp_path)
    again = bring(tmp_path)

    assert said("react_1") == [("user", "a"), ("user", "b"), ("user", "c"), ("user", "c")]
    assert set(Message.objects.values_list("timestamp", flat=True)) == {datetime(2025, 1, 1, 9, 0, 1, tzinfo=UTC)}
    assert Message.objects.get(message="b").timestamp_text == "yesterday"
    assert texts(report, Category.NOTED) == [
        "Stimuli/conversations/one.json: 3 messages of react_1 without a readable time have that of the message before"
    ]
    assert counts(again)["duplicate messages"] == 4


def test_a_time_with_a_zone_keeps_its_instant(tmp_path):
    turns = [{"timestamp": "2025-07-01T12:00:00-05:00", "user": "a"}, {"timestamp": 1751389200, "user": "b"}]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    bring(tmp_path)

    assert set(Message.objects.values_list("timestamp", flat=True)) == {datetime(2025, 7, 1, 17, tzinfo=UTC)}


def test_a_time_out_of_range_or_a_nul_stops_nothing(tmp_path):
    turns = [{"timestamp": "0001-01-01T00:00:00", "user": "a\0b"}, {"timestamp": 1e300, "user": "c"}]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    report = bring(tmp_path)

    assert said("react_1") == [("user", "a␀b"), ("user", "c")]
    assert report.count(Category.FAILED) == 0


def test_turns_of_another_shape_are_kept_word_for_word(tmp_path):
    turns = [{"role": "user", "content": "hi"}, "just text", {}, {"user": {"text": "x"}}]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    report = bring(tmp_path)

    assert said("react_1") == [
        ("system", '{"role":"user","content":"hi"}'),
        ("system", "just text"),
        ("user", '{"text":"x"}'),
    ]
    assert texts(report, Category.SKIPPED) == ["Stimuli/conversations/one.json: turn 3 is empty"]


def test_correcting_a_broken_start_adds_only_what_was_held_back(tmp_path):
    entries = lines(("Conversation started.", ""), ("User: one", ""), ("Conversation started.", ""), ("User: two", ""))
    broken = entries.split("\n")
    broken[0] = broken[0][:-1]
    write(tmp_path, "Stimuli/log.txt", "\n".join(broken))
    report = bring(tmp_path)
    write(tmp_path, "Stimuli/log.txt", entries)

    bring(tmp_path)

    assert texts(report, Category.FAILED)[1] == (
        "Stimuli/log.txt:1: 1 messages after it could not be attributed, since this line may have started a"
        " conversation; correct it and import again"
    )
    assert said("log-2025-01-01T10:00:00") == [("user", "one")]
    assert said("log-2025-01-01T10:00:02") == [("user", "two")]
    assert Conversation.objects.count() == 2


def test_messages_after_a_broken_utterance_or_with_an_id_are_not_held_back(tmp_path):
    entries = lines(("Conversation started.", ""), ("User: one", ""), ("User: two", ""), ("x", "s"), ("User: 3", "s"))
    rows = entries.split("\n")
    rows[1], rows[3] = rows[1][:-2], rows[3][:-2]
    write(tmp_path, "Stimuli/log.txt", "\n".join(rows))

    report = bring(tmp_path)

    assert said("log-2025-01-01T10:00:00") == [("user", "two")]
    assert said("s") == [("user", "3")]
    assert report.count(Category.FAILED) == 2


def test_a_second_start_of_a_session_does_not_replace_its_title(tmp_path):
    entries = [
        {"entry": "Conversation started, Ada.", "convo_id": "s"},
        {"entry": "Conversation started, Bob.", "convo_id": "s"},
    ]
    write(tmp_path, "Stimuli/log.txt", "\n".join(map(json.dumps, entries)))

    bring(tmp_path)

    assert Conversation.objects.get().title == "Ada"
    assert said("s") == [("system", "Conversation started, Bob.")]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-12-31"])
def test_a_time_at_the_ends_of_the_calendar_is_kept_as_text_only(tmp_path, time):
    turns = [turn("10:00:00", "a", ""), {"timestamp": time, "user": "b"}]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns, started=time))

    report = bring(tmp_path)

    assert {one.timestamp.year for one in Message.objects.all()} == {2025}
    assert Message.objects.get(message="b").timestamp_text == Conversation.objects.get().started_text == time
    assert Conversation.objects.get().started.year == 2025
    assert report.count(Category.NOTED) == 2


def test_a_session_id_of_zero_is_one(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(0))

    bring(tmp_path)

    assert Conversation.objects.get().session_id == "0"


def test_local_paths_in_chats_are_made_relative(tmp_path):
    path = "/Users/demo/Nola/Stimuli/conversations/one.json"
    turns = [turn("10:00:00", "hi", "", source_file="/Users/demo/gone.json")]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns, state_snapshot={"source_file": path}))

    bring(tmp_path)

    assert Conversation.objects.get().metadata == {"state_snapshot": {"source_file": "Stimuli/conversations/one.json"}}
    assert Message.objects.get().metadata == {"source_file": "gone.json"}
