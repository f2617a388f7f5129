"""One rule, every reading: however the state is read at a level, it shows what `show_at_level` says and no more."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings

from state.jsondoc.levels import LEVELS, find_stored, is_shown, show_at_level
from state.jsondoc.levels_text import show_text_at_level
from state.jsondoc.pointer import Missing, format_pointer
from state.jsondoc.tests import strategies
from state.jsondoc.tests.test_levels import any_level, leaves, names, values, view_at, ways
from state.jsondoc.text import NOTHING

JSON = "application/json"
ALL_LEVELS = (1, 2, 3)


def marked(value, deepest=0, path=()):
    """The value with each leaf replaced by a text of the deepest level above it and its own path."""
    if isinstance(value, dict):
        return {name: marked(child, max(deepest, LEVELS.get(name, 0)), (*path, name)) for name, child in value.items()}
    if isinstance(value, list):
        return [marked(child, deepest, (*path, str(number))) for number, child in enumerate(value)]
    return f"deep{deepest} {'.'.join(path)}"


def deeper(text, level):
    return [word for word in ("deep1", "deep2", "deep3")[level:] if word in text]


def untreed(node):
    """The value that a whole tree view tells."""
    match node["type"]:
        case "object":
            return {name: untreed(child) for name, child in node.get("members", [])}
        case "array":
            return [untreed(child) for child in node.get("items", [])]
        case "null":
            return None
    return node[node["type"]]


def narrowed(node):
    """The texts of the leaves that a finder's tree tells."""
    if "text" in node:
        yield node["text"]
    for _, child, *_ in node.get("part", []):
        yield from narrowed(child)


@given(strategies.values | values, any_level)
def test_stored_text_shows_what_its_value_shows(value, level):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    seen = show_at_level(json.loads(text), level)

    found = show_text_at_level(text, level)

    assert found == (None if seen is NOTHING else json.dumps(seen, ensure_ascii=False, separators=(",", ":")))


@given(values, any_level)
def test_whether_something_shows_is_told_without_the_view(value, level):
    assert is_shown(value, level) == (show_at_level(value, level) is not NOTHING)


@given(values, any_level)
def test_every_place_in_a_view_is_found_in_the_value(value, level):
    document, memo = marked(value), {}
    seen = show_at_level(document, level)

    for tokens in ways(seen) if seen is not NOTHING else ():
        node = seen
        for token in tokens:
            node = node[int(token)] if isinstance(node, list) else node[token]
        way = find_stored(document, tokens, level, memo)
        assert view_at(document, way, level) == node


@pytest.fixture
def reader(agent):
    """Reads for an agent and for somebody who is signed in."""
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada"))

    class Reader:
        def put(self, documents):
            for key, document in documents.items():
                assert agent.put(f"/api/state/{key}", json.dumps(document), JSON).status_code in (200, 201)

        def get(self, address, **query):
            response = agent.get(address, query)
            self.check(response, query["level"])
            return response

        def check(self, response, level):
            told = "".join(f"{name}: {value}" for name, value in response.headers.items()) + response.content.decode()
            assert deeper(told, level) == []

        def state(self, level):
            return self.get("/api/state", level=level).json()

        def find(self, words, level):
            response = browser.get("/admin/state/tree/find", {"q": words, "level": level})
            self.check(response, level)
            return response.json()

    return Reader()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values, values, any_level)
def test_every_reading_over_http_agrees_with_the_rule(reader, one, other, level):
    documents = {"A": marked(one), "level_3": marked(other)}
    reader.put(documents)
    shown = {key: seen for key, value in documents.items() if (seen := show_at_level(value, level)) is not NOTHING}

    assert reader.state(level) == shown
    now = reader.get("/api/state", level=level)["Nola-Revision"]
    assert reader.get("/api/state", level=level, at=now).json() == shown
    whole = reader.get("/api/state", level=level, view="tree", depth=100, limit=1000).json()
    assert untreed(whole) == shown
    assert names_and_sizes(whole, shown)
    for tokens in list(ways(documents["A"]))[:12]:
        check_node(reader, documents["A"], tokens, level)
    check_questions(reader, shown, level)


def names_and_sizes(node, value):
    if isinstance(value, dict):
        return node["size"] == len(value) and all(
            names_and_sizes(child, value[name]) for name, child in node["members"]
        )
    if isinstance(value, list):
        return node["size"] == len(value) and all(map(names_and_sizes, node["items"], value))
    return node["bytes"] == len(json.dumps(value, ensure_ascii=False).encode())


def check_node(reader, document, tokens, level):
    pointer = format_pointer(tokens)
    several = reader.get("/api/state", pointer=[f"/A{pointer}", "/level_3"], level=level).json()
    alone = reader.get("/api/state/A", pointer=pointer, level=level)
    try:
        seen = view_at(document, tokens, level)
    except Missing:
        assert f"/A{pointer}" not in several
        assert alone.status_code == 404
        return
    assert several[f"/A{pointer}"] == seen
    assert alone.json() == seen


def check_questions(reader, shown, level):
    results = reader.get("/api/query", path="$..*", level=level, limit=1000).json()["results"]
    for result in results[:12]:
        assert reader.get("/api/state", pointer=result["pointer"], level=level).json() == result["value"]
    assert len(results) == sum(1 for _ in ways(shown)) - 1
    texts = sorted(leaf for leaf in leaves(shown))
    for word in ("deep0", "deep1", "deep2", "deep3"):
        found = reader.get("/api/search", q=word, **{"in": "state"}, level=level, limit=100)
        expected = [text for text in texts if text.startswith(word)]
        assert sorted(leaf["snippet"] for leaf in found.json()["state"]) == expected
        for leaf in found.json()["state"][:4]:
            there = reader.get(f"/api/state/{leaf['key']}", pointer=leaf["pointer"], level=level)
            assert there.json() == leaf["snippet"]
        assert sorted(narrowed(reader.find(word, level)["tree"])) == expected


@given(values)
def test_a_shallower_view_names_nothing_that_a_deeper_one_would_hide(value):
    for level in ALL_LEVELS:
        assert [name for name in names(show_at_level(value, level)) if LEVELS.get(name, 0) > level] == []


@pytest.fixture
def secretive(agent):
    agent.put("/api/state/Open", '{"list":[{"level_3":"deep"},"x"],"hidden":{"level_2":{"a":1}},"s":1}', JSON)
    agent.put("/api/state/Deep", '{"level_3":"deep"}', JSON)
    return agent


@pytest.mark.parametrize(
    ("hidden", "missing"),
    [
        ("Deep", "None"),
        ("Open/hidden", "Open/nothing"),
        ("Open/list/0", "Open/list/9"),
        ("Open/hidden/level_2", "Open/nothing/level_2"),
        ("Open/hidden/level_2/a", "Open/s/level_2/a"),
        ("Open/hidden/a", "Open/s/a"),
        ("Deep?at=2", "Deep?at=1"),
        ("Open/hidden?view=tree", "Open/nothing?view=tree"),
    ],
)
def test_a_refusal_tells_nothing_of_what_a_level_hides(secretive, hidden, missing):
    def ask(address):
        separator = "&" if "?" in address else "?"
        response = secretive.get(f"/api/state/{address}{separator}level=1")
        text = response.content.decode().replace(address.partition("?")[0], "ADDRESS")
        return response.status_code, text, {**response.headers, "Content-Length": ""}

    there, nowhere = ask(hidden), ask(missing)

    assert there == nowhere
    assert there[0] == 404


def test_the_tag_of_a_level_does_not_change_with_deeper_detail(secretive):
    before = secretive.get("/api/state/Open?level=1")
    secretive.put("/api/state/Open/hidden/level_2/a", "2", JSON)
    secretive.put("/api/state/Open/list/0/level_3", '"much deeper"', JSON)

    after = secretive.get("/api/state/Open?level=1")
    again = secretive.get("/api/state/Open?level=1", headers={"If-None-Match": before["ETag"]})

    assert (after["ETag"], after.content) == (before["ETag"], before.content)
    assert (again.status_code, again.content) == (304, b"")


def test_an_envelope_tells_nothing_of_a_key_that_does_not_show(secretive):
    hidden = secretive.get("/api/state?pointer=/Deep&pointer=/Open/hidden&level=1&envelope=1").json()
    missing = secretive.get("/api/state?pointer=/None&pointer=/None/hidden&level=1&envelope=1").json()

    assert hidden == missing


def test_a_page_of_a_tree_goes_on_after_what_shows_only(secretive):
    first = secretive.get("/api/state/Open?level=1&view=tree&limit=1").json()
    beyond = secretive.get("/api/state/Open?level=1&view=tree&after=hidden")
    nowhere = secretive.get("/api/state/Open?level=1&view=tree&after=hiddem")

    assert (first["size"], first["next"], first["members"][0][1]["size"]) == (2, "list", 1)
    assert beyond.status_code == nowhere.status_code == 422
    assert beyond.json()["detail"].replace("hidden", "hiddem") == nowhere.json()["detail"]


def test_a_query_at_a_level_points_to_where_a_node_is_stored(agent):
    agent.put("/api/state/P", '{"n":[{"level_3":1},{"level_1":{"who":"Ada"},"level_2":{"who":"Ada L."}}]}', JSON)

    [result] = agent.get("/api/query?path=$..who&level=2").json()["results"]

    assert result == {"path": "$['P']['n'][0]['who']", "pointer": "/P/n/1/level_2/who", "value": "Ada L."}
    assert agent.get("/api/state?pointer=/P/n/1/level_2/who&level=2").json() == "Ada L."


def test_a_search_at_a_level_counts_and_shows_only_what_shows(agent):
    agent.put(
        "/api/state/P", json.dumps([{"level_1": f"pear {n}", "level_3": f"pear apple {n}"} for n in range(30)]), JSON
    )

    shallow = agent.get("/api/search?q=pear&in=state&level=1&limit=20").json()
    hidden = agent.get("/api/search?q=apple&in=state&level=2").json()

    assert (len(shallow["state"]), shallow["more_state"]) == (20, True)
    assert shallow["state"][3] == {"key": "P", "pointer": "/3", "snippet": "pear 3", "matches": [[0, 4]]}
    assert hidden == {"state": [], "more_state": False}


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("q=x&level=7", 422, "there is no level '7'"),
        ("q=x&level=1&stimuli=realtime", 422, "give one of them"),
        ("q=x&level=1&in=messages", 422, "only messages are asked for"),
        ("q=x&level=1&speaker=user", 422, "only messages are asked for"),
        ("q=x&level=1&level=2", 400, "given 2 times"),
    ],
)
def test_a_level_that_a_search_cannot_take_is_refused(agent, query, status, detail):
    response = agent.get(f"/api/search?{query}")

    assert response.status_code == status
    assert detail in response.json()["detail"]


def test_the_filter_of_the_tree_refuses_a_level_that_is_none(owner):
    response = owner.get("/admin/state/tree/find?q=x&level=9")

    assert (response.status_code, response.json()["detail"]) == (
        422,
        "there is no level '9'; the levels are 1, 2 and 3",
    )
