"""Which reader takes what; what nobody takes is refused by name, and nothing that has words is called empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.imports.formats import find_reader
from conversations.imports.tests.reading import chatgpt, claude, claude_message, node, read_value, text
from conversations.imports.tests.test_readers import EMPTY_MIDDLE
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


@given(CONTENTS)
def test_a_content_that_is_not_empty_is_never_called_so(tmp_path_factory, content):
    if not has_words(content):
        return
    folder = tmp_path_factory.mktemp("law")
    for value in ({"messages": [{"role": "user", "content": content}]}, claude(claude_message("a", content=content)),
                  chatgpt(node("a", None, content={"content_type": "multimodal_text", "parts": content}))):  # fmt: skip
        found = read_value(folder, value)
        assert len(found.chat.messages) == 1
        [one] = found.chat.messages.values()
        assert one.message.strip() or one.metadata.get("parts") or one.metadata.get("citations")
