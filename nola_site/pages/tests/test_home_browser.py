"""The first screen of the admin in a real browser: it is live, safe, accessible and fits a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import write


def test_it_follows_what_is_written(page, server):
    write(server, "PUT", "/Followed", {"mood": "calm"})
    page.goto("/admin/")
    page.wait_for_selector("#home-recent")
    page.evaluate("document.querySelector('#home-keys').dataset.old = 'yes'")

    write(server, "PUT", "/Followed/mood", "curious <b>")

    page.wait_for_selector("text=set Followed › mood to curious <b>")
    page.get_by_role("link", name="Followed › mood").first.click()
    page.wait_for_function("document.activeElement?.ariaLabel?.startsWith('mood:')")


def test_hostile_names_are_inert_and_lead_to_their_place(page, server):
    name = "<img src=x onerror=alert(1)> {{x}} 100% / ~"
    address = "/%3Cimg%20src=x%20onerror=alert(1)%3E%20%7B%7Bx%7D%7D%20100%25%20~1%20~0"
    server.request("PUT", f"/api/state{address}", b'{"in": 1}')
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))

    page.goto("/admin/")
    page.locator(".home-keys").get_by_role("link", name=name).click()

    page.wait_for_function("name => document.activeElement?.ariaLabel?.startsWith(name + ':')", arg=name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(new_page, server, scheme):
    write(server, "PUT", "/Seen", {"a": scheme})
    page = new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page.goto("/admin/")
    page.wait_for_selector("#home-storage")

    found = Axe().run(page, context=".home")
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
