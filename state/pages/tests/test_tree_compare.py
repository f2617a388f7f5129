"""Two moments of the tree side by side; and the past, the comparison and the levels for everyone's eyes and hands."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.test_tree_past import go, head, open_at
from state.pages.tests.tree import clear, open_tree, patch, write

EVIL = "<img src=x onerror=alert(1)>"
BEFORE = {
    "title": "Move the billing",
    "steps": [{"name": f"step {number}", "done": False} for number in range(6)],
    "ui": {"theme": {"accent": "violet", "size": 14}, "other": {}},
    "same": {"a": 1, "b": [1, 2]},
    EVIL: EVIL,
}


@pytest.fixture(autouse=True)
def moments(server):
    """Two moments: before and after changes of all kinds."""
    clear(server)
    write(server, "PUT", "/Leaving", {"x": 1})
    write(server, "PUT", "/Plan", BEFORE)
    first = head(server)
    patch(
        server,
        "Plan",
        {"op": "replace", "path": "/title", "value": "Moved the billing"},
        {"op": "replace", "path": "/steps/4/done", "value": True},
        {"op": "add", "path": "/steps/1", "value": {"name": "between", "done": False}},
        {"op": "move", "from": "/ui/theme", "path": "/ui/other/theme"},
        {"op": "add", "path": f"/{EVIL}2", "value": EVIL},
    )
    write(server, "DELETE", "/Leaving")
    write(server, "PUT", "/Coming", [EVIL])
    return first, head(server)


ROWS = """() => [...document.querySelectorAll('.past-cmp-differs')].map((row) => [
  [...row.classList].find((one) => /^past-cmp-(add|remove|set|move|left)$/.test(one)).slice(9),
  row.firstChild.textContent, row.lastChild.textContent])"""


def compared(page, moments) -> None:
    page.wait_for_selector(f"[data-compared='{moments[0]}-{moments[1]}']")


def compare(page, moments) -> None:
    open_at(page, "/Plan", moments[0])
    page.click(".past-compare")
    compared(page, moments)


def test_a_comparison_shows_each_difference_of_the_diff_in_its_place(page, server, moments):
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    compare(page, moments)

    rows = page.evaluate(ROWS)

    assert rows == [
        ["add", "", "Coming [ 1 ]"],
        ["remove", "Leaving { 1 }", ""],
        ["set", "title “Move the billing”", "title “Moved the billing”"],
        ["add", "", "1 { 2 }"],
        ["set", "done false", "done true"],
        ["left", "theme { 2 } to Plan › ui › other › theme", ""],
        ["move", "theme { 2 }", "theme { 2 } from Plan › ui › theme"],
        ["add", "", f"{EVIL}2 “{EVIL}”"],
    ]
    status, body, _ = server.request("GET", f"/api/diff?from={moments[0]}&to={moments[1]}")
    assert status == 200
    assert sum(len(ops) for ops in json.loads(body)["patches"].values()) == len(rows)
    assert page.inner_text(".past-cmp-found") == f"{len(rows)} differences"


def test_what_is_the_same_is_folded_until_it_is_asked_for(page, moments):
    compare(page, moments)
    assert "same" not in [name.strip() for name in page.locator(".past-cmp-name").all_inner_texts()]

    page.check("text=Show everything")

    assert page.locator(".past-cmp-same").count() == 0
    names = [name.strip() for name in page.locator(".past-cmp-then .past-cmp-name").all_inner_texts()]
    assert {"Identity", "Persona", "same"} <= set(names)


def test_it_is_walked_by_keyboard_and_closed(page, moments):
    compare(page, moments)
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.textContent") == "Leaving { 1 }−removed"
    page.keyboard.press("p")
    page.keyboard.press("p")
    assert EVIL in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Escape")
    page.wait_for_selector(".past-cmp", state="hidden")
    go(page, moments[0])


def test_a_comparison_has_a_link_and_takes_other_moments(page, server, moments):
    page.goto(f"/admin/state/tree/#/Plan&at={moments[0]}&with={moments[0] + 1}")
    compared(page, (moments[0], moments[0] + 1))
    assert len(page.evaluate(ROWS)) == 6
    page.reload()
    compared(page, (moments[0], moments[0] + 1))
    page.locator(".past-cmp-bar .past-slider").press("ArrowRight")
    compared(page, (moments[0], moments[0] + 2))
    page.locator(".past-bar .past-slider").press("ArrowRight")
    compared(page, (moments[0] + 1, moments[0] + 2))
    assert page.evaluate(ROWS) == [["remove", "Leaving { 1 }", ""]]


def test_thousands_of_differences_are_shown_in_portions(page, server):
    write(server, "PUT", "/Many", {f"name {number}": number for number in range(3000)})
    first = head(server)
    write(server, "PUT", "/Many", {f"name {number}": -number - 1 for number in range(3000)})
    open_tree(page, "/Plan")
    page.evaluate("hash => (location.hash = hash)", f"#/Plan&at={first}&with={first + 1}")
    compared(page, (first, first + 1))

    assert page.inner_text(".past-cmp-found") == "3,000 differences"
    assert page.locator(".past-cmp-differs").count() < 600
    page.click(".past-cmp-more")
    assert page.locator(".past-cmp-differs").count() > 900
    assert page.locator(".chg").count() == 1  # what lies behind the first thousand
    write(server, "DELETE", "/Many")


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_in_both_themes(new_page, moments, scheme):
    page = new_page(color_scheme=scheme)
    open_at(page, "/Plan", moments[1])
    page.wait_for_selector(".past-badge")
    check(page)
    page.click(".past-compare")
    page.wait_for_selector("[data-compared]")
    check(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    go(page, None)
    page.click(".lv-button >> text=L1")
    page.wait_for_selector(".tree[data-seen='1']")
    check(page)


def check(page) -> None:
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})))")
    results = Axe().run(page, "#nola-tree")
    assert results.violations_count == 0, results.generate_report()


def test_on_a_phone_it_is_one_column(new_page, moments):
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    open_at(page, "/Plan", moments[1])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".past-bar .past-slider").bounding_box()
    assert box["width"] > 200
    page.evaluate("hash => (location.hash = hash)", f"#/Plan&at={moments[0]}&with={moments[1]}")
    compared(page, moments)
    row = page.locator(".past-cmp-set").first
    then, now = (row.locator(f".past-cmp-{side}").bounding_box() for side in ("then", "now"))
    assert then["y"] < now["y"]
    assert then["x"] == now["x"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
