"""Whatever happened before, the rows on the page stand in the order of the API, and say how many are missing where."""

import json
import random
import unicodedata

import pytest

from state.jsondoc.names import caseless_order
from state.pages.tests.tree import clear, focused, item, open_tree, patch, stored, write

ROWS = """() => {
  const rows = (list) => [...list.children].filter((one) => one.matches('.tree-node, .tree-more')).map((one) => {
    if (one.matches('.tree-more')) return parseInt(one.textContent.replaceAll(',', ''));
    const [, name, value] = one.firstElementChild.children;
    const kids = one.querySelector(':scope > ul');
    return [name.textContent, kids ? rows(kids) : value.textContent];
  });
  return rows(document.querySelector('[role=tree]'));
}"""
FIND_APP = "async () => { globalThis.app = (await import('/static/state/tree/main.js')).app; }"
SETTLED = """(head) => {
  const {memory, tree} = globalThis.app;
  return memory.revision >= head && !memory.reads && !tree.unsure.size && !document.querySelector('.tree-saving');
}"""
ACTS = """async ([act, way, word]) => {
  const open = [...document.querySelectorAll('.tree-node[aria-expanded]')].map((one) => app.view.nodeAt(one));
  const one = (list) => list[way % list.length];
  const gaps = [...document.querySelectorAll('.tree-more button')];
  const leaves = [...document.querySelectorAll('.tree-node:not([aria-expanded])')].map((one) => app.view.nodeAt(one));
  const filter = (words) => { app.filter.input.value = words; return app.filter.look(); };
  const node = one(leaves);
  await {
    filter: () => filter(word),
    clear: () => filter(''),
    open: () => app.keys.open(one(open), !one(open).open),
    page: () => gaps.length && one(gaps).click(),
    last: () => one(open).open && app.memory.last(one(open)),
    end: () => app.keys.app.toEnd(),
    link: () => app.actions.reveal(word.split('/')),
    remove: () => node && app.actions.remove(node),
    rename: () => node?.name && app.actions.setName(node, `mine ${way}`),
    up: () => node && app.actions.nudge(node, -1),
    undo: () => app.mine.undo(),
    level: () => app.keys.app.level(2),
    order: () => app.keys.app.order(),
  }[act]();
}"""


def read_all(page, server):
    """Everything, once the page shows it."""
    _, body, headers = server.request("GET", "/api/state")
    page.wait_for_function(SETTLED, arg=int(headers["nola-revision"]))
    value = json.loads(body)
    if page.evaluate("app.tree.order"):
        return {key: value[key] for key in sorted(value, key=caseless_order)}
    return value


def misplaced(rows, value, way: str = "") -> list[str]:
    """Where rows do not tell a value: names and values in order, numbers for what is missing, all accounted for."""
    parts = list(value.items()) if isinstance(value, dict) else [(str(at), one) for at, one in enumerate(value)]
    found, at = [], 0
    for row in rows:
        if isinstance(row, int):
            at += row
            continue
        name, one = parts[at] if at < len(parts) else (None, None)
        if row[0] != name:
            return [f"{way}/{row[0]} is where {name} is"]
        if isinstance(row[1], list):
            found += misplaced(row[1], one, f"{way}/{name}")
        elif not isinstance(one, (dict, list)) and row[1] != (one if isinstance(one, str) else json.dumps(one)):
            found.append(f"{way}/{name} is {one}, not {row[1]}")
        at += 1
    return found if at == len(parts) else [*found, f"{way}: {at} of {len(parts)}"]


def change(server, luck: random.Random, number: int) -> None:
    """A change by somebody else, somewhere in a list or an object, large or small."""
    key = luck.choice(["Long", "Wide", "Small", "Steps"])
    value = stored(server, f"/{key}")
    at, to = luck.randrange(len(value)), luck.randrange(len(value))
    names = list(value)
    name = names[at] if isinstance(value, dict) else at
    new = {"path": f"/new {number}", "position": to} if isinstance(value, dict) else {"path": f"/{to}"}
    moved = {"path": f"/moved {number}", "position": at} if isinstance(value, dict) else {"path": f"/{to}"}
    operations = [
        {"op": "add", **new, "value": f"new pour {number}"},
        {"op": "move", "from": f"/{name}", **moved},
        {"op": "remove", "path": f"/{name}"} if len(value) > 4 else {"op": "add", **new, "value": "again"},
        {"op": "move", "from": f"/{name}", "path": f"/{name}", "position": to}
        if isinstance(value, dict)
        else {"op": "replace", "path": f"/{name}", "value": f"pour {number}"},
    ]
    patch(server, key, luck.choice(operations))


@pytest.fixture(autouse=True)
def memory(server):
    clear(server)
    write(server, "PUT", "/Steps", ["boil water", "grind beans", "pour", "wait", "drink"])
    write(server, "PUT", "/Small", {"z": "1 pour", "b": "2", "a": "3 pour", "10": "4", "2": "5 pour", "c": {"in": "6"}})
    write(server, "PUT", "/Long", [f"{'pour' if n % 97 == 0 else 'item'} {n}" for n in range(700)])
    write(server, "PUT", "/Wide", {f"m{n * 7 % 650}": f"{'pour' if n % 83 == 0 else 'item'} {n}" for n in range(650)})


def test_rows_stand_in_order_after_a_filter_is_cleared(page, server):
    open_tree(page, "/Steps")

    page.keyboard.press("f")
    page.keyboard.type("pour")
    page.wait_for_selector(".tree-hit >> text=pour")
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.querySelectorAll('[aria-label^=\"Steps:\"] li.tree-node').length === 5")

    steps = item(page, "Steps").locator("li.tree-node").evaluate_all("rows => rows.map((row) => row.ariaLabel)")
    assert steps == ["0: text boil water", "1: text grind beans", "2: text pour", "3: text wait", "4: text drink"]


def fill_keys(server, count):
    for start in range(0, count, 128):
        names = [f"key {number:04}" for number in range(start, min(count, start + 128))]
        operations = [{"op": "put", "pointer": f"/{name}", "value": int(name[4:])} for name in names]
        assert server.request("POST", "/api/transactions", json.dumps({"operations": operations}).encode())[0] == 200


@pytest.mark.heavy
@pytest.mark.parametrize(("seed", "keys"), [(0, 0), (1, 0), (2, 700)])
def test_rows_stand_in_order_whatever_happens(page, server, problems, seed, keys):
    luck = random.Random(seed)
    fill_keys(server, keys)
    open_tree(page, "/Steps")
    page.evaluate(FIND_APP)
    done = []

    for number in range(40):
        act = luck.choice(
            ["others"] * 5
            + ["key", "key", "order"]
            + ["filter", "clear", "open", "open", "open", "page", "page", "link", "link", "last", "last", "end", "end"]
            + ["remove", "rename", "up", "undo", "level"]
        )
        far = luck.choice([f"Long/{luck.randrange(650)}", f"Wide/m{luck.randrange(650)}"])
        word = far if act == "link" else luck.choice(["pour", "item 1", "new", "nothing at all"])
        done.append((act, word))
        if act == "others":
            change(server, luck, number)
        elif act == "key":
            name = luck.choice(
                [
                    "Key {}",
                    "key {}",
                    *([f"key {luck.randrange(keys + 2):04}"] * 6 if keys else []),
                    "KEY {}",
                    "long {}",
                    "ΚΛΕΙΣ{}",
                    "κλεις{}",
                    "ΚΛΕΙΣ",
                    "İ{}",
                    "ß{}",
                    "🗝{}",
                    "\uff21{}",
                ]
            )
            there = luck.choice(["PUT", "PUT", "DELETE"])
            name = name.format(luck.randrange(5))
            if there == "PUT" or stored(server, f"/{name}") is not None:
                write(server, there, f"/{name}", number)
        else:
            page.evaluate(ACTS, [act, luck.randrange(10_000), word])
        value = read_all(page, server)
        assert misplaced(page.evaluate(ROWS), value) == [], done
    problems[:] = [one for one in problems if "409" not in one and "404" not in one]  # of names asked for


def test_the_browser_and_the_server_have_the_same_lower_case(page, server):
    """Of all characters that both know."""
    open_tree(page)
    changed = page.evaluate(
        """async () => {
          const { caseless } = await import('/static/state/tree/key_order.js');
          const all = [...Array(0x110000).keys()].filter((code) => code < 0xd800 || code > 0xdfff);
          const found = all.map((code) => [code, caseless(String.fromCodePoint(code))]);
          return found.filter(([code, lower]) => lower !== String.fromCodePoint(code));
        }"""
    )

    ours = {code: caseless_order(chr(code))[0] for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF}
    theirs = {code: lower for code, lower in changed if unicodedata.category(chr(code)) != "Cn"}
    assert theirs == {code: lower for code, lower in ours.items() if lower != chr(code)}


def names_shown(page):
    return page.locator(".tree-list > .tree-node > .tree-row > .tree-name").all_text_contents()


def test_the_order_of_keys_is_chosen_and_remembered(page, server):
    for key in ("alpha", "Beta", "gamma"):
        write(server, "PUT", f"/{key}", {"in": 1})
    open_tree(page, "/gamma/in")

    page.keyboard.press("s")
    page.wait_for_function("() => document.querySelector('.tree-name').textContent === 'alpha'")
    assert focused(page).startswith("in: ")
    assert names_shown(page)[:4] == ["alpha", "Beta", "Context", "gamma"]
    write(server, "PUT", "/apple", 1)
    item(page, "apple").wait_for()
    assert names_shown(page)[:3] == ["alpha", "apple", "Beta"]

    open_tree(page)
    assert names_shown(page)[:3] == ["alpha", "apple", "Beta"]
    assert page.get_by_role("button", name="Aa Zz").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="A Z a z").click()
    page.wait_for_function("() => document.querySelector('.tree-name').textContent === 'Beta'")
    open_tree(page)
    assert names_shown(page)[0] == "Beta"


def test_a_link_far_into_a_list_loads_what_is_around_it_alone(page, server):
    write(server, "PUT", "/Array", [f"item {n}" for n in range(12_000)])
    calls = []
    page.on("request", lambda request: calls.append(request.url) if "view=tree" in request.url else None)

    open_tree(page, "/Array/9000")
    page.evaluate(FIND_APP)
    value = read_all(page, server)

    assert focused(page) == "9000: text item 9000"
    assert len(calls) < 6
    assert page.locator(".tree-more").first.text_content() == "8,700 more"
    assert misplaced(page.evaluate(ROWS), value) == []
    page.locator(".tree-more button >> text=8,700 more").press("Enter")
    page.wait_for_selector(".tree-more >> text=8,500 more", state="attached")
    assert focused(page) == "200: text item 200"


def test_end_leads_to_the_last_key_of_thousands_and_loads_that_page_alone(page, server):
    fill_keys(server, 1280)
    write(server, "PUT", "/z", 1)
    calls = []
    page.on("request", lambda request: calls.append(request.url) if "view=tree" in request.url else None)
    open_tree(page)
    page.evaluate(FIND_APP)
    item(page, "key 0000").focus()
    calls.clear()

    page.keyboard.press("End")
    page.wait_for_function("() => document.activeElement.ariaLabel?.startsWith('z:')")
    assert len(calls) == 1
    assert misplaced(page.evaluate(ROWS), json.loads(server.request("GET", "/api/state")[1])) == []
    count = len(json.loads(server.request("GET", "/api/state")[1]))
    assert page.locator(".tree-more").all_text_contents() == [f"{count - 400:,} more"]
    page.keyboard.press("Home")
    assert focused(page).startswith("Context:")
    page.locator(".tree-more button").press("Enter")
    page.wait_for_selector(f".tree-more >> text={count - 600:,} more", state="attached")


@pytest.mark.parametrize("value", [list(range(5000)), {f"m{n}": n for n in range(5000)}])
def test_end_leads_to_the_last_of_thousands_inside_the_last_key(page, server, problems, value):
    write(server, "PUT", "/z", {"in": value})
    open_tree(page, "/z/in")
    page.evaluate(FIND_APP)
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".tree-more >> text=4,800 more", state="attached")

    page.keyboard.press("End")

    page.wait_for_function("() => /^m?4999:/.test(document.activeElement.ariaLabel)")
    assert page.locator(".tree-more").all_text_contents() == ["4,600 more"]
    page.keyboard.press("o")  # what is typed now comes behind the last one
    page.keyboard.type('"new"' if isinstance(value, list) else "new: 1")
    assert page.evaluate("document.activeElement.closest('.tree-ghost').previousElementSibling.ariaLabel").startswith(
        "4999" if isinstance(value, list) else "m4999"
    )
    page.keyboard.press("Enter")
    item(page, "5000" if isinstance(value, list) else "new").wait_for()
    assert misplaced(page.evaluate(ROWS), read_all(page, server)) == []
    problems[:] = [one for one in problems if "404" not in one]  # of the name asked for
