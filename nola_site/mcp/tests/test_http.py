"""`POST /mcp`: revisions, headers, statuses; what either sort of client is promised."""

import base64

import pytest

from nola_site.mcp.protocol import answer_message
from nola_site.mcp.tests.talking import META, ask, ask_stateless, call, post
from state import store
from state.address import Address
from state.jsondoc.text import parse_json
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
VERSION = "io.modelcontextprotocol/protocolVersion"


@pytest.fixture(autouse=True)
def tasks(db):
    store.put(Address("Täsks/1"), parse_json('{"b":1.50,"a":"é"}'), Author("user:ada", Source.ADMIN))


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25"), (None, "2025-11-25")],
)
def test_a_session_begins_in_a_revision_that_both_speak(agent, asked, spoken):
    params = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}

    result = ask(agent, "initialize", params)["result"]

    assert result["protocolVersion"] == spoken
    assert set(result["capabilities"]) == {"tools", "resources", "prompts", "completions"}
    assert result["serverInfo"]["name"] == "nola"
    assert "context" in result["instructions"]


def test_since_2026_each_request_says_what_it_speaks(agent):
    discovered = ask_stateless(agent, "server/discover")
    listed = ask_stateless(agent, "tools/list")

    assert discovered.json()["result"]["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18"]
    assert listed.json()["result"]["resultType"] == "complete"
    assert (listed.json()["result"]["ttlMs"], listed.json()["result"]["cacheScope"]) == (3_600_000, "private")
    assert ask_stateless(agent, "resources/list").json()["result"]["ttlMs"] == 0
    assert "resultType" not in ask(agent, "tools/list")["result"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Mcp-Protocol-Version": "2025-11-25"}, -32020),
        ({"Mcp-Method": "tools/call"}, -32020),
        ({"Mcp-Method": "Resources/read"}, -32020),
        ({"Mcp-Name": "nola://state/Other"}, -32020),
        ({"Mcp-Name": "=?base64?!?="}, -32020),
        ({"Mcp-Name": "=?base64?" + base64.b64encode(b"nola://state/T%C3%A4sks%2F1").decode() + "?="}, None),
    ],
)
def test_headers_that_do_not_equal_the_body_are_refused(agent, headers, code):
    response = ask_stateless(agent, "resources/read", {"uri": "nola://state/T%C3%A4sks%2F1"}, **headers)

    assert response.status_code == (400 if code else 200)
    assert response.json().get("error", {}).get("code") == code


@pytest.mark.parametrize(
    ("meta", "method", "status", "code"),
    [
        ({}, "tools/list", 400, -32602),
        ({VERSION: "2026-07-28"}, "tools/list", 400, -32602),
        (META | {VERSION: "1999-01-01"}, "tools/list", 400, -32022),
        (META, "no/method", 404, -32601),
        (META, "ping", 404, -32601),
        (META, "initialize", 404, -32601),
    ],
)
def test_errors_since_2026_have_a_status(agent, meta, method, status, code):
    response = ask_stateless(
        agent, method, {"_meta": meta}, **{"Mcp-Protocol-Version": meta.get(VERSION, "2026-07-28")}
    )

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response["Content-Type"] == "application/json"


def test_a_revision_that_nobody_speaks_is_told_those_that_are(agent):
    response = post(
        agent, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, **{"Mcp-Protocol-Version": "1999-01-01"}
    )

    assert response.status_code == 400
    assert response.json()["error"]["data"]["supported"] == ["2026-07-28", "2025-11-25", "2025-06-18"]


@pytest.mark.parametrize("method", ["get", "delete", "put"])
def test_there_is_nothing_but_post(agent, method):
    response = getattr(agent, method)("/mcp")

    assert (response.status_code, response["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("origin", "status"), [("http://testserver", 200), ("https://evil.example", 403), ("null", 403)]
)
def test_pages_of_other_origins_may_not_call(agent, origin, status, settings):
    settings.ALLOWED_HOSTS = ["testserver"]

    assert ask_stateless(agent, "tools/list", Origin=origin).status_code == status


def test_another_host_is_refused(agent):
    assert post(agent, {}, Host="evil.example").status_code == 400


def test_a_notification_wants_no_answer(agent):
    response = post(agent, {"jsonrpc": "2.0", "method": "notifications/initialized"})

    assert (response.status_code, response.content) == (202, b"")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b'{"jsonrpc":"2.0","id":1}', b'{"id":1,"method":"ping"}'])
def test_what_is_no_request_is_an_error(agent, body):
    response = post(agent, body)

    assert "error" in response.json()


def test_a_call_that_cannot_be_read_is_answered_for_the_model(agent):
    body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"write","arguments":{"value":1,"value":2}}}'

    answer = post(agent, body).json()

    assert answer["id"] == 7
    assert 'the name "value" stands twice' in answer["result"]["content"][0]["text"]


def test_progress_comes_before_the_answer_where_a_stream_is_taken(agent):
    params = {"name": "context", "arguments": {}, "_meta": {"progressToken": "p"}}

    response = post(
        agent,
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        Accept="application/json, text/event-stream",
    )

    events = response.content.decode().split("\n\n")
    assert response["Content-Type"] == "text/event-stream"
    assert ['"method":"notifications/progress"' in one for one in events] == [True, True, True, False, False]
    assert '"id":1,"result"' in events[3]
    assert "result" in ask(agent, "tools/call", params)


@pytest.mark.parametrize(
    "params", [{"name": "read"}, {"name": "read", "arguments": None}, {"name": "read", "arguments": {}}]
)
def test_arguments_may_be_left_out(agent, params):
    assert not ask(agent, "tools/call", params)["result"]["isError"]


@pytest.mark.parametrize(
    "params", [{"name": "read", "arguments": []}, {"name": "read", "arguments": "x"}, {"name": 3}, {}]
)
def test_parameters_of_another_type_are_refused(agent, params):
    assert ask(agent, "tools/call", params)["error"]["code"] == -32602


# Resources, completion, the prompt


def test_resources_are_the_keys_as_they_are_stored(agent):
    [listed] = ask(agent, "resources/list")["result"]["resources"]

    assert listed == {
        "uri": "nola://state/T%C3%A4sks%2F1",
        "name": "Täsks/1",
        "mimeType": "application/json",
        "size": 17,
    }
    [content] = ask(agent, "resources/read", {"uri": listed["uri"]})["result"]["contents"]
    assert content["text"] == store.read(Address("Täsks/1")).text == '{"b":1.5,"a":"é"}'
    [template] = ask(agent, "resources/templates/list")["result"]["resourceTemplates"]
    assert template["uriTemplate"] == "nola://state/{key}"


def test_resources_are_listed_page_by_page(agent):
    store.put_keys({f"K{number:03}": parse_json("1") for number in range(150)}, Author("user:ada", Source.API))
    found, cursor = [], {}
    while cursor is not None:
        result = ask(agent, "resources/list", cursor)["result"]
        found += [one["name"] for one in result["resources"]]
        cursor = {"cursor": result["nextCursor"]} if "nextCursor" in result else None

    assert found == [f"K{number:03}" for number in range(150)] + ["Täsks/1"]
    assert ask(agent, "resources/list", {"cursor": "?"})["error"]["code"] == -32602


@pytest.mark.parametrize(
    "uri", ["nola://state/None", "nola://state/", "nola://state/a/b", "nola://state/%zz", "nola://state/%FF", "x:y"]
)
def test_a_resource_that_is_not_there_is_an_error_of_the_revision(agent, uri):
    assert ask(agent, "resources/read", {"uri": uri})["error"]["code"] == -32002
    assert ask_stateless(agent, "resources/read", {"uri": uri}).json()["error"]["code"] == -32602


def test_keys_are_completed(agent):
    params = {"ref": {"type": "ref/resource", "uri": "nola://state/{key}"}, "argument": {"name": "key", "value": "Tä"}}

    assert ask(agent, "completion/complete", params)["result"]["completion"]["values"] == ["Täsks/1"]
    other = params | {"ref": {"type": "ref/prompt", "name": "load-context"}}
    assert ask(agent, "completion/complete", other)["result"]["completion"] == {"values": [], "hasMore": False}


def test_the_prompt_loads_the_context(agent):
    result = ask(agent, "prompts/get", {"name": "load-context", "arguments": {"budget": "300"}})["result"]

    [message] = result["messages"]
    assert message["role"] == "user"
    assert "- a: é" in message["content"]["text"]


@pytest.mark.parametrize("arguments", [{"budget": "5"}, {"budget": 300}, {"bugdet": "300"}, {"q": "!"}])
def test_arguments_of_the_prompt_that_are_none_are_refused(agent, arguments):
    assert ask(agent, "prompts/get", {"name": "load-context", "arguments": arguments})["error"]["code"] == -32602


def test_an_answer_of_a_client_is_not_answered():
    assert answer_message(None, {"jsonrpc": "2.0", "id": 1, "result": {}}, None) is None


def test_what_a_session_id_says_is_a_name_and_nothing_else(agent):
    for session in ("x", "x.", "x.!!", "x." + "A" * 1000, "x." + base64.urlsafe_b64encode(b"\xff").decode()):
        result = ask(
            agent,
            "tools/call",
            {"name": "write", "arguments": {"pointer": "/A", "value": session}},
            **{"Mcp-Session-Id": session},
        )
        assert not result["result"]["isError"]
    assert "through" not in call(agent, "history")["structuredContent"]["revisions"][0]


def test_a_name_in_a_session_id_is_no_longer_than_any(agent):
    session = "x." + base64.urlsafe_b64encode(b"n" * 200).decode()

    ask(
        agent,
        "tools/call",
        {"name": "write", "arguments": {"pointer": "/A", "value": 1}},
        **{"Mcp-Session-Id": session},
    )

    assert call(agent, "history")["structuredContent"]["revisions"][0]["through"] == "n" * 60
