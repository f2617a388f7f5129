"""An hour of live changes, as fast as the pages take them in: what they hold at the end is what they held at first.

`python -m tests.soak.pages 7200` makes a tenth of them.
"""

import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, CDPSession, Page

from tests.browser import chromium, sign_in
from tests.scenario import as_person
from tests.server import KEY, Server, running
from tests.soak.memory import GROWTH, growth

CHANGES = 72_000  # an hour of 20 a second
SAMPLES = 30
WARM_UP = 0.1  # of them, until what is to be kept is kept
BOX, LIST = 50, 20
HELD = {"heap": "JSHeapUsedSize", "nodes": "Nodes", "listeners": "JSEventListeners"}
PAGES = {
    "tree": ("/admin/state/tree/#/Soak/beat", "document.querySelector('.tree-node[aria-label^=\"beat:\"]')"),
    "activity": ("/admin/activity/", "document.querySelector('main')"),
}


class Writer:
    """An agent whose memory never grows, however much it writes: one change a call."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.changes = self._changes()
        box = {f"k{n}": n for n in range(BOX)}
        self.call("PUT", "/Soak", {"box": box, "list": [*range(LIST)], "beat": "begun"})

    def call(self, method: str, pointer: str, value: object = None) -> None:
        body = None if method == "DELETE" else json.dumps(value).encode()
        headers = {"Authorization": f"Bearer {KEY}", "Prefer": "return=minimal"}
        self.connection.request(method, f"/api/state{pointer}", body, headers)
        answer = self.connection.getresponse()
        said = answer.read()
        assert answer.status < 300, said

    def _changes(self) -> Iterator[tuple[str, str, object]]:
        """Set, remove and add members, move items, short and long."""
        turn = 0
        while True:
            turn += 1
            name = f"/Soak/box/k{turn % BOX}"
            yield "PUT", name, f"what is known at {turn} " * (turn % 7)
            yield "PUT", f"{name}", {"n": turn, "of": ["a", "b", turn]}
            yield "DELETE", name, None
            yield "PUT", name, turn
            yield "PUT", "/Soak/list", [(turn + n) % LIST for n in range(LIST)]

    def write(self, count: int) -> None:
        for _ in range(count):
            self.call(*next(self.changes))


def held(session: CDPSession) -> dict[str, float]:
    """What a page holds, once all that nobody needs is gone."""
    for _ in range(2):  # what the first lets go of may have held more
        session.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return {name: metrics[metric] for name, metric in HELD.items()}


def open_pages(browser: Browser, server: Server) -> dict[str, tuple[Page, CDPSession]]:
    """Each in a browser of its own: both are seen, and follow."""
    pages = {}
    for name, (address, _) in PAGES.items():
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        page = context.new_page()
        sign_in(page, server)
        page.goto(address)
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        pages[name] = (page, session)
    return pages


def soak(browser: Browser, server: Server, changes: int, samples: int = SAMPLES) -> dict[str, list[dict[str, float]]]:
    """What each page holds after each part of the changes."""
    writer = Writer(server)
    pages = open_pages(browser, server)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    for sample in range(-1, samples):
        writer.write(round(changes * (WARM_UP if sample < 0 else 1 / samples)))
        as_person(pages["tree"][0], "Soak/beat", f"beat-{sample}")  # stands for itself among what the agent does
        for name, (page, session) in pages.items():
            page.wait_for_function(
                f"(beat) => {PAGES[name][1]}?.textContent.includes(beat)", arg=f"beat-{sample}", timeout=600_000
            )
            if sample >= 0:
                found[name].append(held(session))
                say(f"{name} {sample + 1}/{samples}: " + ", ".join(f"{n} {v:,.0f}" for n, v in found[name][-1].items()))
    return found


def grown(samples: list[dict[str, float]]) -> dict[str, float]:
    return {name: growth([one[name] for one in samples]) for name in HELD}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(changes: int = CHANGES) -> int:
    with TemporaryDirectory() as folder, running(Path(folder) / "data") as server, chromium() as browser:
        found = soak(browser, server, changes)
    worst = 0.0
    for page, samples in found.items():
        for name, grew in grown(samples).items():
            say(f"{page}: {name} grew to {grew:.0%}; at most {GROWTH:.0%} is flat")
            worst = max(worst, grew)
    return int(worst > GROWTH)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES))
