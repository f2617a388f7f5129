"""The panel beside the tree: who wrote a value, its history, and putting back what was."""

import json
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import focused, item, open_tree, patch, stored, write
from tests.server import KEY

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>{{x}}"


def because(server, reason: str, method: str, pointer: str, value=None) -> None:
    connection = server.connect()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Nola-Reason": quote(reason)}
    connection.request(method, f"/api/state{quote(pointer)}", json.dumps(value), headers)
    assert connection.getresponse().status < 300
    connection.close()


def open_panel(page, pointer: str) -> None:
    open_tree(page, pointer)
    page.keyboard.press("i")
    told(page)


def told(page) -> None:
    """Wait until the panel tells of what is chosen."""
    page.wait_for_selector("#tp-value:visible:not(.tp-old)")


def changes(page):
    return page.locator(".tp-past > .tp-change")


def dialog_ready(page) -> None:
    page.wait_for_selector("dialog .ui-primary:enabled")


def reads(page) -> list[str]:
    """The panel's requests, from now on."""
    seen: list[str] = []
    ours = ("/api/history", "/api/blame", "/api/deleted")
    page.on("request", lambda one: seen.append(one.url) if any(path in one.url for path in ours) else None)
    return seen


def test_a_value_says_who_wrote_it_through_which_door_and_why(page, server):
    write(server, "PUT", "/Blame", {"zone": "UTC", "other": 1})
    because(server, "she has moved", "PUT", "/Blame/zone", "Europe/London")

    open_panel(page, "/Blame/zone")

    said = page.inner_text(".tp-who")
    assert "default" in said
    assert "through the API" in said
    assert "she has moved" in said
    assert page.inner_text(".tp-title") == "zone"
    assert page.get_attribute(".tp-activity-of", "href") == "/admin/activity/#key=Blame"
    assert focused(page) == "zone: text Europe/London"


def test_an_object_says_who_wrote_its_parts_and_leads_to_them(page, server):
    write(server, "PUT", "/Parts", {"a": {"deep": 1}, "b": 2, "c": 3})
    open_tree(page, "/Parts/b")
    page.keyboard.press("Enter")
    page.locator(".tree-input").fill("22")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-label='b: 22']:not(.tree-saving)")

    open_panel(page, "/Parts")
    mine, agents = (page.locator(".tp-author").nth(at) for at in (0, 1))

    assert "You" in mine.locator("summary").inner_text()
    assert "1 value" in mine.locator("summary").inner_text()
    assert "2 values" in agents.locator("summary").inner_text()
    agents.locator("summary").click()
    agents.locator("text=a › deep").click()
    page.wait_for_function("() => document.activeElement.ariaLabel === 'deep: 1'")


def test_the_history_is_followed_over_a_rename(page, server):
    write(server, "PUT", "/Moves", {"old": "one", "rest": [1]})
    write(server, "PUT", "/Moves/old", "two")
    patch(server, "Moves", {"op": "move", "from": "/old", "path": "/new"})
    write(server, "PUT", "/Moves/new", "three")

    open_panel(page, "/Moves/new")

    texts = changes(page).all_inner_texts()
    assert len(texts) == 4
    assert "two" in texts[0]
    assert "three" in texts[0]
    assert "came from Moves › old" in texts[1]
    assert "was at Moves › old" in texts[2]
    assert "was at Moves › old" in texts[3]
    assert "one" in texts[3]


def test_moves_in_and_out_are_told_with_what_else_a_change_did(page, server):
    write(server, "PUT", "/Through", {"box": {"a": 1, "b": 2, "c": 3}, "other": {"x": 4}, "list": ["p", {"n": 1}]})
    patch(
        server,
        "Through",
        {"op": "replace", "path": "/box/a", "value": 11},
        {"op": "move", "from": "/box/b", "path": "/other/b"},
        {"op": "move", "from": "/other/x", "path": "/box/x"},
        {"op": "move", "from": "/box", "path": "/chest"},
        {"op": "replace", "path": "/chest/c", "value": 33},
    )
    patch(server, "Through", {"op": "move", "from": "/chest/x", "path": "/chest/x", "position": 0})

    open_panel(page, "/Through/chest")

    order, moves, first = changes(page).all_inner_texts()
    assert "x moved to place 1" in order
    assert "came from Through › box" in moves
    assert "b went to Through › other › b" in moves
    assert "moved here from other › x" in moves
    assert "NaN" not in moves
    assert "11" in moves
    assert "33" in moves
    assert "added" in first


def test_a_former_value_is_put_back_after_a_preview_and_undone_with_ctrl_z(page, server):
    big = 9007199254740993
    write(server, "PUT", "/Back", {"n": big, "other": 1})
    write(server, "PUT", "/Back/n", 2)
    write(server, "PUT", "/Back/n", 3)
    open_panel(page, "/Back/n")

    changes(page).nth(2).locator("text=Put this value back").click()
    dialog_ready(page)
    assert "3" in page.inner_text("dialog del")
    assert str(big) in page.inner_text("dialog ins")
    assert stored(server, "/Back/n") == 3
    page.click("dialog >> text=Put it back")

    page.wait_for_selector(f"[aria-label='n: {big}']")
    assert server.request("GET", "/api/state/Back")[1] == b'{"n":%d,"other":1}' % big
    page.wait_for_function("() => document.querySelectorAll('.tp-past > .tp-change').length === 4")
    assert "put back as it was after change" in changes(page).nth(0).inner_text()
    item(page, "n").focus()
    page.keyboard.press("Control+z")
    page.wait_for_selector("[aria-label='n: 3']")
    assert stored(server, "/Back/n") == 3


def test_an_object_is_put_back_whole_where_it_is_now(page, server):
    first = {"a": 1, "b": {"c": [1, 2]}, "d": "x"}
    write(server, "PUT", "/Whole", {"box": first})
    write(server, "PUT", "/Whole/box/b/c", [9])
    write(server, "DELETE", "/Whole/box/d")
    patch(server, "Whole", {"op": "move", "from": "/box", "path": "/chest"})
    open_panel(page, "/Whole/chest")

    changes(page).last.locator("text=Put this value back").click()
    dialog_ready(page)
    page.keyboard.press("Enter")

    page.wait_for_selector("[aria-label='chest: object, 3 members']")
    assert stored(server, "/Whole") == {"chest": first}


def test_who_changes_the_same_meanwhile_is_named_before_anything_is_put_back(page, server):
    write(server, "PUT", "/Race", {"n": 1})
    write(server, "PUT", "/Race/n", 2)
    open_panel(page, "/Race/n")
    changes(page).nth(1).locator("text=Put this value back").click()
    dialog_ready(page)

    write(server, "PUT", "/Race/n", 3)
    page.wait_for_selector("dialog >> text=default changed the same meanwhile")
    page.wait_for_selector("dialog del >> text=3")
    assert stored(server, "/Race/n") == 3
    page.click("dialog >> text=Put it back all the same")

    page.wait_for_selector("[aria-label='n: 1']")
    assert stored(server, "/Race/n") == 1


def test_a_conflict_that_only_the_server_sees_is_shown_before_it_is_put_back(page, server, problems):
    write(server, "PUT", "/Late", {"n": 1})
    write(server, "PUT", "/Late/n", 2)
    open_panel(page, "/Late/n")
    changes(page).nth(1).locator("text=Put this value back").click()
    dialog_ready(page)

    def overtake(route):
        write(server, "PUT", "/Late/n", 3)
        route.continue_()

    page.route("**/api/state?*base=*", overtake, times=1)
    page.click("dialog >> text=Put it back")

    page.wait_for_selector("dialog >> text=changed the same meanwhile")
    dialog_ready(page)
    assert stored(server, "/Late/n") == 3
    page.click("dialog >> text=Cancel")
    assert stored(server, "/Late/n") == 3
    problems[:] = [one for one in problems if "409" not in one]


def test_one_change_is_undone_with_a_preview_and_what_is_in_the_way(page, server, problems):
    write(server, "PUT", "/Undo", {"a": 1, "b": 1})
    patch(server, "Undo", {"op": "replace", "path": "/a", "value": 2}, {"op": "replace", "path": "/b", "value": 2})
    write(server, "PUT", "/Undo/a", 3)
    open_panel(page, "/Undo/b")

    changes(page).nth(0).locator("text=Undo this change").click()
    page.wait_for_selector("dialog >> text=Keep the newer")
    assert stored(server, "/Undo") == {"a": 3, "b": 2}
    page.click("dialog >> text=Keep the newer")
    page.wait_for_selector("dialog [type=submit]:enabled")
    page.click("dialog [type=submit]")

    page.wait_for_selector("[aria-label='b: 1']")
    assert stored(server, "/Undo") == {"a": 3, "b": 1}
    item(page, "b").focus()
    page.keyboard.press("Control+z")
    page.wait_for_selector("[aria-label='b: 2']")
    assert stored(server, "/Undo") == {"a": 3, "b": 2}
    problems[:] = [one for one in problems if "409" not in one]


def test_a_deleted_member_is_brought_back_to_its_place(page, server, problems):
    write(server, "PUT", "/Gone", {"a": 1, "b": {"big": 2**63}, "c": 3})
    because(server, "no longer true", "DELETE", "/Gone/b")
    open_panel(page, "/Gone")

    page.click(".tp-deleted summary")
    page.wait_for_selector(".tp-gone .tp-name")
    said = page.inner_text(".tp-gone")
    assert "no longer true" in said
    assert "default" in said
    page.click("text=Bring it back")
    dialog_ready(page)
    assert str(2**63) in page.inner_text("dialog ins")
    page.click("dialog >> text=Bring it back")

    page.wait_for_function("() => document.activeElement.ariaLabel === 'b: object, 1 member'")
    assert server.request("GET", "/api/state/Gone")[1] == b'{"a":1,"b":{"big":%d},"c":3}' % 2**63
    page.keyboard.press("Control+z")
    page.wait_for_selector("[aria-label='Gone: object, 2 members']")
    problems[:] = [one for one in problems if "404" not in one]  # it may just have read what this takes away


def test_a_deleted_item_is_brought_back_to_its_place(page, server):
    write(server, "PUT", "/Items", ["a", "b", "c"])
    write(server, "DELETE", "/Items/1")
    open_panel(page, "/Items")
    page.click(".tp-deleted summary")

    page.click("text=Bring it back")
    dialog_ready(page)
    page.click("dialog >> text=Bring it back")

    page.wait_for_function("() => document.activeElement.ariaLabel === '1: text b'")
    assert stored(server, "/Items") == ["a", "b", "c"]


def test_nothing_is_brought_back_over_what_has_its_name(page, server):
    write(server, "PUT", "/Taken", {"a": {"b": 1}})
    write(server, "DELETE", "/Taken/a/b")
    open_panel(page, "/Taken/a")
    page.click(".tp-deleted summary")
    page.wait_for_selector("text=Bring it back")
    page.click("text=Bring it back")
    dialog_ready(page)

    write(server, "PUT", "/Taken/a/b", "new")

    page.wait_for_selector("dialog >> text=There is “b” already")
    assert page.locator("dialog .ui-primary").is_disabled()
    assert stored(server, "/Taken") == {"a": {"b": "new"}}


def test_a_deleted_key_is_brought_back(page, server):
    write(server, "PUT", "/Lost/key", {"a": 1})
    write(server, "PUT", "/Anchor", 1)
    write(server, "DELETE", "/Lost")
    open_panel(page, "/Anchor")

    page.click(".tp-all")
    page.wait_for_selector(".tp-gone >> text=Lost")
    assert focused(page) != "Lost"
    page.locator(".tp-gone > li", has_text="Lost").locator("text=Bring it back").click()
    dialog_ready(page)
    page.click("dialog >> text=Bring it back")

    page.wait_for_function("() => document.activeElement.ariaLabel === 'Lost: object, 1 member'")
    assert stored(server, "/Lost") == {"key": {"a": 1}}


def test_what_happens_while_it_is_open_is_shown_and_the_way_back_is_kept(page, server):
    write(server, "PUT", "/Live", {"n": 0, "other": 0})
    for number in range(1, 30):
        write(server, "PUT", "/Live/n", number)
    open_panel(page, "/Live/n")
    assert changes(page).count() == 20
    page.click("text=Older")
    page.wait_for_function("() => document.querySelectorAll('.tp-past > .tp-change').length === 30")
    page.locator(".tp-past > .tp-change:nth-child(25) >> text=Undo this change").focus()

    write(server, "PUT", "/Live/n", "new")

    page.wait_for_function("() => document.querySelectorAll('.tp-past > .tp-change').length === 31")
    assert "new" in changes(page).nth(0).inner_text()
    assert "The value now" in changes(page).nth(0).inner_text()
    assert "Put this value back" in changes(page).nth(1).inner_text()
    assert page.evaluate(
        "document.activeElement.closest('.tp-change') === document.querySelectorAll('.tp-past > .tp-change')[25]"
    )
    page.wait_for_selector(".tp-who >> text=default")


def test_moving_through_rows_asks_only_where_it_rests(page, server):
    write(server, "PUT", "/Rows", {f"row{number:03}": number for number in range(120)})
    open_panel(page, "/Rows/row000")
    seen = reads(page)

    took = page.evaluate("""async () => {
      const start = performance.now();
      for (let step = 0; step < 100; step += 1) {
        document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}));
        if (step % 10 === 9) await new Promise(requestAnimationFrame);
      }
      return performance.now() - start;
    }""")
    told(page)

    assert focused(page) == "row100: 100"
    assert page.inner_text(".tp-title") == "row100"
    assert len(seen) <= 2 + 2 * (took > 1000), (took, seen)


def test_a_large_object_does_not_hold_up_the_rows(page, server):
    write(server, "PUT", "/Huge", {f"k{number:05}": {"name": "x" * 60, "v": [number]} for number in range(8000)})
    open_tree(page, "/Huge")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[aria-label^='k00010:']")
    sizes = []
    page.on("response", lambda one: sizes.append(len(one.body())) if "/api/history" in one.url else None)

    page.keyboard.press("i")
    told(page)
    assert "A large change" in page.inner_text(".tp-past")  # which is not sent
    assert "16,000 values" in page.inner_text(".tp-who")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[aria-label^='name:']")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.querySelector('.tp-title').textContent === 'name'")
    told(page)

    assert "x" * 60 in changes(page).nth(0).inner_text()
    assert max(sizes) < 100_000


def test_hostile_text_stays_text(page, server):
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    write(server, "PUT", "/Hostile", {HOSTILE: HOSTILE, "gone" + HOSTILE: HOSTILE})
    because(server, HOSTILE, "PUT", f"/Hostile/{HOSTILE.replace('/', '~1')}", HOSTILE * 2)
    write(server, "DELETE", f"/Hostile/gone{HOSTILE.replace('/', '~1')}")
    open_panel(page, "/Hostile")
    page.click(".tp-deleted summary")
    page.wait_for_selector(".tp-gone .tp-name")
    page.click(".tp-author summary")

    assert page.locator(".tp img, .tp script").count() == 0
    assert HOSTILE in page.inner_text(".tp-gone")
    assert HOSTILE in page.inner_text(".tp-past")
    assert HOSTILE in page.inner_text(".tp-leads")


def test_the_keyboard_opens_leads_in_and_back(page, server):
    write(server, "PUT", "/Keys", {"a": 1, "b": 2})
    write(server, "PUT", "/Keys/a", 3)
    open_tree(page, "/Keys/a")

    page.keyboard.press("i")
    told(page)
    assert focused(page) == "a: 3"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.tp') !== null")
    page.keyboard.press("Escape")
    assert focused(page) == "a: 3"
    page.keyboard.press("Shift+I")
    assert page.evaluate("document.activeElement.className") == "tp-title"
    page.keyboard.press("i")
    assert focused(page) == "a: 3"
    assert not page.locator("#tree-activity").is_visible()
    page.keyboard.press("m")
    page.click("text=Who wrote it, and history")
    told(page)
    assert page.evaluate("document.activeElement.className") == "tp-title"
    page.click("#tp-tab-activity")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.id") == "tp-tab-value"


def test_it_stays_open_and_where_it_was_left(page, server):
    write(server, "PUT", "/Stays", {"a": 1})
    open_panel(page, "/Stays/a")

    open_tree(page, "/Stays/a")
    told(page)
    assert page.inner_text(".tp-title") == "a"
    page.click("[data-part=shut]")
    open_tree(page, "/Stays/a")

    assert not page.locator("#tree-activity").is_visible()
    assert page.get_attribute("[data-part=aside]", "aria-expanded") == "false"


def test_in_the_past_nothing_can_be_put_back(page, server):
    write(server, "PUT", "/Then", {"a": 1})
    write(server, "PUT", "/Then/a", 2)
    at = json.loads(server.request("GET", "/api/history/Then/a")[1])["revisions"][0]["revision"]
    write(server, "PUT", "/Then/a", 3)
    open_panel(page, "/Then/a")
    assert changes(page).count() == 3

    page.evaluate("hash => (location.hash = hash)", f"#/Then/a&at={at}")
    page.wait_for_selector("[aria-label='a: 2']")
    page.wait_for_function("() => document.querySelectorAll('.tp-past > .tp-change').length === 2")
    assert page.locator(".tp-acts button").count() == 0
    page.evaluate("location.hash = '#/Then/a'")

    page.wait_for_selector("[aria-label='a: 3']")
    page.wait_for_function("() => document.querySelectorAll('.tp-past > .tp-change').length === 3")
    assert page.locator(".tp-acts button").count() == 5


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violations(new_page, server, scheme):
    write(server, "PUT", "/Axe", {"a": {"b": 1}, "gone": "x", "text": "y"})
    because(server, "why not", "PUT", "/Axe/text", "a longer text, which is changed")
    write(server, "DELETE", "/Axe/gone")
    page = new_page(color_scheme=scheme, reduced_motion="reduce")
    found = []

    def check(part: str) -> None:
        for one in Axe().run(page, context=part).response["violations"]:
            found.append((part, one["id"], [node["html"][:200] for node in one["nodes"]]))

    open_panel(page, "/Axe")
    page.click(".tp-deleted summary")
    page.wait_for_selector(".tp-gone .tp-name")
    page.click(".tp-author summary")
    check("#nola-tree")
    page.locator(".tp-past >> text=Put this value back").first.click()
    dialog_ready(page)
    check("dialog")
    page.keyboard.press("Escape")
    page.click(".tp-all")
    told(page)
    check("#nola-tree")
    page.click("#tp-tab-activity")
    check("#nola-tree")

    assert found == []


def test_on_a_phone_it_is_a_sheet_that_closes(new_page, server):
    write(server, "PUT", "/Phone", {"a": "x" * 300})
    write(server, "PUT", "/Phone/a", "short")
    page = new_page(viewport={"width": 390, "height": 740}, has_touch=True)
    open_tree(page, "/Phone/a")
    assert not page.locator("#tree-activity").is_visible()

    page.locator(".tree-foot [aria-label^=More]").tap()
    page.locator("text=Who wrote it, and history").tap()
    told(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    row, sheet = item(page, "a").bounding_box(), page.locator("#tree-activity").bounding_box()
    assert row["y"] + row["height"] <= sheet["y"]
    page.locator("text=Put this value back").tap()
    dialog_ready(page)
    page.locator("dialog >> text=Put it back").tap()
    page.wait_for_selector("[aria-label^='a: text xxx']")
    page.locator("[data-part=shut]").tap()
    assert not page.locator("#tree-activity").is_visible()
    assert stored(server, "/Phone/a") == "x" * 300
