"""Chats brought in the browser: looked at, imported, taken back, by real processes of a real server."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server import ROOT, Server

IMPORT = "/admin/conversations/import/"
SHARED = ROOT.parent / "shared" / "chats"
PATIENCE = 60_000  # ms for a process to start on a busy machine


@pytest.fixture
def page(browser: Browser, server: Server, session: Any) -> Iterator[Page]:
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 390, "height": 844}, storage_state=session
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def chatgpt(name: str, *said: str, title: str = "") -> dict[str, Any]:
    """A conversation as ChatGPT exports it."""
    nodes: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": [f"{name}-0"]}}
    for n, text in enumerate(said):
        author = {"role": ("user", "assistant")[n % 2]}
        message = {
            "id": f"{name}-{n}",
            "author": author,
            "create_time": 1.7e9 + n,
            "content": {"content_type": "text", "parts": [text]},
        }
        parent = f"{name}-{n - 1}" if n else "root"
        children = [f"{name}-{n + 1}"] if n + 1 < len(said) else []
        nodes[f"{name}-{n}"] = {"id": f"{name}-{n}", "message": message, "parent": parent, "children": children}
    about = {
        "title": title,
        "create_time": 1.7e9,
        "update_time": 1.7e9 + len(said),
        "conversation_id": name,
        "id": name,
    }
    return {**about, "mapping": nodes, "current_node": f"{name}-{len(said) - 1}"}


def write_zip(path: Path, *conversations: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", json.dumps(conversations))
        archive.writestr("chat.html", "<html></html>")
    return path


def choose(page: Page, *files: Path) -> None:
    page.goto(IMPORT)
    page.set_input_files("input[type=file]", files)


def heading(page: Page, text: str) -> None:
    expect(page.locator("[data-part=now] h2")).to_have_text(re.compile(text), timeout=PATIENCE)


def is_there(server: Server, session_id: str) -> bool:
    return server.request("GET", f"/api/conversations/{session_id}")[0] == 200


def test_a_file_is_looked_at_imported_and_taken_back(page, server, tmp_path):
    some = chatgpt("way-1", "# Plan *my* week", "Gladly."), chatgpt("way-2", "hello", "hi", title="A title")
    choose(page, write_zip(tmp_path / "way.zip", *some))

    heading(page, "2 new conversations, 4 messages would come")
    assert page.locator(".imp-first .imp-name").all_inner_texts() == ["Plan my week", "A title"]
    assert not is_there(server, "way-1")
    page.reload()
    heading(page, "2 new conversations, 4 messages would come")
    page.get_by_role("button", name="Import", exact=True).click()
    heading(page, "2 new conversations, 4 messages came")
    assert is_there(server, "way-1")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    page.get_by_role("link", name="Look at what came").click()
    expect(page.locator("tbody .ui-list-name")).to_have_text(["A title", "Plan my week"])
    page.go_back()
    page.get_by_role("button", name="Undo this import").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo", exact=True).click()
    heading(page, "Undone")
    assert not is_there(server, "way-1")
    page.get_by_role("button", name="Done").click()
    page.wait_for_url(f"**{IMPORT}")
    expect(page.get_by_role("link", name="way.zip")).to_have_count(0)


def test_the_same_again_is_nothing_new(page, server, tmp_path):
    file = write_zip(tmp_path / "twice.zip", chatgpt("twice", "hello"))
    choose(page, file)
    page.get_by_role("button", name="Import", exact=True).click()
    heading(page, "1 new conversation, 1 message came")

    choose(page, file)

    heading(page, "Nothing new: all of it is here already")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()


def test_of_several_files_those_are_imported_that_are_chosen(page, server, tmp_path):
    files = [write_zip(tmp_path / f"{name}.zip", chatgpt(f"several-{name}", "hello")) for name in ("one", "two")]
    choose(page, *files)
    heading(page, "2 new conversations")

    page.get_by_label("two.zip").get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Import 1 file").click()

    heading(page, "1 new conversation, 1 message came")
    assert [is_there(server, f"several-{name}") for name in ("one", "two")] == [True, False]


def test_what_will_not_come_is_said(page, server, tmp_path):
    file = tmp_path / "odd.json"
    file.write_text(json.dumps([chatgpt("odd", "hello")])[:-1] + ",]")
    choose(page, file)

    heading(page, "1 new conversation")
    assert "a comma after the last item" in page.locator(".imp-left").inner_text()


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("empty.json", b"", "There is nothing in empty.json: it is empty."),
        ("broken.zip", b"PK\x03\x04 and no more", "the zip cannot be read"),
        ("picture.png", b"\x89PNG\r\n\x1a\n", "not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(page, server, tmp_path, name, raw, said):
    (tmp_path / name).write_bytes(raw)
    choose(page, tmp_path / name)

    expect(page.locator(".imp-refused:visible, .imp-left")).to_contain_text(said)
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)


def test_what_the_browser_may_send_is_said_before_it_is_sent(page, server, tmp_path):
    page.goto(IMPORT)
    large = "new DataTransfer().items, Object.defineProperty(new File(['x'], 'large.zip'), 'size', {value: 5e9})"
    page.evaluate(f"""() => {{
        const input = document.querySelector('input[type=file]');
        Object.defineProperty(input, 'files', {{value: [({large})]}});
        input.dispatchEvent(new Event('change', {{bubbles: true}}));
    }}""")

    expect(page.locator(".imp-refused")).to_contain_text("can be brought at once")


@pytest.mark.parametrize("name", ["08-claude-memories.zip", "13-open-webui.json", "16-sillytavern.jsonl"])
def test_a_shared_file_is_looked_at(page, server, name):
    if not (SHARED / name).exists():
        pytest.skip("the shared files are not here")
    choose(page, SHARED / name)

    heading(page, "would come|here already")
