"""Conversations in a real browser: read, found, corrected and followed as they go on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from conversations.parts import list_parts
from tests.server import Server

SCROLL = "document.querySelector('.nola-talk-scroll')"
LIST = "/admin/conversations/conversation/"
HOSTILE = """**Bold** and `code` and [a link](https://example.org/) and [bad](javascript:alert(1))
![spy](https://evil.example/pixel.png) <img src=x onerror=alert(2)> <script>alert(3)</script> {{ 1+1 }}

- one
- two"""


@pytest.fixture
def page(browser: Browser, server: Server, session: Any) -> Iterator[Page]:
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 1280, "height": 800}, storage_state=session
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append("a script ran"))
    page.on("request", lambda one: None if "127.0.0.1" in one.url or "data:" in one.url else problems.append(one.url))
    yield page
    context.close()
    assert problems == []


def is_problem(message: ConsoleMessage) -> bool:
    """A stream of changes may be refused: the page asks again."""
    return message.type == "error" and "/api/changes" not in message.location.get("url", "")


def call(server: Server, method: str, path: str, body: object = None) -> object:
    status, answer, _ = server.request(method, path, None if body is None else json.dumps(body).encode())
    assert status < 300, answer
    return json.loads(answer) if answer else None


def say(server: Server, session: str, *texts: str, **more: object) -> list[int]:
    messages = [{"speaker": ("user", "assistant")[n % 2], "message": text, **more} for n, text in enumerate(texts)]
    return [one["id"] for one in call(server, "POST", f"/api/conversations/{session}/messages", messages)["messages"]]


def kept(server: Server, session: str) -> list[str]:
    page = call(server, "GET", f"/api/conversations/{session}/messages?limit=1000")
    return [one["message"] for one in page["messages"]]


def open_talk(page: Page, name: str) -> None:
    page.goto(f"{LIST}of/?session={name}")
    page.wait_for_selector(".nola-bubble")


def shown(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".nola-text").all_text_contents()]  # also of what is scrolled away


def test_markdown_is_shown_and_nothing_in_it_runs(page, server):
    say(server, "hostile", HOSTILE)
    open_talk(page, "hostile")

    text = page.locator(".nola-text")
    assert text.locator("strong").inner_text() == "Bold"
    assert text.locator("li").all_inner_texts() == ["one", "two"]
    assert [a.get_attribute("href") for a in text.locator("a").all()] == [
        "https://example.org/",
        "https://evil.example/pixel.png",
    ]
    assert text.locator("img, script").count() == 0
    assert "<script>alert(3)</script> {{ 1+1 }}" in text.inner_text()


def test_days_stand_between_the_messages_and_the_user_on_the_right(page, server):
    say(server, "sides", "hello", "hello you")
    open_talk(page, "sides")

    day, list_ = page.locator(".nola-day").first.bounding_box(), page.locator(".nola-talk-list").bounding_box()
    mine, theirs = (page.locator(".nola-bubble").nth(number).bounding_box() for number in range(2))

    assert day["y"] + day["height"] <= mine["y"]
    assert mine["x"] + mine["width"] > list_["x"] + list_["width"] - 40
    assert theirs["x"] < list_["x"] + 40


def test_a_message_arrives_while_one_looks(page, server):
    say(server, "live", "first")
    open_talk(page, "live")

    [pk] = say(server, "live", "second", status="pending")
    page.wait_for_selector("text=second")
    page.wait_for_selector("text=waiting for an answer")
    call(server, "PATCH", f"/api/conversations/live/messages/{pk}", {"status": "ok"})
    page.wait_for_selector("text=waiting for an answer", state="detached")
    call(server, "DELETE", f"/api/conversations/live/messages/{pk}")
    page.wait_for_selector("text=second", state="detached")

    assert shown(page) == ["first"]


def test_a_long_conversation_is_read_from_its_end_to_its_beginning(page, server):
    for start in range(0, 1000, 500):
        say(server, "long", *[f"message number {n}." for n in range(start, start + 500)])
    open_talk(page, "long")
    assert shown(page)[-1] == "message number 999."
    page.wait_for_function(f"() => {SCROLL}.scrollHeight - {SCROLL}.scrollTop - {SCROLL}.clientHeight < 5")

    for _ in range(100):
        page.evaluate(f"{SCROLL}.scrollTop = 0")
        if page.locator(".nola-talk-top").inner_text() != "…":
            break
        page.wait_for_timeout(50)

    assert shown(page) == [f"message number {n}." for n in range(1000)]


def test_a_hit_is_jumped_to_from_the_search(page, server):
    say(server, "found", *[f"line {n}" for n in range(400)])
    [pk] = say(server, "found", "the xylophone plays")
    say(server, "found", *[f"more {n}" for n in range(400)])

    page.goto("/admin/search/?q=xyloph")
    page.get_by_role("link", name="the xylophone plays").click()
    page.wait_for_selector(f".is-target[data-id='{pk}']")

    assert page.locator(".is-target").evaluate(
        "n => (b => b.top > 0 && b.bottom < innerHeight)(n.getBoundingClientRect())"
    )
    expect(page.locator(".nola-talk-count")).to_have_text("1 of 1")
    page.fill(".nola-talk-find input", "line 7")
    page.wait_for_selector("text=1 of 11")
    page.wait_for_selector(".is-target:has-text('line 79')")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=2 of 11")


def test_the_title_is_edited_in_place(page, server):
    say(server, "untitled", "hi")
    open_talk(page, "untitled")

    page.click(".nola-talk-title")
    page.fill(".nola-talk-rename", "A <b>title</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('A <b>title</b>')")

    assert call(server, "GET", "/api/conversations/untitled")["title"] == "A <b>title</b>"


def test_messages_are_selected_deleted_and_brought_back(page, server):
    say(server, "spoiled", "a", "b", "c", "d")
    open_talk(page, "spoiled")

    page.click(".nola-select")
    page.locator(".nola-check").nth(1).click()
    page.locator(".nola-check").nth(2).click(modifiers=["Shift"])
    assert page.locator(".nola-talk-chosen").inner_text() == "2 selected"
    page.click(".nola-delete-chosen")
    page.wait_for_selector("text=2 messages deleted.")
    deleted = kept(server, "spoiled")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function("() => document.querySelectorAll('.nola-text').length === 4")

    assert deleted == ["a", "d"]
    assert kept(server, "spoiled") == shown(page) == ["a", "b", "c", "d"]


def test_a_conversation_is_archived_deleted_and_brought_back(page, server):
    say(server, "over", "hi")
    open_talk(page, "over")

    page.click(".nola-archive")
    page.wait_for_selector("text=Take out of archive")
    assert call(server, "GET", "/api/conversations/over")["archived"] is True
    page.click(".nola-delete")
    page.wait_for_selector("text=Conversation deleted.")
    assert server.request("GET", "/api/conversations/over")[0] == 410
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function("() => !document.querySelector('.is-gone')")

    assert kept(server, "over") == ["hi"]


def test_the_list_offers_undo_for_what_it_deletes(page, server):
    say(server, "listed", "hi")
    page.goto(f"{LIST}?q=listed")
    page.locator("input.action-select").first.check()
    page.get_by_role("button", name="Delete (can be undone)").click()
    page.wait_for_selector("text=1 conversation is deleted.")
    assert server.request("GET", "/api/conversations/listed")[0] == 410

    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector("text=It is back.")

    assert kept(server, "listed") == ["hi"]


def test_another_branch_is_chosen(page, server):
    ids = say(server, "branched", "question", "answer one", "after one")
    other = say(server, "branched", "answer two", parent=ids[0])
    call(server, "PATCH", "/api/conversations/branched", {"current_leaf": other[0]})
    open_talk(page, "branched")
    assert shown(page) == ["question", "answer two"]

    page.get_by_role("button", name="Earlier version").click()
    page.wait_for_selector("text=after one")

    assert shown(page) == ["question", "answer one", "after one"]
    assert page.locator(".nola-foot").inner_text().split() == ["‹", "1", "of", "2", "›"]


@pytest.mark.parametrize("path", [LIST, "/admin/search/?q=hi"])
def test_pages_fit_a_phone(page, server, path):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    say(server, "narrow", "wide " * 30 + "x" * 300)
    open_talk(page, "narrow")

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_parts_and_hidden_messages_are_folded_until_they_are_opened_or_found(page, server):
    call = {"type": "tool_use", "name": "lookup", "input": {"word": "heron"}}
    metadata = {"parts": [call], "pastes": [{"name": "<i>a.txt", "text": "beans"}], "thinking": "hm"}
    say(server, "folded", "look", metadata=metadata)
    say(server, "folded", "psst", metadata={"hidden": "thinking", "name": "Mila"})
    open_talk(page, "folded")

    folds = page.locator(".nola-fold > summary")
    assert folds.all_inner_texts() == ["Paste: <i>a.txt", "Thinking", "Tool call: lookup", "Hidden: thinking"]
    assert shown(page) == ["look"]
    assert page.locator(".nola-speaker").all_text_contents() == ["user", "user (Mila)"]
    assert page.locator(".nola-part").count() == 0
    folds.first.click()
    page.wait_for_selector(".nola-part:has-text('beans')")
    page.fill(".nola-talk-find input", "heron")
    page.wait_for_selector(".nola-part:has-text('heron')")
    folds.last.click()
    page.wait_for_function("() => document.querySelectorAll('.nola-text').length === 2")
    assert shown(page) == ["look", "psst"]


def test_the_page_reads_parts_as_the_server_does(page, server):
    metadata = {
        "extracted": {"a.txt": "beans"},
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "[1]"}}],
        "parts": [
            {"type": "tool_result", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"type": "image", "source": {"media_type": "image/png"}},
            {"content_type": "super_widget", "title": "W", "text": ""},
            {"type": "web_search_call", "action": {"query": "herons"}},
            "plain",
            0,
        ],
        "quotes": [{"url": "https://tea.example", "title": "Tea"}],
    }
    say(server, "parts", "look", metadata=metadata)
    open_talk(page, "parts")

    for fold in page.locator(".nola-fold > summary").all():
        fold.click()
    texts = page.locator(".nola-part")
    page.wait_for_function(
        "() => document.querySelectorAll('.nola-part').length === document.querySelectorAll('.nola-fold').length"
    )

    expected = list(list_parts(metadata))
    assert page.locator(".nola-fold > summary").all_text_contents() == [one.title for one in expected]
    assert [loosely(text) for text in texts.all_text_contents()] == [loosely(one.text) for one in expected]


def loosely(text: str) -> object:
    """A text, or the value that it is as JSON, however that is indented."""
    try:
        return json.loads(text)
    except ValueError:
        return text
