"""The page that connects an agent in a browser: it copies, and the first call is seen."""

import uuid

import pytest
from axe_playwright_python.sync_playwright import Axe


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_fits_a_phone_and_copies(new_page, scheme):
    page = new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/admin/connect/")
    for summary in page.locator("summary").all():
        summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    found = Axe().run(page, context=".connect")
    assert found.violations_count == 0, found.generate_report()
    page.get_by_role("button", name="Copy Zed: settings.json").click()
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.get_by_role("status").filter(has_text="It is copied").count() == 1
    assert '"context_servers"' in page.evaluate("navigator.clipboard.readText()")


def test_the_first_call_is_seen_as_it_comes(page, server):
    page.goto("/admin/connect/")
    page.wait_for_selector("text=Waiting for a call …")

    server.request("GET", "/api/state")

    page.wait_for_selector("text=First call received, from default.")


def test_a_new_key_is_copied_with_a_click_and_as_a_line_to_keep(new_page):
    page = new_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/admin/access/apikey/add/")
    page.fill("#id_name", f"copied-{uuid.uuid4().hex}")
    page.get_by_role("button", name="Save", exact=True).click()
    key = page.locator("#key-text").inner_text()

    page.get_by_role("button", name="Copy the key").click()
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.get_by_role("button", name="Copy: keep the key").click()
    page.locator("[data-copy=key-export]", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"export MEMORY_KEY={key}"
    assert page.locator("[data-copy=key-text]").inner_text() == "Copy"
