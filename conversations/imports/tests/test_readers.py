"""Exports of services, in small files of their shapes: who said what, in which order, and what stands beside it."""

import pytest

from conversations.imports.tests.reading import ROOT, chatgpt, claude, claude_message, node, read_value, text
from state.report import Category

KINDS = {
    "canvas": ({"content_type": "code", "language": "json", "text": '{"name":"doc"}'}, '{"name":"doc"}'),
    "a recap": ({"content_type": "reasoning_recap", "content": "Thought"}, "Thought"),
    "a page": ({"content_type": "sonic_webpage", "url": "https://a.example", "title": "A", "text": "words"}, "words"),
    "output": ({"content_type": "citable_code_output", "output_str": "42"}, "42"),
    "browsing": ({"content_type": "tether_browsing_display", "result": "found", "summary": ""}, "found"),
    "memory": ({"content_type": "model_editable_context", "model_set_context": "likes tea"}, "likes tea"),
    "voice": ({"content_type": "x", "parts": [{"content_type": "audio_transcription", "text": "hi"}]}, "hi"),
    "unheard of": ({"content_type": "hologram", "waves": [1, 2]}, ""),
    "a widget": ({"content_type": "super_widget", "widget": {"a": 0}}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), KINDS.values(), ids=KINDS.keys())
def test_no_kind_of_chatgpt_is_lost(tmp_path, content, said):
    found = read_value(tmp_path, [chatgpt(node("a", None, content=content))])

    assert found.said == [("user", said)]
    assert said or found.metadata(0)["parts"]
    assert found.told(Category.SKIPPED) == []


def test_hidden_messages_thoughts_and_profiles_say_why_they_are_folded(tmp_path):
    profile = {"content_type": "user_editable_context", "user_profile": "p", "user_instructions": "i"}
    found = read_value(tmp_path, [chatgpt(
        node("a", None, content=profile),
        node("b", "a", content={"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "c"}]}),
        node("c", "b", content="secret", metadata={"is_visually_hidden_from_conversation": True}),
        node("d", "c", "assistant", "open"),
    )])  # fmt: skip

    assert [found.metadata(n).get("hidden") for n in range(4)] == ["profile", "thinking", "hidden", None]
    assert [said for _, said in found.said] == ["p\ni", "s\nc", "secret", "open"]


def test_quotes_keep_where_they_are_from_and_clips_their_names(tmp_path):
    quote = {"content_type": "tether_quote", "url": "https://tea.example", "title": "Tea", "text": "Steep."}
    sound = {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_v"}
    clip = {"content_type": "real_time_user_audio_video_asset_pointer", "audio_asset_pointer": sound}
    clip["frames_asset_pointers"] = ["sediment://file_f"]
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-i"}
    found = read_value(tmp_path, [chatgpt(
        node("a", None, "tool", quote),
        node("b", "a", content={"content_type": "multimodal_text", "parts": [clip]}),
        node("c", "b", content={"content_type": "multimodal_text", "parts": [image, "what?"]},
             metadata={"attachments": [{"id": "file-i", "name": "cup.png"}]}),
    )])  # fmt: skip

    assert found.metadata(0)["quotes"] == [{"url": "https://tea.example", "title": "Tea"}]
    assert found.metadata(1)["attachments"] == ["file_v", "file_f"]
    assert found.metadata(2)["attachments"] == ["cup.png"]
    assert found.said[1:] == [("user", ""), ("user", "what?")]


EMPTY_MIDDLE = {
    "ChatGPT": chatgpt(node("a", None, content="one", time=1), node("b", "a", "assistant", time=2),
                       node("c", "b", content="three", time=3), node("d", "b", content="other", time=4)),
    "Claude": claude(claude_message("a", content=[text("one")], parent_message_uuid=ROOT),
                     claude_message("b", "assistant", parent_message_uuid="a"),
                     claude_message("c", content=[text("three")], parent_message_uuid="b"),
                     claude_message("d", content=[text("other")], parent_message_uuid="b")),
    "DeepSeek": {"id": "d", "inserted_at": "2026-01-01T10:00:00Z", "mapping": {
        "r": {"parent": None, "message": None},
        "a": {"parent": "r", "message": {"fragments": [{"type": "REQUEST", "content": "one"}]}},
        "b": {"parent": "a", "message": {"fragments": []}},
        "c": {"parent": "b", "message": {"fragments": [{"type": "REQUEST", "content": "three"}]}},
        "d": {"parent": "b", "message": {"fragments": [{"type": "REQUEST", "content": "other"}]}}}},
    "open-webui": {"id": "o", "chat": {"title": "T", "history": {"currentId": "d", "messages": {
        "a": {"id": "a", "parentId": None, "role": "user", "content": "one", "childrenIds": ["b"]},
        "b": {"id": "b", "parentId": "a", "role": "assistant", "content": "", "childrenIds": ["c", "d"]},
        "c": {"id": "c", "parentId": "b", "role": "user", "content": "three", "childrenIds": []},
        "d": {"id": "d", "parentId": "b", "role": "user", "content": "other", "childrenIds": []}}}}},
    "LibreChat": {"conversationId": "l", "exportAt": "x", "messages": [
        {"messageId": "a", "parentMessageId": ROOT, "text": "one", "isCreatedByUser": True, "children": [
            {"messageId": "b", "text": "", "isCreatedByUser": False, "children": [
                {"messageId": "c", "text": "three", "isCreatedByUser": True, "children": []},
                {"messageId": "d", "text": "other", "isCreatedByUser": True, "children": []}]}]}]},
}  # fmt: skip


@pytest.mark.parametrize("source", EMPTY_MIDDLE)
def test_what_answers_an_empty_message_answers_the_one_before_it(tmp_path, source):
    found = read_value(tmp_path, [EMPTY_MIDDLE[source]])

    assert found.sources == [source]
    assert [said for _, said in found.said] == ["one", "three", "other"]
    assert found.parents() == {"one": "one", "three": "one", "other": "one"}
    assert found.report.count(Category.SKIPPED) == 1


def test_pastes_of_one_name_are_both_kept_and_thoughts_and_tools_are_parts(tmp_path):
    paste = [{"file_name": "paste.txt", "extracted_content": words} for words in ("beans", "leeks")]
    tool = {"type": "tool_use", "name": "search", "input": {}}
    found = read_value(tmp_path, [claude(
        claude_message("a", content=[text("look")], attachments=paste, files=[{"file_name": "a.png"}]),
        claude_message("b", "assistant", [
            {"type": "thinking", "thinking": "hm"}, text("One"),
            {"type": "tool_use", "name": "artifacts", "input": {"content": "code"}},
            {"type": "tool_result", "content": [text("OK")]}, text("two"),
        ]),
        claude_message("c", "assistant", [tool, {"type": "tool_result", "content": [text("found")]}]),
    )])  # fmt: skip

    assert found.said == [("user", "look"), ("assistant", "One\ntwo"), ("assistant", "")]
    assert found.metadata(0)["pastes"] == [
        {"name": "paste.txt", "text": "beans"},
        {"name": "paste.txt", "text": "leeks"},
    ]
    assert found.metadata(0)["attachments"] == ["paste.txt", "a.png"]
    assert [one["type"] for one in found.metadata(1)["parts"]] == ["thinking", "tool_use", "tool_result"]
    assert [one["type"] for one in found.metadata(2)["parts"]] == ["tool_use", "tool_result"]
    assert found.report.count(Category.SKIPPED) == 0


def test_memories_and_projects_of_claude_are_state(tmp_path):
    memory = {"conversations_memory": "bakes", "project_memories": {"p": "rye"}, "account_uuid": "x"}
    project = {
        "uuid": "p",
        "name": "Bread",
        "prompt_template": "be kind",
        "docs": [{"filename": "r.md", "content": "rye"}],
    }

    found = read_value(tmp_path, [memory, project])

    assert found.chats == []
    assert found.state["claude.memories"] == {"conversations_memory": "bakes", "project_memories": {"p": "rye"}}
    assert found.state["claude.projects.Bread"]["docs"][0]["content"] == "rye"


def test_deepseek_tells_speakers_by_fragments_or_by_turns(tmp_path):
    old = {"content": "What?", "model": "m", "inserted_at": "2026-01-01T10:00:00+08:00"}
    value = {"id": "d", "title": "T", "mapping": {
        "root": {"parent": None, "children": ["1"], "message": None},
        "1": {"parent": "root", "children": ["2"], "message": old},
        "2": {"parent": "1", "message": {**old, "content": "This.", "reasoning_content": "hm"}}}}  # fmt: skip
    found = read_value(tmp_path, [value])

    assert (found.sources, found.said) == (["DeepSeek"], [("user", "What?"), ("assistant", "This.")])
    assert found.metadata(1)["reasoning_content"] == "hm"


def test_a_single_chat_of_open_webui_keeps_its_branches(tmp_path):
    history = EMPTY_MIDDLE["open-webui"]["chat"]["history"]

    found = read_value(tmp_path, {"title": "T", "models": ["m"], "history": history}, name="chat-export-1.json")

    assert found.sources == ["open-webui"]
    assert found.leaf == "other"
    assert found.chat.session_id == "chat-export-1-1"


def test_librechat_tells_who_speaks_by_who_made_it(tmp_path):
    found = read_value(tmp_path, {"conversationId": "l", "endpoint": "openAI", "exportAt": "x", "messages": [
        {"messageId": "1", "parentMessageId": ROOT, "sender": "Somebody", "isCreatedByUser": True, "text": "Rain?",
         "createdAt": "2026-01-01T10:00:00.000Z"},
        {"messageId": "2", "parentMessageId": "1", "sender": "GPT", "isCreatedByUser": False, "text": "", "content": [
            {"type": "think", "think": "hm"}, {"type": "text", "text": {"value": "Yes."}},
            {"type": "tool_call", "tool_call": {"name": "weather", "args": "{}", "output": "wet"}}],
         "createdAt": "2026-01-01T10:00:03.000Z"}]})  # fmt: skip

    assert found.said == [("user", "Rain?"), ("assistant", "Yes.")]
    assert [one["type"] for one in found.metadata(1)["parts"]] == ["think", "tool_call"]
    assert found.chat.session_id == "l"


def test_silly_tavern_keeps_swipes_as_branches_and_hidden_lines(tmp_path):
    found = read_value(
        tmp_path,
        {"user_name": "Jan", "character_name": "Mila", "create_date": "2026-01-03@16h05m06s"},
        {"name": "Mila", "is_user": False, "send_date": "January 3, 2026 4:05pm", "mes": "B", "swipe_id": 1,
         "swipes": ["A", "B", "C"]},
        {"name": "Jan", "is_user": True, "send_date": 1767456400000, "mes": "Evening!"},
        {"name": "Mila", "is_user": False, "is_system": True, "send_date": "2026-1-3 @16h 07m 00s 12ms",
         "mes": "(psst)"},
        name="m.jsonl",
    )  # fmt: skip

    assert found.chat.session_id == "Mila - m"
    assert sorted(said for _, said in found.said) == ["(psst)", "A", "B", "C", "Evening!"]
    assert found.parents()["Evening!"] == "B"
    assert found.leaf == "(psst)"
    assert list(found.chat.messages.values())[-1].metadata["hidden"] == "hidden"
    assert [one.timestamp_text for one in found.chat.messages.values()].count("January 3, 2026 4:05pm") == 3
    assert "messages without a readable time have that of the message before" not in found.told(Category.NOTED)


def test_the_activity_of_gemini_is_a_conversation_a_day(tmp_path):
    def entry(title, time, html=None):
        about = {"header": "Gemini Apps", "products": ["Gemini Apps"], "title": title, "time": time}
        return about | ({"safeHtmlItem": [{"html": html}]} if html else {})

    found = read_value(tmp_path, [
        entry("Prompted Why?", "2026-01-02T10:00:00.123Z", '<p>See <a href="https://x.example">x</a>:</p><ul><li>b</li></ul>'),
        entry("Used an Assistant feature", "2026-01-02T09:00:00Z"),
    ], name="MyActivity.json")  # fmt: skip

    said = [(one.speaker, one.message) for chat in found.chats for one in chat.messages.values()]
    assert said == [
        ("user", "Why?"), ("assistant", "See [x](https://x.example):\n\n- b"), ("system", "Used an Assistant feature"),
    ]  # fmt: skip
    assert {chat.session_id for chat in found.chats} == {"gemini-2026-01-02"}


def test_a_chat_of_ai_studio_hides_what_was_thought(tmp_path):
    chunks = [{"text": "Why?", "role": "user"}, {"text": "hm", "role": "model", "isThought": True},
              {"text": "So.", "role": "model"}, {"role": "user", "driveImage": {"id": "1x"}}]  # fmt: skip

    found = read_value(tmp_path, {"runSettings": {}, "chunkedPrompt": {"chunks": chunks}})

    assert found.said == [("user", "Why?"), ("assistant", "hm"), ("assistant", "So."), ("user", "")]
    assert found.metadata(1)["hidden"] == "thinking"
    assert found.metadata(3)["attachments"] == ["1x"]


def test_a_prompt_whose_address_names_its_chat_is_put_there(tmp_path):
    about = {"header": "Gemini Apps", "time": "2026-01-02T10:00:00Z"}
    found = read_value(
        tmp_path, [{**about, "title": "Prompted Why?", "titleUrl": "https://gemini.google.com/app/a1b2"}]
    )

    assert found.chat.session_id == "gemini-a1b2"
