import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from conversations import importing, log
from conversations.models import Conversation, Message
from state import jsontext, revisions, store
from state.edits import Address
from state.models import Change, Revision, StateEntry
from state.report import Category, Unit
from state.revisions import Author, Source

SAMPLE = settings.BASE_DIR.parent / "shared" / "legacy-nola"
PERSON = Author("user:ada", Source.ADMIN)

pytestmark = pytest.mark.django_db
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the sample folder {SAMPLE} is not here")


def write(folder: Path, name: str, content) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def chat(session_id="react_1", turns=None, **more):
    turns = turns if turns is not None else [turn("10:00:00", "hi", "hello")]
    return {"session_id": session_id, "channel": "react-chat", "started": "2025-01-01T10:00:00", "turns": turns, **more}


def turn(time, user, assistant, **more):
    return {"timestamp": f"2025-01-01T{time}", "user": user, "assistant": assistant, **more}


def lines(*entries):
    return "\n".join(
        json.dumps({"timestamp": f"2025-01-01T10:00:{number:02}", "entry": entry, **({"convo_id": one} if one else {})})
        for number, (entry, one) in enumerate(entries)
    )


def bring(folder, **options):
    return importing.bring_folder(folder, "cli:test", **options)


def counts(report):
    return {f"{one} {unit}": report.count(one, unit) for one in Category for unit in Unit if report.count(one, unit)}


def texts(report, category):
    return [f"{one.file}: {one.text}" for one in report.of(category)]


def state():
    return {entry.key_name: entry.value_json for entry in StateEntry.objects.all()}


def said(session_id):
    messages = Message.objects.filter(conversation__session_id=session_id, deleted_revision=None)
    return [(one.speaker, one.message) for one in messages]


def run(folder, *args):
    out = StringIO()
    call_command("importlegacy", str(folder), *args, stdout=out)
    return out.getvalue()


# State


def test_a_plain_folder_of_json_files_becomes_one_key_per_file(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    write(tmp_path, "deeper/beta.JSON", [1, 2])

    bring(tmp_path)

    assert state() == {"alpha": {"a": 1}, "beta": [1, 2]}


def test_all_state_of_an_import_is_one_revision_with_batch_and_folder(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "beta.json", 2)

    report = bring(tmp_path)

    revision = Revision.objects.get()
    assert (revision.actor, revision.source) == ("cli:test", "import")
    assert revision.info == {"batch": report.batch, "folder": tmp_path.name}
    assert revision.changes.count() == 2


def test_a_second_run_makes_no_revision(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    before = store.head()

    report = bring(tmp_path)

    assert store.head() == before
    assert counts(report) == {
        "read files": 2,
        "read state keys": 1,
        "read conversations": 1,
        "read messages": 2,
        "duplicate state keys": 1,
        "duplicate conversations": 1,
        "duplicate messages": 2,
    }


def test_a_file_that_changed_updates_what_an_import_wrote(tmp_path):
    file = write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    file.write_text('{"a": 2}')

    report = bring(tmp_path)

    assert state() == {"alpha": {"a": 2}}
    assert report.count(Category.UPDATED, Unit.KEYS) == 1


def test_a_seed_gives_way_to_the_import(tmp_path):
    store.put(Address("alpha"), jsontext.load("1"), Author("system:seed", Source.SEED))
    write(tmp_path, "alpha.json", 2)

    bring(tmp_path)

    assert state() == {"alpha": 2}


def test_a_key_edited_since_is_kept_and_listed(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    store.put(Address("alpha", ("a",)), jsontext.load("9"), PERSON)

    report = bring(tmp_path)

    assert state() == {"alpha": {"a": 9}}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was changed in Nola by user:ada (revision 2) and stays so; --replace overrides"
    ]


def test_a_key_deleted_since_stays_deleted(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    store.remove(Address("alpha"), PERSON)

    report = bring(tmp_path)

    assert state() == {}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was deleted in Nola by user:ada (revision 2) and stays so; --replace overrides"
    ]


def test_a_key_that_somebody_edited_to_what_the_file_says_is_no_conflict(tmp_path):
    store.put(Address("alpha"), jsontext.load("1"), PERSON)
    write(tmp_path, "alpha.json", 1)

    report = bring(tmp_path)

    assert report.count(Category.CONFLICTING) == 0
    assert report.count(Category.DUPLICATE, Unit.KEYS) == 1


def test_replace_lets_the_files_win_over_edits_and_deletions(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "beta.json", 2)
    bring(tmp_path)
    store.put(Address("alpha"), jsontext.load("9"), PERSON)
    store.remove(Address("beta"), PERSON)

    report = bring(tmp_path, replace=True)

    assert state() == {"alpha": 1, "beta": 2}
    assert counts(report)["updated state keys"] == counts(report)["added state keys"] == 1


def test_a_dry_run_writes_nothing_and_reports_the_same(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "broken.json", "{")
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    write(tmp_path, "Feeds/conversations/one.json", chat(started="2025-02-02T10:00:00", turns=[]))
    write(tmp_path, "Feeds/log.txt", lines(("Conversation started.", ""), ("User: a\nAssistant: b", "")))

    dry = bring(tmp_path, dry_run=True)

    assert (Revision.objects.count(), Conversation.objects.count(), StateEntry.objects.count()) == (0, 0, 0)
    assert dry.findings == bring(tmp_path).findings


def test_the_check_for_edits_takes_as_many_queries_for_thirty_keys_as_for_three(
    tmp_path, django_assert_max_num_queries
):
    for number in range(30):
        write(tmp_path, f"key{number}.json", number)

    with django_assert_max_num_queries(30 + 3):  # the store reads each key
        bring(tmp_path, dry_run=True)


# What cannot be read


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": "caf\xe9"}', "line 1, column 11: not UTF-8: byte 0xe9; save the file as UTF-8"),
        ('{"a": 1,\n "b": NaN}', "line 2, column 7, inside /b: NaN is not JSON; send null or a string"),
        ('{"a": 1, "a": 2}', 'line 1, column 10, inside /a: the name "a" stands twice in one object'),
        ('{"a": [1, 2', "line 1, column 12, inside /a/1: a comma or the closing bracket is missing"),
        ("", "line 1, column 1: a value is missing or not JSON"),
        ("\ufeff1".encode("utf-16-le"), "is UTF-16, not UTF-8; save it as UTF-8 and import again"),
    ],
)
def test_a_bad_file_is_named_with_its_place_and_the_rest_is_brought_over(tmp_path, content, problem):
    write(tmp_path, "deep/bad.json", content)
    write(tmp_path, "good.json", 1)

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == [f"deep/bad.json: {problem}"]
    assert state() == {"good": 1}


def test_a_byte_order_mark_is_accepted(tmp_path):
    write(tmp_path, "alpha.json", b'\xef\xbb\xbf{"a": 1}')

    bring(tmp_path)

    assert state() == {"alpha": {"a": 1}}


def test_a_file_over_the_limit_fails_and_says_which_setting_lets_it_in(tmp_path, settings):
    settings.NOLA_MAX_BODY_MB = 1
    write(tmp_path, "big.json", json.dumps("x" * 1024 * 1024))

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == [
        "big.json: 1,048,578 bytes, over the limit; set NOLA_MAX_BODY_MB=2 and import again"
    ]


def test_files_of_tools_and_hidden_ones_are_skipped_with_a_reason(tmp_path):
    write(tmp_path, "package.json", {})
    write(tmp_path, "tsconfig.app.json", "// not JSON")
    write(tmp_path, "node_modules/a.json", {})
    write(tmp_path, ".git/a.json", {})
    write(tmp_path, "._user.json", b"\x00\x05")
    write(tmp_path, "notes.txt", "milk")
    write(tmp_path, "main.py", "")

    report = bring(tmp_path)

    assert texts(report, Category.SKIPPED) == [
        ".git/: a hidden folder",
        "node_modules/: a folder of a tool",
        "._user.json: a hidden file",
        "package.json: the configuration of a tool",
        "tsconfig.app.json: the configuration of a tool",
        "notes.txt: a text file outside of Stimuli and Feeds",
    ]
    assert texts(report, Category.NOTED) == ["other files: 1 not read (.py)"]
    assert report.count(Category.READ) == 0
    assert state() == {}


def test_a_linked_folder_is_not_followed(tmp_path):
    write(tmp_path, "a/alpha.json", 1)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)

    report = bring(tmp_path)

    assert texts(report, Category.SKIPPED) == ["a/loop/: a link to another folder"]
    assert state() == {"alpha": 1}


def test_a_file_name_that_cannot_be_a_key_fails_and_the_rest_goes_on(tmp_path):
    (tmp_path / "caf\udce9.json").write_text("1")
    write(tmp_path, "alpha.json", 1)

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == ["caf\\xe9.json: a key must be valid Unicode; rename the file"]
    assert state() == {"alpha": 1}


# Conversations


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


def test_chats_of_all_spellings_of_the_folder_come_together(tmp_path):
    for number, folder in enumerate(["Stimuli", "stimuli", "Nola/Stimuli", "Nola/Nola/Stimuli", "Nola /Stimuli"]):
        write(tmp_path, f"{folder}/conversations/one.json", chat(turns=[turn(f"10:00:0{number}", str(number), "")]))

    bring(tmp_path)

    assert said("react_1") == [("user", "0"), ("user", "1"), ("user", "2"), ("user", "3"), ("user", "4")]


def test_a_chat_is_known_by_its_shape_wherever_it_lies(tmp_path):
    write(tmp_path, "backup/old.json", chat())

    bring(tmp_path)

    assert said("react_1") == [("user", "hi"), ("assistant", "hello")]
    assert state() == {}


def test_a_folder_of_conversations_can_be_imported_by_itself(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", {"turns": [turn("10:00:00", "hi", "hello")]})

    bring(tmp_path / "Stimuli" / "conversations")

    assert said("one") == [("user", "hi"), ("assistant", "hello")]


def test_what_is_no_conversation_among_conversations_fails(tmp_path):
    write(tmp_path, "Stimuli/conversations/odd.json", {"a": 1})

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == [
        "Stimuli/conversations/odd.json: not a conversation: no list `turns`; move the file elsewhere if it is state"
    ]
    assert state() == {}


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


def test_a_chat_that_has_grown_gets_only_its_new_messages(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    write(
        tmp_path,
        "Stimuli/conversations/one.json",
        chat(turns=[turn("10:00:00", "hi", "hello"), turn("10:01", "a", "b")]),
    )

    report = bring(tmp_path)

    assert said("react_1") == [("user", "hi"), ("assistant", "hello"), ("user", "a"), ("assistant", "b")]
    assert counts(report)["updated conversations"] == 1
    assert (counts(report)["added messages"], counts(report)["duplicate messages"]) == (2, 2)


def test_a_title_that_a_person_has_changed_stays(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip"))
    bring(tmp_path)
    log.change("react_1", {"title": "Journey"}, PERSON)

    report = bring(tmp_path)

    assert Conversation.objects.get().title == "Journey"
    assert texts(report, Category.CONFLICTING) == [
        "Stimuli/conversations/one.json: title of react_1: kept as user:ada has it (revision 2); --replace overrides"
    ]


def test_a_title_that_came_into_the_file_later_is_taken_over(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip"))

    bring(tmp_path)

    assert Conversation.objects.get().title == "Trip"
    change = Change.objects.get(revision=2)
    assert (change.kind, change.key) == ("conversation", "react_1")
    assert (change.forward, change.inverse) == ({"set": {"title": "Trip"}}, {"set": {"title": ""}})


def test_a_deleted_message_stays_deleted_unless_replaced(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    with revisions.revision(PERSON) as recorder:
        gone = Message.objects.get(speaker="user")
        Message.objects.filter(pk=gone.pk).update(deleted_revision=recorder.seq, revision=recorder.seq)
        recorder.record("message", "react_1", {"remove": [gone.pk]}, {"add": [gone.pk]}, "")

    kept = bring(tmp_path)
    after = said("react_1")
    bring(tmp_path, replace=True)

    assert after == [("assistant", "hello")]
    assert texts(kept, Category.CONFLICTING) == [
        "Stimuli/conversations/one.json: 1 in react_1: deleted in Nola, and stay so; --replace brings them back"
    ]
    assert said("react_1") == [("user", "hi"), ("assistant", "hello")]


def test_a_message_edited_in_nola_is_not_added_again(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    with revisions.revision(PERSON) as recorder:
        edited = Message.objects.get(speaker="user")
        Message.objects.filter(pk=edited.pk).update(message="[removed]", revision=recorder.seq)
        recorder.record("message", "react_1", {"edit": [edited.pk]}, {"edit": [edited.pk]}, "")

    report = bring(tmp_path)

    assert said("react_1") == [("user", "[removed]"), ("assistant", "hello")]
    assert report.count(Category.CONFLICTING, Unit.MESSAGES) == 1


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
    assert said("log-1") == [("user", "late")]


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


def test_many_messages_are_written_in_revisions_of_a_thousand_rows_with_one_batch(tmp_path):
    turns = [{"timestamp": f"2025-01-01T10:00:00.{number:06}", "user": str(number)} for number in range(2500)]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    report = bring(tmp_path)

    assert [len(one.forward["add"]) for one in Change.objects.filter(kind="message")] == [999, 999, 502]
    assert {one.info["batch"] for one in Revision.objects.all()} == {report.batch}
    assert [message for _, message in said("react_1")] == [str(number) for number in range(2500)]


def test_queries_do_not_grow_with_messages(tmp_path, django_assert_max_num_queries):
    for number in range(20):
        turns = [turn(f"10:{minute:02}:00", f"{number} {minute}", "ok") for minute in range(20)]
        write(tmp_path, f"Stimuli/conversations/{number}.json", chat(f"react_{number}", turns))

    with django_assert_max_num_queries(45):  # 800 messages; rows are inserted some 55 at a time
        bring(tmp_path)
    with django_assert_max_num_queries(12):
        bring(tmp_path)


# The command


def test_the_command_prints_a_table_and_what_needs_a_look(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "package.json", {})

    out = run(tmp_path, "--dry-run")

    assert "(dry run: nothing was written)" in out
    assert "state keys              1           1" in out
    assert "Skipped:\n  package.json: the configuration of a tool\n" in out


def test_the_command_fails_at_the_end_and_says_that_the_rest_is_there(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "broken.json", "{")

    with pytest.raises(CommandError, match=r"^1 failed, as listed above; everything else was brought over\.$"):
        run(tmp_path)

    assert state() == {"alpha": 1}


def test_a_dry_run_with_a_failure_does_not_claim_to_have_written(tmp_path):
    write(tmp_path, "broken.json", "{")

    with pytest.raises(CommandError, match=r"^1 failed, as listed above; everything else can be brought over\.$"):
        run(tmp_path, "--dry-run")


def test_everything_is_listed_on_request(tmp_path):
    write(tmp_path, "alpha.json", 1)
    bring(tmp_path)

    out = run(tmp_path, "--verbosity=2")

    assert "  alpha.json: alpha is in Nola already, as it is here\n" in out
    assert "Nothing new: no revision was made." in out


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"the folder .*/missing is not there") as error:
        run(tmp_path / "missing")

    assert error.value.returncode == 2


def test_a_file_instead_of_a_folder_is_refused_with_the_way_out(tmp_path):
    path = write(tmp_path, "alpha.json", 1)

    with pytest.raises(CommandError, match="is a file; give the folder it lies in"):
        run(path)


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    assert "There is nothing to import in that folder." in run(tmp_path)


# The sample


@needs_sample
def test_the_sample_is_brought_over_whole():
    report = bring(SAMPLE)

    assert counts(report) == {
        "read files": 10,
        "read state keys": 4,
        "read conversations": 10,
        "read messages": 46,
        "added state keys": 4,
        "added conversations": 10,
        "added messages": 46,
        "duplicate copied parts": 22,
        "noted files": 1,
    }


@needs_sample
def test_the_samples_user_file_comes_back_equal_and_in_order():
    bring(SAMPLE)

    raw = (SAMPLE / "identity_thread" / "userID" / "user.json").read_bytes()
    assert store.read(Address("userID")).text == jsontext.load(raw).text


@needs_sample
def test_the_sample_adds_nothing_the_second_time():
    bring(SAMPLE)
    before = store.head()

    report = bring(SAMPLE)

    assert store.head() == before
    assert report.count(Category.ADDED) == report.count(Category.UPDATED) == 0


@needs_sample
def test_no_user_name_of_the_samples_paths_remains_in_what_is_left_of_the_aggregates():
    bring(SAMPLE)

    left = store.read(Address("identity")).text + store.read(Address("Nola")).text
    assert "/Users/" not in left
    assert '"source_file":"identity_thread/userID/user.json"' in left


@needs_sample
def test_the_samples_text_file_becomes_five_sessions_with_two_errors():
    bring(SAMPLE)

    cli = Conversation.objects.filter(channel="cli")
    assert cli.count() == 5
    assert cli.filter(messages=None).count() == 1
    assert Message.objects.filter(status="error").count() == 2
