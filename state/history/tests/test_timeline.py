import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.history import timeline
from state.jsondoc.patch import replay_ops

JSON, JSON_PATCH = "application/json", "application/json-patch+json"


@st.composite
def shuffles(draw):
    """A list of distinct items, and operations that put in, take out and move some of them."""
    size, ops, made = draw(st.integers(1, 6)), [], 100
    document = {"l": list(range(size))}
    for _ in range(draw(st.integers(1, 8))):
        length = len(document["l"])
        match draw(st.integers(0, 2)) if length > 1 else 0:
            case 0:
                made += 1
                ops.append({"op": "add", "path": f"/l/{draw(st.integers(0, length))}", "value": made})
            case 1:
                ops.append({"op": "remove", "path": f"/l/{draw(st.integers(0, length - 1))}"})
            case _:
                places = [f"/l/{draw(st.integers(0, length - 1))}" for _ in range(2)]
                ops.append({"op": "move", "from": places[0], "path": places[1]})
        document = replay_ops(document, copy.deepcopy(ops[-1:]))
    return size, ops, document


@given(shuffles())
def test_an_item_is_followed_back_to_where_it_was(shuffle):
    size, ops, document = shuffle

    for index, item in enumerate(document["l"]):
        was, touched = timeline.trace_origin(("l", str(index)), ops, document)
        if item < size:
            assert was == ("l", str(item))
        made = [op for op in ops if op.get("value") == item]
        assert [op for op in touched if op["op"] == "add"] == made


@pytest.mark.parametrize(
    ("tokens", "ops", "was"),
    [
        (("b", "x"), [{"op": "move", "from": "/a", "path": "/b"}], ("a", "x")),
        (("o", "2"), [{"op": "add", "path": "/o/1", "value": 0}], ("o", "2")),
        (("l", "2", "n"), [{"op": "add", "path": "/l/0", "value": 0}], ("l", "1", "n")),
        (("l", "0"), [{"op": "move", "from": "/b", "path": "/l/0"}], ("b",)),
        (("b",), [{"op": "move", "from": "/l/0", "path": "/b"}], ("l", "0")),
        (("b",), [{"op": "move", "from": "/b", "path": "/b", "position": 0}], ("b",)),
    ],
)
def test_a_node_is_followed_over_moves_and_inserts(tokens, ops, was):
    document = {"o": {"1": 0, "2": 0}, "l": [0, 1, {"n": 1}], "b": {"x": 1}}

    assert timeline.trace_origin(tokens, ops, document)[0] == was


def test_the_history_of_an_item_goes_on_behind_inserts_and_moves(agent):
    agent.put("/api/state/Task", '{"l":["a","b"]}', content_type=JSON)
    agent.put("/api/state/Task/l/1", '"B"', content_type=JSON)
    agent.patch("/api/state/Task/l", [{"op": "add", "path": "/0", "value": "new"}], content_type=JSON_PATCH)
    agent.patch("/api/state/Task", [{"op": "move", "from": "/l", "path": "/list"}], content_type=JSON_PATCH)
    agent.put("/api/state/Task/list/2", '"BB"', content_type=JSON)

    seen, address = [], "/api/history/Task/list/2?limit=2"
    while address:
        response = agent.get(address)
        seen += [(one["revision"], one["pointer"]) for one in response.json()["revisions"]]
        address = response.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')

    assert seen == [(5, "/list/2"), (4, "/list/2"), (2, "/l/1"), (1, "/l/1")]


@pytest.mark.parametrize("cursor", ["x", "5", "bnVsbA", "WyJhIl0", "é"])
def test_a_cursor_that_is_none_is_refused(agent, cursor):
    agent.put("/api/state/Task", "1", content_type=JSON)

    response = agent.get("/api/history/Task", {"cursor": cursor})

    assert (response.status_code, response["Content-Type"]) == (422, "application/problem+json")
    assert "take it from the Link of the page before" in response.json()["detail"]
