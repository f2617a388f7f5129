"""Outlines: no longer than asked, never mistaken for the value, and complete when followed to the end."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nola_site.mcp.outline import BadCursor, cut_value, show_depth

values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner, max_size=8),
    max_leaves=40,
)


def size(value):
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def test_a_value_that_fits_is_whole():
    assert cut_value({"a": [1, {"b": 2}]}, 200) == ({"a": [1, {"b": 2}]}, False, None)


def test_what_lies_too_deep_is_counted():
    shown = cut_value({"a": {"b": list(range(100)), "c": {"d": 1}}, "e": 1}, 100)

    assert shown.value == {"a": {"b": {"…": "100 items"}, "c": {"…": "1 name"}}, "e": 1}
    assert shown.is_cut


def test_a_long_text_in_an_outline_is_its_beginning_and_says_so():
    shown = show_depth({"a": "x" * 500}, 1)

    assert shown == {"a": {"…": "500 characters", "begins": "x" * 400}}


@pytest.mark.parametrize("depth", [None, 1, 5, 20])
def test_one_large_member_does_not_make_a_large_answer(depth):
    value = {"a": {"b": {"c": ["x" * 100] * 10_000}}, "d": 1}

    shown = cut_value(value, 1000, depth)

    assert size(shown.value) <= 1000
    assert shown.is_cut


def test_a_long_text_is_read_in_parts():
    text = "".join(map(chr, range(1000, 2500)))
    parts, start = [], 0
    while start is not None:
        value, _, start = cut_value(text, 400, start=start)
        parts.append(value)

    assert "".join(parts) == text


@given(values, st.integers(60, 300))
def test_an_outline_followed_to_its_end_has_each_member_once(value, limit):
    if not isinstance(value, dict | list):
        return
    names, start = [], 0
    while start is not None:
        shown = cut_value(value, limit, start=start)
        part = shown.value
        assert size(part) <= limit or len(part) == 1
        names += part if isinstance(part, dict) else range(start, start + len(part))
        start = shown.next
    assert names == (list(value) if isinstance(value, dict) else list(range(len(value))))


@given(values, st.integers(60, 300))
def test_what_is_not_cut_is_the_value(value, limit):
    shown = cut_value(value, limit)

    assert shown.is_cut == (shown.value != value or shown.next is not None)


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], "text"])
def test_a_cursor_behind_the_end_is_refused(value):
    with pytest.raises(BadCursor):
        cut_value(value, 200, start=9)
