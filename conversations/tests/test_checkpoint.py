"""Conversations in checkpoints: on request, complete, and never in the way of what was said since."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils.dateparse import parse_datetime

from conversations import delete, log
from conversations.log import NewConversation, NewMessage
from conversations.models import Conversation, Message
from state.checkpoints import files
from state.checkpoints.files import create_automatic, find_checkpoint, read_checkpoints
from state.history import audit
from state.models import Revision
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
JSON = "application/json"


def said(text, second=0, **more):
    return NewMessage("user", text, parse_datetime(f"2026-01-10T09:00:{second:02}+01:00"), **more)


@pytest.fixture
def kept(agent):
    """An agent, a conversation with three messages, and a checkpoint `mine` that has it."""
    new = NewConversation("talk", "Tea", "terminal", started=parse_datetime("2026-01-10T09:00:00+01:00"))
    metadata = {"z": 1.0, "a": [None]}
    log.create(new, ADA, [said("hello 😀"), said("tea?", 1, timestamp_text="one"), said("tea?", 1, metadata=metadata)])
    response = agent.post("/api/checkpoints", {"name": "mine", "conversations": True}, content_type=JSON)
    assert response.json()["contents"] == ["state", "conversations"]
    return agent


def restore(agent, **body):
    return agent.post("/api/state/restore", {"checkpoint": "mine", **body}, content_type=JSON)


def delete_all(*messages):
    Message.objects.filter(pk__in=messages).update(deleted_revision=1)


def texts():
    return [one.message for one in Message.objects.filter(deleted_revision=None).order_by("timestamp", "id")]


def test_what_is_there_already_is_not_brought_back_twice(kept):
    response = restore(kept)

    assert response.json()["brought_back"] == {"conversations": 0, "messages": 0}
    assert Revision.objects.count() == 1
    assert Message.objects.count() == 3


def test_deleted_messages_come_back_and_later_ones_stay(kept):
    first, *_ = Message.objects.values_list("pk", flat=True)
    delete_all(first)
    log.append("talk", [said("and milk", 9)], ADA)

    preview = restore(kept, dry_run=True).json()["brought_back"]
    response = restore(kept)

    assert preview == response.json()["brought_back"] == {"conversations": 0, "messages": 1}
    assert texts() == ["hello 😀", "tea?", "tea?", "and milk"]
    assert response.json()["revision"] == 3 == Revision.objects.count()


def test_a_conversation_that_is_gone_comes_back_whole(kept):
    rows = list(Message.objects.order_by("id").values("speaker", "message", "timestamp", "timestamp_text", "metadata"))
    Message.objects.all().delete()
    Conversation.objects.all().delete()

    restore(kept)

    back = Message.objects.order_by("id").values("speaker", "message", "timestamp", "timestamp_text", "metadata")
    assert list(back) == rows
    assert Conversation.objects.get().title == "Tea"


def test_a_deleted_conversation_comes_back_and_the_restore_can_be_undone(kept):
    made = Revision.objects.get().seq
    kept.post("/api/undo", {"revision": made}, content_type=JSON)
    assert texts() == []

    answer = restore(kept).json()

    assert texts() == ["hello 😀", "tea?", "tea?"]
    assert kept.post("/api/undo", {"batch": answer["batch"]}, content_type=JSON).status_code == 200
    assert texts() == []


def test_a_key_alone_brings_no_conversation_back(kept):
    kept.put("/api/state/A", "1", content_type=JSON)
    kept.post("/api/checkpoints", {"name": "both", "conversations": True}, content_type=JSON)
    delete_all(*Message.objects.values_list("pk", flat=True))

    kept.post("/api/state/restore", {"checkpoint": "both", "keys": ["A"]}, content_type=JSON)

    assert texts() == []


def test_a_checkpoint_without_them_has_none(kept):
    kept.post("/api/checkpoints", {"name": "state-only"}, content_type=JSON)

    assert '"conversations.' not in find_checkpoint("state-only").path.read_text()


def test_the_command_takes_and_restores_them(kept, capsys):
    call_command("checkpoint", "create", "again", "--conversations")
    delete_all(*Message.objects.values_list("pk", flat=True))

    call_command("checkpoint", "restore", "again", "--yes")

    assert "3 messages are missing, and come back" in capsys.readouterr().out
    assert len(texts()) == 3


def test_loaddata_says_which_command_takes_conversations(kept):
    with pytest.raises(CommandError, match="checkpoint restore FILE"):
        call_command("loaddata", "mine", verbosity=0)

    assert Revision.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row["fields"].pop("speaker"),
        lambda row: row["fields"].update(conversation=99),
        lambda row: row["fields"].update(timestamp="yesterday"),
        lambda row: row.update(model="conversations.messages"),
    ],
)
def test_rows_that_cannot_be_restored_are_found(kept, change):
    path = find_checkpoint("mine").path
    rows = json.loads(path.read_text())
    change(rows[-1])
    path.write_text(json.dumps(rows))

    with pytest.raises(CommandError):
        call_command("checkpoint", "accept", "mine")
    assert restore(kept).status_code == 422


def test_the_history_of_what_came_back_verifies(kept):
    from django.db import connection

    Message.objects.all().delete()
    Conversation.objects.all().delete()
    restore(kept)

    found = [flaw for check in audit.MORE_CHECKS for flaw in check(connection, audit.show_nothing)]
    assert [flaw for flaw in found if "revision 2" in flaw] == []


def test_branches_come_back_as_they_were(agent):
    path = "/api/conversations/b/messages"
    say = lambda text, **more: agent.post(path, {"speaker": "user", "message": text, **more}, content_type=JSON)  # noqa: E731
    first, second = (say(text).json()["messages"][0]["id"] for text in ("question", "one answer"))
    say("after it")
    other = say("another answer", parent=first).json()["messages"][0]["id"]
    agent.patch("/api/conversations/b", {"current_leaf": other}, content_type=JSON)
    agent.post("/api/checkpoints", {"name": "mine", "conversations": True}, content_type=JSON)
    delete.purge_conversation("b", "b", ADA)

    restore(agent)

    assert texts() == ["question", "one answer", "after it", "another answer"]
    current = agent.get(f"{path}?branch=current").json()["messages"]
    assert [one["message"] for one in current] == ["question", "another answer"]
    assert second not in Message.objects.values_list("pk", flat=True)
    assert restore(agent).json()["brought_back"] == {"conversations": 0, "messages": 0}


def test_a_branch_whose_start_or_end_was_deleted_reads_as_before(agent):
    path = "/api/conversations/b/messages"
    say = lambda text, **more: agent.post(path, {"speaker": "user", "message": text, **more}, content_type=JSON)  # noqa: E731
    first, end = (say(text).json()["messages"][0]["id"] for text in ("question", "end"))
    say("answer", parent=first)
    agent.patch("/api/conversations/b", {"current_leaf": end}, content_type=JSON)
    delete_messages(agent, "b", [first, end])
    agent.post("/api/checkpoints", {"name": "mine", "conversations": True}, content_type=JSON)
    shown = [one["message"] for one in agent.get(f"{path}?branch=current").json()["messages"]]
    delete.purge_conversation("b", "b", ADA)

    restore(agent)

    assert [one["message"] for one in agent.get(f"{path}?branch=current").json()["messages"]] == shown == ["answer"]
    assert Message.objects.get().parent_id == Message.objects.get().pk


def talk_of(name, messages):
    new = NewConversation(name, name.title(), "terminal", started=parse_datetime("2026-01-10T09:00:00+01:00"))
    log.create(new, ADA, [said(f"{name} {number}", number % 60) for number in range(messages)])


def delete_messages(agent, name, ids):
    return agent.delete(f"/api/conversations/{name}/messages?" + "&".join(f"id={pk}" for pk in ids)).status_code


def before_deletion():
    return [one for one in read_checkpoints() if one.name.endswith("before-bulk-delete")]


def test_before_more_than_ten_messages_go_their_conversation_is_kept_in_a_checkpoint(agent):
    agent.put("/api/state/A", "1", content_type=JSON)
    talk_of("long", 11)
    talk_of("other", 1)

    agent.delete("/api/conversations/long")

    [made] = before_deletion()
    agent.put("/api/state/A", "2", content_type=JSON)
    answer = agent.post("/api/state/restore", {"checkpoint": made.name}, content_type=JSON).json()
    assert answer["brought_back"] == {"conversations": 1, "messages": 11}
    assert agent.get("/api/state/A").json() == 2
    assert "other" not in made.path.read_text()


def test_messages_deleted_by_their_numbers_are_kept_as_well(agent):
    talk_of("long", 12)
    ids = list(Message.objects.values_list("pk", flat=True))

    assert (
        agent.delete(f"/api/conversations/long/messages?{'&'.join(f'id={pk}' for pk in ids[:10])}").status_code == 204
    )
    assert before_deletion() == []
    agent.post("/api/undo", {"revision": Revision.objects.first().seq}, content_type=JSON)
    assert (
        agent.delete(f"/api/conversations/long/messages?{'&'.join(f'id={pk}' for pk in ids[:11])}").status_code == 204
    )

    assert len(before_deletion()) == 1


def test_a_deletion_that_is_refused_keeps_nothing(agent):
    talk_of("long", 11)
    ids = list(Message.objects.values_list("pk", flat=True))

    assert delete_messages(agent, "long", [*ids, 999]) == 404

    assert before_deletion() == []


def test_checkpoints_of_deletions_do_not_push_out_those_of_the_state(agent, monkeypatch):
    monkeypatch.setattr(files, "KEPT_NEWEST", 2)
    agent.put("/api/state/A", "1", content_type=JSON)
    whole = create_automatic("hourly")

    for number in range(4):
        talk_of(f"talk{number}", 11)
        agent.delete(f"/api/conversations/talk{number}")

    assert whole.path.exists()
    assert len(before_deletion()) == 2


def test_a_purge_takes_the_conversation_out_of_what_deletions_have_kept(agent):
    for name in ("secret", "plain"):
        talk_of(name, 11)
    delete.delete_conversations(["secret", "plain"], ADA)
    agent.post("/api/conversations/secret/purge", {"confirm": "secret"}, content_type=JSON)

    [made] = before_deletion()
    assert "secret" not in made.path.read_text()
    answer = agent.post("/api/state/restore", {"checkpoint": made.name}, content_type=JSON).json()
    assert answer["brought_back"] == {"conversations": 1, "messages": 11}


def test_a_purge_leaves_no_empty_checkpoint_behind(agent):
    talk_of("secret", 11)
    delete.delete_conversations(["secret"], ADA)

    agent.post("/api/conversations/secret/purge", {"confirm": "secret"}, content_type=JSON)

    assert before_deletion() == []
