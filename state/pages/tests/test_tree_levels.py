"""Levels of detail in the tree: badges, totals, and the tree as the model sees it at one of them."""

import json
import math

import pytest

from state.pages.tests.test_tree_past import head, opened
from state.pages.tests.tree import clear, item, open_tree, rows_of, shown, stored, write

SECRET = "swordfish"
PROFILE = {
    "level_1": "Ada",
    "level_2": {"name": "Ada L. 👩‍🚀", "notes": ["é", 1]},
    "level_3": f"Ada Lovelace, {SECRET}",
    "talks": [{"level_3": SECRET}, {"level_1": "shallow", "level_2": f"deeper {SECRET}"}, {"plain": True}],
    "limits": {"level_1": ["a"], "level_2": ["a", {"b": 1}], "level_3": {"a": 1}},
    SECRET: {"level_3": "deep"},
}


@pytest.fixture(autouse=True)
def profile(server):
    clear(server)
    write(server, "PUT", "/Profile", PROFILE)


def tokens(value: object) -> int:
    return math.ceil(len(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) / 4)


def badges(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.tree-name[data-lv]')].map((one) => one.dataset.lv)")


def at_level(server, level: int | str) -> dict:
    status, body, _ = server.request("GET", f"/api/state?level={level}" if level else "/api/state")
    assert status == 200
    return json.loads(body)


def test_what_belongs_to_a_level_says_so_and_how_many_tokens_it_is(page, server):
    open_tree(page, "/Profile")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-label^='level_3:']")
    assert badges(page) == [f"L{level} · {tokens(PROFILE[f'level_{level}'])}" for level in (1, 2, 3)]

    write(server, "PUT", "/Profile/level_2/notes/0", "é, and much more of it 👩‍🚀👩‍🚀")
    write(server, "PUT", "/Profile/level_1", "Ada, an astronaut 👩‍🚀")

    now = stored(server, "/Profile")
    expected = [f"L{level} · {tokens(now[f'level_{level}'])}" for level in (1, 2, 3)]
    page.wait_for_function(
        "wanted => JSON.stringify([...document.querySelectorAll('.tree-name[data-lv]')].map((one) => one.dataset.lv))"
        " === JSON.stringify(wanted)",
        arg=expected,
    )
    write(server, "PUT", "/Profile", PROFILE)


def test_totals_are_those_of_what_each_level_shows(page, server):
    open_tree(page, "/Profile")
    page.wait_for_function("() => document.querySelector('.lv-button .lv-tokens').textContent !== ''")

    totals = page.locator(".lv-tokens").all_inner_texts()

    assert totals == [f"{tokens(at_level(server, level)):,}" for level in (0, 1, 2, 3)]
    row = item(page, "Profile").locator("> .tree-row")
    assert row.get_attribute("data-tokens") == str(tokens(PROFILE))
    assert f"Level 1: about {tokens(at_level(server, 1)['Profile'])} tokens" in row.get_attribute("title")


def test_a_level_shows_what_the_api_shows_and_nothing_deeper_anywhere(page, server):
    open_tree(page, "/Profile")
    page.click("[data-level='100']")
    page.wait_for_selector("[aria-label^='level_3:']")
    write(server, "PUT", "/Profile/level_3", f"newest {SECRET}")
    page.wait_for_selector(f".tree-activity >> text=newest {SECRET}")
    for level in (3, 2, 1):
        page.click(f".lv-button >> text=L{level}")
        page.wait_for_selector(f".tree[data-seen='{level}']")
        page.click("[data-level='100']")
        page.wait_for_function("() => !document.querySelector('[role=tree] [aria-expanded=false]')")
        document = at_level(server, level)
        rows = shown(page)
        assert [name for name, _, _ in rows] == list(document)
        assert opened(rows)["Profile"] == rows_of(document["Profile"])
        if level == 1:
            assert SECRET not in page.content()
            assert page.locator("#nola-tree").evaluate(
                "(tree, word) => ![...tree.querySelectorAll('*')].some((one) => one.title?.includes(word))", SECRET
            )

    page.fill("[data-part=filter]", SECRET)
    page.wait_for_selector(".tree-found >> text=0 matches")
    page.fill("[data-part=filter]", "")
    page.wait_for_selector(".tree-list:not(.tree-filtering)")
    before = (stored(server, ""), head(server))
    item(page, "level_1").press("Delete")
    page.wait_for_selector(".tree-message >> text=cannot be edited")
    assert (stored(server, ""), head(server)) == before


def test_a_level_follows_what_changes_and_goes_with_the_past(page, server):
    write(server, "PUT", "/Profile", PROFILE)
    then = head(server)
    open_tree(page, "/Profile")
    page.keyboard.press("Enter")
    page.keyboard.press("l")
    page.wait_for_selector(".tree[data-seen='1']")

    write(server, "PUT", "/Profile/level_1", "Grace")

    page.wait_for_selector("[aria-label='level_1: text Grace']")
    page.evaluate("hash => (location.hash = hash)", f"#/Profile&at={then}&level=1")
    page.wait_for_selector("[aria-label='level_1: text Ada']")
    assert SECRET not in page.inner_text(".past-bar")
    page.keyboard.press("Escape")
    page.wait_for_selector(".tree:not([data-seen], [data-past]) [aria-label='level_1: text Grace']")
    page.wait_for_selector(".tree-activity >> text=Grace")
    assert opened(shown(page))["Profile"][0] == ["level_1", "text", "Grace"]


def test_at_first_sight_keys_are_open_where_all_of_it_fits(new_page, server):
    clear(server)
    write(server, "PUT", "/Fits", {"a": 1, "b": {"c": 2}})
    page = new_page(viewport={"width": 1280, "height": 900})

    open_tree(page)
    page.wait_for_selector("[aria-label='a: 1']")
    assert page.locator(".tree-node[aria-expanded=true]").count() == len(
        json.loads(server.request("GET", "/api/state")[1])
    )
    assert page.locator("[aria-label='c: 2']").count() == 0
    assert page.locator(".tree-unit, .lv-unit").all_inner_texts() == ["Open to", "Order", "As seen at"]

    write(server, "PUT", "/Large", list(range(100)))
    open_tree(page)
    page.wait_for_selector("[aria-selected=true]")
    assert page.locator(".tree-node[aria-expanded=true]").count() == 0
