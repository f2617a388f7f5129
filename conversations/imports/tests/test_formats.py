"""Which reader takes what; what nobody takes is refused by name, and nothing that has words is called empty."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.imports.formats import find_reader
from conversations.imports.tests.reading import chatgpt, claude, claude_message, node, read_value, text
from conversations.imports.tests.test_readers import EMPTY_MIDDLE
from conversations.parts import read_whole
from state.report import Category


def test_arrays_in_an_array_and_talk_without_a_wrapper(tmp_path):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]

    shards = read_value(
        tmp_path, [[chatgpt(node("a", None, content="x"))], [claude(claude_message("m", content=[text("y")]))]]
    )
    talks = read_value(tmp_path, [turns, turns])

    assert shards.sources == ["ChatGPT", "Claude"]
    assert [len(chat.messages) for chat in talks.chats] == [2, 2]


UNKNOWN = {
    "an export of Discord": {"guild": {}, "channel": {}, "messages": [{"author": {"name": "Ada"}, "content": "hi"}]},
    "an export of Telegram": {"name": "x", "messages": [{"id": 1, "text_entities": []}]},
    "a `mapping` as ChatGPT's": {"mapping": {"a": {"message": {"who": 1}}}, "id": 1},
    "an object with `a`, `b`": {"a": 1, "b": 2},
    "it is a number": 12,
    "pairs of prompt and completion": {"prompt": "a", "completion": "b"},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_nobody_reads_is_refused_by_name(tmp_path, name):
    found = read_value(tmp_path, [UNKNOWN[name]])

    assert name in found.told(Category.FAILED)[0]
    assert found.chats == []


@pytest.mark.parametrize("source", EMPTY_MIDDLE)
def test_no_reader_claims_by_one_mark(source):
    value = EMPTY_MIDDLE[source]
    assert find_reader(value).name == source

    for name, member in value.items():
        assert find_reader({name: type(member)()}) is None
        assert find_reader({name: member} if not isinstance(member, dict | list) else {name: [1, "x"]}) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=4),
    lambda one: (
        st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["type", "a", "text", "b"]), one, max_size=3)
    ),
    max_leaves=6,
)
CONTENTS = st.lists(st.dictionaries(st.sampled_from(["type", "text", "x"]), VALUES, min_size=1), min_size=1, max_size=3)


def has_words(value):
    """Whether anything in a value is neither null nor empty, beside what only says of which type it is."""
    if isinstance(value, dict):
        return any(has_words(one) for name, one in value.items() if name != "type")
    return (
        any(map(has_words, value)) if isinstance(value, list) else value not in (None, "") and str(value).strip() != ""
    )


def list_words(value):
    """All the texts in a value, but those that say of which type it is."""
    if isinstance(value, dict):
        return [word for name, one in value.items() if name != "type" for word in list_words(one)]
    return [word for one in value for word in list_words(one)] if isinstance(value, list) else [
        value.replace("\0", "␀")
    ] if isinstance(value, str) else []  # fmt: skip


def in_each_shape(content):
    """A content in a message of each program that has contents as lists."""
    said = {"role": "user", "content": content}
    yield {"messages": [said]}
    yield claude(claude_message("a", content=content))
    yield chatgpt(node("a", None, content={"content_type": "multimodal_text", "parts": content}))
    yield {"conversationId": "l", "exportAt": "x", "messages": [{"messageId": "1", "text": "", "content": content}]}
    yield {"chat": {"models": [], "history": {"currentId": "a", "messages": {"a": {"id": "a", **said}}}}}
    yield {"uuid": "u", "sessionId": "s", "parentUuid": None, "type": "user", "message": said}
    yield {"agents": [{"name": "a", "block_ids": [], "messages": [said]}], "blocks": [], "tools": []}
    yield {"object": "response", "output": [{"type": "message", **said}]}
    yield {"object": "list", "data": [{"object": "thread.message", "thread_id": "t", **said}]}
    yield {"timestamp": "2026-01-01", "type": "response_item", "payload": {"type": "message", **said}}


@given(CONTENTS)
def test_a_content_that_is_not_empty_is_never_called_so(tmp_path_factory, content):
    if not has_words(content):
        return
    folder = tmp_path_factory.mktemp("law")
    for value in in_each_shape(content):
        found = read_value(folder, [value])
        assert len(found.chat.messages) == 1
        [one] = found.chat.messages.values()
        assert one.message.strip() or one.metadata.get("parts") or one.metadata.get("citations")
        whole = read_whole(one.message, one.metadata)
        assert [word for word in list_words(content) if word not in whole] == []


@given(st.dictionaries(st.sampled_from(["score", "liked", "by", "tags", "x"]), VALUES))
def test_other_members_stay_as_they_are(tmp_path_factory, members):
    said = {"role": "user", "content": "hi", **members}
    for value in (said, {"messages": [said]}):
        found = read_value(tmp_path_factory.mktemp("law"), value, name="talk.jsonl")
        assert json.dumps(found.metadata(0)) == json.dumps(members)


SAMPLES = [
    *EMPTY_MIDDLE.values(),
    {"header": "Gemini", "title": "Prompted x", "time": "2026-01-02", "safeHtmlItem": [{"html": "<p>y"}]},
    {"runSettings": {}, "chunkedPrompt": {"chunks": [{"text": "x", "role": "user"}]}},
    {"name": "M", "is_user": False, "send_date": "x", "mes": "hi", "swipes": ["a", "hi"], "swipe_id": 1, "extra": {}},
    {"id": "s", "conversations": [{"from": "human", "value": "x"}]},
    {"agents": [{"name": "a", "messages": [{"role": "user", "content": [text("x")]}], "block_ids": ["b"]}],
     "blocks": [{"id": "b", "label": "l", "value": "v"}], "tools": []},
    {"type": "entity", "name": "Ada", "entityType": "p", "observations": ["x"]},
    {"timestamp": "2026", "type": "response_item", "payload": {"type": "reasoning", "summary": [{"text": "x"}]}},
    {"uuid": "u", "sessionId": "s", "parentUuid": None, "type": "user", "message": {"role": "user", "content": "x"}},
    {"object": "list", "data": [{"object": "thread.message", "role": "user", "content": [text("x")]}]},
    {"object": "response", "id": "r", "output": [{"type": "message", "role": "assistant", "content": [text("x")]}]},
    {"choices": [{"message": {"role": "assistant", "content": "x"}}], "id": "x"},
    {"custom_id": "c", "body": {"messages": [{"role": "user", "content": "x"}]}},
    {"messages": [{"role": "user", "content": [text("x")], "tool_calls": [{"id": "c"}]}]},
    {"session_id": "s", "turns": [{"user": "x", "assistant": "y"}]},
    {"session_id": "s", "started_text": "", "messages": [
        {"id": 1, "speaker": "user", "message": "x", "timestamp": "2026-01-01T10:00:00+00:00"}]},
]  # fmt: skip
ODD = st.sampled_from([None, 0, -1, 1e300, True, "", "x", [], {}, [[]], [{}], {"x": 1}, [None], ["x"], {"type": ["x"]}])


def places(value, path=()):
    """All the places in a value."""
    yield path
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(one, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@given(st.data())
def test_whatever_stands_in_a_file_it_is_read_or_told(tmp_path_factory, data):
    value = data.draw(st.sampled_from(SAMPLES))
    for _ in range(data.draw(st.integers(1, 3))):
        value = changed(value, data.draw(st.sampled_from(list(places(value)))), data.draw(ODD))

    found = read_value(tmp_path_factory.mktemp("law"), [value])

    told = [one for one in found.report.findings if one.text]
    assert told or found.state or any(chat.messages for chat in found.chats) or not has_words(value) or found.chats
