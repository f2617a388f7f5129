import io
import json

import pytest
from django.core.management import call_command

from conversations import delete, export
from conversations.imports.tests.test_importchats import chatgpt, claude, written
from conversations.models import Conversation, Message
from state import store
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)
JSON = "application/json"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("conversations.imports.legacy_state.PAUSE", 0)


def bring(path):
    call_command("importchats", str(path), stdout=io.StringIO())


def everything():
    """All conversations and messages that are there, without the numbers that a store gives."""
    found = {}
    for row in Conversation.objects.filter(deleted_revision=None):
        place = {}
        messages = []
        for number, one in enumerate(row.messages.filter(deleted_revision=None).order_by("timestamp", "id")):
            place[one.pk] = number
            fields = {name: getattr(one, name) for name in export.KEPT if name not in ("id", "parent")}
            messages.append(fields | {"parent": one.parent_id})
        for fields in messages:
            fields["parent"] = place.get(fields["parent"])
        about = [row.title, row.channel, row.source, row.started, row.started_text, row.archived, row.metadata]
        found[row.session_id] = [about, place.get(row.current_leaf_id), messages]
    return found


def download(client, query, path="/api/conversations"):
    response = client.get(f"{path}?format={query}")
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode(), response


@pytest.fixture
def talks(agent, tmp_path):
    """What was imported, what was said over the API, and what was deleted."""
    bring(written(tmp_path, [chatgpt(), claude()]))
    hard = 'a\n# b\n```\n\u2028<b>&amp; 😀 ‮ \\ " \t'
    sent = [
        {
            "speaker": "user",
            "message": hard,
            "timestamp": "2026-01-31T12:00:00.5+01:00",
            "client_id": "x",
            "user_id": "bo",
        },
        {"speaker": "user", "message": "ok", "status": "pending", "context_level": 2, "stimuli_type": "realtime"},
        {"speaker": "user", "message": "ok", "metadata": {"n": 1.0, "big": 2**80, "a": {"b": [None, "é"]}}},
        {"speaker": "tool", "message": ""},
        {"speaker": "user", "message": "deleted"},
    ]
    agent.post("/api/conversations/a~1b/messages", sent, content_type=JSON)
    delete.delete_messages("a/b", [Message.objects.get(message="deleted").pk], ADA)
    agent.patch("/api/conversations/a~1b", {"title": "Ü", "archived": True, "tags": ["t"]}, content_type=JSON)
    agent.post("/api/conversations", {"session_id": "empty", "metadata": {"k": "v"}}, content_type=JSON)
    agent.post("/api/conversations", {"session_id": "gone"}, content_type=JSON)
    delete.delete_conversations(["gone"], ADA)
    return agent


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize("most", [1, 2000])
def test_an_export_imports_back_to_an_equal_store(talks, tmp_path, monkeypatch, form, most):
    monkeypatch.setattr(export, "MOST_MESSAGES", most)
    text, _ = download(talks, form)
    before = everything()
    path = written(tmp_path, text, f"export.{form}")
    bring(path)
    assert everything() == before
    for session_id in before:
        delete.purge_conversation(session_id, session_id, ADA)
    assert everything() == {}

    bring(path)

    assert everything() == before
    head = store.head()
    bring(path)
    assert store.head() == head


def test_json_is_one_document_with_all_of_it(talks):
    text, response = download(talks, "json")

    document = json.loads(text)
    assert [one["session_id"] for one in document["conversations"]] == ["c-1", "u-1", "a/b", "empty"]
    assert (document["nola"], document["version"]) == ("conversations", 1)
    assert response["Content-Disposition"] == 'attachment; filename="conversations.json"'


def test_a_selection_and_a_single_one_are_exported_alike(talks):
    selected, _ = download(talks, "jsonl&tag=t")
    single, response = download(talks, "jsonl", "/api/conversations/a~1b")

    assert json.loads(selected) == json.loads(single)
    assert response["Content-Disposition"] == 'attachment; filename="a/b.jsonl"'


def test_markdown_reads_well(agent):
    sent = [
        {"speaker": "user", "message": "Where to?", "timestamp": "2026-01-31T10:00:00Z"},
        {"speaker": "assistant", "message": "To **Lisbon**.", "timestamp": "2026-02-01T10:05:00Z", "status": "error"},
    ]
    agent.post("/api/conversations", {"session_id": "s", "title": "Trip", "channel": "cli"}, content_type=JSON)
    agent.patch("/api/conversations/s", {"tags": ["a", "b"]}, content_type=JSON)
    agent.post("/api/conversations/s/messages", sent, content_type=JSON)

    text, _ = download(agent, "markdown", "/api/conversations/s")

    lines = text.splitlines()
    assert lines[0:4] == ["# Trip", "", "- Session: `s`", lines[3]]
    assert lines[4:] == [
        "- Channel: cli",
        "- Tags: a, b",
        "",
        "## Saturday, 31 January 2026",
        "",
        "**user** · 11:00",
        "",
        "Where to?",
        "",
        "## Sunday, 1 February 2026",
        "",
        "**assistant** · 11:05 · error",
        "",
        "To **Lisbon**.",
    ]


def test_an_unknown_format_is_said(agent):
    response = agent.get("/api/conversations?format=pdf")

    assert (response.status_code, response.json()["detail"]) == (422, "format is one of json, jsonl, markdown")


def test_markdown_folds_what_is_hidden_and_what_stands_beside_a_message(agent):
    paste = {"name": "a.md", "text": "```\nx\n```"}
    parts = [{"type": "tool_use", "name": "<b>lookup", "input": {"word": "heron"}}]
    for body in (
        {"speaker": "user", "message": "look", "metadata": {"pastes": [paste], "parts": parts}},
        {"speaker": "assistant", "message": "hm", "metadata": {"hidden": "thinking"}},
        {"speaker": "tool", "message": "a bird", "metadata": {"name": "lookup"}},
    ):
        agent.post("/api/conversations/t/messages", body, content_type=JSON)

    text, _ = download(agent, "markdown", "/api/conversations/t")

    assert "<details><summary>Paste: a.md</summary>\n\n````\n```\nx\n```\n````\n\n</details>" in text
    assert '<details><summary>Tool call: &lt;b&gt;lookup</summary>\n\n```\n{"word":"heron"}\n```' in text
    assert "**tool (lookup)** · " in text
    assert " · thinking</summary>\n\nhm\n\n</details>" in text
