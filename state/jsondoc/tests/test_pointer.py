import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc.pointer import (
    KEPT,
    BadPointer,
    Blocked,
    Missing,
    _member,
    format_pointer,
    get_node,
    parse_index,
    parse_pointer,
    put_node,
    remove_node,
)
from state.jsondoc.tests import strategies
from state.jsondoc.text import dump_json, parse_json


def nodes(value, tokens=()):
    """Each node of a value with the tokens that lead to it, by plain recursion."""
    yield tokens, value
    if isinstance(value, dict):
        for name, child in value.items():
            yield from nodes(child, (*tokens, name))
    if isinstance(value, list):
        for number, child in enumerate(value):
            yield from nodes(child, (*tokens, str(number)))


def text(value):
    return dump_json(value).encode()


@pytest.mark.parametrize(
    ("pointer", "tokens"),
    [("", ()), ("/", ("",)), ("/a/b", ("a", "b")), ("/a~1b", ("a/b",)), ("/~01", ("~1",)), ("/ /é", (" ", "é"))],
)
def test_pointers_read_and_write_alike(pointer, tokens):
    assert parse_pointer(pointer) == tokens
    assert format_pointer(tokens) == pointer


@pytest.mark.parametrize("pointer", ["a", "#/a", "/~", "/a~2b", "/~~"])
def test_what_is_no_pointer_is_refused(pointer):
    with pytest.raises(BadPointer):
        parse_pointer(pointer)


@pytest.mark.parametrize(
    ("token", "number"), [("0", 0), ("10", 10), ("01", None), ("-1", None), ("²", None), ("", None)]
)
def test_an_index_is_digits_without_leading_zeros(token, number):
    assert parse_index(token) == number


@given(strategies.values)
def test_every_node_is_found_in_the_text(value):
    data = text(value)

    for tokens, node in nodes(value):
        assert get_node(data, tokens) == text(node)


@given(strategies.values, strategies.values, st.data())
def test_replacing_a_node_leaves_every_other_byte(value, new, data):
    tokens, _ = data.draw(st.sampled_from(list(nodes(value))))
    expected = parse_json(text(value)).value
    if tokens:
        parent = expected
        for token in tokens[:-1]:
            parent = parent[int(token) if isinstance(parent, list) else token]
        parent[int(tokens[-1]) if isinstance(parent, list) else tokens[-1]] = new
    else:
        expected = new

    assert put_node(text(value), tokens, text(new)) == text(expected)


@given(strategies.values, st.data())
def test_removing_a_node_leaves_every_other_byte(value, data):
    inner = [tokens for tokens, _ in nodes(value) if tokens]
    if not inner:
        return
    tokens = data.draw(st.sampled_from(inner))
    expected = parse_json(text(value)).value
    parent = expected
    for token in tokens[:-1]:
        parent = parent[int(token) if isinstance(parent, list) else token]
    del parent[int(tokens[-1]) if isinstance(parent, list) else tokens[-1]]

    assert remove_node(text(value), tokens)[0] == text(expected)


@pytest.mark.parametrize(
    ("document", "tokens", "result"),
    [
        ("{}", ("a",), '{"a":7}'),
        ('{"b":1}', ("a",), '{"b":1,"a":7}'),
        ("[]", ("0",), "[7]"),
        ("[1,2]", ("2",), "[1,2,7]"),
        ('{"a":{}}', ("a", "0"), '{"a":{"0":7}}'),
        ('{"é":[1]}', ("é", "1"), '{"é":[1,7]}'),
    ],
)
def test_a_missing_member_or_next_item_is_added(document, tokens, result):
    assert put_node(document.encode(), tokens, b"7").decode() == result


@pytest.mark.parametrize(
    ("document", "tokens"),
    [("[1]", ("2",)), ("[1]", ("-",)), ("[1]", ("01",)), ('{"a":1}', ("a", "b")), ("null", ("a",)), ('"text"', ("0",))],
)
def test_a_value_cannot_be_put_past_the_end_or_below_a_scalar(document, tokens):
    with pytest.raises((Blocked, Missing)):
        put_node(document.encode(), tokens, b"7")


@pytest.mark.parametrize(("document", "tokens"), [("[1]", ("1",)), ("[1]", ("x",)), ("1", ("a",)), ("{}", ("a", "b"))])
def test_what_is_not_there_is_missing(document, tokens):
    with pytest.raises(Missing):
        get_node(document.encode(), tokens)


def test_what_finds_a_member_is_kept_for_so_many_names_and_for_no_long_one():
    names = [f"{'long' * 1000}{number}" for number in range(5)] + [f"n{number}" for number in range(2 * KEPT)]
    data = text(dict.fromkeys(names, 1))

    kept = []
    for name in names:
        assert get_node(data, (name,)) == b"1"
        kept.append(_member.cache_info().currsize)

    assert kept[4] == kept[0]
    assert max(kept) == _member.cache_info().maxsize == KEPT
