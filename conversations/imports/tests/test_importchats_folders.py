"""Imports of chats by folder and over HTTP: what else lies there, what is no talk, and the report of it."""

import io
import json
import zipfile

import pytest
from django.core.management import CommandError, call_command

from conversations.imports.tests.reading import chatgpt, claude, claude_message, node, text
from conversations.models import Conversation, Message
from state import store
from state.address import Address
from state.jsondoc.text import parse_json
from state.models import Revision, StateEntry
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
MEMORY = {"conversations_memory": "bakes bread", "project_memories": {}, "account_uuid": "x"}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("conversations.imports.legacy_state.PAUSE", 0)


@pytest.fixture
def export(tmp_path):
    """An export of Claude, unpacked, with what else lies in such a folder."""
    folder = tmp_path / "export"
    (folder / "deep").mkdir(parents=True)
    talk = [claude(claude_message("a", content=[text("hi")]), claude_message("b", "assistant", [text("yes")]))]
    (folder / "conversations.json").write_text(json.dumps(talk))
    (folder / "memories.json").write_text(json.dumps([MEMORY]))
    (folder / "users.json").write_text('[{"uuid":"x","full_name":"Ada","email_address":"a@example.org"}]')
    (folder / "deep" / "picture.png").write_bytes(b"png")
    return folder


def bring(path, *arguments):
    output = io.StringIO()
    call_command("importchats", str(path), *arguments, stdout=output)
    return output.getvalue()


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for one in folder.rglob("*"):
            archive.write(one, one.relative_to(folder))
    return path


@pytest.mark.parametrize("is_zip", [False, True])
def test_an_export_comes_alike_from_a_zip_and_from_its_folder(export, tmp_path, is_zip):
    report = bring(zipped(export, tmp_path / "export.zip") if is_zip else export)

    assert Conversation.objects.get().source == "Claude"
    assert [one.message for one in Message.objects.all()] == ["hi", "yes"]
    assert keys() == {"imported.claude.memories": {"conversations_memory": "bakes bread", "project_memories": {}}}
    assert "users.json: not read: it looks like Claude's account data" in report
    assert "1 other files not read (.png)" in report
    assert "what is no talk goes into the state: imported.claude.memories" in report
    assert "Not all of the file is in Nola as it stands there" in report


def keys():
    return {
        key: json.loads(store.read(Address(key)).text) for key in StateEntry.objects.values_list("key_name", flat=True)
    }


def test_a_folder_brought_again_adds_nothing_and_is_undone_with_its_state(export, agent):
    bring(export)
    assert "Nothing new: no revision was made." in bring(export)

    batch = Revision.objects.first().info["batch"]
    assert agent.post("/api/undo", {"batch": batch}, content_type="application/json").status_code == 200
    assert keys() == {}
    assert not Conversation.objects.filter(deleted_revision=None).exists()


def test_state_that_somebody_has_changed_stays(export):
    bring(export)
    store.put(Address("imported.claude.memories"), parse_json('"mine"'), Author("user:ada", Source.API))

    report = bring(export)

    assert keys() == {"imported.claude.memories": "mine"}
    assert "imported.claude.memories was written by user:ada" in report


def test_what_is_no_talk_is_left_out_by_name_or_put_elsewhere_as_one_wishes(export):
    report = bring(export, "--state", "")
    assert keys() == {}
    assert "claude.memories, which is no talk but state; --state NAME brings it" in report

    bring(export, "--state", "old")
    assert list(keys()) == ["old.claude.memories"]


def test_shards_of_an_export_are_all_read(tmp_path):
    for number in range(3):
        talk = chatgpt(node("a", None, content=f"in shard {number}"), conversation_id=f"c{number}")
        (tmp_path / f"conversations-{number:03}.json").write_text(json.dumps([talk]))

    bring(tmp_path)

    assert sorted(one.message for one in Message.objects.all()) == ["in shard 0", "in shard 1", "in shard 2"]


def test_files_of_one_name_in_two_folders_are_two_conversations(tmp_path):
    for folder, mes in (("Mila", "hello"), ("Ada", "good day")):
        (tmp_path / folder).mkdir()
        chat = {"name": folder, "is_user": False, "send_date": "2026-01-03T10:00:00Z", "mes": mes}
        (tmp_path / folder / "chat.jsonl").write_text(json.dumps(chat))
        (tmp_path / folder / "talk.jsonl").write_text(json.dumps({"role": "user", "content": mes}))

    bring(tmp_path)

    assert sorted(Conversation.objects.values_list("session_id", flat=True)) == [
        "Ada/chat", "Ada/talk", "Mila/chat", "Mila/talk",
    ]  # fmt: skip
    assert "Nothing new: no revision was made." in bring(tmp_path)


def test_a_folder_without_chats_is_refused(tmp_path):
    (tmp_path / "MyActivity.html").write_text("<html>")

    with pytest.raises(CommandError):
        bring(tmp_path)
    with pytest.raises(CommandError, match="is not there"):
        bring(tmp_path / "nowhere")


def test_the_report_as_json_tells_of_each_conversation(tmp_path):
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([
        chatgpt(node("a", None, content="hi", time=1), node("b", "a", "assistant")),
        chatgpt(node("c", None), conversation_id="d"),
    ]))  # fmt: skip

    told = json.loads(bring(path, "--json", "--dry-run"))

    assert told["is_whole"] is True
    assert [(one["where"], one["session_id"], one["messages"]) for one in told["conversations"]] == [
        ("conversations.json:1", "c", {"read": 1, "skipped": 1, "added": 1}),
        ("conversations.json:2", "d", {"read": 0, "skipped": 1}),
    ]
    assert told["conversations"][0]["told"] == [{
        "category": "skipped", "what": "empty messages, without a word in them", "count": 1,
        "where": "conversations.json:1 (b)",
    }]  # fmt: skip


def test_an_export_is_no_state(export, tmp_path):
    with pytest.raises(CommandError, match="is an export of chats of Claude, and not state"):
        call_command("importlegacy", str(export))
    (tmp_path / "alpha.json").write_text("1")
    (tmp_path / "rain.json").write_text(
        '{"conversationId":"l","exportAt":"x","messages":[{"messageId":"1","text":"Rain?"}]}'
    )

    output = io.StringIO()
    call_command("importlegacy", str(tmp_path), stdout=output)

    assert keys() == {"alpha": 1}
    assert "export/: an export of chats of Claude, and not state" in output.getvalue()
    assert "rain.json: chats of LibreChat, and not state" in output.getvalue()


def post(agent, body, query=""):
    return agent.post(f"/api/conversations/import{query}", body, content_type="application/octet-stream").json()


def test_lines_over_http_are_named_by_the_file_and_added_once(agent):
    body = '{"role":"user","content":"hi"}\n{"role":"assistant","content":"yes"}'

    first, again = post(agent, body, "?name=my-talk.jsonl"), post(agent, body, "?name=my-talk.jsonl")
    post(agent, body)

    assert (first["counts"]["added"]["messages"], again["revisions"]) == (2, 0)
    assert post(agent, body)["revisions"] == 0
    assert sorted(Conversation.objects.values_list("session_id", flat=True)) == ["my-talk", "upload"]
    assert first["conversations"][0]["session_id"] == "my-talk"


def test_state_over_http_goes_where_one_wishes(agent):
    left = post(agent, json.dumps(MEMORY), "?state=")
    brought = post(agent, json.dumps(MEMORY), "?state=theirs")

    assert (left["is_whole"], left["revisions"], brought["is_whole"]) == (False, 0, True)
    assert list(keys()) == ["theirs.claude.memories"]
