"""The settings of clients that the docs and the page *Connect* show: they can be read, lead somewhere, and run."""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest
from django.test import Client

from nola_site.pages.connect import list_clients
from tests.server import KEY, ROOT

TEXT = (ROOT / "docs" / "agents-clients.md").read_text()
PATHS = ("/path/to/nola", "/path/to/nola/data")
HERE = (str(ROOT), str(ROOT / "data"))
FILES = [
    pytest.param(snippet, id=f"{client.name} {snippet.place}")
    for client in list_clients("http://127.0.0.1:8000", *HERE)
    for snippet in client.snippets
    if snippet.place.endswith((".json", ".toml"))
]


def read(snippet):
    return tomllib.loads(snippet.text) if snippet.place.endswith(".toml") else json.loads(snippet.text)


def nodes(value):
    """Every object in a document."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if isinstance(value, dict):
        yield value
    for one in children:
        yield from nodes(one)


def test_the_docs_show_what_the_page_shows():
    shown = re.findall(r"^```(?:json|toml)\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)

    assert shown == [
        snippet.text
        for client in list_clients("http://127.0.0.1:8000", *PATHS)
        for snippet in client.snippets
        if snippet.place.endswith((".json", ".toml"))
    ]


@pytest.mark.parametrize("snippet", FILES)
def test_a_file_names_what_is_there(snippet):
    found = list(nodes(read(snippet)))
    commands = [one["command"] for one in found if isinstance(one.get("command"), str)]
    addresses = [address for one in found for name in ("url", "httpUrl") if (address := one.get(name))]

    assert commands or addresses
    for command in commands:
        paths = [word for word in command.split() if word.startswith("/")]
        assert paths and all(os.path.exists(path) for path in paths), command
    assert set(addresses) <= {"http://127.0.0.1:8000/mcp"}


@pytest.mark.process
@pytest.mark.parametrize("snippet", [one for one in FILES if '"args"' in one.values[0].text])
def test_a_command_is_one_of_ours(snippet):
    [server] = [one for one in nodes(read(snippet)) if "args" in one]

    told = subprocess.run([server["command"], server["args"][0], "--help"], capture_output=True, text=True, timeout=60)

    assert told.returncode == 0, told.stderr
    assert {word for word in server["args"] if word.startswith("--")} <= set(re.findall(r"--\w+", told.stdout))


def test_the_address_is_one_of_ours():
    assert Client().post("/mcp", "{}", content_type="application/json").status_code == 401


@pytest.mark.process
@pytest.mark.parametrize("snippet", [one for one in FILES if "load_context" in one.values[0].text])
def test_a_hook_gives_the_context(server, snippet):
    server.request("PUT", "/api/state/Profile/name", b'"Ada"')
    [command] = [one["command"] for one in nodes(read(snippet)) if "load_context" in one.get("command", "")]
    env = {"PATH": os.environ["PATH"], "MEMORY_URL": f"http://127.0.0.1:{server.port}", "MEMORY_KEY": KEY}

    told = subprocess.run(command, shell=True, env=env, input="{}", capture_output=True, text=True, timeout=60)

    [answer] = json.loads(told.stdout).items()
    name, given = answer
    if snippet.place.startswith(".cursor"):
        assert name == "additional_context"
    else:
        assert (name, given["hookEventName"]) == ("hookSpecificOutput", "SessionStart")
        given = given["additionalContext"]
    assert "Ada" in given


@pytest.mark.process
def test_the_first_call_is_one(server):
    [command] = re.findall("^curl .*", TEXT, re.MULTILINE)
    env = {"PATH": os.environ["PATH"], "MEMORY_KEY": KEY}
    server.request("PUT", "/api/state/Profile/name", b'"Ada"')

    told = subprocess.run(
        command.replace(":8000", f":{server.port}"), shell=True, env=env, capture_output=True, text=True, timeout=60
    )

    assert "Ada" in told.stdout


@pytest.mark.process
def test_the_program_in_the_docs_runs(server):
    code = re.search(r"## From Python.*?```python\n(.*?)```", TEXT, re.DOTALL)[1]
    env = {"MEMORY_URL": f"http://127.0.0.1:{server.port}", "MEMORY_KEY": KEY, "PYTHONPATH": str(ROOT)}

    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)

    assert (told.returncode, told.stderr) == (0, "")
    assert "I am vegan" in told.stdout
    assert json.loads(server.request("GET", "/api/state/Profile")[1]) == {"name": "Ada", "diet": "vegan"}


def test_the_program_on_the_page_is_python():
    [program] = [
        snippet.text
        for client in list_clients("http://127.0.0.1:8000", *HERE)
        for snippet in client.snippets
        if snippet.place == "In a program"
    ]

    compile(program, "connect", "exec")
