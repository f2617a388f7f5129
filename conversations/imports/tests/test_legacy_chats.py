"""What an import adds to a conversation that is in Nola, and what it leaves alone."""

import time
from datetime import UTC, datetime

import pytest
from django.core.management.base import CommandError
from django.db import connection

from access.database import engine
from conversations import log
from conversations.imports import legacy_chats
from conversations.imports.legacy_chats import plan_chat
from conversations.imports.tests.legacy import PERSON, bring, chat, counts, edit, run, said, texts, turn, write
from conversations.models import Conversation, Message
from state import revisions
from state.models import Change, Revision
from state.report import Category, Unit

pytestmark = pytest.mark.django_db


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

    assert (len(waits), second.revisions) == (0 if engine().queues_writers else 2, 0)


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
