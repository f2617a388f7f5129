"""The first screen of the admin in a real browser: it is live, safe, accessible and fits a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import write
from tests.server import manage

LEAVE = (  # as if the page had been closed hours ago, all of it seen
    "from access.models import Visit; from datetime import timedelta; from state import store;"
    " Visit.objects.update(seen=store.head(), seen_at=Visit.objects.get().seen_at - timedelta(hours=3))"
)


def test_it_follows_what_is_written(page, server):
    write(server, "PUT", "/Followed", {"mood": "calm"})
    page.goto("/admin/")
    page.wait_for_selector("#home-recent")
    page.evaluate("document.querySelector('#home-keys').dataset.old = 'yes'")

    write(server, "PUT", "/Followed/mood", "curious <b>")

    page.wait_for_selector("text=set Followed › mood to curious <b>")
    page.get_by_role("link", name="Followed › mood").first.click()
    page.wait_for_function("() => document.activeElement?.ariaLabel?.startsWith('mood:')")


def test_hostile_names_are_inert_and_lead_to_their_place(page, server):
    name = "<img src=x onerror=alert(1)> {{x}} 100% / ~"
    address = "/%3Cimg%20src=x%20onerror=alert(1)%3E%20%7B%7Bx%7D%7D%20100%25%20~1%20~0"
    server.request("PUT", f"/api/state{address}", b'{"in": 1}')
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))

    page.goto("/admin/")
    page.locator(".home-keys").get_by_role("link", name=name).click()

    page.wait_for_function("name => document.activeElement?.ariaLabel?.startsWith(name + ':')", arg=name)


def test_news_leads_to_just_that_in_activity(page, server):
    write(server, "PUT", "/Seen before", 1)
    page.goto("/admin/")
    left = manage(server.data, "shell", "-c", LEAVE)
    assert left.returncode == 0, left.stderr
    write(server, "PUT", "/Come since", 1)

    page.goto("/admin/")
    news = page.get_by_role("region", name="New since your last visit")
    news.get_by_role("listitem").filter(has_text="default").get_by_role("link").click()

    page.wait_for_selector(".act[data-status=live]:not([aria-busy])")
    page.wait_for_selector(".act-row:has-text('Come since')")
    assert page.get_by_label("When").input_value() == "visit"
    assert page.locator(".act-row:has-text('Seen before')").count() == 0
    page.get_by_label("Key").fill("Nothing of that name")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.includes('after=') && location.hash.includes('Nothing')")
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector(".act-row:has-text('Seen before')")
    assert page.locator("option[value=visit]").get_attribute("hidden") is not None


def test_the_figures_of_a_chart_are_a_table_that_keys_reach(page, server):
    for number in range(2):
        write(server, "PUT", "/Counted", number)
    page.goto("/admin/")
    chart = page.locator("section:has(#home-writes)")
    table = chart.get_by_role("table", name="Changes a day, by who made them")
    assert chart.get_by_role("img").get_attribute("aria-label").endswith("The figures stand below.")
    assert not table.is_visible()

    chart.locator("summary").focus()
    page.keyboard.press("Enter")

    rows = table.get_by_role("row").all()
    assert table.get_by_role("columnheader").all_inner_texts()[0] == "Day"
    assert len(rows) == 1 + 7
    counts = [int(text.replace(",", "")) for text in rows[1].get_by_role("cell").all_inner_texts()]
    assert counts[-1] == (sum(counts[:-1]) or counts[-1]) >= 2
    assert chart.locator("svg title").last.text_content().startswith(rows[1].get_by_role("rowheader").inner_text())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(new_page, server, scheme):
    write(server, "PUT", "/Seen", {"a": scheme})
    page = new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page.goto("/admin/")
    page.wait_for_selector("#home-storage")
    for summary in page.locator(".home-figures summary").all():
        summary.click()

    found = Axe().run(page, context=".home")
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
