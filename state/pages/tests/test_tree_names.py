"""Names that cannot be seen, links to what is gone, long ways, and where a new key is typed."""

import json

from state.jsondoc.names import show_name
from state.pages.tests.tree import focused, item, open_tree, stored, write

UNSEEN = ["", " ", "  x", "\u200b", "a\u200bb", "line\nbreak", "\u202egpj", "\u00a0", "👩\u200d🚀", "plain"]


def put_key(server, name: str, value: object) -> None:
    operation = {"op": "put", "pointer": "/" + name.replace("~", "~0").replace("/", "~1"), "value": value}
    status, answer, _ = server.request("POST", "/api/transactions", json.dumps({"operations": [operation]}).encode())
    assert status == 200, answer


def test_names_that_cannot_be_seen_are_written_out_spoken_and_clicked(page, server):
    write(server, "PUT", "/Unseen", {name: number for number, name in enumerate(UNSEEN)})
    open_tree(page, "/Unseen")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[aria-label='plain: 9']")

    names = item(page, "Unseen").locator("ul .tree-name")
    assert names.evaluate_all("names => names.map((name) => name.textContent)") == [show_name(one) for one in UNSEEN]
    labels = item(page, "Unseen").locator("ul li").evaluate_all("rows => rows.map((row) => row.ariaLabel)")
    assert labels[:6] == [
        "no name: 0",
        "space: 1",
        "space space x: 2",
        "U+200B: 3",
        "a U+200B b: 4",
        "line U+000A break: 5",
    ]
    names.nth(1).click()
    assert focused(page) == "space: 1"
    assert page.locator(".tree-crumb").all_inner_texts() == ["Unseen", "␣"]


def test_keys_that_cannot_be_seen_and_long_ones_stand_in_the_list_of_keys(page, server):
    put_key(server, "\u200b", 1)
    put_key(server, "long " * 60, 2)
    page.goto("/admin/state/stateentry/?q=long")

    page.locator("#result_list, table").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    by = page.locator("td.field-changed_by").last.bounding_box()
    assert by["x"] + by["width"] <= 1280
    page.goto("/admin/state/stateentry/?o=-1")  # a page has fifty keys, and others may have put more
    page.get_by_role("link", name="‹U+200B›", exact=True).click()
    page.wait_for_selector("textarea[name=value]")


def test_a_link_to_what_was_removed_says_who_did_it_and_offers_it_back(page, server):
    write(server, "PUT", "/Tale", {"hero": {"name": "Ada"}, "place": "Rome"})
    write(server, "DELETE", "/Tale/hero")
    write(server, "PUT", "/Gone key", 1)
    write(server, "DELETE", "/Gone key")
    page.goto("/admin/state/tree/#/Gone%20key")
    page.wait_for_selector("text=“Gone key” was removed by default")
    page.goto("about:blank")
    page.goto("/admin/state/tree/#/Nowhere")
    page.wait_for_selector("text=There is no “Nowhere”.")
    page.goto("about:blank")

    page.goto("/admin/state/tree/#/Tale/hero/name")
    page.wait_for_selector("text=“hero” in “Tale” was removed by default")
    page.click("text=Bring it back …")
    page.get_by_role("button", name="Bring it back", exact=True).click()

    page.wait_for_selector("text=Brought “hero” back")
    assert stored(server, "/Tale") == {"hero": {"name": "Ada"}, "place": "Rome"}


def test_a_long_way_shows_both_its_ends(new_page, server):
    value = "end"
    for level in range(60, 0, -1):
        value = {f"level {level}": value}
    write(server, "PUT", "/Deep", value)
    page = new_page(viewport={"width": 390, "height": 800})
    open_tree(page, "/Deep" + "".join(f"/level {n}" for n in range(1, 61)))

    crumbs = page.locator(".tree-crumb")
    assert crumbs.all_inner_texts() == ["Deep", "… 55 …", *(f"level {n}" for n in range(56, 61))]
    last = crumbs.last.bounding_box()
    assert last["x"] >= 0 and last["x"] + last["width"] <= 390
    page.evaluate("document.querySelector('[aria-label=\"55 levels between\"]').click()")
    assert crumbs.count() == 61


def test_a_new_key_is_typed_where_it_is_seen_and_so_is_what_is_wrong_with_it(new_page, server):
    for start in (0, 100):
        operations = [{"op": "put", "pointer": f"/many {n}", "value": n} for n in range(start, start + 100)]
        assert server.request("POST", "/api/transactions", json.dumps({"operations": operations}).encode())[0] == 200
    page = new_page(viewport={"width": 1280, "height": 500})
    open_tree(page, "/many 50")

    page.click("[data-part=new]")
    page.locator(".tree-input").fill("no colon here")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tree-problem >> text=Write a name, a colon and a value")

    box = page.locator(".tree-scroll").bounding_box()
    for part in (".tree-input", ".tree-problem"):
        place = page.locator(part).bounding_box()
        assert box["y"] <= place["y"] and place["y"] + place["height"] <= box["y"] + box["height"], part
