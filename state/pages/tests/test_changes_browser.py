"""Changes shown so that a person can read them, and taken back after a look, in a real browser."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import patch, stored, write

SHOW = """async ([patches, most]) => {
  const { told, patches_of } = await import('/static/state/changes/changes.js');
  const { parse } = await import('/static/nola/lib/json.js');
  const shown = told(patches_of(parse(patches)), { most, reveal: (tokens) => (window.revealed = tokens) });
  document.querySelector('main, #main, body').replaceChildren(shown);
}"""
UNDO = """async ([what, title]) => {
  const { undo } = await import('/static/state/changes/undo.js');
  window.undone = undo(what, { title }).then((revision) => ({ revision }));
}"""


@pytest.fixture
def blank(page):
    """A page of the admin that has the styles and nothing to do with changes."""
    page.goto("/admin/checkpoints/")
    page.add_style_tag(url="/static/state/changes/changes.css")
    return page


def show(page, patches, most=100):
    page.evaluate(SHOW, [patches if isinstance(patches, str) else json.dumps(patches), most])
    return page.locator(".chg")


def start(page, what, title="Undo this change"):
    page.evaluate(UNDO, [what, title])
    return page.get_by_role("dialog")


def lines(page):
    return [" ".join(text.split()) for text in page.locator(".chg-item").all_inner_texts()]


def head(server):
    return json.loads(server.request("GET", "/api/changes?limit=1000")[1])["revisions"][-1]["revision"]


def test_places_stand_as_a_tree_with_what_was_and_what_is(blank):
    ops = [
        {"op": "replace", "path": "/owner/name", "value": "Ada", "was": "Bob"},
        {"op": "replace", "path": "/owner/age", "value": 37},
        {"op": "add", "path": "/owner/likes", "value": ["tea"]},
        {"op": "remove", "path": "/old", "was": True},
        {"op": "move", "from": "/steps/3", "path": "/steps/0"},
        {"op": "move", "from": "/a~1b", "path": "/c"},
        {"op": "move", "from": "/e", "path": "/e", "position": 0},
    ]

    show(blank, {"Identity": ops, "New": [{"op": "add", "path": "", "value": {"x": 1}}]})

    assert blank.locator(".chg-key").first.inner_text().split("\n") == ["Identity", "7 places"]
    text = " | ".join(lines(blank))
    assert 'name Bob became → Ada | age now 37 | likes added ["tea"]' in text
    assert "old removed true" in text
    assert "steps › 0 moved here from place 4" in text
    assert "c renamed from a/b" in text
    assert "e moved to place 1" in text
    assert "new key" in blank.locator(".chg-part").last.inner_text()


def test_a_place_that_is_set_again_and_again_is_told_once(blank):
    ops = [
        {"op": "replace", "path": "/a", "value": 2, "was": 3},
        {"op": "replace", "path": "/b", "value": [1], "was": [2]},
        {"op": "replace", "path": "/a", "value": 1, "was": 2},
        {"op": "replace", "path": "/b/0", "value": 9, "was": 1},
        {"op": "replace", "path": "/b", "value": [0], "was": [9]},
        {"op": "replace", "path": "/c", "value": 5, "was": 4},
        {"op": "replace", "path": "/c", "value": 4, "was": 5},
    ]

    show(blank, {"K": ops})

    assert blank.locator(".chg-key").inner_text().split("\n") == ["K", "4 places"]
    assert lines(blank)[0] == "a 3 became → 1"
    assert "c" not in [line.split()[0] for line in lines(blank)]


def test_numbers_are_shown_as_they_are_stored(blank):
    show(blank, '{"N":[{"op":"replace","path":"/n","value":12345678901234567890,"was":1.0}]}')

    assert "1.0 became → 12345678901234567890" in lines(blank)[0]


def test_of_a_text_only_what_changed_is_marked(blank):
    text = "She lives in {} with two cats, and likes to be called in the evening, never before nine in the morning."
    op = {"op": "replace", "path": "/about", "was": text.format("Paris"), "value": text.format("Porto")}

    show(blank, {"Identity": [op]})

    assert blank.locator(".chg-within del").inner_text() == "Paris"
    assert blank.locator(".chg-within ins").inner_text() == "Porto"
    assert "She lives in " in lines(blank)[0]


def test_a_long_value_is_folded_and_opens(blank):
    show(blank, {"L": [{"op": "add", "path": "/l", "value": [{"n": number, "text": "x" * 40} for number in range(9)]}]})

    assert "[ 9 items ]" in lines(blank)[0]
    blank.locator(".chg-fold summary").press("Enter")
    assert '"n": 8' in blank.locator(".chg-whole").inner_text()


def test_a_place_leads_to_the_tree(blank):
    show(blank, {"a/b": [{"op": "add", "path": "/x y/0", "value": 1}]})
    link = blank.get_by_role("link", name="x y › 0")

    assert link.get_attribute("href") == "/admin/state/tree/#/a~1b/x%20y/0"
    link.click()
    assert blank.evaluate("window.revealed") == ["a/b", "x y", "0"]


def test_many_changes_come_in_parts(blank):
    show(blank, {"Many": [{"op": "add", "path": f"/{n}", "value": n} for n in range(25)]}, most=10)
    assert len(lines(blank)) == 10

    blank.get_by_role("button", name="Show more (15 left)").press("Enter")
    assert blank.evaluate("document.activeElement.textContent") == "10"
    blank.get_by_role("button", name="Show more (5 left)").click()

    assert len(lines(blank)) == 25


def test_markup_in_names_and_values_is_text(blank):
    evil = "<img src=x onerror='window.pwned = 1'>"
    ops = [{"op": "replace", "path": f"/{evil}".replace("/>", ">"), "value": evil, "was": "</ins><script>1</script>"}]

    show(blank, {evil: ops})

    assert evil in blank.locator(".chg").inner_text()
    assert blank.locator(".chg img, .chg script").count() == 0
    assert blank.evaluate("window.pwned") is None


def test_an_undo_is_shown_before_it_is_done_and_leaves_its_reason(blank, server):
    write(server, "PUT", "/Plan", {"city": "Lisbon", "days": 3})
    write(server, "PUT", "/Plan/city", "Porto")
    revision = head(server)

    dialog = start(blank, {"revision": revision}, "Undo what the agent did")

    dialog.get_by_text("Porto").wait_for()
    assert lines(blank) == ["city Porto became → Lisbon"]
    assert stored(server, "/Plan/city") == "Porto"
    dialog.get_by_label("Why").fill("it is Lisbon – naïve")
    dialog.get_by_role("button", name="Undo").click()
    assert blank.evaluate("window.undone") == {"revision": revision + 1}
    assert stored(server, "/Plan") == {"city": "Lisbon", "days": 3}
    newest = json.loads(server.request("GET", "/api/history?limit=1")[1])["revisions"][0]
    assert (newest["reason"], newest["info"]) == ("it is Lisbon – naïve", {"undoes": [revision]})
    assert dialog.count() == 0


def test_escape_cancels_and_gives_the_focus_back(blank, server):
    write(server, "PUT", "/Esc", 1)
    blank.locator("a:visible").first.focus()
    before = blank.evaluate("document.activeElement.outerHTML")

    start(blank, {"revision": head(server)}).get_by_text("key removed").wait_for()
    blank.keyboard.press("Escape")

    assert blank.evaluate("window.undone") == {"revision": None}
    assert blank.evaluate("document.activeElement.outerHTML") == before
    assert stored(server, "/Esc") == 1


@pytest.mark.parametrize(
    ("choice", "after"), [("Keep the newer", {"a": 3, "b": "old"}), ("Take it back anyway", {"a": 1, "b": "old"})]
)
def test_what_was_changed_again_since_is_a_choice(blank, server, problems, choice, after):
    write(server, "PUT", "/Met", {"a": 1, "b": "old"})
    both = [{"op": "replace", "path": "/a", "value": 2}, {"op": "replace", "path": "/b", "value": "new"}]
    patch(server, "Met", *both)
    revision = head(server)
    write(server, "PUT", "/Met/a", 3)

    dialog = start(blank, {"revision": revision})

    dialog.get_by_text("This was changed again since.").wait_for()
    sides = dialog.locator(".chg-sides").inner_text().split()
    assert sides == ["Then", "2", "Now", "3", "Undo", "would", "put", "1"]
    assert dialog.get_by_role("button", name="Undo").is_disabled()
    dialog.get_by_label(choice).check()
    dialog.locator(".chg-result .chg-item").first.wait_for()
    dialog.get_by_role("button", name="Undo").click()
    assert blank.evaluate("window.undone") == {"revision": revision + 2}
    assert stored(server, "/Met") == after
    problems.clear()  # the refusal


def test_what_an_actor_does_while_one_looks_is_not_taken_back_with_the_rest(blank, server):
    write(server, "PUT", "/Looked", {"a": 1})
    since = str(head(server))
    write(server, "PUT", "/Looked/a", 2)

    dialog = start(blank, {"actor": "key:default", "since": since})
    dialog.locator(".chg-item").wait_for()
    write(server, "PUT", "/Looked/b", "meanwhile")
    dialog.get_by_role("button", name="Undo").click()

    assert blank.evaluate("window.undone")["revision"]
    assert stored(server, "/Looked") == {"a": 1, "b": "meanwhile"}


def test_what_cannot_be_undone_says_why(blank, problems):
    dialog = start(blank, {"revision": 999_999})

    dialog.get_by_text("Revision 999999 does not exist.").wait_for()
    assert dialog.get_by_role("button", name="Undo").is_disabled()
    problems.clear()  # the refusal


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_is_accessible(new_page, server, scheme):
    write(server, "PUT", "/Axe", {"a": 1, "b": "x" * 200})
    patch(server, "Axe", {"op": "replace", "path": "/a", "value": 2}, {"op": "remove", "path": "/b"})
    page = new_page(color_scheme=scheme)
    page.goto("/admin/checkpoints/")
    page.add_style_tag(url="/static/state/changes/changes.css")

    dialog = start(page, {"revision": head(server)})
    dialog.locator(".chg-item").first.wait_for()

    found = Axe().run(page, context=".chg-dialog").response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
