"""The official SDK's client over both wires and in all revisions, each tool, and what is in the answers."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

import pytest

from nola_site.mcp.tests.talking import STATELESS
from nola_site.mcp.tools import TOOLS
from tests.server import KEY, ROOT, database_url

sdk = pytest.importorskip(
    "mcp", reason="the SDK of MCP is not here, so its client was not tried: see requirements-dev.txt"
)
pytestmark = pytest.mark.process
WIRES, REVISIONS = ("stdio", "http"), ("2025-06-18", "2025-11-25", STATELESS, "auto")


@asynccontextmanager
async def connect(server, wire, revision, **options):
    from mcp.client.stdio import StdioServerParameters
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    mode = revision if revision in (STATELESS, "auto") else "legacy"
    if wire == "stdio":
        where = StdioServerParameters(
            command=sys.executable,
            args=[str(ROOT / "manage.py"), "mcp", "--data", str(server.data)],
            env={"DATABASE_URL": database_url(server.data)},
        )
    else:
        headers = {"Authorization": f"Bearer {KEY}"}
        where = streamable_http_client(
            f"http://127.0.0.1:{server.port}/mcp", http_client=create_mcp_http_client(headers)
        )
    async with sdk.Client(where, mode=mode, **options) as client:
        yield client


@pytest.fixture
def use(server, monkeypatch):
    """Runs a dialogue with a client."""

    def run(dialogue, wire, revision, **options):
        if revision == "2025-06-18":
            monkeypatch.setattr("mcp.client.session.LATEST_HANDSHAKE_VERSION", revision)

        async def talk():
            async with asyncio.timeout(60), connect(server, wire, revision, **options) as client:
                return await dialogue(client)

        return asyncio.run(talk())

    return run


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("wire", WIRES)
def test_each_tool_says_what_it_should(use, server, wire, revision):
    key = f"Sdk-{wire}-{revision}"

    async def dialogue(client):
        async def call(name, **arguments):
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result
            told = result.structured_content
            assert result.content[0].text == (
                told["text"] if name == "context" else json.dumps(told, ensure_ascii=False, separators=(",", ":"))
            )
            return told

        assert client.protocol_version == (STATELESS if revision == "auto" else revision)
        assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in TOOLS]
        written = await call("write", pointer=f"/{key}", value={"text": '{"a":1}', "n": 1.5}, reason="why not")
        assert await call("read", pointer=f"/{key}/text") == {"value": '{"a":1}', "revision": written["revision"]}
        operations = [
            {"op": "add", "pointer": f"/{key}/list", "value": []},
            {"op": "add", "pointer": f"/{key}/list/-", "value": "needle"},
        ]
        edited = await call("edit", operations=operations)
        found = (await call("search", q="needle", **{"in": "state"}))["found"]
        assert {"pointer": f"/{key}/list/0", "text": "needle"} in found
        assert (await call("undo", revision=edited["revision"]))["changed"] == [key]
        deleted = await call("delete", pointer=f"/{key}/n")
        assert deleted["was"] == "1.5"
        history = (await call("history", pointer=f"/{key}", mine=True))["revisions"]
        assert [len(history), history[-1]["reason"]] == [4, "why not"]
        assert history[-1]["through"].startswith("mcp")
        said = await call("messages", session=key, append=[{"speaker": "user", "message": "hello"}])
        assert [one["message"] for one in said["messages"]] == ["hello"]
        assert "hello" in (await call("context", session=key, budget=500))["text"]
        failed = await client.call_tool("read", {"path": "/"})
        assert failed.is_error
        assert failed.content[0].text.startswith('there is no argument "path"')

    use(dialogue, wire, revision)

    assert json.loads(server.request("GET", f"/api/state/{key}")[1]) == {"text": '{"a":1}'}


@pytest.mark.parametrize("revision", ["2025-11-25", STATELESS])
@pytest.mark.parametrize("wire", WIRES)
def test_resources_the_prompt_and_progress(use, server, wire, revision):
    server.request("PUT", "/api/state/Read%20me", b'{"b":1.50,"a":[]}')

    async def dialogue(client):
        resources = {one.name: str(one.uri) for one in (await client.list_resources()).resources}
        [content] = (await client.read_resource(resources["Read me"])).contents
        assert content.text == '{"b":1.5,"a":[]}'
        with pytest.raises(sdk.MCPError):
            await client.read_resource("nola://state/None")
        [template] = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "nola://state/{key}"
        [message] = (await client.get_prompt("load-context", {"budget": "300"})).messages
        assert message.content.text.startswith("This is what you remember")
        done = []

        async def note(progress, total, text):
            done.append((progress, total))

        await client.call_tool("context", {}, progress_callback=note)
        assert done == [(0, 2), (1, 2), (2, 2)]

    use(dialogue, wire, revision)


@pytest.mark.parametrize("wire", WIRES)
def test_a_listener_hears_of_what_others_change(use, server, wire):
    name = f"Heard-{wire}"
    uri = f"nola://state/{name}"

    async def dialogue(client):
        heard = []
        async with client.listen(resources_list_changed=True, resource_subscriptions=[uri]) as listener:
            assert listener.honored.resource_subscriptions == [uri]
            await asyncio.to_thread(server.request, "PUT", "/api/state/Other", b"{}")
            await asyncio.to_thread(server.request, "PUT", f"/api/state/{name}", b"{}")
            await asyncio.to_thread(server.request, "PUT", f"/api/state/{name}/a", b"1")
            async for event in listener:
                heard.append(getattr(event, "uri", "list"))
                if heard.count(uri) == 1 and "list" in heard:
                    return heard

    assert set(use(dialogue, wire, STATELESS)) == {"list", uri}


def test_many_clients_at_once_lose_nothing(server):
    async def crowd():
        async def one(wire, number):
            async with connect(server, wire, STATELESS) as client:
                calls = [
                    client.call_tool("write", {"pointer": f"/Many/{wire}{number}-{count}", "value": 1})
                    for count in range(10)
                ]
                return [result.is_error for result in await asyncio.gather(*calls)]

        async with asyncio.timeout(90):
            return await asyncio.gather(*(one(wire, number) for wire in WIRES for number in range(2)))

    assert not any(map(any, asyncio.run(crowd())))
    assert len(json.loads(server.request("GET", "/api/state/Many")[1])) == 40
