import json
from datetime import UTC, datetime

import pytest

from conversations import log
from conversations.drafts import NewConversation, NewMessage
from conversations.imports.legacy_chats import import_folder
from conversations.models import Conversation, Message
from state import store
from state.models import Change, Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
JSON = "application/json"


@pytest.fixture
def batch(tmp_path):
    """A folder with a state file and a chat, imported; the batch of its revisions."""
    chats = tmp_path / "Stimuli" / "conversations"
    chats.mkdir(parents=True)
    (tmp_path / "Persona.json").write_text('{"tone":"warm"}')
    turn = {"timestamp": "2025-01-01T12:00:00", "user": "hi", "assistant": "hello"}
    (chats / "react_20250101_120000.json").write_text(json.dumps({"session_id": "s", "name": "Trip", "turns": [turn]}))
    return import_folder(tmp_path, "cli:ada").batch


def undo(client, **body):
    return client.post("/api/undo", body, content_type=JSON)


def shown():
    """The messages of the conversation s, as the admin shows them."""
    rows = Message.objects.filter(deleted_revision=None, conversation__deleted_revision=None)
    return [(one.speaker, one.message) for one in rows.order_by("id")]


def test_an_import_is_undone_as_a_whole(agent, batch):
    response = undo(agent, batch=batch)

    assert response.json() == {"revision": 3, "changed": ["Persona"], "conversations": ["s"]}
    assert agent.get("/api/state").json() == {}
    assert shown() == []
    assert Conversation.objects.get().deleted_revision == 3
    newest = Revision.objects.first()
    assert (newest.source, newest.info) == ("undo", {"undoes": [2, 1]})


def test_undo_of_that_undo_brings_all_of_it_back(agent, batch):
    undo(agent, batch=batch)

    undo(agent, revision=3)

    assert agent.get("/api/state").json() == {"Persona": {"tone": "warm"}}
    assert shown() == [("user", "hi"), ("assistant", "hello")]
    assert Conversation.objects.get().deleted_revision is None
    added = Change.objects.filter(kind="message").order_by("id")
    assert added[0].forward == added[2].forward
    assert added[0].result_hash == added[2].result_hash


def test_undo_of_an_import_again_after_a_redo(agent, batch):
    undo(agent, batch=batch)
    undo(agent, revision=3)

    assert undo(agent, batch=batch).status_code == 200
    assert shown() == []


def test_a_dry_run_shows_it_all_and_changes_nothing(agent, batch):
    response = undo(agent, batch=batch, dry_run=True)

    ids = list(Message.objects.order_by("id").values_list("pk", flat=True))
    assert response.json() == {
        "revision": 2,
        "changed": ["Persona"],
        "conversations": ["s"],
        "patches": {"Persona": [{"op": "remove", "path": ""}]},
        "changes": [
            {"kind": "conversation", "key": "s", "patch": {"remove": True}},
            {"kind": "message", "key": "s", "patch": {"remove": ids}},
        ],
    }
    assert len(shown()) == 2


def test_messages_that_came_later_are_not_taken_along(agent, batch):
    log.append("s", [NewMessage("user", "more", NOON)], ADA)

    response = undo(agent, batch=batch)

    assert response.status_code == 409
    assert response.json()["conflicts"] == [
        {"kind": "conversation", "key": "s", "pointer": "/there", "base": True, "theirs": True, "by": 3, "undoing": 2}
    ]
    assert len(shown()) == 3
    assert store.head() == 3


@pytest.mark.parametrize(("prefer", "left"), [("theirs", [("user", "more")]), ("mine", [])])
def test_one_can_say_what_becomes_of_them(agent, batch, prefer, left):
    log.append("s", [NewMessage("user", "more", NOON)], ADA)

    assert undo(agent, batch=batch, prefer=prefer).status_code == 200
    assert shown() == left


@pytest.fixture
def renamed(agent):
    log.create(NewConversation("s", title="a", started=NOON), ADA)
    log.change("s", {"title": "b", "archived": True, "started": None}, ADA)
    return agent


def fields():
    row = Conversation.objects.get()
    return row.title, row.archived, row.started


def test_fields_are_set_back(renamed):
    assert undo(renamed, revision=2).status_code == 200

    assert fields() == ("a", False, NOON)


def test_a_field_that_somebody_has_set_since_is_a_conflict(renamed):
    log.change("s", {"title": "c"}, ADA)

    response = undo(renamed, revision=2)

    assert response.status_code == 409
    assert response.json()["conflicts"] == [
        {
            "kind": "conversation",
            "key": "s",
            "pointer": "/title",
            "base": "b",
            "theirs": "c",
            "yours": "a",
            "by": 3,
            "undoing": 2,
        }
    ]
    assert fields() == ("c", True, None)


@pytest.mark.parametrize(("prefer", "title"), [("mine", "a"), ("theirs", "c")])
def test_one_can_say_whose_field_stays(renamed, prefer, title):
    log.change("s", {"title": "c"}, ADA)

    undo(renamed, revision=2, prefer=prefer)

    assert fields() == (title, False, NOON)


def test_a_deleted_conversation_takes_no_messages(agent, batch):
    undo(agent, batch=batch)

    with pytest.raises(log.UnknownTalk, match="'s' was deleted in revision 3; undo that first"):
        log.append("s", [NewMessage("user", "more", NOON)], ADA)


def test_an_undone_import_stays_undone_unless_it_is_to_replace(agent, batch, tmp_path):
    undo(agent, batch=batch)

    again = import_folder(tmp_path, "cli:ada")
    replaced = import_folder(tmp_path, "cli:ada", replace=True)

    assert again.revisions == 0
    assert "s was deleted in Nola, and stays so; --replace brings it back" in [one.text for one in again.findings]
    assert replaced.revisions == 2
    assert shown() == [("user", "hi"), ("assistant", "hello")]


@pytest.mark.parametrize("batch", ["no such", '"', "%", ""])
def test_an_unknown_batch_is_said(agent, batch):
    response = undo(agent, batch=batch)

    assert (response.status_code, response.json()["detail"]) == (422, f"no import or restore has the batch {batch!r}")


def test_a_deletion_of_a_whole_conversation_is_undone_and_redone(agent, batch):
    agent.delete("/api/conversations/s")
    undo(agent, revision=3)
    back = shown()

    response = undo(agent, revision=4)

    assert response.status_code == 200
    assert (back, shown()) == ([("user", "hi"), ("assistant", "hello")], [])


def test_the_redo_of_a_deletion_takes_no_message_along_that_came_since(agent, batch):
    agent.delete("/api/conversations/s")
    undo(agent, revision=3)
    agent.post("/api/conversations/s/messages", {"speaker": "user", "message": "new"}, content_type=JSON)

    assert undo(agent, revision=4).status_code == 409
    assert shown()[-1] == ("user", "new")
