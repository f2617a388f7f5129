"""The documentation is true: its links lead somewhere, its settings are all there, its session runs as printed."""

import re
import shlex
import subprocess
from collections import Counter

import pytest
from django.urls import resolve

from nola_site import settings
from nola_site.api import api
from tests.server import KEY, ROOT, running

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page):
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())

    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_every_setting_is_in_the_readme_and_nothing_else():
    code = (ROOT / "nola_site" / "settings.py").read_text()
    used = set(re.findall(r'(?:environ\.get|env\w+)\("(NOLA_\w+)"', code))

    documented = set(re.findall(r"^\| `(NOLA_\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE))

    assert documented == used == settings.KNOWN


def test_every_setting_but_those_of_the_image_reaches_the_container():
    documented = set(re.findall(r"^\| `(NOLA_\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE))
    compose = (ROOT / "docker-compose.yml").read_text()

    passed = set(re.findall(r"^      (NOLA_\w+):", compose, re.MULTILINE))

    assert documented - passed == {"NOLA_DATA_DIR", "NOLA_HOST", "NOLA_PORT"}


def test_every_call_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()

    for path, calls in api.get_openapi_schema(path_prefix="/api/")["paths"].items():
        for method in calls:
            if path != "/api/state" or method == "get":  # the others take ?pointer=, see docs/api.md
                assert f"`{method.upper()} {path}`" in readme


def test_every_make_target_named_in_the_docs_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = {name for page in PAGES for name in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)}

    assert {"run", "test", "check", "bench", "help"} <= named <= targets


@pytest.mark.process
def test_the_first_session_runs_as_printed(tmp_path):
    session = re.search(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    assert len(steps) > 5

    with running(tmp_path / "data") as server:
        for command, printed in steps[1:]:
            command = command.replace("$KEY", KEY).replace(":8000", f":{server.port}")
            result = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=30)
            assert result.stdout.strip() == printed.strip(), command


@pytest.mark.process
def test_the_examples_of_the_change_feed_are_true(tmp_path):
    section = (ROOT / "docs" / "api.md").read_text().partition("## Following what changes")[2].partition("\n## ")[0]
    (paging, page), (streaming, stream) = re.findall(r"```console\n\$ ([^\n]*)\n(.*?)\n```", section, re.DOTALL)

    with running(tmp_path / "data") as server:
        server.request("PUT", "/api/state/Identity/owner/name", b'"Ada"')
        server.request("PUT", "/api/state/Identity/owner/name", b'"Bob"')
        assert curled(paging, server.port) == masked(page)
        server.request("PUT", "/api/state/Identity/owner/name", b'"Cleo"')
        command = shlex.split(here(streaming, server.port))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
            shown = [curl.stdout.readline() for _ in range(5)]
            server.request("PUT", "/api/state/Tasks", b'["write"]')
            shown += [curl.stdout.readline() for _ in range(2)]
            curl.terminate()
        assert masked("".join(shown).strip()) == masked(stream)


def here(command: str, port: int) -> str:
    return command.replace("$KEY", KEY).replace(":8000", f":{port}")


def curled(command: str, port: int) -> str:
    result = subprocess.run(shlex.split(here(command, port)), capture_output=True, text=True, timeout=30)
    return masked(result.stdout.strip())


def masked(text: str) -> str:
    """Without what is another each time: epochs, revisions, times."""
    text = re.sub(r"[0-9a-f]{8}:\d+", "EPOCH:SEQ", text)
    text = re.sub(r'"revision":\d+,"at":"[^"]+"', '"revision":0,"at":"NOW"', text)
    return re.sub(r"retry: \d+", "retry: 1000", text)


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_headings_that_are_there(page):
    for path, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", page.read_text()):
        target = (page.parent / path).resolve() if path else page
        assert anchor in {slug(one) for one in re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)}, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_of_the_admin_that_are_named_are_there(page):
    for address in re.findall(r"/admin/[a-z/]*", page.read_text()):
        assert resolve(address).func, address


CALLS = {
    (method.upper(), path)
    for path, calls in api.get_openapi_schema(path_prefix="/api/")["paths"].items()
    for method in calls
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_calls_that_are_named_are_there(page):
    text = re.sub(r"\s+", " ", page.read_text())
    named = re.findall(r"\b(GET|HEAD|PUT|PATCH|POST|DELETE) (/(?:api|healthz|readyz|mcp)[^\s`\"?;,)]*)", text)

    for method, address in named:
        found = [
            path
            for known, path in CALLS
            if known == method.replace("HEAD", "GET")
            and re.fullmatch(re.sub(r"\{\w+\}", "(.+)", path), address.rstrip("."))
        ]
        assert found or address in ("/healthz", "/readyz", "/mcp", "/api/docs", "/api/openapi.json"), (method, address)


def test_no_line_of_the_changelog_stands_twice():
    lines = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.strip()]

    assert [line for line, times in Counter(lines).items() if times > 1] == []
