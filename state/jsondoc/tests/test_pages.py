import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc.pages import BadPage, TreePage, __doc__, parse_tree_page, render_tree
from state.jsondoc.pointer import format_pointer, parse_pointer
from state.jsondoc.tests import strategies
from state.jsondoc.text import MAX_DEPTH, dump_json

EXAMPLE = b'{"name":"Nola","born":[9223372036854775808,-0.0],"tags":["a"]}'


def naive(value, depth, limit, start=0):
    """The tree of a parsed value, as plainly as it can be said."""
    stored = dump_json(value)
    node = {"type": "", "bytes": len(stored.encode())}
    if not stored.isascii():
        node["characters"] = len(stored)
    if isinstance(value, dict | list):
        names = list(value) if isinstance(value, dict) else list(range(len(value)))
        shown = names[start : start + limit]
        nodes = [naive(value[name], depth - 1, limit) for name in shown] if depth else []
        node |= {"type": "object" if isinstance(value, dict) else "array", "size": len(value)}
        if depth and isinstance(value, dict):
            node["members"] = [[name, child] for name, child in zip(shown, nodes, strict=True)]
        elif depth:
            node |= {"start": start, "items": nodes}
        if depth and len(names) > start + limit:
            node["next"] = shown[-1]
        return node
    if isinstance(value, bool):
        return node | {"type": "boolean", "boolean": value}
    if isinstance(value, str):
        cut = {"truncated": True} if len(value) > 1000 else {}
        return node | {"type": "text", "text": value[:1000], **cut}
    return node | ({"type": "null"} if value is None else {"type": "number", "number": dump_json(value)})


def text(value):
    return dump_json(value).encode()


def test_the_example_of_the_docstring():
    answer = render_tree(EXAMPLE, TreePage(limit=2))

    written = __doc__.split("limit 2 is\n\n")[1].split("\n\n")[0]
    assert answer == "".join(line.strip() for line in written.splitlines())


@given(strategies.values, st.integers(0, 4), st.integers(1, 8), st.data())
def test_a_tree_is_what_parsing_everything_gives(value, depth, limit, data):
    start = data.draw(st.integers(0, len(value))) if isinstance(value, dict | list) else 0
    after = None
    if start:
        after = list(value)[start - 1] if isinstance(value, dict) else str(start - 1)

    answer = render_tree(text(value), TreePage(depth, limit, after))

    assert answer == dump_json(naive(value, depth, limit, start))


@given(strategies.values, st.integers(1, 4), st.integers(1, 8), st.integers(1, 9))
def test_the_last_are_those_after_all_others(value, depth, limit, last):
    size = len(value) if isinstance(value, dict | list) else 0
    start = max(0, size - last)

    answer = json.loads(render_tree(text(value), TreePage(depth, limit, last=last)))

    assert "next" not in answer
    inside = (
        [naive(one, depth - 1, limit) for one in (value.values() if isinstance(value, dict) else value)] if size else []
    )
    if isinstance(value, dict):
        assert answer["members"] == [[name, one] for name, one in zip(value, inside, strict=True)][start:]
    elif isinstance(value, list):
        assert (answer["start"], answer["items"]) == (start, inside[start:])


@given(st.dictionaries(strategies.names, st.integers(), max_size=9) | st.lists(st.integers(), max_size=9))
def test_pages_of_two_give_every_member_once(value):
    name = "members" if isinstance(value, dict) else "items"

    shown, page = [], TreePage(limit=2)
    while page:
        answer = json.loads(render_tree(text(value), page))
        shown += answer[name]
        page = page._replace(after=str(answer["next"])) if "next" in answer else None

    assert shown == json.loads(render_tree(text(value)))[name]


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ("9223372036854775808", '{"type":"number","bytes":19,"number":"9223372036854775808"}'),
        ("-0.0", '{"type":"number","bytes":4,"number":"-0.0"}'),
        ("1e+300", '{"type":"number","bytes":6,"number":"1e+300"}'),
        ('"é\\u0000😀"', '{"type":"text","bytes":14,"characters":10,"text":"é\\u0000😀"}'),
        ("true", '{"type":"boolean","bytes":4,"boolean":true}'),
        ("false", '{"type":"boolean","bytes":5,"boolean":false}'),
        ("null", '{"type":"null","bytes":4}'),
        ("{}", '{"type":"object","bytes":2,"size":0,"members":[]}'),
        ("[]", '{"type":"array","bytes":2,"size":0,"start":0,"items":[]}'),
    ],
)
def test_each_type_of_node(document, answer):
    assert render_tree(document.encode()) == answer


def test_depth_nought_is_the_node_alone():
    assert render_tree(b'{"a":[1,2]}', TreePage(depth=0)) == '{"type":"object","bytes":11,"size":1}'


def test_integer_like_names_keep_their_place():
    members = json.loads(render_tree(b'{"10":1,"9":2,"":3}'))["members"]

    assert [name for name, _ in members] == ["10", "9", ""]


@pytest.mark.parametrize(("length", "cut"), [(1000, False), (1001, True)])
def test_only_a_text_over_a_thousand_characters_is_shortened(length, cut):
    answer = json.loads(render_tree(text("😀" * length)))

    assert (answer["text"], answer.get("truncated", False)) == ("😀" * 1000, cut)


def test_the_empty_name_can_be_gone_on_after():
    answer = json.loads(render_tree(b'{"":1,"b":2}', TreePage(after="")))

    assert [name for name, _ in answer["members"]] == ["b"]


def test_after_the_last_one_comes_an_empty_page():
    assert render_tree(b"[1,2]", TreePage(after="1")) == '{"type":"array","bytes":5,"size":2,"start":2,"items":[]}'


def test_an_opened_node_inside_shows_its_first_ones_and_where_to_go_on():
    answer = json.loads(render_tree(b'{"a":[1,2,3],"b":{"x":1,"y":2,"z":3}}', TreePage(depth=2, limit=2)))

    (_, a), (_, b) = answer["members"]
    assert (len(a["items"]), a["next"], [name for name, _ in b["members"]], b["next"]) == (2, 1, ["x", "y"], "y")


def test_an_answer_opens_ten_thousand_nodes_at_most():
    answer = json.loads(render_tree(text([[0] * 1000] * 20), TreePage(depth=2, limit=1000)))

    opened = [item for item in answer["items"] if "items" in item]
    assert (len(answer["items"]), len(opened), answer["items"][-1]["size"]) == (20, 9, 1000)


def test_the_deepest_document_can_be_shown_whole():
    value = 1
    for _ in range(MAX_DEPTH):
        value = [value]

    assert render_tree(text(value), TreePage(depth=100)) == dump_json(naive(value, 100, 100))


def test_a_page_amid_a_large_object():
    value = {f"name {number}": {"text": "x" * 100, "more": [1, 2]} for number in range(40_000)}

    answer = json.loads(render_tree(text(value), TreePage(after="name 20000", limit=3)))

    assert [name for name, _ in answer["members"]] == ["name 20001", "name 20002", "name 20003"]
    assert (answer["size"], answer["next"]) == (40_000, "name 20003")


@pytest.mark.parametrize(
    ("parameters", "page"),
    [
        ({}, TreePage(1, 100, None)),
        ({"depth": "0", "limit": "1000", "after": ""}, TreePage(0, 1000, "")),
        ({"depth": "100", "limit": "1", "after": "7"}, TreePage(100, 1, "7")),
        ({"last": "1000"}, TreePage(last=1000)),
    ],
)
def test_a_page_is_read_from_the_query(parameters, page):
    assert parse_tree_page(parameters) == page


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": "101"}, "depth is a whole number from 0 to 100, not '101'"),
        ({"depth": "-1"}, "depth is a whole number from 0 to 100, not '-1'"),
        ({"depth": ""}, "depth is a whole number from 0 to 100, not ''"),
        ({"depth": "²"}, "depth is a whole number from 0 to 100, not '²'"),
        ({"last": "0"}, "last is a whole number from 1 to 1000, not '0'"),
        ({"last": "x"}, "last is a whole number from 1 to 1000, not 'x'"),
        (
            {"last": "2", "after": "a"},
            "after goes on behind a member or item, last begins before the end; give one of them",
        ),
        ({"limit": "0"}, "limit is a whole number from 1 to 1000, not '0'"),
        ({"limit": "1001"}, "limit is a whole number from 1 to 1000, not '1001'"),
        ({"limit": "9" * 5000}, f"limit is a whole number from 1 to 1000, not '{'9' * 37}...'"),
    ],
)
def test_a_page_that_cannot_be_is_refused(parameters, message):
    with pytest.raises(BadPage) as refused:
        parse_tree_page(parameters)

    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("document", "after", "message"),
    [
        ('{"a":1}', "b", "there is no member 'b' to go on after; begin again without `after`"),
        ("[1]", "1", "there is no item '1' to go on after: the array has 1 items"),
        ("[1]", "00", "there is no item '00' to go on after: the array has 1 items"),
        ("[1]", "9" * 5000, f"there is no item '{'9' * 37}...' to go on after: the array has 1 items"),
        ('"a"', "0", "there is nothing to go on after: the value is of type text"),
    ],
)
def test_an_after_that_is_not_there_is_refused(document, after, message):
    with pytest.raises(BadPage) as refused:
        render_tree(document.encode(), TreePage(after=after))

    assert str(refused.value) == message


@given(strategies.values, st.data())
def test_nodes_named_to_be_open_are_told_as_if_asked_for_alone(value, data):
    whole = json.loads(render_tree(text(value), TreePage(99, 1000)))
    pointers = list(openable(whole))
    chosen = data.draw(st.lists(st.sampled_from(pointers), max_size=5)) if pointers else []
    opened = {way for pointer in chosen for way in ways(pointer)}

    answer = json.loads(render_tree(text(value), parse_tree_page({"depth": "1", "limit": "1000"}, chosen)))

    assert answer == closed_but(whole, opened)


def parts(node):
    return node.get("members") or [[str(number), item] for number, item in enumerate(node.get("items", []))]


def openable(node, way=""):
    for name, child in parts(node):
        if "size" in child:
            pointer = way + format_pointer([name])
            yield pointer
            yield from openable(child, pointer)


def ways(pointer):
    tokens = parse_pointer(pointer)
    return [format_pointer(tokens[: number + 1]) for number in range(len(tokens))]


def closed_but(node, opened, way=""):
    """The tree with only the top and what is named opened."""
    if way and way not in opened:
        return {name: one for name, one in node.items() if name not in ("members", "items", "start")}
    below = [[name, closed_but(child, opened, way + format_pointer([name]))] for name, child in parts(node)]
    kids = (
        {"members": below} if "members" in node else {"items": [child for _, child in below]} if "items" in node else {}
    )
    return node | kids


def test_what_is_to_be_open_and_is_not_there_opens_nothing():
    assert render_tree(EXAMPLE, parse_tree_page({}, ["/nowhere/1", "/name", "/tags"])) == render_tree(
        EXAMPLE, parse_tree_page({}, ["/tags"])
    )
    with pytest.raises(BadPage, match="1001 times"):
        parse_tree_page({}, ["/a"] * 1001)
