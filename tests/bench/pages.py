"""What the pages cost with much in the memory: a key of 40,000 members among 5,000 keys, in Chromium.

`python -m tests.bench.pages 0.1` measures with a tenth of that.
"""

import http.client
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page

from tests.bench import servers
from tests.bench.load import cpu_seconds
from tests.bench.servers import Target
from tests.bench.table import Table, number
from tests.browser import chromium, sign_in

MEMBERS, KEYS = 40_000, 5_000
AT_ONCE = 100  # keys in a transaction
MOST = 1.0  # second until the first row
WATCH = """
  window.longTasks = [];
  new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: "longtask", buffered: true });
"""
ROW = ".tree-node[aria-label^='{}:']"
TREE = "/admin/state/tree/"


class Sight(NamedTuple):
    """A page, or something done on it: where, what is awaited, and what is pressed before."""

    name: str
    address: str
    selector: str
    act: Callable[[Page], object] | None = None


class Cost(NamedTuple):
    """Seconds until the first row; CPU seconds of the server; the longest task of the browser and all of them in ms."""

    seconds: float
    server: float
    longest: float
    tasks: float
    elements: int


def sights(members: int, keys: int) -> list[Sight]:
    middle, last = f"member-{members // 2:05}", f"member-{members - 1:05}"
    return [
        Sight("overview", "/admin/", "main .ui-card"),
        Sight("tree", TREE, ".tree-node"),
        Sight("tree, a member in the middle", f"{TREE}#/Big/{middle}", f"{ROW.format(middle)}:focus"),
        Sight("tree, End", TREE, f"{ROW.format(f'key-{keys - 2:05}')}:focus", lambda page: press(page, "End")),
        Sight("tree, a key opened", f"{TREE}#/Big", ROW.format("member-00000"), lambda page: press(page, "ArrowRight")),
        Sight("tree, filter", TREE, f"{ROW.format(last)}.tree-hit", lambda page: filter_by(page, last)),
        Sight("form of a key", "/admin/state/stateentry/Big/change/", "textarea"),
        Sight("activity", "/admin/activity/", ".act-row"),
        Sight("checkpoints", "/admin/checkpoints/", "main .ui-card"),
        Sight("context", "/admin/context/", ".ctx-section"),
        Sight("search", f"/admin/search/?q={last}", ".search-hit"),
    ]  # fmt: skip


def press(page: Page, key: str) -> None:
    page.locator(".tree-node").first.wait_for()
    if page.evaluate("!document.activeElement.matches('.tree-node')"):
        page.locator(".tree-node").first.focus()
    page.keyboard.press(key)


def filter_by(page: Page, words: str) -> None:
    page.wait_for_selector("[data-status=live]")  # before, nothing listens
    page.fill("[data-part=filter]", words)


def fill(target: Target, members: int, keys: int) -> None:
    """One large key, and many small ones."""
    big = {f"member-{n:05}": f"what is known of {n}" for n in range(members)}
    target.ask(target.request("PUT", "/api/state/Big", json.dumps(big).encode()))
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    headers = {"Authorization": target.authorization, "Content-Type": "application/json"}
    for body in transactions(keys - 1):
        connection.request("POST", "/api/transactions", json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == 200, said
    connection.close()


def transactions(keys: int) -> Iterator[dict[str, Any]]:
    for start in range(0, keys, AT_ONCE):
        names = [f"key-{n:05}" for n in range(start, min(keys, start + AT_ONCE))]
        yield {"operations": [{"op": "put", "pointer": f"/{name}", "value": {"about": name, "n": 1}} for name in names]}


def look(browser: Browser, target: Target, state: Any, sight: Sight) -> Cost:
    """Open a page of its own and wait for its first row."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{target.port}", storage_state=state, viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    page.add_init_script(WATCH)
    used, began = cpu_seconds(target.pids[0]), time.perf_counter()
    page.goto(sight.address, wait_until="commit")
    if sight.act:
        sight.act(page)
    page.wait_for_selector(sight.selector, timeout=120_000)
    took = time.perf_counter() - began
    page.wait_for_load_state("load")
    tasks = page.evaluate("longTasks")
    elements = page.evaluate("document.getElementsByTagName('*').length")
    cost = Cost(took, cpu_seconds(target.pids[0]) - used, max(tasks, default=0), sum(tasks), elements)
    context.close()
    return cost


def run(browser: Browser, members: int = MEMBERS, keys: int = KEYS) -> dict[str, Cost]:
    """Measure all of them, as they come."""
    table = Table(
        f"Pages, with a key of {members:,} members among {keys:,} keys", "page", "first row", f"at most {MOST:.0f} s",
        "CPU of the server", "longest task", "all long tasks", "elements", widths=(34, 12, 14, 20, 15, 17, 10),
    )  # fmt: skip
    found = {}
    with servers.nola() as (target, _):
        fill(target, members, keys)
        context = browser.new_context()
        sign_in(context.new_page(), target)
        state = context.storage_state()
        context.close()
        look(browser, target, state, sights(members, keys)[0])  # what is done once only
        for sight in sights(members, keys):
            cost = found[sight.name] = look(browser, target, state, sight)
            table.add(
                sight.name,
                f"{number(cost.seconds)} s",
                "yes" if cost.seconds <= MOST else "NO",
                f"{number(cost.server)} s",
                f"{number(cost.longest)} ms",
                f"{number(cost.tasks)} ms",
                f"{cost.elements:,}",
            )
    return found


def main(part: float = 1) -> None:
    with chromium() as browser:
        run(browser, round(MEMBERS * part), round(KEYS * part))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
