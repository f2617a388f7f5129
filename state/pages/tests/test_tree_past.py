"""The tree as it was: sliding through time, looking without touching, and coming back to now."""

import json
from urllib.parse import quote

import pytest

from state.pages.tests.tree import clear, focused, item, open_tree, patch, rows_of, shown, stored, value, write
from tests.browser import sign_in
from tests.server import manage, running

SHOWS = "at => document.getElementById('nola-tree').dataset.past === at"
NOW = "() => !document.querySelector('.past-on') && !('past' in document.getElementById('nola-tree').dataset)"


@pytest.fixture(autouse=True)
def story(server):
    """A key whose items come, move and go, and one that is removed and comes again. Returns its revisions."""
    clear(server)
    write(server, "PUT", "/Story", {"title": "begun", "steps": [{"n": 1}, {"n": 2}], "open": {"deep": {"leaf": "a"}}})
    write(server, "PUT", "/Brief", {"here": True})
    first = head(server)
    for number in range(3, 9):
        patch(server, "Story", {"op": "add", "path": "/steps/0", "value": {"n": number}})
    patch(server, "Story", {"op": "move", "from": "/steps/0", "path": "/steps/4"})
    write(server, "DELETE", "/Brief")
    patch(server, "Story", {"op": "remove", "path": "/open/deep"})
    write(server, "PUT", "/Story/open/deep", {"leaf": "b"})
    write(server, "PUT", "/Story/title", "ended")
    return list(range(first, head(server) + 1))


def head(server) -> int:
    return int(server.request("GET", "/api/state?view=tree&depth=0")[2]["nola-revision"])


def at(server, revision, query: str = "") -> dict:
    status, body, _ = server.request("GET", f"/api/state?at={revision}{query}")
    assert status == 200
    return json.loads(body)


def go(page, revision: int | None) -> None:
    """Wait until a moment is shown, None for now."""
    page.wait_for_function(SHOWS, arg=str(revision)) if revision else page.wait_for_function(NOW)


def opened(rows: list) -> dict:
    """The rows of the keys that are opened, by key."""
    return {name: rows for name, _, rows in rows if isinstance(rows, list)}


def expected(document: dict, rows: dict) -> dict:
    return {key: rows_of(document[key]) for key in rows}


def open_history(page, pointer: str) -> None:
    open_tree(page, pointer)
    page.keyboard.press("9")
    page.wait_for_function("() => !document.querySelector('[role=tree] [aria-expanded=false]')")
    item(page, pointer[1:].split("/")[0]).focus()
    page.keyboard.press("h")
    page.wait_for_function("() => document.activeElement.matches('.past-slider:enabled')")


def open_at(page, pointer: str, revision: int) -> None:
    """As `open_history`, at a moment."""
    open_history(page, pointer)
    page.evaluate("hash => (location.hash = hash)", f"#{pointer}&at={revision}")
    go(page, revision)
    page.wait_for_function("name => document.activeElement.ariaLabel?.startsWith(name)", arg=pointer[1:])


def test_every_moment_is_shown_as_the_api_has_it_back_and_forth(page, server, story):
    open_history(page, "/Story")
    for revision in [*reversed(story), *story[1:]]:
        page.keyboard.press("ArrowLeft" if page.url.endswith("Story") or revision < now_shown(page) else "ArrowRight")
        go(page, revision)
        rows = shown(page)
        document = at(server, revision)
        assert [name for name, _, _ in rows] == list(document)
        assert opened(rows) == expected(document, opened(rows))
        assert "Story" in opened(rows)

    page.keyboard.press("ArrowRight")
    go(page, None)
    assert opened(shown(page)) == expected(stored(server, ""), opened(shown(page)))


def now_shown(page) -> int:
    return int(page.evaluate("document.getElementById('nola-tree').dataset.past ?? 0")) or 10**9


def test_the_newest_wish_wins_however_fast_the_slider_is(page, server, story):
    open_history(page, "/Story")
    for _ in range(3):
        page.keyboard.press("PageUp")
        for _ in range(len(story)):
            page.keyboard.press("ArrowLeft")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    wanted = page.locator(".past-bar .past-slider").input_value()
    revision = page.evaluate(
        "async (place) => (await import('/static/state/tree/main.js')).app.past.moments.revisions[place]", int(wanted)
    )

    go(page, revision)
    page.wait_for_function("async () => !(await import('/static/state/tree/main.js')).app.past.serving")
    assert now_shown(page) == revision
    assert opened(shown(page)) == expected(at(server, revision), opened(shown(page)))


def test_nothing_can_be_changed_in_the_past(page, server, story):
    before = (stored(server, ""), head(server))
    open_at(page, "/Story", story[0])
    page.evaluate("navigator.clipboard?.writeText?.('{\"pasted\": 1}').catch(() => {})")
    row = item(page, "title")
    row.focus()

    keys = [
        "Enter",
        "a",
        "o",
        "b",
        "d",
        "e",
        "t",
        "r",
        "F2",
        "Delete",
        "Backspace",
        " ",
        "Alt+ArrowUp",
        "Alt+ArrowDown",
    ]
    for key in [*keys, "Alt+ArrowLeft", "Alt+ArrowRight", "Control+x", "Control+v", "Control+z", "Control+Shift+z"]:
        row.press(key)
        assert page.locator(".tree-edit, .tree-saving").count() == 0, key
    row.locator("> .tree-row > .tree-value").dblclick()
    row.locator("> .tree-row > .tree-name").dblclick()
    assert page.locator(".tree-edit").count() == 0
    page.wait_for_selector(".tree-message >> text=The past cannot be edited")
    assert page.locator("[data-part=new]").is_disabled()
    assert not page.locator(".tree-row > .tree-tools .tree-grip").is_visible()
    row.press("m")
    labels = page.locator("[role=menu] [role=menuitem] span:not(.material-symbols-outlined)").all_inner_texts()
    assert labels == ["Copy value", "Copy path", "Download", "Who wrote it, and history"]
    page.keyboard.press("Escape")
    refused = page.evaluate(
        """async () => {
          const {app} = await import('/static/state/tree/main.js');
          const node = app.tree.find(['Story', 'title']);
          await app.actions.setValue(node, {type: 'text', text: 'forced'}, 'forced');
          return document.querySelector('.tree-note').textContent;
        }"""
    )

    assert "go back to now" in refused
    assert (stored(server, ""), head(server)) == before


def test_what_happens_meanwhile_waits_and_is_there_on_the_way_back(page, server, story):
    write(server, "PUT", "/Meanwhile", {"counter": 0, "list": [1, 2]})
    open_history(page, "/Meanwhile")
    page.keyboard.press("ArrowLeft")
    revision = head(server)
    go(page, revision)

    for number in range(1, 6):
        write(server, "PUT", "/Meanwhile/counter", number)
    patch(server, "Meanwhile", {"op": "add", "path": "/list/0", "value": 0})

    page.wait_for_selector(".past-count >> text=6 newer changes")
    assert value(page, "counter").inner_text() == "0"
    page.click(".past-bar >> text=Back to now")
    go(page, None)
    assert opened(shown(page))["Meanwhile"] == rows_of({"counter": 5, "list": [0, 1, 2]})
    write(server, "PUT", "/Meanwhile/counter", "live again")
    page.wait_for_selector("[aria-label='counter: text live again']")
    item(page, "counter").press("Enter")
    page.locator(".tree-input").fill("mine")
    page.locator(".tree-input").press("Enter")
    page.wait_for_selector("[aria-label='counter: text mine']:not(.tree-saving)")
    assert stored(server, "/Meanwhile") == {"counter": "mine", "list": [0, 1, 2]}


def test_what_was_open_and_chosen_stays_so_as_far_as_it_is_there(page, server, story):
    open_at(page, "/Story", story[-1])
    item(page, "leaf").focus()
    page.keyboard.press("[")
    go(page, story[-2])
    assert focused(page) == "leaf: text b"
    page.keyboard.press("[")
    go(page, story[-3])
    assert "leaf" not in page.inner_text("[role=tree]")
    page.wait_for_selector(".past-missing >> text=leaf is not there")
    page.keyboard.press("[")
    go(page, story[-4])
    assert focused(page) == "leaf: text a"
    page.keyboard.press("Escape")
    go(page, None)
    assert focused(page) == "leaf: text b"


def test_a_link_leads_to_a_moment_and_back_leads_out_of_it(page, server, story):
    page.goto(f"/admin/state/tree/?at={story[0]}#{quote('/Brief/here')}")
    go(page, story[0])
    page.wait_for_function("() => document.activeElement.ariaLabel === 'here: true'")
    page.wait_for_function("end => location.href.endsWith(end)", arg=f"/admin/state/tree/#/Brief/here&at={story[0]}")
    page.reload()
    go(page, story[0])
    assert page.locator(".past-bar").is_visible()

    open_tree(page, "/Story")
    page.keyboard.press("h")
    page.wait_for_function("() => document.activeElement.matches('.past-slider:enabled')")
    page.keyboard.press("ArrowLeft")
    go(page, head(server))
    page.go_back()
    go(page, None)
    page.go_forward()
    go(page, head(server))


def test_the_shown_change_is_told_and_marked(page, server, story):
    open_at(page, "/Story", story[-1])
    page.wait_for_selector("[aria-label='title: text ended'].past-did-set >> text=changed")
    assert "default" in page.inner_text(".past-moment")
    for _ in range(2):
        page.keyboard.press("[")
    go(page, story[-3])
    page.wait_for_selector("[aria-label^='open:'] .past-badge >> text=removed deep")
    page.keyboard.press("[")
    go(page, story[-4])
    page.keyboard.press("[")
    go(page, story[-5])
    page.wait_for_selector("[aria-label^='4:'].past-did-move >> text=moved")
    assert page.locator(".past-did").count() == 1


def test_a_time_leads_to_the_change_before_it(page, server, story):
    open_history(page, "/Story")
    page.keyboard.press("Home")
    page.wait_for_function("() => 'past' in document.getElementById('nola-tree').dataset")
    when = page.locator(".past-field").input_value()
    page.locator(".past-field").fill(when[:-2].rsplit(":", 1)[0] + ":00")
    page.locator(".past-field").press("Enter")
    page.locator(".past-field").fill("2001-01-01T00:00:00")
    page.locator(".past-field").press("Enter")
    page.wait_for_selector(".tree-message >> text=Nothing was here before this")
    page.locator(".past-field").fill("2101-01-01T00:00:00")
    page.locator(".past-field").press("Enter")
    page.wait_for_selector(".tree-message >> text=That is still to come")
    go(page, None)


def test_a_moment_that_a_backup_put_back_took_away_is_told_and_stepped_over(browser, tmp_path, problems):
    data = tmp_path / "data"
    with running(data) as server:
        write(server, "PUT", "/Kept", "before")
        assert manage(data, "backup").returncode == 0
        [file] = data.glob("backups/*.sqlite3*")
        kept = head(server)
        write(server, "PUT", "/Kept", "lost")
        lost = head(server)
        assert manage(data, "restorebackup", str(file), "--yes").returncode == 0
        write(server, "PUT", "/Kept", "after")
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        page = context.new_page()
        sign_in(page, server)

        page.goto(f"/admin/state/tree/#/Kept&at={lost}")

        page.wait_for_selector(f".tree-message >> text=Change {lost} is gone")
        go(page, kept)
        assert value(page, "Kept").inner_text() == "before"
        page.locator(".past-bar .past-slider").press("ArrowRight")
        go(page, head(server))
        assert value(page, "Kept").inner_text() == "after"
        page.locator(".past-bar .past-slider").press("ArrowLeft")
        go(page, kept)
        context.close()
