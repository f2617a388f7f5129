"""What programs write and APIs take, in small files of their shapes: lists of messages, agents and their sessions."""

import json

from conversations.imports.tests.reading import read_value, text
from state.report import Category


def test_members_that_say_nothing_stay_and_null_is_no_text(tmp_path):
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    found = read_value(tmp_path, {"messages": [
        {"role": "user", "content": "hi", "score": 0, "liked": False, "tags": [], "by": None},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "12"},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": None, "refusal": "No."},
        "nonsense",
    ]})  # fmt: skip

    assert found.said == [("user", "hi"), ("assistant", ""), ("tool", "12"), ("assistant", "No.")]
    assert found.metadata(0) == {"score": 0, "liked": False, "tags": [], "by": None}
    assert found.metadata(1)["tool_calls"][0]["id"] == found.metadata(2)["tool_call_id"] == "c"
    assert found.metadata(2)["name"] == "f"
    assert sorted(found.told(Category.SKIPPED)) == [
        "empty messages, without a word in them", "no message: there is no role and no text in it",
    ]  # fmt: skip


def test_blocks_of_anthropic_keep_tools_and_images_and_leave_out_the_bytes_of_files(tmp_path):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD" * 1000}}
    found = read_value(tmp_path, {"system": "Be kind", "model": "m", "messages": [
        {"role": "user", "content": [text("look"), image]},
        {"role": "assistant", "content": [text("Wait."), {"type": "tool_use", "id": "t", "name": "find", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [text("a bird"), image]}]},
    ]})  # fmt: skip

    assert found.said == [("system", "Be kind"), ("user", "look"), ("assistant", "Wait."), ("tool", "a bird")]
    assert "4,000 characters of a file, left out" in json.dumps(found.metadata(1))
    assert found.metadata(2)["parts"][0]["name"] == "find"
    assert found.metadata(3)["tool_call_id"] == "t"
    assert found.report.count(Category.SKIPPED) == 2


def test_a_thread_of_assistants_is_read_the_oldest_first_and_says_if_it_goes_on(tmp_path):
    def said(ref, role, words, time):
        content = [{"type": "text", "text": {"value": words, "annotations": []}}]
        return {
            "id": ref,
            "object": "thread.message",
            "thread_id": "th",
            "role": role,
            "content": content,
            "created_at": time,
        }

    talk = [said("b", "assistant", "Hello", 1767261605), said("a", "user", "Hi", 1767261600)]
    found = read_value(tmp_path, {"object": "list", "data": talk, "has_more": True})
    lines = read_value(tmp_path, *talk, name="thread.jsonl")

    assert found.said == lines.said == [("user", "Hi"), ("assistant", "Hello")]
    assert found.chat.session_id == lines.chat.session_id == "th"
    assert "has_more" in found.told(Category.SKIPPED)[0]


def test_a_response_of_openai_and_its_items_on_lines(tmp_path):
    items = [
        {"type": "message", "id": "m1", "role": "user", "content": [{"type": "input_text", "text": "2+2?"}]},
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "sum"}]},
        {"type": "function_call", "id": "f", "call_id": "c", "name": "add", "arguments": "[2,2]"},
        {"type": "function_call_output", "call_id": "c", "output": "4"},
        {"type": "message", "id": "m2", "role": "assistant", "content": [{"type": "output_text", "text": "4"}]},
    ]
    whole = read_value(tmp_path, {"object": "response", "id": "resp", "input": items[:1], "output": items[1:]})
    lines = read_value(tmp_path, *items, name="items.jsonl")

    expected = [("user", "2+2?"), ("assistant", "sum"), ("assistant", ""), ("tool", "4"), ("assistant", "4")]
    assert whole.said == lines.said == expected
    assert whole.metadata(1)["hidden"] == "thinking"
    assert whole.metadata(2)["parts"][0]["name"] == "add"


def test_several_choices_of_a_completion_are_branches(tmp_path):
    choices = [{"index": n, "message": {"role": "assistant", "content": words}} for n, words in enumerate("ab")]

    found = read_value(tmp_path, {"id": "x", "object": "chat.completion", "created": 1767261600, "choices": choices})

    assert found.parents() == {"a": "a", "b": "b"}


def test_share_gpt_as_one_object_and_in_lines(tmp_path):
    turns = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Clouds.", "weight": 0}]

    one = read_value(tmp_path, {"conversations": turns, "id": "s"})
    two = read_value(tmp_path, {"id": "s", "conversations": turns}, {"id": "t", "conversations": turns}, name="s.jsonl")

    assert one.said == [("user", "Why?"), ("assistant", "Clouds.")]
    assert one.metadata(1) == {"weight": 0}
    assert [chat.session_id for chat in two.chats] == ["s", "t"]


def test_an_agent_of_letta_is_messages_and_state(tmp_path):
    packed = json.dumps({"type": "user_message", "message": "I moved.", "time": "now"})
    beat = json.dumps({"type": "heartbeat", "reason": "tool"})
    call = {"id": "c", "function": {"name": "send_message", "arguments": '{"message": "Welcome!"}'}}
    agent = {"name": "Mo", "agent_type": "memgpt_agent", "messages": [
        {"role": "user", "content": [text(packed)], "created_at": "2026-01-01T10:00:00+00:00"},
        {"role": "user", "content": [text(beat)]},
        {"role": "assistant", "content": [text("be kind")], "tool_calls": [call]},
        {"role": "tool", "content": [text("None")], "tool_call_id": "c"},
    ]}  # fmt: skip
    block = {"id": "b", "label": "human", "value": "Lives in Brno"}
    old = read_value(tmp_path, {**agent, "core_memory": [block], "tools": [{"name": "t"}]}, name="mo.af")
    new = read_value(
        tmp_path, {"agents": [{**agent, "block_ids": ["b"]}], "blocks": [block], "tools": []}, name="mo.af"
    )

    for found in (old, new):
        assert found.said == [("user", "I moved."), ("user", beat), ("assistant", "Welcome!"), ("tool", "None")]
        assert found.metadata(1)["hidden"] == "hidden"
        assert found.metadata(2)["parts"] == [{"type": "thinking", "thinking": "be kind"}]
        assert found.state == {"letta.Mo": {"human": {"value": "Lives in Brno"}}}
    assert "tools of an agent, which are no talk and no memory" in old.told(Category.SKIPPED)


def test_the_graph_of_a_memory_server_is_state(tmp_path):
    found = read_value(
        tmp_path,
        {"type": "entity", "name": "Ada", "entityType": "person", "observations": ["tea"]},
        {"type": "relation", "from": "Ada", "to": "Brno", "relationType": "lives in"},
        {"type": "entity", "name": "Ada", "entityType": "person", "observations": ["tea", "rye"]},
        name="memory.jsonl",
    )

    assert found.state["memory"] == {
        "entities": {"Ada": {"entityType": "person", "observations": ["tea", "rye"]}},
        "relations": [{"from": "Ada", "to": "Brno", "relationType": "lives in"}],
    }


def test_a_session_of_codex(tmp_path):
    def line(kind, payload):
        return {"timestamp": "2026-01-01T10:00:00Z", "type": kind, "payload": payload}

    def said(role, words):
        return {"type": "message", "role": role, "content": [{"type": "input_text", "text": words}]}

    found = read_value(
        tmp_path,
        line("session_meta", {"id": "s", "cwd": "/p", "timestamp": "2026-01-01T10:00:00Z"}),
        line("response_item", said("user", "<environment_context>x</environment_context>")),
        line("response_item", said("user", "fix it")),
        line("event_msg", {"type": "user_message", "message": "fix it"}),
        line("response_item", {"type": "reasoning", "summary": [], "encrypted_content": "xyz"}),
        line("response_item", {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c"}),
        line("response_item", {"type": "function_call_output", "call_id": "c", "output": "ok"}),
        line("event_msg", {"type": "token_count"}),
        line("event_msg", {"type": "agent_message", "message": "done"}),
        line("something_new", {"type": "x"}),
        name="rollout.jsonl",
    )

    shown = [(one.speaker, one.message) for one in found.chat.messages.values() if "hidden" not in one.metadata]
    assert shown == [("user", "fix it"), ("assistant", ""), ("tool", "ok"), ("assistant", "done")]
    assert (found.chat.session_id, found.metadata(2)["parts"][0]["name"]) == ("s", "shell")
    assert {"lines about the session, no messages: x", "lines about the session, no messages: token_count"} <= set(
        found.told(Category.SKIPPED)
    )


def test_a_session_of_claude_code_with_a_helper(tmp_path):
    def line(ref, parent, role, content, **more):
        return {"uuid": ref, "parentUuid": parent, "sessionId": "s", "type": role, "timestamp": "2026-01-01T10:00:00Z",
                "message": {"role": role, "content": content}, **more}  # fmt: skip

    found = read_value(
        tmp_path,
        {"type": "summary", "summary": "Fix", "leafUuid": "d"},
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
        line("a", None, "user", "fix it"),
        line("b", "a", "assistant", [{"type": "thinking", "thinking": "hm"}]),
        line("c", "b", "assistant", [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}]),
        {"uuid": "p", "parentUuid": "c", "sessionId": "s", "type": "progress"},
        line("d", "p", "user", [{"type": "tool_result", "tool_use_id": "t", "content": "a.py"}]),
        line("e", "d", "user", "told by the program", isMeta=True),
        line("x", None, "user", "look around", isSidechain=True, agentId="h1"),
        name="s.jsonl",
    )

    talk, helper = found.chats
    assert [(one.speaker, one.message) for one in talk.messages.values()] == [
        ("user", "fix it"), ("assistant", ""), ("assistant", ""), ("tool", "a.py"), ("user", "told by the program"),
    ]  # fmt: skip
    assert [one.metadata.get("hidden") for one in talk.messages.values()] == [None, "thinking", None, None, "hidden"]
    assert (talk.session_id, talk.title, helper.session_id) == ("s", "Fix", "s/h1")
    assert not [one.parent for one in talk.messages.values() if one.parent]  # the order says it all
    assert "lines about the session, no messages: file-history-snapshot" in found.told(Category.SKIPPED)


def test_a_session_of_codex_as_older_versions_kept_it(tmp_path):
    def said(role, words):
        return {"type": "message", "role": role, "content": [{"type": "input_text", "text": words}]}

    found = read_value(
        tmp_path,
        {"id": "s", "timestamp": "2025-06-01T10:00:00Z", "instructions": None},
        {"record_type": "state"},
        said("user", "do it"),
        {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c"},
        said("assistant", "done"),
        name="rollout.jsonl",
    )

    assert found.sources == ["Codex"]
    assert (found.chat.session_id, found.said) == ("s", [("user", "do it"), ("assistant", ""), ("assistant", "done")])


def test_a_session_that_claude_code_prints(tmp_path):
    found = read_value(
        tmp_path,
        {"type": "system", "subtype": "init", "session_id": "z", "tools": []},
        {"type": "assistant", "message": {"role": "assistant", "content": [text("hi")]}, "session_id": "z"},
        {"type": "result", "subtype": "success", "result": "hi", "session_id": "z"},
    )

    assert (found.chat.session_id, found.said) == ("z", [("assistant", "hi")])
    assert len(found.told(Category.SKIPPED)) == 2


def test_an_answer_of_anthropic_on_a_line_keeps_its_members(tmp_path):
    line = {"id": "m", "type": "message", "role": "assistant", "content": [text("hey")], "usage": {"input_tokens": 0}}

    found = read_value(tmp_path, line, name="a.jsonl")

    assert found.sources == ["lines of messages"]
    assert found.metadata(0) == {"type": "message", "usage": {"input_tokens": 0}, "id": "m"}


def test_lines_of_batches_are_a_conversation_each(tmp_path):
    asked = {"custom_id": "a", "method": "POST", "body": {"messages": [{"role": "user", "content": "2+2?"}]}}
    answered = {"choices": [{"message": {"role": "assistant", "content": "4"}}]}
    openai = {"custom_id": "b", "response": {"status_code": 200, "body": answered}, "error": None}
    anthropic = {"custom_id": "c", "result": {"message": {"role": "assistant", "content": [text("4")]}}}
    failed = {"custom_id": "d", "response": None, "error": {"code": "x"}}

    found = read_value(tmp_path, asked, openai, anthropic, failed, name="batch.jsonl")

    assert [[one.message for one in chat.messages.values()] for chat in found.chats] == [["2+2?"], ["4"], ["4"], []]
    assert found.told(Category.SKIPPED) == ["no message in a line of a batch"]


def test_a_result_on_a_line_of_its_own_names_its_tool(tmp_path):
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    use = {"type": "tool_use", "id": "t1", "name": "lookup", "input": {}}

    found = read_value(
        tmp_path,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "12 C"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a bird"}]},
        name="talk.jsonl",
    )

    told = [one.metadata for chat in found.chats for one in chat.messages.values()]
    assert told[1] == {"tool_call_id": "c1", "name": "weather"}
    assert told[3] == {"tool_call_id": "t1", "name": "lookup"}
