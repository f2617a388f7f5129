"""All pages there are, found as a person finds them, and what of accessibility can be asked of any of them.

A new page is among them by itself once something leads to it.
"""

from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.urls import Resolver404, resolve
from playwright.sync_api import Page

CHECKS = Path(__file__).with_suffix(".js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
START = "/admin/"
LEAVES = "admin:logout"
LINKS = "[...document.links].filter((a) => a.origin === location.origin && !a.download).map((a) => a.pathname)"
READY = "() => ![...document.querySelectorAll('[aria-busy=true], .ui-wait')].some((one) => one.checkVisibility())"
FOCUSES = 400  # that a page may have, at most


def visit(page: Page, address: str) -> None:
    """Open a page, and wait until it has all that it shows at first."""
    page.goto(address, wait_until="load")
    page.wait_for_function(READY)
    page.evaluate(CHECKS)


def view_of(address: str) -> str:
    try:
        return resolve(address).view_name
    except Resolver404:
        return ""


def find_pages(page: Page) -> dict[str, str]:
    """An address for the view of each page that links lead to, from the first one on."""
    found: dict[str, str] = {}
    waiting = [START]
    while waiting:
        address = waiting.pop(0)
        view = view_of(address)
        if not view or view in found or view == LEAVES:
            continue
        answer = page.request.get(address)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        if (other := urlsplit(answer.url).path) != address:
            waiting.append(other)
            continue
        found[view] = address
        visit(page, address)
        waiting += page.evaluate(LINKS)
    return found


def violations(page: Page) -> list[str]:
    """What axe finds, once nothing moves: the rule, how often, and the first place."""
    settle(page)
    page.wait_for_function("() => pageChecks.isStill()")
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {len(one['nodes'])}, {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]
    ]


def too_wide(page: Page, width: int, height: int = 800, letters: str = "100%") -> list[str]:
    """What stands out of the page at this width, with letters as large as that."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("(letters) => { document.documentElement.style.fontSize = letters }", letters)
    found = page.evaluate("pageChecks.wide()")
    page.evaluate("document.documentElement.style.fontSize = ''")
    return [f"at {width} px, letters of {letters}: {one}" for one in found]


def walk(page: Page) -> list[str]:
    """Go through a page by Tab alone; returns what is wrong with it."""
    page.evaluate("pageChecks.begin()")
    for _ in range(FOCUSES):
        page.keyboard.press("Tab")
        if not page.evaluate("pageChecks.step()"):
            return page.evaluate("pageChecks.missed()")
    return ["Tab does not come to an end"]


def press_all(page: Page, address: str) -> list[str]:
    """Press each button of a page by keyboard; returns those whose dialog does not close, or keeps the focus."""
    faults = []
    for at in page.evaluate("pageChecks.openers()"):
        if not page.evaluate("(at) => pageChecks.aim(at)", at):
            continue
        page.keyboard.press("Enter")
        settle(page)
        if view_of(urlsplit(page.url).path) != view_of(address) or not page.evaluate("'pageChecks' in window"):
            visit(page, address)
        elif page.evaluate("pageChecks.isOpen()"):
            page.keyboard.press("Escape")
            settle(page)
            if page.evaluate("pageChecks.isOpen()"):
                faults.append(f"Escape does not close what opens from {page.evaluate('pageChecks.opener()')}")
            elif not page.evaluate("pageChecks.cameBack()"):
                faults.append(f"the focus does not come back to {page.evaluate('pageChecks.opener()')}")
    return faults


def settle(page: Page) -> None:
    """What a key has begun is done, as far as it needs no server."""
    page.wait_for_load_state()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
