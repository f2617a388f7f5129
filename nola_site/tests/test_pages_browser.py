"""Every page there is, with much in the memory and with nothing, can be seen and used by everybody."""

import json

import pytest

from tests.pages import START, find_pages, press_all, too_wide, violations, visit, walk
from tests.scenario import play
from tests.server import running

FOREIGN = {"api:openapi-view"}  # not made of our own parts
WIDE = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "reduced_motion": "reduce"}


@pytest.fixture(scope="module", params=["filled", "empty"])
def server(request, tmp_path_factory):
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        if request.param == "filled":
            play(server)
        else:
            for key in json.loads(server.request("GET", "/api/state")[1]):
                assert server.request("DELETE", f"/api/state/{key}")[0] == 204
        yield server


@pytest.fixture(scope="module")
def pages(browser, server, session):
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", storage_state=session)
    yield find_pages(context.new_page())
    context.close()


class Faults(list):
    """What is wrong, with the address of the page."""

    def note(self, address, found):
        self += [f"{address} {one}" for one in found]

    def end(self):
        assert not self, "\n" + "\n".join(self)

    def heed_answers(self, page):
        page.on("response", lambda one: self.note(page.url, [f"{one.status} {one.url}"] if one.status >= 400 else []))


@pytest.fixture
def faults():
    return Faults()


@pytest.mark.heavy
@pytest.mark.parametrize("look", [WIDE, PHONE], ids=["wide and light", "phone and dark"])
def test_pages_are_accessible(new_page, pages, faults, look):
    page = new_page(**look)
    faults.heed_answers(page)
    other = WIDE if look is PHONE else PHONE
    for view, address in pages.items():
        visit(page, address)
        if view in FOREIGN:
            continue
        faults.note(address, violations(page))
        faults.note(address, walk(page))
        if look is PHONE:
            faults.note(address, page.evaluate("pageChecks.moving()"))
        page.set_viewport_size(other["viewport"])
        faults.note(address, violations(page))
        page.set_viewport_size(look["viewport"])
    faults.end()


@pytest.mark.heavy
def test_pages_fit_phones_and_large_letters(new_page, pages, faults):
    page = new_page(device_scale_factor=2)
    for address in pages.values():
        visit(page, address)
        faults.note(address, too_wide(page, 1440, letters="200%"))
        faults.note(address, too_wide(page, 720, 450))  # 1440 at a zoom of 200 %
        faults.note(address, too_wide(page, 390))
        faults.note(address, too_wide(page, 320))
    faults.end()


@pytest.mark.heavy
def test_what_opens_above_a_page_closes_and_gives_the_focus_back(new_page, pages, faults, problems):
    page = new_page(**WIDE)
    for view, address in pages.items():
        if view not in FOREIGN:
            visit(page, address)
            faults.note(address, press_all(page, address))
    faults.end()
    problems[:] = [one for one in problems if "409" not in one]  # an undo of what later changes build on


def test_all_that_the_sidebar_names_is_among_them(page, pages):
    page.goto(START)
    named = page.evaluate("[...document.querySelectorAll('#nav-sidebar a[href]')].map((one) => one.pathname)")

    assert {*named} <= {*pages.values()}
    assert len(pages) >= len({*named}) + 5  # forms and things of their own are found as well


def test_the_first_tab_leads_past_the_frame(page, pages):
    visit(page, START)

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.closest('#content') !== null")
