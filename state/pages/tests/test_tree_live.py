"""The live tree with others writing: two browsers, a script, and a server that goes away."""

import json
import random
import threading

import pytest

from state.pages.tests.tree import clear, focused, item, open_tree, patch, rows_of, shown, stored, value, write
from tests.browser import sign_in
from tests.server import GUNICORN, running

DOC = {"title": "Move the billing", "status": "running", "steps": [{"id": n, "name": f"step {n}"} for n in range(6)]}


def script(server, key: str, count: int) -> None:
    """`count` changes of all kinds around a member `mine`, which it never touches, always the same ones."""
    luck = random.Random(7)
    for number in range(count):
        steps = len(stored(server, f"/{key}/steps"))
        at = luck.randrange(steps)
        match luck.randrange(6):
            case 0:
                patch(
                    server, key, {"op": "add", "path": f"/steps/{at}", "value": {"id": number, "name": f"new {number}"}}
                )
            case 1:
                patch(server, key, {"op": "replace", "path": f"/steps/{at}/name", "value": f"changed {number}"})
            case 2 if steps > 3:
                patch(server, key, {"op": "remove", "path": f"/steps/{at}"})
            case 3:
                patch(server, key, {"op": "move", "from": f"/steps/{at}", "path": f"/steps/{luck.randrange(steps)}"})
            case 4:
                patch(server, key, {"op": "move", "from": "/mine", "path": "/mine", "position": luck.randrange(4)})
            case _:
                write(server, "PUT", f"/{key}/counter", number)


@pytest.fixture(autouse=True)
def only_seeds(server):
    clear(server)


@pytest.mark.heavy
def test_a_script_writes_200_changes_while_two_people_look_and_one_types(new_page, server):
    write(server, "PUT", "/Busy", {**DOC, "mine": "old"})
    one, two = new_page(), new_page()
    for page in (one, two):
        open_tree(page, "/Busy/mine")
        page.click("[data-level='100']")
        page.wait_for_selector(".tree-node[aria-label^='id:']")
    opened = [one.get_attribute("id") for one in one.query_selector_all(".tree-node[aria-expanded=true]")]
    item(one, "mine").press("Enter")
    typed = one.locator(".tree-input")
    writer = threading.Thread(target=script, args=(server, "Busy", 200))
    writer.start()
    text = "typed while the agent works, a letter at a time"

    typed.fill("")
    for letter in text:
        one.keyboard.type(letter)
        one.wait_for_timeout(30)
    one.keyboard.press("Home")
    one.keyboard.press("ArrowRight")
    while writer.is_alive():
        one.wait_for_timeout(50)

    assert typed.input_value() == text
    assert typed.evaluate("input => [document.activeElement === input, input.selectionStart]") == [True, 1]
    left = [node for id in opened if (node := one.query_selector(f"#{id}"))]
    assert len(left) > 3
    assert {node.get_attribute("aria-expanded") for node in left} == {"true"}
    one.keyboard.press("Enter")
    for page in (one, two):
        page.wait_for_function("text => document.querySelector(`[aria-label='mine: text ${text}']`)", arg=text)
    assert stored(server, "/Busy/mine") == text
    for page in (one, two):
        page.click("[data-level='100']")
        page.wait_for_function("() => !document.querySelector('[role=tree] [aria-expanded=false]')")
        [rows] = [rows for name, _, rows in shown(page) if name == "Busy"]
        assert rows == rows_of(stored(server, "/Busy"))


EDITS = """async (count) => {
  const {app} = await import('/static/state/tree/main.js');
  let luck = 7;
  const one = (list) => list[(luck = (luck * 1103515245 + 12345) % 2147483648) % list.length];
  const below = (node) => (node?.kids ?? []).flatMap((kid) => [kid, ...below(kid)]);
  const all = () => ['Mixed', 'Other'].flatMap((key) => below(app.tree.find([key]))).filter((node) => node.el);
  for (let number = 0; number < count; number += 1) {
    const [node, other] = [one(all()), one(all())];
    await one([
      () => app.actions.move(node, other.isContainer ? other : other.parent, other.isContainer ? null : other),
      () => app.actions.nudge(node, one([1, -1])),
      () => app.actions.duplicate(node),
      () => all().length > 20 && app.actions.remove(node),
      () => node.name && node.name !== 'steps' && app.actions.setName(node, `name ${number}`),
      () => app.actions.setValue(node, {type: 'number', number: String(number)}, String(number)),
      () => app.mine.undo(),
    ])();
  }
}"""


def test_edits_of_all_kinds_while_others_write_end_the_same_for_all(page, server, problems):
    write(server, "PUT", "/Mixed", {**DOC, "mine": {"a": [1, [2]]}})
    write(server, "PUT", "/Other", {"a": [1, {"b": 2}], "c": {}, "d": "text"})
    open_tree(page, "/Mixed/mine")
    page.click("[data-level='100']")
    page.wait_for_selector(".tree-node[aria-label^='id:']")

    def others() -> None:
        for number in range(30):
            write(server, "PUT", f"/Other/new-{number % 5}", {"n": number})
            if number % 5 == 4:
                write(server, "DELETE", f"/Other/new-{number % 5}")

    writer = threading.Thread(target=others)
    writer.start()
    page.evaluate(EDITS, 40)
    writer.join()
    page.wait_for_selector("[data-status=live]")
    page.wait_for_function(
        "async (head) => (await import('/static/state/tree/main.js')).app.memory.revision >= head",
        arg=int(server.request("GET", "/api/state/Other")[2]["nola-revision"]),
    )
    page.click("[data-level='100']")
    page.wait_for_function("() => !document.querySelector('[role=tree] [aria-expanded=false], .tree-saving')")

    rows = {name: rows for name, _, rows in shown(page) if name in ("Mixed", "Other")}
    assert rows == {key: rows_of(stored(server, f"/{key}")) for key in ("Mixed", "Other")}
    problems[:] = [one for one in problems if "409" not in one]  # some moves meet what others have put there


def test_a_list_that_is_half_loaded_stays_right_while_others_change_it(page, server):
    luck = random.Random(3)
    items = [f"item {n}" for n in range(450)]
    write(server, "PUT", "/Paged", items)
    open_tree(page, "/Paged")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[aria-label='199: text item 199']", state="attached")
    for number in range(40):
        at, to = luck.randrange(440), luck.randrange(440)
        operations = [
            {"op": "add", "path": f"/{at}", "value": f"new {number}"},
            {"op": "remove", "path": f"/{at}"},
            {"op": "move", "from": f"/{at}", "path": f"/{to}"},
        ]
        patch(server, "Paged", luck.choice(operations))
    write(server, "PUT", "/Paged/0", "the last change")
    page.wait_for_selector("[aria-label='0: text the last change']")

    while page.locator(".tree-more").count():
        page.evaluate("document.querySelector('.tree-more')?.scrollIntoView()")
        page.wait_for_timeout(50)

    [rows] = [rows for name, _, rows in shown(page) if name == "Paged"]
    assert rows == rows_of(stored(server, "/Paged"))


def test_text_goes_to_its_item_although_others_came_before_it(new_page, server):
    write(server, "PUT", "/Queue", ["first", "second", {"deep": "x"}])
    page = new_page()
    open_tree(page, "/Queue/1")
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.type(", edited")

    patch(server, "Queue", {"op": "add", "path": "/0", "value": "zero"}, {"op": "add", "path": "/0", "value": "less"})
    page.wait_for_selector("[aria-label='0: text less']")

    assert page.locator(".tree-input").input_value() == "second, edited"
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-label='3: text second, edited']:not(.tree-saving)")
    assert stored(server, "/Queue") == ["less", "zero", "first", "second, edited", {"deep": "x"}]


def test_a_browser_that_cannot_move_an_editor_keeps_the_caret_too(new_page, server):
    write(server, "PUT", "/Moved", ["a", "b", "typing here"])
    page = new_page()
    page.add_init_script("delete Element.prototype.moveBefore")
    open_tree(page, "/Moved/2")
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    page.keyboard.type("not ")

    patch(server, "Moved", {"op": "move", "from": "/2", "path": "/0"})
    page.wait_for_selector("[aria-label='2: text b']")

    page.keyboard.type("yet ")
    assert page.locator(".tree-input").input_value() == "not yet typing here"
    assert stored(server, "/Moved") == ["typing here", "a", "b"]
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-label='0: text not yet typing here']:not(.tree-saving)")
    assert stored(server, "/Moved") == ["not yet typing here", "a", "b"]


def test_a_change_too_large_to_be_told_is_read(page, server):
    write(server, "PUT", "/Large", {"text": "small", "list": [1, 2], "open": {"a": 1}})
    open_tree(page, "/Large/open/a")

    large = {"text": "x" * 100_000, "list": [1, 2, 3], "open": {"b": 2, "a": 3}}
    write(server, "PUT", "/Large", large)

    page.wait_for_selector("[aria-label='a: 3']")
    page.wait_for_selector("[aria-label='list: list, 3 items']")
    assert focused(page) == "a: 3"
    [rows] = [rows for name, _, rows in shown(page) if name == "Large"]
    assert [name for name, _, _ in rows] == list(large)
    assert rows[2] == ["open", "object", [["b", "number", "2"], ["a", "number", "3"]]]


def test_another_history_is_read_from_the_start(page, server):
    """As after an older database file was put back: the feed says reset, and what is shown is read anew."""
    write(server, "PUT", "/Again", {"a": [1, 2], "b": "x"})
    open_tree(page, "/Again/a/0")
    page.evaluate("""async () => {
      const {app} = await import('/static/state/tree/main.js');
      const node = app.tree.find(['Again', 'b']);
      node.value = 'not what the server has';
      app.tree.find(['Again', 'a']).kids.pop();
      app.view.changed(node);
      app.feed.on.reset(app.memory.revision);
    }""")

    page.wait_for_selector("[aria-label='b: text x']")
    page.wait_for_selector("[aria-label='1: 2']")
    assert focused(page) == "0: 1"


def test_a_change_by_others_is_shown_with_who_made_it(page, server):
    write(server, "PUT", "/Seen", {"mood": "calm"})
    open_tree(page, "/Seen/mood")
    before = page.evaluate("document.querySelector('.tree-scroll').scrollTop")

    write(server, "PUT", "/Seen/mood", "curious")

    page.wait_for_selector("[aria-label='mood: text curious'].tree-fresh .tree-who", timeout=3000)
    assert "default" in item(page, "mood").locator(".tree-who").inner_text()
    assert "default" in page.inner_text(".tree-activity li:first-child")
    assert "curious" in page.inner_text(".tree-activity li:first-child")
    assert page.evaluate("document.querySelector('.tree-scroll').scrollTop") == before
    assert focused(page) == "mood: text curious"


def test_changes_in_a_row_by_one_are_one_entry_of_the_activity(page, server):
    for number in range(4):
        write(server, "PUT", "/Run", {"n": number})
    open_tree(page, "/Run")
    newest = page.locator(".tree-activity ol > li:visible").first
    newest.get_by_text("changes before").click()
    before = newest.locator("details > .tree-act-one").count()

    write(server, "PUT", "/Run/n", 4)
    page.wait_for_function("() => document.querySelector('.tree-act .tree-number')?.textContent === '4'")

    assert "default" in newest.inner_text()
    assert newest.locator("details[open] > .tree-act-one").count() in (before + 1, 59)  # no more are kept
    assert newest.locator("details > .tree-act-one").first.inner_text().split()[-1] == "3"


@pytest.fixture
def met(page, server):
    """I am typing in a value that somebody else has just changed."""
    write(server, "PUT", "/Met", {"status": "running", "other": 1})
    open_tree(page, "/Met/status")
    page.keyboard.press("Enter")
    page.locator(".tree-input").fill("paused")
    write(server, "PUT", "/Met/status", "blocked")
    page.wait_for_selector(".tree-conflict >> text=default changed this while you were editing it")
    return page


def test_both_sides_of_a_conflict_are_shown_and_nothing_is_written(met, server):
    met.locator(".tree-input").press("Enter")

    assert "blocked" in met.inner_text(".tree-conflict")
    assert met.locator(".tree-input").input_value() == "paused"
    assert focused(met) == "BUTTON"
    assert stored(server, "/Met/status") == "blocked"


def test_of_a_conflict_mine_is_kept(met, server):
    met.click("text=Keep mine")

    met.wait_for_selector("[aria-label='status: text paused']:not(.tree-saving)")
    assert stored(server, "/Met") == {"status": "paused", "other": 1}


def test_of_a_conflict_theirs_is_taken(met, server):
    met.click("text=Take theirs")

    assert value(met, "status").inner_text() == "blocked"
    assert met.locator(".tree-edit").count() == 0
    assert stored(server, "/Met/status") == "blocked"


@pytest.mark.parametrize(
    ("choice", "result"), [("Put it back with mine", {"z": 0, "a": {"b": "mine"}}), ("Let it go", {"z": 0})]
)
def test_what_i_edit_is_removed_by_somebody(page, server, choice, result):
    write(server, "PUT", "/Lost", {"a": {"b": "theirs"}, "z": 0})
    open_tree(page, "/Lost/a/b")
    page.keyboard.press("Enter")
    page.locator(".tree-input").fill("mine")

    write(server, "DELETE", "/Lost/a")
    page.wait_for_selector("text=default removed this while you were editing it")
    assert page.locator(".tree-input").input_value() == "mine"
    page.click(f"text={choice}")

    page.wait_for_function("() => !document.querySelector('.tree-edit, .tree-gone')")
    page.wait_for_selector(f"[aria-label='Lost: object, {len(result)} member{'s' * (len(result) > 1)}']")
    assert stored(server, "/Lost") == result
    [rows] = [rows for name, _, rows in shown(page) if name == "Lost"]
    assert [name for name, _, _ in rows] == list(result)


def test_a_conflict_that_only_the_server_sees_is_shown_too(page, server, problems):
    """Their change is committed while mine is on its way, so that my page cannot know it."""
    write(server, "PUT", "/Late", {"status": "running"})
    open_tree(page, "/Late/status")

    def overtake(route):
        write(server, "PUT", "/Late/status", "blocked")
        route.continue_()

    page.route("**/api/state?*base=*", overtake, times=1)
    page.keyboard.press("Enter")
    page.locator(".tree-input").fill("paused")
    page.keyboard.press("Enter")

    page.wait_for_selector(".tree-conflict")
    assert "blocked" in page.inner_text(".tree-conflict")
    assert page.locator(".tree-input").input_value() == "paused"
    page.click("text=Keep mine")
    page.wait_for_selector("[aria-label='status: text paused']:not(.tree-saving)")
    assert stored(server, "/Late/status") == "paused"
    problems[:] = [one for one in problems if "409" not in one]


def test_json_that_met_another_change_keeps_mine_there_and_theirs_elsewhere(page, server, problems):
    document = {"a": 1, "b": 1, "c": {"d": 1, "e": [1]}, "list": [1, 2]}
    write(server, "PUT", "/Whole", document)
    open_tree(page, "/Whole")
    page.keyboard.press("e")
    page.wait_for_selector(".tree-input")
    page.locator(".tree-input").fill(json.dumps(document | {"a": "mine", "list": [1, 2, "mine"]}))
    write(server, "PUT", "/Whole/a", "theirs")
    write(server, "PUT", "/Whole/c/d", "theirs")
    write(server, "PUT", "/Whole/list", [0, 1, 2])
    page.wait_for_selector("text=saving keeps both")

    page.locator(".tree-input").press("Control+Enter")
    page.wait_for_selector(".tree-conflict >> text=/a")
    assert stored(server, "/Whole/a") == "theirs"
    page.click("text=Keep mine")
    page.wait_for_selector(".tree-conflict >> text=/list")  # nothing of theirs is written over before it is seen
    assert stored(server, "/Whole/list") == [0, 1, 2]
    page.click("text=Keep mine")

    page.wait_for_function("() => !document.querySelector('.tree-edit, .tree-saving')")
    assert stored(server, "/Whole") == {"a": "mine", "b": 1, "c": {"d": "theirs", "e": [1]}, "list": [1, 2, "mine"]}
    problems[:] = [one for one in problems if "409" not in one]


def test_a_refused_write_is_taken_back_in_sight(page, server, problems):
    write(server, "PUT", "/Refused", {"size": 14})
    open_tree(page, "/Refused/size")

    page.keyboard.press("Enter")
    page.locator(".tree-input").fill("1e400")
    page.keyboard.press("Enter")

    page.wait_for_selector(".tree-note >> text=Not saved")
    assert value(page, "size").inner_text() == "14"
    assert stored(server, "/Refused/size") == 14
    page.click("text=Edit again")
    assert page.locator(".tree-input").input_value() == "1e400"
    problems[:] = [one for one in problems if "400" not in one]


def test_the_server_is_killed_and_comes_back(browser, tmp_path):
    with running(tmp_path / "data") as server:
        write(server, "PUT", "/Alive", {"mine": "a", "theirs": "a"})
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        page = context.new_page()
        sign_in(page, server)
        open_tree(page, "/Alive/mine")
        server.kill()
        page.wait_for_selector("[data-status=lost]", timeout=15_000)
        page.keyboard.press("Enter")
        page.locator(".tree-input").fill("written while it was away")
        page.keyboard.press("Enter")
        page.wait_for_selector("[aria-label^='mine: text written'].tree-saving")

        server.start()
        write(server, "PUT", "/Alive/theirs", "b")

        page.wait_for_selector("[data-status=live]", timeout=20_000)
        page.wait_for_selector("[aria-label^='mine: text written']:not(.tree-saving)", timeout=20_000)
        page.wait_for_selector("[aria-label='theirs: text b']")
        assert stored(server, "/Alive") == {"mine": "written while it was away", "theirs": "b"}
        context.close()


def test_two_tabs_share_one_stream(new_page, server):
    write(server, "PUT", "/Tabs", {"n": 0})
    page = new_page()
    streams = []
    page.context.on(
        "request", lambda request: streams.append(request) if request.resource_type == "eventsource" else None
    )
    open_tree(page, "/Tabs/n")
    other = page.context.new_page()
    open_tree(other, "/Tabs/n")

    write(server, "PUT", "/Tabs/n", 1)

    for tab in (page, other):
        tab.wait_for_selector("[aria-label='n: 1']")
    assert len(streams) == 1


def test_without_streams_it_is_live_all_the_same(browser, tmp_path):
    with running(tmp_path / "data") as once:
        write(once, "PUT", "/Polled", {"n": 0})
    with running(tmp_path / "data", *GUNICORN) as server:
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        page = context.new_page()
        sign_in(page, server)
        open_tree(page, "/Polled/n")
        for number in range(1, 4):
            write(server, "PUT", "/Polled/n", number)
            page.wait_for_selector(f"[aria-label='n: {number}']", timeout=10_000)
        context.close()


def test_an_empty_memory_begins_with_a_first_key(browser, tmp_path):
    with running(tmp_path / "data") as server:
        for key in stored(server, ""):
            write(server, "DELETE", f"/{key}")
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        page = context.new_page()
        sign_in(page, server)
        open_tree(page)

        page.click("text=Add the first key")
        page.locator(".tree-input").fill("Preferences: {}")
        page.keyboard.press("Enter")

        page.wait_for_function("() => document.activeElement.ariaLabel === 'Preferences: object, 0 members'")
        assert stored(server, "") == {"Preferences": {}}
        write(server, "DELETE", "/Preferences")
        page.wait_for_selector("text=Nothing is known yet")
        context.close()
