import json

import jsonpath_rfc9535
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc import jsonpath
from state.jsondoc.jsonpath import BadQuery, parse_limit, select_nodes
from state.jsondoc.pointer import format_pointer, get_node, parse_pointer
from state.jsondoc.tests import strategies
from state.jsondoc.text import MAX_DEPTH, dump_json

STATE = {
    "Identity": {"name": "Nola", "a/b": {"~": [1, 1.0, True, 2**53 + 1, -0.0]}},
    "log": [{"at": 3, "tags": ["x"]}, {"at": 5, "tags": []}, {"tags": ["x", "y"]}],
}
STEPS = ["..*", ".*", "[0]", "[-1]", "[1:]", "[::-1]", "['a']", ".b", "..a", "[?@.a]", "[?@.a=='a']", "[?count(@.*)>1]"]
documents = st.dictionaries(strategies.names, strategies.values, max_size=5)


def nodes(value, tokens=()):
    yield tokens, value
    if isinstance(value, dict | list):
        for token, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from nodes(child, (*tokens, str(token)))


def values(path, state=STATE):
    return [found.text for found in select_nodes(state, path).matches]


def test_a_match_is_its_path_its_pointer_and_its_text():
    found = select_nodes(STATE, "$.Identity['a/b']['~'][?@ > 1]")

    assert found == ([("$['Identity']['a/b']['~'][3]", "/Identity/a~1b/~0/3", "9007199254740993")], False)


def test_the_answer_is_compact_json():
    found = select_nodes({"é": ["a", "b"]}, "$..*", limit=2)

    assert found.text == (
        '{"results":[{"path":"$[\'é\']","pointer":"/é","value":["a","b"]},'
        '{"path":"$[\'é\'][0]","pointer":"/é/0","value":"a"}],"more":true}'
    )


@pytest.mark.parametrize(("limit", "count", "more"), [(1, 1, True), (4, 4, True), (5, 5, False), (100, 5, False)])
def test_the_answer_says_when_there_is_more(limit, count, more):
    found = select_nodes(STATE, "$.Identity['a/b']['~'][*]", limit)

    assert (len(found.matches), found.more) == (count, more)


@given(documents)
def test_every_normalized_path_and_pointer_leads_back_to_its_node(state):
    data = dump_json(state).encode()

    for path, pointer, text in select_nodes(state, "$..*", limit=1000).matches:
        assert get_node(data, parse_pointer(pointer)).decode() == text
        assert select_nodes(state, path) == ([(path, pointer, text)], False)


@given(documents)
def test_descending_finds_every_node_once(state):
    found = select_nodes(state, "$..*", limit=1000)

    assert sorted(match.pointer for match in found.matches) == sorted(
        format_pointer(tokens) for tokens, _ in nodes(state) if tokens
    )


@given(documents, st.lists(st.sampled_from(STEPS), max_size=3))
def test_the_library_finds_the_same(state, steps):
    path = "$" + "".join(steps)

    expected = [(node.path(), dump_json(node.value)) for node in jsonpath_rfc9535.find(path, state)]

    found = select_nodes(state, path, limit=1000)
    assert [(match.path, match.text) for match in found.matches] == expected[:1000]


@given(st.text("\ud800$@.*[]?()'\"\\!=<>&|,:-019eEabmtchlengur \n", max_size=25))
def test_any_text_is_a_query_or_refused(text):
    for path in (text, f"$[?{text}]", f"$['{text}']"):
        try:
            select_nodes(STATE, path)
        except BadQuery:
            continue


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.log[?@.at == 5].tags", ["[]"]),
        ("$.log[?search(@.tags[1], '^y$')].tags[0]", ['"x"']),
        # 1 is 1.0 and not true
        ("$..['~'][?@ == 1]", ["1", "1.0"]),
        ("$..['~'][?@ == true]", ["true"]),
        ("$..['~'][?@ <= 0]", ["-0.0"]),
        # integers are taken exactly
        ("$..['~'][?@ == 9007199254740993]", ["9007199254740993"]),
        ("$..['~'][?@ == 9007199254740992]", []),
        ("$..['~'][?@ == 0.1e1]", ["1", "1.0"]),
        ("$..['~'][?@ == 0e1]", ["-0.0"]),
        ("$..['~'][?@ < -1e308]", []),
        # a scalar is a node
        ("$..['~'][?count(@) == 1]", ["1", "1.0", "true", "9007199254740993", "-0.0"]),
        ("$..['~'][?@]", ["1", "1.0", "true", "9007199254740993", "-0.0"]),
        # nothing is nothing
        ("$.log[?@.at == @.none]", ['{"tags":["x","y"]}']),
        ("$.log[?@.at != 3].tags", ["[]", '["x","y"]']),
        ("$.log[?@.at >= 3].at", ["3", "5"]),
        ("$.none", []),
        ("$", [dump_json(STATE)]),
    ],
)
def test_what_a_query_finds(path, found):
    assert values(path) == found


def test_containers_are_equal_by_json_value():
    rows = [{"a": [1], "b": [1.0]}, {"a": [1], "b": [True]}, {"a": {"x": 0}, "b": {"x": False}}]

    assert values("$.rows[?@.a == @.b].b", {"rows": rows}) == ["[1.0]"]
    assert values("$.rows[?@.a != @.b].b", {"rows": rows}) == ["[true]", '{"x":false}']
    assert values("$.rows[?@.a <= @.b].b", {"rows": rows}) == ["[1.0]"]


def test_the_root_inside_a_nested_filter_is_the_whole_state():
    state = {"limit": 3, "rows": [{"list": [{"x": 3}]}, {"list": [{"x": 4}]}]}

    assert values("$.rows[?@.list[?@.x == $.limit]]", state) == ['{"list":[{"x":3}]}']


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.c", ["abc", "a.c", "a\u2028c", "a😀c", "a]c", "a[c"]),
        ("a[.b]c", ["abc", "a.c"]),
        (r"a\.c", ["a.c"]),
        (r"a[\].]c", ["a.c", "a]c"]),
        (r"a\[.", ["a[c"]),
        ("a.?", []),
        ("(", []),
        ("a" * 1001, []),
    ],
)
def test_a_dot_in_a_pattern_is_any_character_of_a_line(pattern, found):
    subjects = ["abc", "a.c", "a\nc", "a\rc", "a\u2028c", "a😀c", "a]c", "a[c", 1, None]

    matches = values("$.subjects[?match(@, $.pattern)]", {"pattern": pattern, "subjects": subjects})

    assert [json.loads(text) for text in matches] == found


@pytest.mark.parametrize(
    ("path", "position", "message"),
    [
        ("", 0, "at character 1 of the query: expected '$', found ''"),
        ("log", 0, "at character 1 of the query: expected '$', found 'l'"),
        ("$.log[", 6, "unbalanced brackets"),
        ("$.log[?@.at=5]", 11, "unexpected filter selector token '='"),
        ("$.log[?@.at==05]", 13, "a number does not begin with 0"),
        ("$.log[?@.at==-05]", 13, "a number does not begin with 0"),
        ("$.log[?@.at==1e309]", 13, "the number is too large for a double"),
        ("$.log[?foo(@)]", 7, "function 'foo' is not defined"),
        ("$.log[?@.* == 1]", None, "non-singular query is not comparable"),
        ("$[9007199254740992]", 2, "index out of range"),
        ("$['\ud800']", 3, "half of a surrogate pair is not a character"),
        ("$" + "." * 1000, None, "the query has 1,001 characters; 1,000 are allowed"),
        ("$[?@" + "[?@" * 200 + "]" * 201, None, "the query nests too deep or has too many steps"),
    ],
)
def test_a_query_that_cannot_be_is_refused_with_its_place(path, position, message):
    with pytest.raises(BadQuery) as refused:
        select_nodes(STATE, path)

    assert message in str(refused.value)
    assert position is None or refused.value.position == position


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "", "x", "²", "9" * 5000])
def test_a_limit_that_cannot_be_is_refused(limit):
    with pytest.raises(BadQuery, match="limit is a whole number from 1 to 1000, not "):
        parse_limit(limit)


def test_a_limit_is_read():
    assert [parse_limit("1"), parse_limit("1000")] == [1, 1000]


@pytest.mark.parametrize(
    "path",
    [
        "$..*..*..*[?1 == 2]",
        "$[?@..*..*..*..*]",
        "$..*[?count($..*) == 1]",
        "$[" + ",".join(["*"] * 490) + "][*][?1 == 2]",
    ],
)
def test_a_query_that_looks_at_too_much_is_stopped(path, monkeypatch):
    monkeypatch.setattr(jsonpath, "MAX_NODES", 50_000)
    state = {str(number): [list(range(50))] * 10 for number in range(50)}

    with pytest.raises(BadQuery, match="the query looks at more than 50,000 nodes; make it narrower"):
        select_nodes(state, path)


def test_a_slow_query_is_stopped(monkeypatch):
    monkeypatch.setattr(jsonpath, "MAX_SECONDS", 0.01)

    with pytest.raises(BadQuery, match=r"the query takes longer than 0.01 s of work; make it narrower"):
        select_nodes({"list": list(range(100_000))}, "$.list[?@ < 0]")


def test_a_slow_regular_expression_is_stopped(monkeypatch):
    monkeypatch.setattr(jsonpath, "MAX_SECONDS", 0.05)

    with pytest.raises(BadQuery, match=r"a regular expression takes longer than 0.05 s; make it simpler"):
        select_nodes({"text": "a" * 60}, "$[?match(@, '((a|a)+)+b')]")


def test_nested_results_end_when_their_texts_grow_too_large(monkeypatch):
    monkeypatch.setattr(jsonpath, "MAX_TEXT", 100)
    state = {"a": {"b": {"c": "x" * 30}}}

    assert (len(select_nodes(state, "$..*").matches), select_nodes(state, "$..*").more) == (2, True)
    assert len(select_nodes({"a": "x" * 200}, "$..*").matches) == 1


def test_the_deepest_document_is_searched():
    value = 1
    for _ in range(MAX_DEPTH):
        value = [value]

    assert values("$..[?@ == 1]", {"deep": value}) == ["1"]


def test_the_state_stays_as_it_is():
    before = dump_json(STATE)

    select_nodes(STATE, "$..[?@.at]")

    assert dump_json(STATE) == before
