"""Talking to `POST /mcp` in the words of either sort of revision."""

import json

STATELESS = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "tester", "version": "3"},
}
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
NUMBER = 7  # of each request, by which its answer is known


def post(client, body, **headers):
    """The response to a body as it stands."""
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.post("/mcp", data, content_type="application/json", headers={"Accept": "application/json", **headers})


def ask(client, method, params=None, **headers):
    """The answer to a request, as until 2025-11-25."""
    body = {"jsonrpc": "2.0", "id": NUMBER, "method": method, "params": params or {}}
    response = post(client, body, **{"Mcp-Protocol-Version": "2025-11-25", **headers})
    answer = response.json()
    assert answer["id"] == body["id"]
    return answer


def ask_stateless(client, method, params=None, **headers):
    """The response to a request, as since 2026-07-28."""
    params = {"_meta": META, **(params or {})}
    name = {"Mcp-Name": params[NAMED[method]]} if method in NAMED else {}
    always = {"Mcp-Protocol-Version": STATELESS, "Mcp-Method": method, **name}
    body = {"jsonrpc": "2.0", "id": NUMBER, "method": method, "params": params}
    return post(client, body, **always | headers)


def call(client, tool, **arguments):
    """The result of a tool."""
    return ask(client, "tools/call", {"name": tool, "arguments": arguments})["result"]


def use(client, tool, **arguments):
    """What a tool gives, which must not fail; what the model reads says the same."""
    result = call(client, tool, **arguments)
    assert not result["isError"], result
    told = result["structuredContent"]
    [content] = result["content"]
    assert content["text"] == (
        told["text"] if tool == "context" else json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    )
    return told


def fail(client, tool, **arguments):
    """What a tool says that fails."""
    result = call(client, tool, **arguments)
    assert result["isError"], result
    return result["structuredContent"]
