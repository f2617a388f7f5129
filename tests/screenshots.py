"""`make screenshots`: the pictures of the docs, taken from a server with its seeds and a few changes."""

import tempfile
from pathlib import Path

from tests.browser import chromium, sign_in
from tests.server import ROOT, running

SHOTS = [
    ("edit-light", "/admin/state/stateentry/Identity/change/", "light", 1280),
    ("keys-dark", "/admin/state/stateentry/", "dark", 1280),
    ("history-light", "/admin/state/revision/", "light", 1280),
    ("edit-phone", "/admin/state/stateentry/Identity/change/", "dark", 390),
]
CHANGES = [
    ("Identity/owner/name", b'"Ada"'),
    ("Identity/owner/time_zone", b'"Europe/London"'),
    ("Preferences", b'{"theme":{"accent":"violet"},"reply_length":"short"}'),
    ("Context/tasks/0", b'{"title":"Plan the reading group","due":"2026-12-01","done":false}'),
    ("Preferences/reply_length", b'"medium"'),
]


def main() -> None:
    folder = ROOT / "docs" / "images"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, running(Path(scratch) / "data") as server, chromium() as browser:
        for path, body in CHANGES:
            server.request("PUT", f"/api/state/{path}", body)
        for name, path, scheme, width in SHOTS:
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page = context.new_page()
            sign_in(page, server)
            page.goto(f"http://127.0.0.1:{server.port}{path}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=folder / f"{name}.png")
            context.close()


if __name__ == "__main__":
    main()
