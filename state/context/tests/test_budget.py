"""Choosing sections within a number of characters, and how they look as Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.context.budget import LARGE, BudgetForm, Section, list_forms, pick_forms
from state.context.tokens import count_tokens
from state.jsondoc.markdown import render_body, render_section
from state.jsondoc.tests import strategies

sizes = st.integers(1, 60) | st.integers(LARGE - 5, LARGE + 40)
forms = st.lists(st.none() | sizes, min_size=3, max_size=3).map(
    lambda some: list_forms(list(zip((1, 2, 3), some, strict=True)))
)
some_sections = st.lists(
    st.builds(Section, st.sampled_from([0.0, 0.5, 1.0, 1.0, 3.0]), forms.filter(len)), min_size=1, max_size=8
)
rooms = st.integers(0, 300) | st.integers(0, 4 * LARGE)


def taken(sections, room):
    return [-1 if form is None else form for form in pick_forms(sections, room).forms]


def size(sections, picked):
    return sum(section.forms[form].size for section, form in zip(sections, picked, strict=True) if form >= 0)


@given(some_sections, rooms)
def test_what_is_picked_fits_and_the_rest_is_counted(sections, room):
    picked = pick_forms(sections, room)

    assert size(sections, taken(sections, room)) == room - picked.left
    assert picked.left >= 0


@given(some_sections, rooms, st.integers(0, 400))
def test_more_room_never_takes_away_what_less_room_gave(sections, room, more):
    less = taken(sections, room)

    assert all(one <= other for one, other in zip(less, taken(sections, room + more), strict=True))


@given(some_sections, rooms)
def test_nothing_goes_deeper_while_a_section_is_missing(sections, room):
    picked = taken(sections, room)
    small = [form for section, form in zip(sections, picked, strict=True) if section.weight and _is_small(section)]
    large = [form for section, form in zip(sections, picked, strict=True) if section.weight and not _is_small(section)]

    assert -1 not in small or max(small) <= 0
    assert -1 not in large or max(large) <= 0
    deepest = [len(one.forms) - 1 for one in sections if one.weight and _is_small(one)]
    assert max(large, default=-1) < 0 or small == deepest  # what is large waits for all that is not


def _is_small(section):
    return section.forms[0].size <= LARGE


@given(some_sections)
def test_all_of_it_is_picked_at_its_deepest_where_there_is_room(sections):
    expected = [len(section.forms) - 1 if section.weight else -1 for section in sections]

    assert taken(sections, 10**9) == expected
    assert pick_forms(sections, 10**9).stopped_at is None


@given(st.lists(sizes, min_size=1, max_size=8), rooms)
def test_of_equal_weights_as_many_sections_are_picked_as_fit(some, room):
    picked = taken([Section(1.0, [BudgetForm(1, one)]) for one in some], room)

    most = max(n for n in range(len(some) + 1) if sum(sorted(some)[:n]) <= room)
    assert picked.count(0) == most


@pytest.mark.parametrize(
    ("weights", "room", "expected"),
    [
        ([1, 1], 10, [0, -1]),  # equal: as they were given
        ([1, 2], 10, [-1, 0]),  # the heavier one first
        ([1, 2], 20, [0, 0]),
        ([1, 2], 40, [0, 1]),  # and deeper first
        ([1, 2], 60, [1, 1]),
        ([1, 2], 119, [1, 1]),
        ([1, 2], 120, [1, 2]),
        ([0, 1], 500, [-1, 2]),
        ([1, 1], 9, [-1, -1]),
    ],
)
def test_weight_says_who_comes_first_and_who_goes_deeper(weights, room, expected):
    sections = [Section(float(weight), [BudgetForm(1, 10), BudgetForm(2, 30), BudgetForm(3, 90)]) for weight in weights]

    assert taken(sections, room) == expected


def test_a_section_that_is_large_at_any_level_waits_for_all_others():
    sections = [Section(1.0, [BudgetForm(3, LARGE + 1)]), Section(1.0, [BudgetForm(1, 10), BudgetForm(2, 30)])]

    assert taken(sections, LARGE + 11) == [-1, 1]
    assert taken(sections, LARGE + 31) == [0, 1]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(1, 10), (2, 50), (3, 200)], [(1, 10), (2, 50), (3, 200)]),
        ([(1, 10), (2, 10), (3, 10)], [(3, 10)]),  # no levels in it
        ([(1, 90), (2, 50), (3, 200)], [(2, 50), (3, 200)]),  # a summary that is longer than what it sums up
        ([(1, None), (2, None), (3, 200)], [(3, 200)]),
        ([(1, 10), (2, None), (3, 5)], [(3, 5)]),
        ([(1, None)], []),
    ],
)
def test_a_form_that_saves_nothing_is_none(sizes, expected):
    assert list_forms(sizes) == expected


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("four", 1), ("five5", 2), ("äöüß", 1), ("😀" * 8, 2)])
def test_a_token_is_four_characters_begun(text, count):
    assert count_tokens(text) == count


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("", '""'),
        (None, "null"),
        (1.0, "1.0"),
        (2**70, "1180591620717411303424"),
        ([], "[]"),
        ({"a": {}}, "- a: {}"),
        (["a", ["b", "c"], {"d": 1, "e": [True]}], "- a\n- - b\n  - c\n- - d: 1\n  - e:\n    - true"),
        ({"level_2": "seen", "x": 1}, "- seen\n- x: 1"),
        ({"level_2": ["seen"], "x": 1}, "- - seen\n- x: 1"),
        ({"a": "one\ntwo\r\nthree"}, "- a: one\n  two\n  three"),
        ("# no\n## heading\n---\n===\n```\n#tag", "\\# no\n\\## heading\n\\---\n\\===\n\\```\n#tag"),
        ({"a": "x\n# no"}, "- a: x\n  \\# no"),
        ({"two\nlines": 1, "": 2}, '- two lines: 1\n- "": 2'),
    ],
)
def test_values_as_markdown(value, text):
    assert render_body(value) == text


@given(strategies.values)
def test_no_text_in_a_section_begins_a_section(value):
    lines = render_section("Key", value).splitlines()

    assert [line for line in lines[1:] if line.startswith("#") and line[1:2] in ("#", " ", "")] == []
    assert lines[0] == "## Key"
