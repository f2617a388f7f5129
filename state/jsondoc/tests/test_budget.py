"""What a request may cost: values are counted without being made, and computing is spent step by step."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc import text
from state.jsondoc.budget import TooCostly, limit_work, spend_work
from state.jsondoc.text import TooManyNodes, count_nodes, has_many_nodes, parse_bounded

TEXTS = st.text(st.sampled_from('a,[]{}"\\ \n')) | st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


def count(value):
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, children))


@given(VALUES, st.sampled_from([None, 1]), st.sampled_from([1, 2, 7, 1 << 20]))
def test_values_are_counted_as_a_walk_counts_them(value, indent, piece):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text, "_PIECE", piece)
        for ascii in (True, False):
            raw = json.dumps(value, ensure_ascii=ascii, indent=indent).encode(errors="replace")

            assert count_nodes(raw) == count(value)


@given(VALUES, st.integers(1, 20))
def test_no_text_of_too_many_values_is_taken_for_a_small_one(value, most):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text, "MAX_NODES", most)
        raw = json.dumps(value, separators=(",", ":")).encode()

        assert has_many_nodes(raw) or count(value) <= most


def test_a_body_of_too_many_values_is_refused_with_their_number(monkeypatch):
    monkeypatch.setattr(text, "MAX_NODES", 3)

    assert parse_bounded(b"[1,2]").value == [1, 2]
    with pytest.raises(TooManyNodes, match="the body has 4 values at all depths; the limit is 3"):
        parse_bounded(b"[1,[],3]")


def test_work_is_refused_once_the_time_is_used_up():
    with limit_work(0), pytest.raises(TooCostly, match="at operation 3 of 9; nothing of it was done"):
        spend_work("operation 3 of 9")


def test_work_outside_of_a_request_is_not_limited():
    spend_work()

    with limit_work(1000):
        spend_work()
