"""The owner edits the live tree in a real browser; what came of it is read back through the API."""

import json
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import focused, item, open_tree, patch, stored, value, write

AWKWARD = {
    "big": 2**63,
    "tiny": 1e-7,
    "digits": "00014",
    "minus": -0.0,
    "emoji": "👩‍🚀 ‮rtl",
    "script": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "braces": "{{x}} {% now %} ${x}",
    "<b>name</b>": None,
    "10": "ten",
    "2": "two",
    "": {"a/b~c": [1.0, True]},
    "__proto__": "no",
}


def save(page, text: str) -> None:
    page.locator(".tree-input").fill(text)
    page.locator(".tree-input").press("Enter")
    settled(page)


def comes(read, expected) -> bool:
    """Whether what is read becomes what is expected, in the time a busy server may take for a write."""
    until = time.monotonic() + 15
    while read() != expected and time.monotonic() < until:
        time.sleep(0.05)
    return read() == expected


def settled(page) -> None:
    page.wait_for_function("() => !document.querySelector('.tree-saving, .tree-edit')")


def test_awkward_values_stand_as_they_are_and_survive_an_edit_beside_them(page, server):
    write(server, "PUT", "/Awkward", {**AWKWARD, "sibling": "old"})
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    before = server.request("GET", "/api/state/Awkward")[1]
    open_tree(page, "/Awkward/sibling")

    assert value(page, "big").inner_text() == "9223372036854775808"
    assert value(page, "tiny").inner_text() == "1e-07"
    assert value(page, "minus").inner_text() == "-0.0"
    assert value(page, "script").inner_text() == AWKWARD["script"]
    assert value(page, "braces").inner_text() == AWKWARD["braces"]
    page.keyboard.press("Enter")
    save(page, "new")

    assert server.request("GET", "/api/state/Awkward")[1] == before.replace(b'"old"', b'"new"')


def test_awkward_values_survive_an_edit_of_all_as_json(page, server):
    write(server, "PUT", "/Awkward2", {**AWKWARD, "sibling": "old"})
    before = server.request("GET", "/api/state/Awkward2")[1]
    open_tree(page, "/Awkward2")

    page.keyboard.press("e")
    page.wait_for_selector(".tree-input")
    page.locator(".tree-input").fill(page.locator(".tree-input").input_value().replace('"old"', '"new"'))
    page.locator(".tree-input").press("Control+Enter")
    settled(page)

    assert server.request("GET", "/api/state/Awkward2")[1] == before.replace(b'"old"', b'"new"')


@pytest.mark.parametrize(("pointer", "first"), [("/Slow", "e"), ("/Slow/text", "Enter"), ("/Slow/box", "a")])
def test_keys_typed_before_the_editor_is_there_are_no_commands(page, server, pointer, first):
    slow = {"text": "long " * 1000, "box": {"a": 1}}
    write(server, "PUT", "/Slow", slow)
    open_tree(page, pointer)
    waiting = []
    page.route("**/api/state*", lambda route: waiting.append(route))

    page.keyboard.press(first)
    for key in ("d", "Control+a", "Delete", "o", "Backspace", "e", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".tree-opening")
    assert len(waiting) == 1
    page.unroute("**/api/state*")  # lets it go on
    page.wait_for_selector(".tree-edit")

    page.keyboard.press("Escape")
    settled(page)
    assert stored(server, "/Slow") == slow


def test_an_editor_that_is_given_up_does_not_open(page, server):
    write(server, "PUT", "/GivenUp", {"a": 1})
    open_tree(page, "/GivenUp")
    waiting = []
    page.route("**/api/state*", lambda route: waiting.append(route))

    page.keyboard.press("e")
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.getElementById('tree-said').textContent === 'Not opened'")
    waiting[0].continue_()
    page.wait_for_selector(".tree-opening", state="detached")

    assert page.locator(".tree-edit").count() == 0


def test_bad_json_is_shown_with_its_place_and_stays(page, server):
    write(server, "PUT", "/Typo", {"a": 1})
    open_tree(page, "/Typo")
    page.keyboard.press("e")
    page.wait_for_selector(".tree-input")

    page.locator(".tree-input").fill('{\n  "a": 1,\n  "b" 2\n}')
    page.locator(".tree-input").press("Control+Enter")

    assert page.inner_text(".tree-problem") == "Line 3, column 7: a colon is missing here"
    assert page.locator(".tree-input").evaluate("input => input.selectionStart") == 18
    assert stored(server, "/Typo") == {"a": 1}


def test_by_keyboard_alone_create_rename_change_move_delete_and_undo(page, server):
    open_tree(page, "/Context")

    page.keyboard.press("a")
    page.keyboard.press("Escape")
    page.locator("[data-part=new]").focus()
    page.keyboard.press("Enter")
    save(page, "Plan: {}")
    page.wait_for_function("() => document.activeElement.ariaLabel === 'Plan: object, 0 members'")
    for line, row in (
        ("ui.theme.accent: violet", "accent: text violet"),
        ("first: 00014", "first: text 00014"),
        ("second: 14", "second: 14"),
        ("third: [true, null]", "third: list, 2 items"),
    ):
        page.keyboard.press("a")
        save(page, line)
        page.wait_for_function("row => document.activeElement.ariaLabel === row", arg=row)
        page.click(".tree-crumb >> text=Plan")
        page.wait_for_function("() => document.activeElement.ariaLabel?.startsWith('Plan:')")
    assert comes(
        lambda: stored(server, "/Plan"),
        {"ui": {"theme": {"accent": "violet"}}, "first": "00014", "second": 14, "third": [True, None]},
    )

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")  # closes ui, which the first one had opened
    page.keyboard.press("ArrowDown")
    assert focused(page) == "first: text 00014"
    page.keyboard.press("F2")
    save(page, "code")
    page.wait_for_function("() => document.activeElement.ariaLabel === 'code: text 00014'")
    assert comes(lambda: list(stored(server, "/Plan") or {}), ["ui", "code", "second", "third"])

    page.keyboard.press("Alt+ArrowDown")
    settled(page)
    page.wait_for_function("() => document.activeElement.ariaLabel === 'code: text 00014'")
    assert comes(lambda: list(stored(server, "/Plan") or {}), ["ui", "second", "code", "third"])

    page.keyboard.press("d")
    page.wait_for_function("() => document.activeElement.ariaLabel === 'code copy: text 00014'")
    assert comes(lambda: list(stored(server, "/Plan") or {}), ["ui", "second", "code", "code copy", "third"])

    page.keyboard.press("Delete")
    page.wait_for_selector("text=Deleted “code copy”")
    assert comes(lambda: list(stored(server, "/Plan") or {}), ["ui", "second", "code", "third"])

    page.keyboard.press("Control+z")
    page.wait_for_selector("text=Undid the deletion of code copy")
    assert comes(lambda: list(stored(server, "/Plan") or {}), ["ui", "second", "code", "code copy", "third"])
    page.keyboard.press("Control+Shift+Z")
    page.wait_for_selector("text=Redid the deletion of code copy")
    assert comes(lambda: list(stored(server, "/Plan") or {}), ["ui", "second", "code", "third"])


def test_undo_takes_back_mine_and_leaves_what_others_did(page, server):
    write(server, "PUT", "/Both", {"mine": "a", "list": ["x"], "theirs": "a"})
    open_tree(page, "/Both/mine")
    page.keyboard.press("Enter")
    save(page, "b")
    write(server, "PUT", "/Both/theirs", "b")
    patch(server, "Both", {"op": "add", "path": "/list/0", "value": "w"})
    page.wait_for_selector("[aria-label='theirs: text b']")

    page.keyboard.press("Control+z")

    page.wait_for_selector("[aria-label='mine: text a']")
    assert stored(server, "/Both") == {"mine": "a", "list": ["w", "x"], "theirs": "b"}


def test_undo_that_meets_a_later_change_asks(page, server, problems):
    write(server, "PUT", "/Asked", {"mine": "a"})
    open_tree(page, "/Asked/mine")
    page.keyboard.press("Enter")
    save(page, "b")
    write(server, "PUT", "/Asked/mine", "c")
    page.wait_for_selector("[aria-label='mine: text c']")

    page.keyboard.press("Control+z")
    page.wait_for_selector("text=Somebody has changed the same")
    assert stored(server, "/Asked/mine") == "c"
    page.click("text=Take mine back all the same")

    page.wait_for_selector("[aria-label='mine: text a']")
    assert stored(server, "/Asked/mine") == "a"
    problems[:] = [one for one in problems if "409" not in one]


@pytest.mark.parametrize(
    ("typed", "choice", "result"),
    [
        ("15", None, 15),
        ("0014", None, "0014"),
        ("14", "text", "14"),
        ("false", None, False),
        ("", "null", None),
        ("", "array", []),
    ],
)
def test_the_type_follows_what_is_typed_or_is_chosen(page, server, typed, choice, result):
    write(server, "PUT", "/Typed", {"it": 14})
    open_tree(page, "/Typed/it")

    page.keyboard.press("Enter")
    page.locator(".tree-input").fill(typed)
    if choice:
        page.select_option(".tree-type", choice)
    page.locator(".tree-input").press("Control+Enter")
    settled(page)

    assert json.dumps(stored(server, "/Typed/it")) == json.dumps(result)


def test_text_of_many_lines_is_edited_as_it_stands(page, server):
    write(server, "PUT", "/Poem", {"text": "one\n  two\n\nthree "})
    open_tree(page, "/Poem/text")

    page.keyboard.press("Enter")
    assert page.locator(".tree-input").input_value() == "one\n  two\n\nthree "
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.type("four")
    page.keyboard.press("Control+Enter")
    settled(page)

    assert stored(server, "/Poem/text") == "one\n  two\n\nthree \nfour"


def test_a_name_that_is_taken_is_refused_where_it_is_typed(page, server):
    write(server, "PUT", "/Names", {"a": 1, "b": 2})
    open_tree(page, "/Names")

    page.keyboard.press("a")
    page.locator(".tree-input").fill("b: 3")
    page.keyboard.press("Enter")

    page.wait_for_selector(".tree-problem >> text=There is “b” already")
    assert page.locator(".tree-input").input_value() == "b: 3"
    assert stored(server, "/Names") == {"a": 1, "b": 2}


def test_rows_are_dragged_within_out_of_and_into_each_other(page, server):
    write(server, "PUT", "/Drag", {"one": 1, "two": 2, "box": {"in": 0}, "list": [0]})
    write(server, "PUT", "/Drop", {"here": None})
    open_tree(page, "/Drag/one")

    def drag(name: str, onto: str, part: float) -> None:
        item(page, name).locator("> .tree-row").hover()
        target = item(page, onto).locator("> .tree-row").bounding_box()
        page.locator(".tree-grip").hover()
        page.mouse.down()
        page.mouse.move(target["x"] + 150, target["y"] + target["height"] / 2, steps=3)
        page.mouse.move(target["x"] + 150, target["y"] + target["height"] * part, steps=3)
        page.mouse.up()
        page.wait_for_timeout(100)
        settled(page)

    drag("one", "two", 0.9)
    assert list(stored(server, "/Drag")) == ["two", "one", "box", "list"]
    drag("two", "box", 0.5)
    assert stored(server, "/Drag") == {"one": 1, "box": {"in": 0, "two": 2}, "list": [0]}
    drag("one", "list", 0.5)
    assert stored(server, "/Drag") == {"box": {"in": 0, "two": 2}, "list": [0, 1]}
    drag("box", "Drop", 0.5)
    assert stored(server, "/Drag") == {"list": [0, 1]}
    assert stored(server, "/Drop") == {"here": None, "box": {"in": 0, "two": 2}}


def test_the_filter_finds_names_and_values_and_the_way_to_them(page, server):
    write(server, "PUT", "/Hay", {"a": {"needle": 1, "b": 2}, "c": [0, 0, {"d": "the NEEDLE in it"}], "e": 3})
    open_tree(page, "/Hay")

    page.keyboard.press("f")
    page.keyboard.type("needle")
    page.wait_for_selector(".tree-found >> text=2 matches")

    seen = [one.get_attribute("aria-label") for one in page.query_selector_all(".tree-node") if one.is_visible()]
    found = ["needle: 1", "c: list, 3 items", "2: object, 1 member", "d: text the NEEDLE in it"]
    assert seen == ["Hay: object, 3 members", "a: object, 2 members", *found]
    page.keyboard.press("Escape")


def test_the_filter_marks_words_however_they_are_spelt(page, server):
    write(server, "PUT", "/Folded", {"way": "İ: die Straße, lang", "ﬁsch": 1})
    open_tree(page, "/Folded")
    marked = "() => [...CSS.highlights.get('tree-found')].map((range) => range.toString())"

    for words, spelt in (("STRASSE,", "Straße,"), ("fisch", "ﬁsch")):
        page.keyboard.press("f")
        page.keyboard.press("Control+a")
        page.keyboard.type(words)
        page.wait_for_function(f"() => ({marked})().includes('{spelt}')")
        assert page.evaluate(marked) == [spelt]


def test_a_link_leads_to_any_node_and_back_up(page, server):
    write(server, "PUT", "/Links", {"a/b": [{"x": "here"}]})

    open_tree(page, "/Links/a~1b/0/x")

    assert focused(page) == "x: text here"
    assert page.locator(".tree-crumb").all_inner_texts() == ["Links", "a/b", "0", "x"]
    page.click(".tree-crumb >> text=a/b")
    assert focused(page) == "a/b: list, 1 item"
    page.wait_for_url("**/#/Links/a~1b")


FIRST_PAINT = """async (name) => {
  const row = document.querySelector(`.tree-node[aria-label^="${name}:"]`);
  const began = performance.now();
  row.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
  while (!row.querySelector('ul li')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const took = performance.now() - began;
  row.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true}));
  return took;
}"""


def test_large_values_open_within_a_second_and_scroll_to_their_end(page, server, record_property):
    write(server, "PUT", "/Wide", {f"member-{n:05}": n for n in range(40_000)})
    write(server, "PUT", "/Heavy", {"text": "x" * 5_000_000, "list": [{"n": n} for n in range(3000)], "last": 0})
    for key in ("Wide", "Heavy"):
        times = []
        for _ in range(3):  # the best of three: others may be using the machine
            page.goto("about:blank")
            open_tree(page)
            times.append(page.evaluate(FIRST_PAINT, key))
        record_property(key, times)
        assert min(times) < 1000, times

    item(page, "Heavy").press("ArrowRight")
    item(page, "last").press("Enter")
    save(page, "1")
    assert stored(server, "/Heavy/last") == 1

    open_tree(page, "/Wide/member-39999")
    assert focused(page) == "member-39999: 39999"
    page.wait_for_selector("[aria-label='member-00150: 150']", state="attached")
    assert not item(page, "member-00200").count()
    page.locator(".tree-more button >> text=39,799 more").click()
    page.wait_for_selector("[aria-label='member-00399: 399']", state="attached")


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violations(new_page, server, scheme):
    write(server, "PUT", "/Axe", {"text": "a", "number": 1, "yes": True, "nothing": None, "list": [1], "many": "a\nb"})
    page = new_page(color_scheme=scheme, reduced_motion="reduce")
    found = []

    def check(part: str) -> None:
        for one in Axe().run(page, context=part).response["violations"]:
            found.append((part, one["id"], [node["html"][:200] for node in one["nodes"]]))

    open_tree(page, "/Axe/text")
    write(server, "PUT", "/Axe/number", 2)
    page.wait_for_selector(".tree-who")
    check("#nola-tree")
    page.keyboard.press("Enter")
    check("#nola-tree")
    page.locator(".tree-input").fill("mine")
    write(server, "PUT", "/Axe/text", "theirs")
    page.wait_for_selector(".tree-conflict")
    check("#nola-tree")
    page.click("text=Take theirs")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    check("dialog[open]")
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    page.wait_for_selector("[role=menu]")
    check(".tree-menu")

    assert found == []


@pytest.mark.parametrize("width", [360, 768])
def test_it_fits_a_phone_and_a_tablet(new_page, server, width):
    write(server, "PUT", "/Small", {"a": {"b": {"c": {"d": "x" * 200}}}})
    page = new_page(viewport={"width": width, "height": 740}, has_touch=True)
    open_tree(page, "/Small/a/b/c/d")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".tree-tools [aria-label^=Edit]").tap()
    page.locator(".tree-input").fill("short")
    page.locator(".tree-edit button >> text=Save").tap()
    settled(page)
    assert stored(server, "/Small/a/b/c/d") == "short"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
