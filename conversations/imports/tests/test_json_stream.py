"""All of a file is read, or told with its place: a law over what people put together."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.imports import json_stream
from conversations.imports.json_stream import read_items

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8)
OBJECTS = st.dictionaries(st.text(max_size=5), st.recursive(LEAVES, lambda one: st.lists(one, max_size=3)), max_size=4)
SPACES = st.sampled_from(["", " ", "\n", "\r\n", "\n\n", "\t"])
GARBAGE = st.sampled_from(["oops", "}", "]", '"text"', "12", "nul", "<html>", "\0", "{,", '{"a":', "[1,", "{]"])


@st.composite
def pieces(draw):
    """A piece of a file as a program writes it, and the values in it."""
    kind = draw(st.sampled_from(["compact", "indented", "array", "array on lines", "wrapped"]))
    values = draw(st.lists(OBJECTS, min_size=1, max_size=1 if kind in ("compact", "indented") else 3))
    if kind == "wrapped":
        rest = draw(st.sampled_from(["", ',"next":null', ', "more": {"a": [1, 2]}, "n": "x"']))
        return f'{{"n":1,"conversations":{json.dumps(values)}{rest}}}', values
    if kind == "array on lines":
        return "[\n" + ",\n".join(map(json.dumps, values)) + "\n]", values
    text = json.dumps(values if kind == "array" else values[0], indent=2 if kind == "indented" else None)
    return text, values


def is_told_apart(values):
    """Objects that are lists of messages themselves are no wrappers; an empty key is not drawn as `conversations`."""
    return all("conversations" not in one and not {"from", "role", "value", "content"} & one.keys() for one in values)


def read(text, size=None):
    json_stream.CHUNK, old = size or json_stream.CHUNK, json_stream.CHUNK
    try:
        return list(read_items(io.BytesIO(text.encode())))
    finally:
        json_stream.CHUNK = old


@given(st.lists(st.tuples(pieces(), SPACES), min_size=1, max_size=5), st.sampled_from([1, 7, 1 << 20]))
def test_all_values_of_a_file_are_read_however_they_were_put_together(some, size):
    values = [value for (_, found), _ in some for value in found]
    if not is_told_apart(values):
        return

    items = read("".join(text + space for (text, _), space in some), size)

    assert [one.problem for one in items if one.problem] == []
    assert [one.value for one in items if not one.left_out] == values


@given(st.lists(st.tuples(pieces(), SPACES), max_size=4), st.lists(st.tuples(pieces(), SPACES), max_size=4), GARBAGE)
def test_what_is_no_value_is_told_and_the_lines_below_are_read(before, after, garbage):
    values = [value for (_, found), _ in before + after for value in found]
    if not is_told_apart(values):
        return
    head, tail = ("".join(text + space for (text, _), space in some) for some in (before, after))

    items = read(f"{head}\n{garbage}\n{tail}")

    assert any(one.problem for one in items)
    count = sum(len(found) for (_, found), _ in before)
    assert [one.value for one in items if not one.problem and not one.left_out][:count] == values[:count]


@given(st.lists(OBJECTS, min_size=1, max_size=6), st.data())
def test_a_broken_line_costs_no_other_line(values, data):
    place = data.draw(st.integers(0, len(values)))
    broken = data.draw(st.sampled_from(["{", '{"a":[1,2,', '{"a" 1}', '{"a":"', "oops", '{"a":1,}', '{"a":NaN}']))
    lines = list(map(json.dumps, values))

    items = read("\n".join([*lines[:place], broken, *lines[place:]]))

    assert sum(bool(one.problem) for one in items) == 1
    missing = len(values) - len([one for one in items if not one.problem])
    assert missing <= (1 if place >= len(values) - 1 else 0)  # what is broken may go on in the one line below it
    assert missing == 0 or "are not read" in next(one.problem for one in items if one.problem)


@pytest.mark.parametrize("close", ["]", "\n]\n", " ]"])
def test_a_comma_after_the_last_item_is_named_with_its_place(close):
    items = read(f'[{{"a":1}},{close}')

    assert [one.value for one in items if not one.problem] == [{"a": 1}]
    assert items[-1].problem == "line 1, column 9: a comma after the last item; delete it"


WRONG = {
    '[{"a":1,}]': "line 1, column 9: a comma after the last member; delete it",
    '{"a":[1,2,]}': "line 1, column 11: a comma after the last item; delete it",
    '{"a":1}\n\n  oops {"b":2}': "line 3, column 3: no JSON object or array: 'oops {\"b\":2}'",
    '[{"a":1} {"b":2}]': "line 1, column 10: a comma is missing between two items, before '{\"b\":2}]'",
    '[{"a":1}': "line 1, column 9: the file ends in the middle: it was cut off",
    '{"a":1}\n{"b":[1,': "line 2, column 1: the file ends in the middle: it was cut off, in what begins here",
    '{"a":"x\ny"}': "a line break or control character inside a string",
    '{"a":\n"\\q"}': "line 2, column ",
    '{"conversations":[{"a":1}],}': "line 1, column 28: a comma after the last member; delete it",
    '{"conversations":[{"a":1}]': "line 1, column 27: the file ends in the middle: it was cut off",
}


@pytest.mark.parametrize(("text", "problem"), WRONG.items())
def test_a_message_names_the_cause_and_the_place(text, problem):
    [found] = [one.problem for one in read(text) if one.problem]

    assert problem in found


def test_members_around_the_conversations_are_named():
    items = read('{"user":"ada","conversations":[{"id":1}],"projects":[{"x":1}]}')

    assert [one.value for one in items if not one.left_out] == [{"id": 1}]
    assert items[-1].left_out == ("user", "projects")


def test_lines_that_are_not_read_are_counted():
    [one, problem, other] = read('{"a":1}\n{"b":[\n1 2\n]}\n{"c":3}\n{"d":4}\n')[:3]

    assert (one.value, other.value) == ({"a": 1}, {"c": 3})
    assert problem.problem.endswith("; lines 2 to 4 are not read")


def test_a_large_file_needs_little_memory(tmp_path):
    path = tmp_path / "large.json"
    talk = json.dumps({"uuid": "?", "chat_messages": [{"sender": "human", "text": "word " * 20_000}]})
    with path.open("w") as file:
        file.write("[" + ",".join(talk.replace("?", f"{n}") for n in range(300)) + "]")
    assert path.stat().st_size > 30_000_000

    tracemalloc.start()
    with path.open("rb") as stream:
        count = sum(1 for item in read_items(stream) if not item.problem)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 300
    assert peak < 10_000_000


@pytest.mark.parametrize("before", ['{"a":1}\n', '[{"a":1},', '{"conversations":[{"a":1},', '{"a":1}\n{"b":"é'])
def test_what_stands_before_a_byte_that_is_no_utf8_is_read(before):
    items = list(read_items(io.BytesIO(before.encode() + b'{"c":"caf\xe9"}]')))

    assert [one.value for one in items if not one.problem] == [{"a": 1}]
    assert "not UTF-8: byte 0xe9; save the file as UTF-8; what follows is not read" in items[-1].problem
    assert items[-1].problem.startswith("line ")
