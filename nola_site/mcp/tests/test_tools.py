"""The nine tools, what they give and what they say where they cannot."""

import json

import pytest

from conversations.models import Message
from nola_site.mcp.tests.talking import ask, call, fail, post, use
from nola_site.mcp.tools import INSTRUCTIONS, TOOLS
from state import store
from state.address import Address
from state.jsondoc.text import make_document, parse_json
from state.models import Revision, StateEntry
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.ADMIN)


@pytest.fixture(autouse=True)
def tasks(db):
    store.put(Address("Tasks"), parse_json('{"open":["milk","bread"],"by":{"ada":{"n":1.50}}}'), ADA)


def text_of(key):
    return store.read(Address(key)).text


def put(key, value, author=ADA):
    return store.put(Address(key), make_document(value), author).revision


# The list


def test_the_list_is_short_and_every_schema_closed(agent):
    tools = ask(agent, "tools/list")["result"]["tools"]

    assert [tool["name"] for tool in tools] == [
        "context", "read", "search", "write", "edit", "delete", "history", "undo", "messages"
    ]  # fmt: skip
    assert len(json.dumps({"tools": tools}, ensure_ascii=False, separators=(",", ":")).encode()) < 6000
    assert all(tool["inputSchema"]["additionalProperties"] is False for tool in tools)
    assert INSTRUCTIONS.count(". ") == 2


def test_hints_tell_what_reads_and_what_removes(agent):
    hints = {tool["name"]: tool["annotations"] for tool in ask(agent, "tools/list")["result"]["tools"]}

    assert [name for name, one in hints.items() if one.get("readOnlyHint")] == ["context", "read", "search", "history"]
    assert [name for name, one in hints.items() if one.get("destructiveHint")] == ["delete"]
    assert {tool.name for tool in TOOLS if tool.writes} == {"write", "edit", "delete", "undo", "messages"}


# Reading


def test_read_gives_a_value_with_its_revision(agent):
    assert use(agent, "read", pointer="/Tasks/by") == {"value": {"ada": {"n": 1.5}}, "revision": 1}


def test_read_in_outline_says_what_is_left_out(agent):
    assert use(agent, "read", depth=1) == {"value": {"Tasks": {"…": "2 names"}}, "revision": 1, "cut": True}


def test_read_goes_on_in_the_revision_in_which_it_began(agent):
    put("Many", [f"item {number:03}" for number in range(100)])
    first = use(agent, "read", pointer="/Many", limit=200)
    put("Many", ["others"])

    found = first["value"]
    while "cursor" in first:
        first = use(agent, "read", pointer="/Many", limit=200, cursor=first["cursor"])
        found += first["value"]
    assert found == [f"item {number:03}" for number in range(100)]


def test_read_shows_the_past_and_a_level(agent):
    put("Tasks", {"level_1": "few", "level_3": "many"})

    assert use(agent, "read", pointer="/Tasks/open", at=1)["value"] == ["milk", "bread"]
    assert use(agent, "read", pointer="/Tasks", level=1)["value"] == "few"
    assert use(agent, "read", pointer="", level=2)["value"] == {"Tasks": "few"}


def test_context_is_the_text_with_a_receipt(agent):
    told = use(agent, "context", budget=500, q="milk")

    assert "milk" in told["text"]
    assert told["tokens"] <= 500
    kept = agent.get(f"/api/context/{told['receipt']}", headers={"Accept": "text/markdown"})
    assert kept.content.decode() == told["text"]


def test_search_finds_values_and_messages(agent):
    use(agent, "messages", session="talk", append=[{"speaker": "user", "message": "buy milk"}])

    state, message = use(agent, "search", q="milk")["found"]

    assert state == {"pointer": "/Tasks/open/0", "text": "milk"}
    assert (message["session"], message["speaker"], message["text"]) == ("talk", "user", "buy milk")
    assert use(agent, "search", q="milk", **{"in": "messages"})["found"] == [message]


def test_search_goes_on_with_a_cursor(agent):
    put("Found", [f"needle {number}" for number in range(5)])
    found, cursor = [], {}
    while cursor is not None:
        told = use(agent, "search", q="needle", limit=2, **cursor)
        found += [one["pointer"] for one in told["found"]]
        cursor = {"cursor": told["cursor"]} if "cursor" in told else None

    assert found == [f"/Found/{number}" for number in range(5)]


# Writing


@pytest.mark.parametrize(
    "value", ['{"a":1}', "null", "", 1.5, 12345678901234567890123, True, None, [], {}, {"b": 1, "a": [None, "é😀"]}]
)
def test_a_value_is_stored_as_it_is(agent, value):
    use(agent, "write", pointer="/Facts", value=value)

    assert text_of("Facts") == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert use(agent, "read", pointer="/Facts")["value"] == value


def test_a_write_says_what_was_there_and_how_to_take_it_back(agent):
    told = use(agent, "write", pointer="/Tasks/open/0", value="oat milk", reason="she said so")

    assert told == {"revision": 2, "changed": ["Tasks"], "was": '"milk"', "undo": "undo(revision=2)"}
    row = Revision.objects.get(seq=2)
    assert (row.actor, row.source, row.reason) == ("key:default", "mcp", "she said so")


def test_a_write_of_what_is_there_makes_no_revision(agent):
    assert use(agent, "write", pointer="/Tasks/open/0", value="milk") == {"revision": 1, "changed": []}


def test_a_merge_sets_and_removes_members(agent):
    use(agent, "write", pointer="/Tasks/by", value={"bob": 2, "ada": None}, mode="merge")

    assert text_of("Tasks") == '{"open":["milk","bread"],"by":{"bob":2}}'


def test_a_write_for_an_older_revision_is_merged(agent):
    put("Tasks", {"open": ["milk", "bread"], "by": {"ada": {"n": 2}}})

    use(agent, "write", pointer="/Tasks/open/0", value="oat milk", base=1)

    assert text_of("Tasks") == '{"open":["oat milk","bread"],"by":{"ada":{"n":2}}}'


def test_a_conflict_has_all_sides_and_the_revision_to_write_on(agent):
    put("Tasks", {"open": ["soy milk", "bread"]})

    told = fail(agent, "write", pointer="/Tasks/open/0", value="oat milk", base=1)

    [conflict] = told["conflicts"]
    assert (conflict["base"], conflict["theirs"], conflict["yours"]) == ("milk", "soy milk", "oat milk")
    assert told["revision"] == 2
    assert told["advice"] == "decide between theirs and yours, then write again with base=2"
    use(agent, "write", pointer="/Tasks/open/0", value="oat milk", base=2)


def test_a_conflict_of_large_values_is_told_in_outline(agent):
    put("Large", [["x" * 500] * 5 for _ in range(30)])
    put("Large", [["y" * 500] * 5 for _ in range(30)])

    told = fail(agent, "write", pointer="/Large", value=[["z" * 500] * 5 for _ in range(30)], base=2)

    assert len(json.dumps(told)) < 200_000
    assert len(told["conflicts"]) <= 20
    assert told["revision"] == 3


def test_an_edit_of_several_keys_is_one_revision(agent):
    put("Done", {"list": []})
    operations = [
        {"op": "move", "from": "/Tasks/by", "pointer": "/Moved"},
        {"op": "test", "pointer": "/Tasks/open/0", "value": "milk"},
        {"op": "remove", "pointer": "/Tasks/open/0"},
        {"op": "add", "pointer": "/Done/list/-", "value": "milk"},
        {"op": "add", "pointer": "/New", "value": {"a": 1}},
        {"op": "move", "from": "/New/a", "pointer": "/New/b"},
    ]

    told = use(agent, "edit", operations=operations)

    assert told["changed"] == ["Done", "Moved", "New", "Tasks"]
    assert (text_of("Tasks"), text_of("Done")) == ('{"open":["bread"]}', '{"list":["milk"]}')
    assert (text_of("New"), text_of("Moved")) == ('{"b":1}', '{"ada":{"n":1.5}}')
    assert Revision.objects.latest("seq").seq == told["revision"] == 3


def test_an_edit_that_fails_says_which_operation_and_changes_nothing(agent):
    operations = [
        {"op": "move", "from": "/Tasks/by", "pointer": "/Moved"},
        {"op": "replace", "pointer": "/Tasks/open/9", "value": 1},
    ]

    assert fail(agent, "edit", operations=operations)["error"].startswith("operation 1: at /open/9: ")
    assert store.head() == 1


def test_what_was_changed_just_before_is_not_moved_to_another_key(agent):
    operations = [
        {"op": "replace", "pointer": "/Tasks/by/ada/n", "value": 2},
        {"op": "move", "from": "/Tasks/by", "pointer": "/Moved"},
    ]

    assert "move it first" in fail(agent, "edit", operations=operations)["error"]


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "add", "pointer": "/A"}, "operation 0 (add) needs value"),
        ({"op": "move", "pointer": "/A"}, "operation 0 (move) needs from"),
        ({"op": "remove", "pointer": "/A", "value": 1}, "operation 0 (remove) takes no value"),
        ({"op": "put", "pointer": "/A", "value": 1}, 'operations[0]: op is "put"; it can be "test", "add"'),
        ({"op": "add", "path": "/A", "value": 1}, 'operations[0]: there is no argument "path"; there are: op, pointer'),
        ({"op": "remove", "pointer": ""}, "begin the pointer with a key"),
    ],
)
def test_an_operation_that_is_none_is_refused_with_what_would_be_right(agent, operation, why):
    assert why in fail(agent, "edit", operations=[operation])["error"]


def test_a_delete_can_be_taken_back(agent):
    deleted = use(agent, "delete", pointer="/Tasks", reason="over")
    assert not StateEntry.objects.exists()

    use(agent, "undo", revision=deleted["revision"])

    assert text_of("Tasks") == '{"open":["milk","bread"],"by":{"ada":{"n":1.5}}}'


# History and undo


def test_history_tells_who_what_when_and_why(agent):
    use(agent, "write", pointer="/Tasks/open/0", value="oat milk", reason="she said so")

    newest, first = use(agent, "history")["revisions"]

    assert newest.pop("when").endswith("Z")
    assert newest == {
        "revision": 2, "who": "key:default", "reason": "she said so", "what": ['replace /Tasks/open/0: "oat milk"'],
    }  # fmt: skip
    assert first["who"] == "user:ada"
    assert use(agent, "history", mine=True)["revisions"][0]["revision"] == 2
    assert len(use(agent, "history", mine=True)["revisions"]) == 1


def test_history_of_a_value_follows_it(agent):
    use(agent, "edit", operations=[{"op": "add", "pointer": "/Tasks/open/0", "value": "first"}])
    use(agent, "write", pointer="/Tasks/by/ada/n", value=2)

    told = use(agent, "history", pointer="/Tasks/open/1")["revisions"]

    assert [one["revision"] for one in told] == [1]


def test_history_goes_on_with_a_cursor(agent):
    for number in range(5):
        use(agent, "write", pointer="/N", value=number)
    for pointer, expected in (("", [6, 5, 4, 3, 2, 1]), ("/N", [6, 5, 4, 3, 2])):
        found, more = [], {}
        while more is not None:
            told = use(agent, "history", pointer=pointer, limit=2, **more)
            found += [one["revision"] for one in told["revisions"]]
            more = {"cursor": told["cursor"]} if "cursor" in told else None
        assert found == expected


def test_only_what_one_wrote_oneself_is_taken_back(agent):
    told = fail(agent, "undo", revision=1)

    assert told["error"].startswith(
        "revision 1 was made by user:ada, and only what key:default wrote is taken back here"
    )
    assert store.head() == 1


def test_a_preview_of_an_undo_changes_nothing(agent):
    use(agent, "write", pointer="/Tasks/open/0", value="oat milk")

    told = use(agent, "undo", revision=2, preview=True)

    patch = [{"op": "replace", "path": "/open/0", "value": "milk", "was": "oat milk"}]
    assert told == {"revision": 2, "would_change": [{"key": "Tasks", "patch": patch}]}
    assert store.head() == 2


def test_an_undo_in_the_way_of_a_later_change_says_so(agent):
    use(agent, "write", pointer="/Tasks/open/0", value="oat milk")
    store.put(Address("Tasks", ("open", "0")), make_document("soy milk"), ADA)

    told = fail(agent, "undo", revision=2)

    assert told["conflicts"][0]["theirs"] == "soy milk"
    assert store.head() == 3


def test_an_undo_is_an_undo_with_the_client_beside_it(agent):
    use(agent, "write", pointer="/Tasks/open/0", value="oat milk")
    use(agent, "undo", revision=2, reason="wrong")

    row = Revision.objects.latest("seq")
    assert (row.source, row.reason, row.info["undoes"]) == ("undo", "wrong", [2])


# Messages


def test_messages_are_added_and_read_oldest_first(agent):
    said = [{"speaker": "user", "message": "one"}, {"speaker": "assistant", "message": "two"}]

    told = use(agent, "messages", session="talk", append=said)

    assert [(one["speaker"], one["message"]) for one in told["messages"]] == [("user", "one"), ("assistant", "two")]
    assert told["added"] == [one["id"] for one in told["messages"]]
    assert Message.objects.count() == 2


def test_messages_go_back_page_by_page(agent):
    said = [{"speaker": "user", "message": str(number)} for number in range(5)]
    told = use(agent, "messages", session="talk", append=said, limit=2)
    found = [one["message"] for one in told["messages"]]
    while "cursor" in told:
        told = use(agent, "messages", session="talk", limit=2, cursor=told["cursor"])
        found = [one["message"] for one in told["messages"]] + found

    assert found == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("other", [{"pointer": "/Two"}, {"pointer": "/One", "depth": 1}])
def test_a_cursor_of_another_call_is_refused(agent, other):
    for key in ("One", "Two"):
        use(agent, "write", pointer=f"/{key}", value=["x" * 30] * 20)
    told = use(agent, "read", pointer="/One", limit=200)

    refused = call(agent, "read", **other, limit=200, cursor=told["cursor"])
    wrong_tool = call(agent, "messages", session="talk", cursor=told["cursor"])
    wider = use(agent, "read", pointer="/One", limit=300, cursor=told["cursor"])

    assert "send it with the same arguments" in refused["content"][0]["text"]
    assert "send it with the same arguments" in wrong_tool["content"][0]["text"]
    assert wider["value"]


def test_long_messages_are_cut_and_a_page_is_bounded(agent):
    said = [{"speaker": "user", "message": "x" * 5000} for _ in range(30)]

    told = use(agent, "messages", session="talk", append=said, limit=100)

    assert {len(one["message"]) for one in told["messages"]} == {4000}
    assert {one["characters"] for one in told["messages"]} == {5000}
    assert len(json.dumps(told)) < 45_000
    older = use(agent, "messages", session="talk", cursor=told["cursor"], limit=100)
    assert {one["id"] for one in told["messages"]}.isdisjoint(one["id"] for one in older["messages"])


# Refusals that a model can act on


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        (
            "read",
            {"path": "/Tasks"},
            'there is no argument "path"; there are: pointer, depth, level, at, limit, cursor',
        ),
        ("read", {"pointer": "/None"}, "there is no key 'None'"),
        ("read", {"pointer": "Tasks"}, "does not start with /"),
        ("read", {"limit": 1}, "limit is 1; it must be from 200 to 40000"),
        ("read", {"limit": "many"}, 'limit is "many"; it must be a whole number'),
        ("read", {"limit": True}, "limit is true; it must be a whole number"),
        ("read", {"cursor": "?"}, "leave it out to begin again"),
        ("read", {"at": 99}, "revision 99 does not exist; the newest is 1"),
        ("search", {}, "q is missing; q is: All of these words"),
        ("search", {"q": "!"}, "names no word"),
        ("write", {"pointer": "/A"}, "value is missing"),
        ("write", {"pointer": "", "value": 1}, "begin the pointer with a key, as /Tasks"),
        ("write", {"pointer": "/Tasks/open/9", "value": 1}, "index 9 is past the end: the array has 2 items"),
        ("write", {"pointer": "/A", "value": 1, "base": 77}, "revision 77 does not exist"),
        ("write", {"pointer": "/A", "value": 1, "mode": "patch"}, 'mode is "patch"; it can be "set", "merge"'),
        ("delete", {"pointer": "/None"}, "there is no key 'None'"),
        ("messages", {"session": "none"}, "none"),
        ("messages", {"session": "t", "append": [{"speaker": "me", "message": "x"}]}, 'speaker is "me"; it can be'),
        ("messages", {"session": "t", "append": [{"speaker": "user", "message": "\0"}]}, "the character NUL"),
        ("context", {"budget": 5}, "budget is 5; it must be from 100 to 20000"),
        ("history", {"pointer": "/None"}, "history knows no key 'None'"),
    ],
)
def test_a_refusal_says_what_where_and_what_would_be_right(agent, tool, arguments, why):
    assert why in fail(agent, tool, **arguments)["error"]
    assert store.head() == 1


def test_a_tool_that_is_not_there_is_an_error_that_names_those_that_are(agent):
    error = ask(agent, "tools/call", {"name": "propose"})["error"]

    assert error["code"] == -32602
    assert error["message"].startswith("there is no tool 'propose'; there are: context, read, search, write")


def test_the_client_stands_beside_what_it_wrote(agent):
    info = {"name": "claude-code", "version": "2.1\n"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"clientInfo": info}}
    session = {"Mcp-Session-Id": post(agent, body)["Mcp-Session-Id"]}

    ask(agent, "tools/call", {"name": "write", "arguments": {"pointer": "/A", "value": 1}}, **session)

    assert Revision.objects.latest("seq").info == {"client": "claude-code 2.1"}
    assert use(agent, "history")["revisions"][0]["through"] == "claude-code 2.1"
