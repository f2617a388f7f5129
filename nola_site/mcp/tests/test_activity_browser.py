"""What a person sees of what an agent did, and takes back, in a real browser."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.server import KEY

pytestmark = pytest.mark.process


def post(server, method, params, session=""):
    """The response to a message."""
    connection = server.connect()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Mcp-Session-Id": session}
    connection.request("POST", "/mcp", body, headers)
    response = connection.getresponse()
    try:
        return json.loads(response.read())["result"], response.getheader("Mcp-Session-Id")
    finally:
        connection.close()


@pytest.mark.parametrize("client", ["claude-code", "<img src=x onerror=alert(1)>"])
def test_a_person_sees_the_client_and_the_reason_and_takes_it_back(server, page, client):
    _, session = post(server, "initialize", {"clientInfo": {"name": client}})
    arguments = {"pointer": "/Seen", "value": "wrong", "reason": "I guessed"}
    post(server, "tools/call", {"name": "write", "arguments": arguments}, session)

    page.goto("/admin/activity/")

    row = page.locator(".act-row", has_text="I guessed").first
    expect(row.locator(".act-door")).to_have_text(client)
    expect(row.locator("time")).to_have_attribute("title", re.compile(f"through MCP, {re.escape(client)}$"))
    row.get_by_role("button", name="Undo").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    expect(page.locator(".act-row").first).to_contain_text("took back change")
    assert server.request("GET", "/api/state/Seen")[0] == 404
