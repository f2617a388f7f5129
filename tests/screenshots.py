"""`make screenshots`: the pictures of the docs, taken from a server with its seeds and a few changes."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import chromium, sign_in
from tests.server import ROOT, Server, running

TREE = "/admin/state/tree/"
Act = Callable[[Page, Server], None]


def open_some(page: Page, server: Server) -> None:
    """The tree with its first levels open, and a change that an agent has just made."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node[aria-label^='time_zone:']:focus")
    page.keyboard.press("3")
    page.wait_for_selector(".tree-node[aria-label^='accent:']")
    told = "she" if b"they" in server.request("GET", "/api/state/Identity/owner")[1] else "they"
    server.request("PUT", "/api/state/Identity/owner/pronouns", f'"{told}"'.encode())
    page.wait_for_selector(f"[aria-label='pronouns: text {told}'].tree-fresh")


def meet(page: Page, server: Server) -> None:
    """An agent changes what is being edited."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node[aria-label^='reply_length:']:focus")
    page.keyboard.press("Enter")
    page.locator(".tree-input").fill("as short as you can")
    server.request("PUT", "/api/state/Preferences/reply_length", b'"never more than a page"')
    page.wait_for_selector(".tree-conflict")


def look(page: Page, server: Server) -> None:
    """The panel, with the history of what is chosen and what is gone from it."""
    page.wait_for_selector("[data-status=live]")
    page.wait_for_selector(".tree-node:focus")
    page.keyboard.press("i")
    page.wait_for_selector("#tp-value:visible:not(.tp-old)")
    if page.locator(".tp-deleted").is_visible():
        page.click(".tp-deleted summary")
        page.wait_for_selector(".tp-deleted :is(.tp-lost, .tp-note:not([hidden]))")


def look_back(page: Page, server: Server) -> None:
    """Some that an agent did in a row, and the person after it."""
    page.wait_for_selector(".act[data-status=live]:not([aria-busy])")
    if server.request("GET", "/api/state/Reading")[0] == 404:
        for number in range(1, 13):
            server.request("PUT", f"/api/state/Reading/{('chapter', 'page')[number % 2]}", str(number).encode())
        put = "call('PUT', '/api/state/Identity/owner/city', {body: '\"Porto\"', type: 'application/json', headers})"
        reason = "headers = {'Nola-Reason': encodeURIComponent('We have moved')}"
        page.evaluate(f"import('/static/nola/tree/api.js').then(({{call}}, {reason}) => {put})")
    page.wait_for_selector(".act-row:has-text('Porto')")
    page.keyboard.press("ArrowDown")


def look_before_undo(page: Page, server: Server) -> None:
    """What an undo of all that the agent did in a row would change."""
    look_back(page, server)
    page.locator(".act-group .act-undo").first.click()
    page.wait_for_selector(".chg-dialog .chg-item")


def nothing(page: Page, server: Server) -> None: ...


SHOTS: list[tuple[str, str, str, int, Act]] = [
    ("tree-light", f"{TREE}#/Identity/owner/time_zone", "light", 1280, open_some),
    ("tree-dark", f"{TREE}#/Identity/owner/time_zone", "dark", 1280, open_some),
    ("tree-phone", f"{TREE}#/Identity/owner/time_zone", "dark", 390, open_some),
    ("tree-conflict", f"{TREE}#/Preferences/reply_length", "light", 1280, meet),
    ("panel-light", f"{TREE}#/Preferences/reply_length", "light", 1280, look),
    ("panel-dark", f"{TREE}#/Preferences", "dark", 1280, look),
    ("panel-phone", f"{TREE}#/Preferences/reply_length", "dark", 390, look),
    ("activity-light", "/admin/activity/", "light", 1280, look_back),
    ("activity-dark", "/admin/activity/", "dark", 1280, look_back),
    ("undo-preview", "/admin/activity/", "light", 1280, look_before_undo),
    ("edit-light", "/admin/state/stateentry/Identity/change/", "light", 1280, nothing),
    ("keys-dark", "/admin/state/stateentry/", "dark", 1280, nothing),
    ("history-light", "/admin/state/revision/", "light", 1280, nothing),
    ("edit-phone", "/admin/state/stateentry/Identity/change/", "dark", 390, nothing),
]
CHANGES = [
    ("Identity/owner/name", b'"Ada"'),
    ("Identity/owner/time_zone", b'"Europe/London"'),
    ("Preferences", b'{"theme":{"accent":"violet"},"reply_length":"short"}'),
    ("Context/tasks/0", b'{"title":"Plan the reading group","due":"2026-12-01","done":false}'),
    ("Preferences/reply_length", b'"medium"'),
    ("Preferences", b'{"theme":{"accent":"violet"},"reply_length":"medium, with examples","greeting":"short"}'),
    ("Preferences", b'{"theme":{"accent":"violet"},"reply_length":"medium, with examples"}'),
]


def main() -> None:
    folder = ROOT / "docs" / "images"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, running(Path(scratch) / "data") as server, chromium() as browser:
        for path, body in CHANGES:
            server.request("PUT", f"/api/state/{path}", body)
        for name, path, scheme, width, act in SHOTS:
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page = context.new_page()
            sign_in(page, server)
            page.goto(f"http://127.0.0.1:{server.port}{path}")
            page.wait_for_load_state("load")
            act(page, server)
            page.wait_for_timeout(400)
            page.screenshot(path=folder / f"{name}.png")
            context.close()


if __name__ == "__main__":
    main()
