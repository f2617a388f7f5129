"""docs/agents.md is true: its configurations start a server, its table has the tools."""

import json
import re
import shlex
import subprocess

import pytest

from nola_site.mcp.tests.test_stdio import HELLO, line
from nola_site.mcp.tools import TOOLS
from tests.server import KEY, ROOT, lay, manage

PAGE = (ROOT / "docs" / "agents.md").read_text()


def test_the_table_has_the_tools():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [tool.name for tool in TOOLS]


def commands():
    [command] = re.findall(r"^claude mcp add nola -- (.*)$", PAGE, re.MULTILINE)
    [config] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    program = json.loads(config)["mcpServers"]["nola"]
    return [shlex.split(command), [program["command"], *program["args"]]]


@pytest.mark.process
@pytest.mark.parametrize("command", commands(), ids=["line", "json"])
def test_a_configuration_starts_a_server(tmp_path, command):
    data = tmp_path / "data"
    lay(data)
    assert manage(data, "apikey", "create", "planner").returncode == 0
    command = [part.replace("/path/to/nola/data", str(data)).replace("/path/to/nola", str(ROOT)) for part in command]
    command += [] if "--data" in command else ["--data", str(data)]
    lines = line("initialize", 1, **HELLO) + line("tools/call", 2, name="read", arguments={"pointer": "/Identity/name"})

    done = subprocess.run(command, input=lines, capture_output=True, timeout=60, check=True, env={}, cwd="/")

    answer = json.loads(done.stdout.splitlines()[1])["result"]
    assert answer["structuredContent"]["value"] == "Nola"


@pytest.mark.process
def test_the_address_over_http_is_that_of_the_server(server):
    [address] = re.findall(r"add --transport http nola http://127\.0\.0\.1:8000(/\S+)", PAGE)

    assert server.request("GET", address)[0] == 405
    assert server.request("GET", address, key=KEY)[2]["allow"] == "POST"
