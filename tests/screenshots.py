"""`make screenshots`: the pictures of the docs, all taken from one server; `make screenshots ONLY=tree` takes some.

To add one: a line in SHOTS, with a function that brings the page to where it is to be seen, if it is not there at once.
What there is to see is in tests/scenario.py.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page

from tests.browser import chromium, sign_in
from tests.scenario import as_person, live_on, play, write
from tests.server import ROOT, Server, running

TREE = "/admin/state/tree/"
CONTEXT = "/admin/context/#budget=460&conversation=next-meeting&q=group"
FOLDER = ROOT / "docs" / "images"
LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("dark", 390)}
Act = Callable[[Page, Server], None]


def nothing(page: Page, server: Server) -> None: ...


class Shot(NamedTuple):
    """Pictures of a page, in each of the looks: docs/images/<name>-<look>.png."""

    name: str
    path: str
    act: Act = nothing
    looks: Sequence[str] = ("light", "dark", "phone")


# Bringing a page to where it is to be seen


def open_some(page: Page, server: Server) -> None:
    """The tree with its first levels open, and a change that an agent has just made."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node[aria-label^='time_zone:']:focus")
    page.keyboard.press("3")
    page.wait_for_selector(".tree-node[aria-label^='accent:']")
    told = "she" if b"they" in server.request("GET", "/api/state/Identity/owner")[1] else "they"
    write(server, "planner", "PUT", "state/Identity/owner/pronouns", told)
    page.wait_for_selector(f"[aria-label='pronouns: text {told}'].tree-fresh")


def meet(page: Page, server: Server) -> None:
    """An agent changes what is being edited."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node[aria-label^='reply_length:']:focus")
    page.keyboard.press("Enter")
    page.locator(".tree-input").fill("as short as you can")
    is_first = b"two pages" not in server.request("GET", "/api/state/Preferences")[1]
    write(server, "planner", "PUT", "state/Preferences/reply_length", "at most two pages" if is_first else "medium")
    page.wait_for_selector(".tree-conflict")


def preview(page: Page, server: Server) -> None:
    """What restoring a checkpoint would change, opened."""
    page.wait_for_selector(".cp-parts:not([hidden])")
    for name in ("Preferences", "Context"):
        page.locator(".cp-key", has_text=name).locator("summary").click()
    page.wait_for_function("() => document.querySelectorAll('.cp-changes .chg-list').length >= 2")


def look(page: Page, server: Server) -> None:
    """The panel, with the history of what is chosen and what is gone from it."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node:focus")
    page.keyboard.press("i")
    page.wait_for_selector("#tp-value:visible:not(.tp-old)")
    if page.locator(".tp-deleted").is_visible():
        page.click(".tp-deleted summary")
        page.wait_for_selector(".tp-deleted :is(.tp-lost, .tp-note:not([hidden]))")


def slide_back(page: Page, server: Server) -> None:
    """The tree as it was two changes ago."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node:focus")
    page.keyboard.press("3")
    page.keyboard.press("h")
    page.wait_for_selector(".past-slider:enabled:focus")
    page.keyboard.press("ArrowLeft")
    revision = page.wait_for_selector("[data-past]").get_attribute("data-past")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(f"[data-past]:not([data-past='{revision}']) .past-badge")


def compare(page: Page, server: Server) -> None:
    """What has changed in the last changes, side by side."""
    slide_back(page, server)
    revision = page.get_attribute("#nola-tree", "data-past")
    page.keyboard.press("PageUp")
    page.wait_for_selector(f"[data-past]:not([data-past='{revision}'])")
    page.click(".past-compare")
    page.wait_for_selector("[data-compared] .past-cmp-differs")


def at_level(page: Page, server: Server) -> None:
    """The tree as the model sees it at level 2."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node:focus")
    page.keyboard.press("3")
    page.click(".lv-button >> text=L2")
    page.wait_for_selector("[data-seen='2'] .tree-row[data-tokens]")


def look_back(page: Page, server: Server) -> None:
    """Some that an agent did in a row, and the person after it."""
    page.wait_for_selector(".act[data-status=live]:not([aria-busy])")
    if server.request("GET", "/api/state/Reading")[0] == 404:
        for number in range(1, 13):
            write(server, "planner", "PUT", f"state/Reading/{('chapter', 'page')[number % 2]}", number)
        as_person(page, "Identity/owner/street", "Rua das Flores", "The new flat")
    page.wait_for_selector(".act-row:has-text('Flores')")
    page.keyboard.press("ArrowDown")


def look_before_undo(page: Page, server: Server) -> None:
    """What an undo of all that the agent did in a row would change."""
    look_back(page, server)
    page.locator(".act-group .act-undo").first.click()
    page.wait_for_selector(".chg-dialog .chg-item")


def assembled(page: Page, server: Server) -> None:
    """A context with all its parts."""
    said = ["Who is coming to the reading group?", "Ada, Grace and Alan; Mary has not answered yet.", "Ask Mary again."]
    if server.request("GET", "/api/conversations/next-meeting")[0] == 404:
        messages = [{"speaker": "assistant" if n == 1 else "user", "message": text} for n, text in enumerate(said)]
        write(server, "planner", "POST", "conversations/next-meeting/messages", messages)
        page.reload()
    page.wait_for_selector("[data-part=result]:not([aria-busy])")


def up_to_date(page: Page, server: Server) -> None:
    """The first screen of somebody who was away, after they have written something too."""
    page.wait_for_selector("#home-storage")
    live_on(server)
    page.reload()
    page.wait_for_selector("#home-news")
    as_person(page, "Identity/owner/city", "Porto", "We have moved")
    page.wait_for_selector(".home-events >> text=We have moved")


def bring_chats(page: Page, server: Server) -> None:
    """What would come of a file of chats, before it is imported."""
    said = {"Plan the *garden* for spring": "Start with the beds.", "What can I cook with leeks?": "A tart."}
    lines = [
        {"conversation_id": f"chat-{n}", "role": role, "content": text, "timestamp": f"2026-01-0{n}T10:0{m}:00Z"}
        for n, pair in enumerate(said.items(), 1)
        for m, (role, text) in enumerate(zip(("user", "assistant"), pair, strict=True))
    ]
    raw = "".join(f"{json.dumps(line)}\n" for line in lines) + '{"role": "user", "content": "a line that was cut o'
    file = {"name": "chats.jsonl", "mimeType": "application/jsonl", "buffer": raw.encode()}
    page.set_input_files("input[type=file]", file)
    page.wait_for_selector(".imp-does")


SHOTS = [
    Shot("home", "/admin/", up_to_date),
    Shot("tree", f"{TREE}#/Identity/owner/time_zone", open_some),
    Shot("tree-conflict", f"{TREE}#/Preferences/reply_length", meet),
    Shot("panel", f"{TREE}#/Preferences/reply_length", look),
    Shot("past", f"{TREE}#/Preferences/reply_length", slide_back),
    Shot("compare", f"{TREE}#/Preferences/reply_length", compare, ("light", "phone")),
    Shot("levels", f"{TREE}#/Identity/about", at_level, ("dark",)),
    Shot("activity", "/admin/activity/", look_back, ("light", "dark")),
    Shot("undo-preview", "/admin/activity/", look_before_undo, ("light",)),
    Shot("context", CONTEXT, assembled, ("light", "dark")),
    Shot("import", "/admin/conversations/import/", bring_chats, ("light", "phone")),
    Shot("restore", "/admin/checkpoints/before-the-trip/", preview),
    Shot("checkpoints", "/admin/checkpoints/", looks=("light", "phone")),
    Shot("edit", "/admin/state/stateentry/Identity/change/", looks=("light", "phone")),
    Shot("keys", "/admin/state/stateentry/", looks=("dark",)),
    Shot("change", "/admin/activity/1/", looks=("light",)),
]


def take(browser: Browser, server: Server, shot: Shot, look: str, session: object) -> None:
    scheme, width = LOOKS[look]
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}",
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        timezone_id="Europe/Prague",  # that of the server
        storage_state=session,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(shot.path)
    shot.act(page, server)
    page.evaluate("document.fonts.ready")
    page.screenshot(path=FOLDER / f"{shot.name}-{look}.png", animations="disabled")
    context.close()


def main(only: Sequence[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, running(Path(scratch) / "data") as server, chromium() as browser:
        play(server)
        context = browser.new_context()
        sign_in(context.new_page(), server)
        session = context.storage_state()
        for shot in SHOTS:
            for look in shot.looks if not only or shot.name in only else ():
                take(browser, server, shot, look, session)
                sys.stdout.write(f"docs/images/{shot.name}-{look}.png\n")


if __name__ == "__main__":
    main(sys.argv[1:])
