"""A text with an index is read as one without, whatever it holds, and however often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc import index
from state.jsondoc.index import IndexedText
from state.jsondoc.pointer import Missing, get_node
from state.jsondoc.tests.strategies import names, values
from state.jsondoc.text import dump_json


@pytest.fixture(autouse=True, scope="module")
def everything_is_large():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(index, "LARGE", 0)
        yield


def paths(value, at=()):
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from paths(child, (*at, str(name)))


def read(text, tokens):
    try:
        return text.read_node(tokens)
    except Missing as error:
        return str(error)


def read_plainly(data, tokens):
    try:
        return get_node(data, tokens).decode()
    except Missing as error:
        return str(error)


@given(values, st.lists(names | st.sampled_from(["0", "1", "-", "01", "99"]), max_size=3))
def test_every_node_is_read_as_without_an_index(value, others):
    data = dump_json(value).encode()
    text = IndexedText(data)
    wanted = list(paths(value))
    wanted += [(*path, other) for path in wanted for other in others]

    for _ in range(index.READS + 2):
        for tokens in wanted:
            assert read(text, tokens) == read_plainly(data, tokens)


def test_the_first_reads_make_no_index_and_its_size_counts():
    text = IndexedText(dump_json({f"k{n}": [n] for n in range(1000)}).encode())

    for number in range(index.READS):
        assert text.read_node((f"k{number}",)) == f"[{number}]"
    assert text.size == len(text.data)
    text.read_node(("k5", "0"))
    assert text.size > len(text.data) + 1000 * index.MEMBER_BYTES
