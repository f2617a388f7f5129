import itertools
import json
import os
import time
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection

from conversations import log
from conversations.imports import legacy_chats
from conversations.imports.legacy_chats import import_folder, plan_chat
from conversations.models import Conversation, Message
from state import revisions, store
from state.address import Address
from state.jsondoc.text import parse_json
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
    return import_folder(folder, "cli:test", **options)


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
    place = revision.info.pop("place")
    files = {"alpha": "alpha.json", "beta": "beta.json"}
    assert revision.info == {"batch": report.batch, "folder": tmp_path.name, "files": files}
    assert len(place) == 12
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
    store.put(Address("alpha"), parse_json("1"), Author("system:seed", Source.SEED))
    write(tmp_path, "alpha.json", 2)

    bring(tmp_path)

    assert state() == {"alpha": 2}


def test_a_key_edited_since_is_kept_and_listed(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    store.put(Address("alpha", ("a",)), parse_json("9"), PERSON)

    report = bring(tmp_path)

    assert state() == {"alpha": {"a": 9}}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was written by user:ada (revision 2) and stays so; --replace overrides"
    ]


def test_a_key_deleted_since_stays_deleted(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    store.remove(Address("alpha"), PERSON)

    report = bring(tmp_path)

    assert state() == {}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was deleted by user:ada (revision 2) and stays so; --replace overrides"
    ]


def test_a_key_that_somebody_edited_to_what_the_file_says_is_no_conflict(tmp_path):
    store.put(Address("alpha"), parse_json("1"), PERSON)
    write(tmp_path, "alpha.json", 1)

    report = bring(tmp_path)

    assert report.count(Category.CONFLICTING) == 0
    assert report.count(Category.DUPLICATE, Unit.KEYS) == 1


def test_replace_lets_the_files_win_over_edits_and_deletions(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "beta.json", 2)
    bring(tmp_path)
    store.put(Address("alpha"), parse_json("9"), PERSON)
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
        "Stimuli/conversations/one.json: title of react_1: kept as set by user:ada (revision 2); --replace overrides"
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
    with revisions.open_revision(PERSON) as recorder:
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
    with revisions.open_revision(PERSON) as recorder:
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


# Two runs, two folders


def test_a_filtered_copy_never_replaces_what_nola_has(tmp_path):
    raw = {"identity": {"level_1": "Jo", "level_3": "Jo Doe"}, "hobbies": "chess"}
    copy = {"userID": {"metadata": {}, "data": {"identity": "Jo", "hobbies": "go", "pets": ["cat"]}}}
    write(tmp_path, "all/userID/user.json", raw)
    write(tmp_path, "part/identity.json", copy)
    bring(tmp_path / "all")

    report = bring(tmp_path / "part", replace=True)

    assert state()["userID"] == {**raw, "pets": ["cat"]}
    assert texts(report, Category.SKIPPED) == ["identity.json: userID.hobbies differs and is not used: Nola wins"]
    assert counts(report)["added copied parts"] == counts(report)["duplicate copied parts"] == 1
    assert bring(tmp_path / "part").revisions == 0


def test_a_copied_part_is_added_only_if_its_key_is_written(tmp_path):
    write(tmp_path, "userID/user.json", {"a": 1})
    write(tmp_path, "Nola.json", {"IdentityConfig": {"data": {"userID": {"b": 2}}}})

    first, second = bring(tmp_path), bring(tmp_path)

    assert (first.count(Category.ADDED, Unit.SECTIONS), second.count(Category.ADDED, Unit.SECTIONS)) == (1, 0)
    assert second.count(Category.DUPLICATE, Unit.SECTIONS) == 1


def test_a_file_of_the_same_name_in_another_folder_does_not_overwrite(tmp_path):
    write(tmp_path, "one/Nola/alpha.json", 1)
    write(tmp_path, "two/Nola/alpha.json", 2)
    bring(tmp_path / "one" / "Nola")

    report = bring(tmp_path / "two" / "Nola")
    kept = state()
    bring(tmp_path / "two" / "Nola", replace=True)

    assert kept == {"alpha": 1}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was written by the import of Nola/alpha.json (revision 1) and stays so; --replace overrides"
    ]
    assert state() == {"alpha": 2}


def test_another_file_for_a_key_does_not_overwrite(tmp_path):
    file = write(tmp_path, "a/alpha.json", 1)
    bring(tmp_path)
    file.unlink()
    write(tmp_path, "b/alpha.json", 2)

    report = bring(tmp_path)

    assert state() == {"alpha": 1}
    assert report.count(Category.CONFLICTING, Unit.KEYS) == 1


@pytest.mark.parametrize("source", [Source.API, Source.RESTORE, Source.UNDO, Source.LOADDATA])
def test_what_came_through_another_door_is_never_overwritten(tmp_path, source):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip"))
    bring(tmp_path)
    author = Author("key:bot", source)
    store.put(Address("alpha"), parse_json("9"), author)
    log.change("react_1", {"title": "Journey"}, author)

    bring(tmp_path)

    assert state() == {"alpha": 9}
    assert Conversation.objects.get().title == "Journey"


def test_two_files_do_not_take_turns_in_setting_a_field(tmp_path):
    write(tmp_path, "one/Stimuli/conversations/a.json", chat(name="Trip", mood="calm"))
    write(tmp_path, "two/Stimuli/conversations/a.json", chat(name="Tour", mood="wild", place="Rome"))
    bring(tmp_path / "one")

    report = bring(tmp_path / "two")
    again = [bring(tmp_path / "one"), bring(tmp_path / "two")]

    row = Conversation.objects.get()
    assert (row.title, row.metadata) == ("Trip", {"mood": "calm", "place": "Rome"})
    assert texts(report, Category.CONFLICTING) == [
        "Stimuli/conversations/a.json: title of react_1, metadata.mood of react_1: kept as set by"
        " the import of one/Stimuli/conversations/a.json (revision 1); --replace overrides"
    ]
    assert [one.revisions for one in again] == [0, 0]


def test_a_renamed_conversation_still_gets_its_metadata(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip", last_updated="1"))
    bring(tmp_path)
    log.change("react_1", {"title": "Journey"}, PERSON)
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip", last_updated="2", archived=True))

    bring(tmp_path)

    row = Conversation.objects.get()
    assert (row.title, row.metadata, row.archived) == ("Journey", {"last_updated": "2"}, True)


def test_a_title_that_a_person_has_emptied_stays_empty(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip"))
    bring(tmp_path)
    log.change("react_1", {"title": ""}, PERSON)

    bring(tmp_path)

    assert Conversation.objects.get().title == ""


def test_replace_sets_the_fields_of_a_conversation_as_in_the_file(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip", mood="calm"))
    bring(tmp_path)
    log.change("react_1", {"title": "Journey", "metadata": {"mood": "wild"}, "archived": True}, PERSON)

    bring(tmp_path, replace=True)

    row = Conversation.objects.get()
    assert (row.title, row.metadata, row.archived) == ("Trip", {"mood": "calm"}, True)


# What is said besides the words


def test_fields_that_a_message_lacks_are_filled_and_others_are_kept_and_listed(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "", mood="calm")]))
    bring(tmp_path)
    more = turn("10:00:00", "hi", "", mood="wild", context_level=3, stimuli_type="realtime")
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[more]))

    report = bring(tmp_path)
    again = bring(tmp_path)

    message = Message.objects.get()
    assert (message.context_level, message.stimuli_type, message.metadata) == (3, "realtime", {"mood": "calm"})
    assert texts(report, Category.CONFLICTING) == [
        "Stimuli/conversations/one.json: 1 in react_1: metadata.mood differ, and are kept as in Nola;"
        " --replace overrides"
    ]
    assert (report.revisions, again.revisions) == (1, 0)
    change = Change.objects.get(kind="message", revision=2)
    assert change.forward == {"set": {str(message.pk): {"context_level": 3, "stimuli_type": "realtime"}}}
    assert change.inverse == {"set": {str(message.pk): {"context_level": None, "stimuli_type": ""}}}


def test_only_filled_fields_count_as_updated(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "hello", mood="calm")]))

    report = bring(tmp_path)

    assert texts(report, Category.UPDATED) == [
        "Stimuli/conversations/one.json: 2 in react_1: metadata.mood from the file",
        "Stimuli/conversations/one.json: react_1",
    ]
    assert {one.metadata["mood"] for one in Message.objects.all()} == {"calm"}


def test_replace_sets_the_fields_of_a_message_and_its_time(tmp_path, settings):
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "", mood="calm")]))
    bring(tmp_path)
    Message.objects.update(metadata={"mood": "wild"})
    settings.TIME_ZONE = "UTC"

    bring(tmp_path, replace=True)

    message = Message.objects.get()
    assert message.metadata == {"mood": "calm"}
    assert message.timestamp == Conversation.objects.get().started == datetime(2025, 1, 1, 10, tzinfo=UTC)


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


def test_a_turn_that_was_rewritten_in_the_file_is_kept_beside_the_old_one_and_listed(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "good day")]))

    report = bring(tmp_path)

    assert said("react_1") == [("user", "hi"), ("assistant", "hello"), ("assistant", "good day")]
    assert texts(report, Category.CONFLICTING) == [
        "Stimuli/conversations/one.json: 1 in react_1: differ from what was imported at that time; both are kept"
    ]
    assert counts(report)["read messages"] == 2
    assert counts(report)["conflicting messages"] == counts(report)["duplicate messages"] == 1


# Messages edited in Nola


def edit(text, **found):
    with revisions.open_revision(PERSON) as recorder:
        message = Message.objects.get(**found)
        Message.objects.filter(pk=message.pk).update(message=text, revision=recorder.seq)
        recorder.record("message", "react_1", {"edit": [message.pk]}, {"edit": [message.pk]}, "")


def test_an_edited_message_without_a_time_does_not_come_back(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[{"user": "secret"}]))
    bring(tmp_path)
    edit("[removed]", message="secret")

    report = bring(tmp_path)

    assert said("react_1") == [("user", "[removed]")]
    assert counts(report)["conflicting messages"] == 1


def test_a_new_turn_in_the_second_of_an_edited_one_is_added(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    edit("[removed]", message="hi")
    turns = [turn("10:00:00", "hi", "hello"), turn("10:00:00", "new", "")]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    bring(tmp_path)

    assert said("react_1") == [("user", "[removed]"), ("assistant", "hello"), ("user", "new")]


def test_replace_adds_the_files_text_beside_an_edited_message_once(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "")]))
    bring(tmp_path)
    edit("[removed]", message="hi")

    bring(tmp_path, replace=True)
    again = [bring(tmp_path, replace=True), bring(tmp_path)]

    assert said("react_1") == [("user", "[removed]"), ("user", "hi")]
    assert [one.revisions for one in again] == [0, 0]


def test_messages_that_another_door_has_written_are_known_by_what_they_say(tmp_path):
    noon = datetime(2025, 1, 1, 9, tzinfo=UTC)
    new = [log.NewMessage("user", "hi", noon, "2025-01-01T10:00:00", client_id="7")]
    log.create(log.NewConversation("react_1"), Author("key:bot", Source.API), new)
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=[turn("10:00:00", "hi", "")]))

    bring(tmp_path)

    assert said("react_1") == [("user", "hi")]


# Text files without ids


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


def test_a_log_that_lost_its_beginning_adds_nothing(tmp_path):
    entries = lines(("Conversation started.", ""), ("User: one", ""), ("Conversation started.", ""), ("User: two", ""))
    write(tmp_path, "Stimuli/log.txt", entries)
    bring(tmp_path)
    write(tmp_path, "Stimuli/log.txt", "\n".join(entries.split("\n")[2:]))

    assert bring(tmp_path).revisions == 0


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


# Which chats are one


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


# Beside other writers


def test_reading_happens_without_the_lock_and_a_change_meanwhile_is_seen(tmp_path, monkeypatch):
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip"))
    bring(tmp_path)
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Tour"))
    plan, depths = plan_chat, []

    def meanwhile(*args):
        planned = plan(*args)
        depths.append(len(connection.savepoint_ids))
        if len(depths) == 1:
            log.change("react_1", {"title": "Journey"}, PERSON)
        return planned

    monkeypatch.setattr(legacy_chats, "plan_chat", meanwhile)
    report = bring(tmp_path)

    assert depths == [0, 0]
    assert Conversation.objects.get().title == "Journey"
    assert report.count(Category.CONFLICTING, Unit.CONVERSATIONS) == 1


def test_other_writers_get_a_turn_between_two_revisions(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    write(tmp_path, "alpha.json", 1)
    turns = [{"timestamp": f"2025-01-01T10:00:00.{number:06}", "user": str(number)} for number in range(1500)]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    bring(tmp_path)
    second = bring(tmp_path)

    assert (len(waits), second.revisions) == (2, 0)


def test_long_messages_make_smaller_revisions(tmp_path):
    turns = [turn(f"10:00:{number:02}", "x" * 1_000_000, "") for number in range(10)]
    write(tmp_path, "Stimuli/conversations/one.json", chat(turns=turns))

    bring(tmp_path)

    assert [len(one.forward["add"]) for one in Change.objects.filter(kind="message")] == [4, 4, 2]


def test_others_who_write_all_the_time_make_the_import_say_busy(tmp_path, monkeypatch):
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    write(tmp_path, "alpha.json", 1)
    monkeypatch.setattr(log, "has_changed", lambda *args: True)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    with pytest.raises(CommandError, match="stopped before the end: the database is busy") as error:
        run(tmp_path)

    assert "Try again" in str(error.value)


# The edges


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


def test_a_subfolder_that_cannot_be_looked_into_stops_nothing(tmp_path, monkeypatch):
    write(tmp_path, "secret/beta.json", 1)
    write(tmp_path, "alpha.json", 1)
    stat = os.stat

    def denied(path, *args, **kwargs):
        if "secret" + os.sep in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", denied)
    report = bring(tmp_path)

    assert state() == {"alpha": 1}
    assert texts(report, Category.FAILED) == ["secret/beta.json: cannot be opened: Permission denied"]


def test_an_equal_number_of_each_unit_is_read_and_accounted_for(tmp_path):
    write(tmp_path, "Stimuli/conversations/a.json", chat(name="Trip"))
    write(tmp_path, "Stimuli/conversations/b.json", chat(name="Tour", turns=[turn("10:00:00", "hi", "good day")]))
    bring(tmp_path)
    log.change("react_1", {"title": "Journey"}, PERSON)

    report = bring(tmp_path)

    outcomes = set(Category) - {Category.READ, Category.NOTED}
    for unit in (Unit.CONVERSATIONS, Unit.MESSAGES):
        assert sum(report.count(one, unit) for one in outcomes) == report.count(Category.READ, unit)


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
    assert "There is nothing to import in it." in run(tmp_path)


def test_failures_and_conflicts_are_all_listed_and_so_are_updates(tmp_path):
    for number in range(5):
        write(tmp_path, f"{number}/broken.json", "{")
        write(tmp_path, f"key{number}.json", 1)
    bring(tmp_path)
    for number in range(5):
        write(tmp_path, f"key{number}.json", 2)
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("importlegacy", str(tmp_path), stdout=out)

    assert out.getvalue().count("/broken.json: ") == 5
    assert "Updated:\n  key0.json: key0\n  key1.json: key1\n" in out.getvalue()


def test_nothing_that_a_file_holds_reaches_the_terminal_as_a_command(tmp_path):
    write(tmp_path, "identity.json", {"userID": {"\x1b[31mred": 1}})
    write(tmp_path, "Stimuli/conversations/one.json", chat("\x1b]0;title\x07"))

    out = run(tmp_path, "--verbosity=2")

    assert "\x1b" not in out
    assert "\\x1b[31mred" in out


def test_no_folder_at_all_is_refused():
    with pytest.raises(CommandError, match="name the folder to import"):
        run("")


def test_a_folder_name_that_is_too_long_is_not_there():
    with pytest.raises(CommandError, match="is not there"):
        run("x" * 300)


def test_without_a_database_none_is_made(tmp_path, monkeypatch):
    missing = tmp_path / "nola.sqlite3"
    monkeypatch.setitem(connection.settings_dict, "NAME", missing)

    with pytest.raises(CommandError, match="there is no database yet; start Nola once"):
        run(tmp_path, "--dry-run")

    assert not missing.exists()


def test_a_busy_database_is_named_and_what_was_done_is_printed(tmp_path, monkeypatch):
    def locked(*args, **kwargs):
        raise OperationalError("database is locked")

    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    monkeypatch.setattr(log, "write_portion", locked)
    out = StringIO()

    with pytest.raises(CommandError, match=r"the database is busy: others are writing to it\. Try again"):
        call_command("importlegacy", str(tmp_path), stdout=out)

    assert "state keys              1           1" in out.getvalue()


def test_a_run_that_writes_nothing_does_not_claim_a_batch(tmp_path):
    write(tmp_path, "alpha.json", 1)
    bring(tmp_path)
    store.put(Address("alpha"), parse_json("9"), PERSON)

    assert run(tmp_path).endswith("Nothing new: no revision was made.\n")


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
    assert store.read(Address("userID")).text == parse_json(raw).text


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
