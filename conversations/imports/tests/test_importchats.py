import io
import json
import zipfile
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from conversations import drafts, log, read
from conversations.imports.readers.claude import ROOT
from conversations.models import Conversation, Message
from state import store
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("conversations.imports.legacy_state.PAUSE", 0)


def node(ref, parent, role="user", text="", children=(), time=None, **more):
    message = {
        "id": ref,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": time,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "metadata": {},
        "recipient": "all",
    }
    return {"id": ref, "message": {**message, **more}, "parent": parent, "children": list(children)}


def chatgpt(session="c-1", title="Trip", extra=()):
    """A conversation with an empty root, whose second question was edited, and of which one branch is current."""
    nodes = [
        {"id": "root", "message": None, "parent": None, "children": ["sys"]},
        node("sys", "root", "system", "", ["q1"]),
        node("q1", "sys", "user", "Where to?", ["a1"], 1700000000.25),
        node("a1", "q1", "assistant", "Lisbon.", ["q2", "q2b"], 1700000010.0, metadata={"model_slug": "m-1"}),
        node("q2", "a1", "user", "Which hotel?", ["a2"], 1700000020.0),
        node("a2", "q2", "assistant", "The old one.", [], 1700000030.0),
        node("q2b", "a1", "user", "Which hostel?", ["a2b"], 1700000040.0),
        node("a2b", "q2b", "assistant", "The new one.", [], 1700000050.0),
        *extra,
    ]
    return {
        "title": title,
        "create_time": 1700000000.25,
        "update_time": 1700000060.5,
        "mapping": {one["id"]: one for one in nodes},
        "current_node": "a2b",
        "conversation_id": session,
        "is_archived": False,
        "default_model_slug": "m-1",
    }


def claude(session="u-1"):
    def said(ref, sender, text, **more):
        time = f"2025-03-01T10:00:0{ref[-1]}.123456Z"
        return {"uuid": ref, "text": text, "content": [{"type": "text", "text": text}], "sender": sender,
                "created_at": time, "updated_at": time, "attachments": [], "files": [], **more}  # fmt: skip

    return {
        "uuid": session,
        "name": "Soup",
        "created_at": "2025-03-01T10:00:00.123456Z",
        "updated_at": "2025-03-01T10:01:00Z",
        "account": {"uuid": "someone"},
        "chat_messages": [
            said("m1", "human", "How long?", attachments=[{"file_name": "soup.txt", "extracted_content": "beans"}]),
            said("m2", "assistant", "An hour."),
            said("m3", "human", ""),
        ],
    }


def written(tmp_path, value, name="conversations.json"):
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def bring(path, *arguments):
    output = io.StringIO()
    call_command("importchats", str(path), *arguments, stdout=output)
    return output.getvalue()


def failing(path, *arguments):
    output = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command("importchats", str(path), *arguments, stdout=output)
    return output.getvalue() + str(error.value)


def kept(session):
    rows = Message.objects.filter(conversation__session_id=session, deleted_revision=None)
    return [(one.speaker, one.message) for one in rows]


def current(session):
    row = read.find_conversation(session)
    return [one.message for one in read.read_page(row, "oldest", 100, branch=True).messages]


def test_chatgpt_comes_with_all_branches_and_the_current_one(tmp_path):
    report = bring(written(tmp_path, [chatgpt()]))

    row = Conversation.objects.get()
    assert (row.session_id, row.title, row.source, row.channel) == ("c-1", "Trip", "ChatGPT", "chatgpt")
    assert row.started_text == "1700000000.25"
    assert len(kept("c-1")) == 6
    assert current("c-1") == ["Where to?", "Lisbon.", "Which hostel?", "The new one."]
    answer = Message.objects.get(message="Lisbon.")
    assert (answer.metadata, answer.timestamp_text) == ({"model": "m-1"}, "1700000010.0")
    assert answer.timestamp == datetime.fromtimestamp(1700000010, UTC)
    assert "c-1 has branches: all are kept, the current one is shown" in report
    assert "conversations.json:1 (sys): empty messages, without a word in them" in report


def test_a_first_question_that_was_edited_begins_a_branch_of_its_own(tmp_path):
    value = chatgpt()
    value["mapping"]["sys"]["children"].append("q0")
    value["mapping"] |= {"q0": node("q0", "sys", "user", "Where to, really?", ["a0"], 1700000100.0)}
    value["mapping"] |= {"a0": node("a0", "q0", "assistant", "Porto.", [], 1700000110.0)}
    value["current_node"] = "a0"

    bring(written(tmp_path, [value]))

    assert current("c-1") == ["Where to, really?", "Porto."]


def test_an_answer_older_than_its_question_is_still_its_answer(tmp_path):
    question = node("q", None, "user", "Where to?", ["a"], 1700000005.0)
    answer = node("a", "q", "assistant", "Home.", [], 1700000004.0)
    value = {**chatgpt(), "mapping": {"q": question, "a": answer}, "current_node": "a"}

    bring(written(tmp_path, [value]))

    assert Message.objects.get(message="Home.").parent.message == "Where to?"


def test_a_parent_that_is_not_in_the_file_is_said(tmp_path):
    value = chatgpt(extra=[node("lost", "nowhere", "user", "Hello?", [], 1700000100.0)])

    report = bring(written(tmp_path, [value]))

    assert "messages of c-1 answer one that is not in the file; they begin the talk anew" in report


def test_an_export_brought_twice_adds_nothing_and_a_newer_one_what_is_new(tmp_path):
    bring(written(tmp_path, [chatgpt()]))
    head = store.head()

    again = bring(written(tmp_path, [chatgpt()], "again.json"))
    newer = chatgpt(title="Trip to Lisbon", extra=[node("q3", "a2b", "user", "Thanks", [], 1700000070.0)])
    newer["mapping"]["a2b"]["children"], newer["current_node"] = ["q3"], "q3"
    assert store.head() == head
    bring(written(tmp_path, [newer], "newer.json"))

    assert "Nothing new: no revision was made." in again
    assert read.find_conversation("c-1").title == "Trip to Lisbon"
    assert current("c-1")[-2:] == ["The new one.", "Thanks"]
    assert len(kept("c-1")) == 7


def test_a_title_that_somebody_has_set_stays(tmp_path):
    bring(written(tmp_path, [chatgpt()]))
    log.change("c-1", {"title": "Mine"}, ADA)

    report = bring(written(tmp_path, [chatgpt(title="Theirs")]))

    assert read.find_conversation("c-1").title == "Mine"
    assert "title of c-1: kept as set by user:ada" in report


def test_an_import_is_undone_as_a_whole(agent, tmp_path):
    bring(written(tmp_path, [chatgpt(), claude()]))
    batch = Revision.objects.first().info["batch"]

    response = agent.post("/api/undo", {"batch": batch}, content_type="application/json")

    assert response.status_code == 200
    assert agent.get("/api/conversations").json()["conversations"] == []
    agent.post("/api/undo", {"revision": store.head()}, content_type="application/json")
    assert current("c-1") == ["Where to?", "Lisbon.", "Which hostel?", "The new one."]


def test_claude_comes_with_the_names_of_attachments(tmp_path):
    report = bring(written(tmp_path, [claude()]))

    assert kept("u-1") == [("user", "How long?"), ("assistant", "An hour.")]
    assert Message.objects.first().metadata == {
        "attachments": ["soup.txt"],
        "pastes": [{"name": "soup.txt", "text": "beans"}],
    }
    assert Message.objects.first().timestamp_text == "2025-03-01T10:00:01.123456Z"
    assert "attachments: their names are kept, the files are not" in report


def test_a_branch_of_claude_goes_on_over_an_empty_message(tmp_path):
    value = claude()
    for one, parent in zip(value["chat_messages"], [ROOT, "m1", "m2"], strict=True):
        one["parent_message_uuid"] = parent
    ends = [{**value["chat_messages"][1], "uuid": f"m{n}", "parent_message_uuid": "m3"} for n in (4, 5)]
    value["chat_messages"] += [{**one, "content": [], "text": one["uuid"]} for one in ends]

    report = bring(written(tmp_path, [value]))

    assert [one.parent.message for one in Message.objects.filter(message__in=["m4", "m5"])] == ["An hour."] * 2
    assert "not in the file" not in report


def test_a_zip_is_read_where_the_chats_are(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chat.html", "<html>")
        archive.writestr("user.json", "{}")
        archive.writestr("conversations-000.json", json.dumps([chatgpt("c-1")]))
        archive.writestr("conversations-001.json", json.dumps([chatgpt("c-2")]))

    bring(path)

    assert sorted(Conversation.objects.values_list("session_id", flat=True)) == ["c-1", "c-2"]


def test_lines_of_messages_are_gathered_by_session(tmp_path):
    lines = [
        {"session_id": "a", "role": "user", "content": "hi", "timestamp": "2025-01-01T10:00:00Z", "mood": "calm"},
        {"session_id": "a", "role": "ai", "content": [{"type": "text", "text": "hello"}], "timestamp": 1735725601},
        {"session_id": "b", "role": "narrator", "content": "meanwhile"},
        {"session_id": "a", "role": "user", "content": "hi", "timestamp": "2025-01-01T10:00:05"},
    ]

    report = bring(written(tmp_path, "\n".join(map(json.dumps, lines)), "talk.jsonl"))

    assert kept("a") == [("user", "hi"), ("user", "hi"), ("assistant", "hello")]
    assert Message.objects.get(conversation__session_id="b").metadata == {"role": "narrator"}
    assert Message.objects.filter(metadata={"mood": "calm"}).count() == 1
    assert "of roles Nola does not know (narrator) are kept as system" in report
    assert "times without a zone are taken as local, in NOLA_TIME_ZONE" in report
    assert "Nothing new" in bring(tmp_path / "talk.jsonl")


def test_training_data_and_a_predecessors_chat_are_read_too(tmp_path):
    talk = {"messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "hi"}]}
    turns = {"session_id": "old", "turns": [{"timestamp": "2025-01-01T12:00:00", "user": "hi", "assistant": "yes"}]}

    bring(written(tmp_path, json.dumps(talk) + "\n" + json.dumps(turns), "mixed.jsonl"))

    assert kept("mixed-1") == [("system", "Be kind"), ("user", "hi")]
    assert kept("old") == [("user", "hi"), ("assistant", "yes")]


def test_a_dry_run_counts_and_writes_nothing(tmp_path):
    report = bring(written(tmp_path, [chatgpt(), claude()]), "--dry-run")

    assert "conversations           2           2" in report
    assert "messages                8           8" in report
    assert "conversations.json: 1 of ChatGPT" in report
    assert "conversations.json: 1 of Claude" in report
    assert (store.head(), Conversation.objects.count()) == (0, 0)


def test_revisions_are_small_and_carry_one_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(drafts, "MOST_ROWS", 20)

    bring(written(tmp_path, [chatgpt(f"c-{n}") for n in range(10)]))

    batches = {one.info["batch"] for one in Revision.objects.all()}
    assert (len(batches), Revision.objects.count()) == (1, 5)


BROKEN = {
    "cut off": ('[{"title":"a","mapping":{}},{"ti', "the file ends in the middle: it was cut off"),
    "no json": ("<html></html>", "it is a web page, not JSON; ask the service for its export as JSON"),
    "empty": ("", "the file is empty"),
    "a fault inside": ('[{"conversation_id":"x","mapping":{}} oops]', "a comma is missing between two items"),
    "something else": ('[{"a":1}]', "no conversation and no message that Nola knows, but an object with `a`"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "a broken zip": ("PK\x03\x04 and then nothing", "the zip cannot be read, download it again"),
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_read_is_said(tmp_path, text, reason):
    assert reason in failing(written(tmp_path, text))


@pytest.mark.parametrize(("arguments", "left"), [((), ["c-1", "c-2"]), (("--all-or-nothing",), [])])
def test_the_good_part_is_kept_or_nothing_as_one_chooses(tmp_path, arguments, left):
    text = json.dumps([chatgpt("c-1"), {"nothing": 1}, chatgpt("c-2"), chatgpt("c-3")])[:-20]

    report = failing(written(tmp_path, text), *arguments)

    assert list(Conversation.objects.order_by("session_id").values_list("session_id", flat=True)) == left
    assert "conversations.json:2: no conversation" in report
    assert "conversations.json:4: line 1, column " in report
    assert "the file ends in the middle: it was cut off, in what begins here" in report


def test_a_bad_line_does_not_stop_the_others(tmp_path):
    good = json.dumps({"role": "user", "content": "hi"})

    report = failing(written(tmp_path, f'{good}\n{{"role": NaN}}\n{{"role"\n{good[:-1]},"n":1}}', "talk.jsonl"))

    assert len(kept("talk")) == 2
    assert "talk.jsonl:2: line 2, column 10, inside /role: NaN is not JSON" in report
    assert "talk.jsonl:3: line 4, column 1, inside /role: a colon is missing after the name" in report


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("conversations.json", "w") as member:
        for _ in range(80):
            member.write(b" " * 1_000_000)

    assert "would grow from" in failing(path)


def test_members_that_are_a_bomb_together_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "bombs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"conversations-{number}.json", b" " * 20_000_000)

    assert "conversations-0.json and 3 more would grow from" in failing(path)


def test_a_damaged_zip_keeps_what_came_before_the_damage(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", json.dumps([chatgpt("c-1"), chatgpt("c-2")]))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"The new one.", b"The NEW one.", 1))

    assert "the zip is damaged at conversations.json" in failing(path)


def test_a_zip_whose_directory_is_damaged_is_told_anywhere(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", json.dumps([chatgpt("c-1")]))
    raw = path.read_bytes()
    start = raw.index(b"PK\x01\x02")
    for place in range(start + 4, start + 46, 2):
        path.write_bytes(raw[:place] + b"\x63" + raw[place + 1 :])
        report = io.StringIO()
        with suppress(CommandError):
            call_command("importchats", str(path), dry_run=True, stdout=report, stderr=report)


def test_halves_of_characters_and_nul_are_replaced_and_noted(tmp_path):
    value = chatgpt()
    value["mapping"]["q1"]["message"]["content"]["parts"] = ["half \ud83d and \0"]

    report = bring(written(tmp_path, json.dumps([value])))

    assert kept("c-1")[0] == ("user", "half � and ␀")
    assert "halves of surrogate pairs" in report


def test_a_loop_in_the_tree_ends(tmp_path):
    value = chatgpt()
    value["mapping"]["q1"]["parent"] = "a2"

    bring(written(tmp_path, [value]))

    assert len(kept("c-1")) == 6


def post(client, body, query=""):
    return client.post(f"/api/conversations/import{query}", body, content_type="application/octet-stream")


def test_an_export_is_brought_over_http_with_a_preview(agent):
    body = json.dumps([chatgpt(), {"nothing": 1}])

    preview = post(agent, body, "?dry_run=true&name=chats.json").json()
    head = store.head()
    response = post(agent, body, "?name=chats.json")
    again = post(agent, body)

    assert (preview["revisions"], head) == (0, 0)
    assert preview["counts"] == response.json()["counts"]
    assert response.json()["counts"]["added"] == {"conversations": 1, "messages": 6}
    assert "chats.json:2" in [one["where"] for one in response.json()["findings"]]
    assert Revision.objects.get().actor == "key:default"
    assert Revision.objects.get().info["batch"] == response.json()["batch"]
    assert again.json()["revisions"] == 0
    assert post(agent, body, "?dry_run=maybe").status_code == 422


def test_a_conversation_may_be_called_import(agent):
    agent.post("/api/conversations", {"session_id": "import"}, content_type="application/json")

    assert agent.get("/api/conversations/import").json()["session_id"] == "import"
    assert agent.delete("/api/conversations/import").status_code == 204


def said_at(*seconds, speakers=("human", "assistant")):
    """A chat of Claude whose messages name no parent, said at these seconds, and numbered as they stand in the file."""
    messages = [
        {"uuid": f"m{number}", "text": str(number), "sender": speakers[number % 2], "content": [], "attachments": [],
         "created_at": f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z", "files": []}
        for number, second in enumerate(seconds)
    ]  # fmt: skip
    return {"uuid": "u-9", "name": "", "created_at": "2026-01-01T00:00:00Z", "chat_messages": messages}


@pytest.mark.parametrize(
    ("chat", "order"),
    [
        (said_at(1, 0), "01"),  # an answer stamped before its question
        (said_at(1, 3, 2, 4, 4), "01234"),
        (said_at(10, 9, 20, 19, 18), "01234"),
        (said_at(1, 2, 0, 2), "0123"),
        (said_at(9, 6, 3, 1), "3210"),  # a list that has the newest first
        (said_at(9, 6, speakers=("assistant", "human")), "10"),
        (said_at(1000, 2000, 1001, 2500), "0213"),  # more than a clock is behind
    ],
)
def test_a_list_without_links_stands_in_its_order_where_a_clock_is_a_little_behind(tmp_path, chat, order):
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([chat]))
    for _ in range(2):
        call_command("importchats", str(path), stdout=io.StringIO())

    row = Conversation.objects.get()
    assert "".join(one.message for one in read.read_page(row, "oldest", 10).messages) == order
