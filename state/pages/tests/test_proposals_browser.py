"""Deciding about proposals in a real browser, checked through the API."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import stored, write
from tests.server import manage

KEY = "nola_a-key-that-suggests"
MAKE = (
    "from access.models import ApiKey, hash_key;"
    f"ApiKey.objects.create(name='planner', prefix='nola_', sha256=hash_key({KEY!r}), scopes='read suggest')"
)


@pytest.fixture(scope="module")
def suggest(server):
    """Proposes to put a value; the number of the proposal."""
    assert manage(server.data, "shell", "-v0", "-c", MAKE).returncode == 0

    def put(pointer, value):
        status, answer, _ = server.request("PUT", f"/api/state{pointer}", json.dumps(value).encode(), key=KEY)
        assert status == 202, answer
        return json.loads(answer)["proposal"]

    return put


def open_proposal(page, number):
    page.goto(f"/admin/proposals/{number}/")
    page.locator(".prop-op").first.wait_for()


def test_a_person_accepts_some_of_it_from_the_keyboard(page, server, suggest):
    write(server, "PUT", "/Some", {"a": 1, "b": 9007199254740993, "c": {"d": "<i>x</i>"}})
    suggest("/Some", {"a": 2, "b": 9007199254740994, "c": {"d": "<b>y</b>"}})

    page.goto("/admin/")
    page.locator(".home-decisions a[href='/admin/proposals/']").click()
    page.get_by_role("link", name="Some › a").click()
    page.locator(".prop-op").first.wait_for()
    assert "9007199254740994" in page.locator(".prop-op").nth(1).inner_text()
    page.get_by_label("Accept Some › b").focus()
    page.keyboard.press("Enter")  # does nothing, and does not reject
    page.keyboard.press("Space")
    accept = page.get_by_role("button", name="Accept 2 of 3")
    accept.focus()
    page.keyboard.press("Enter")

    page.get_by_text("is accepted, in revision").wait_for()
    assert stored(server, "/Some") == {"a": 2, "b": 9007199254740993, "c": {"d": "<b>y</b>"}}
    page.get_by_text("accepted in part").wait_for()


def test_what_has_changed_since_asks_who_shall_win(page, server, suggest):
    write(server, "PUT", "/Late", {"a": 1, "b": 1})
    number = suggest("/Late", {"a": 2, "b": 2})
    write(server, "PUT", "/Late", {"a": 3, "b": 1})

    open_proposal(page, number)
    accept = page.locator("[data-part=accept]")
    assert accept.is_disabled()
    page.get_by_text("Say above what shall hold.").wait_for()
    page.get_by_label("Accept Late › a").uncheck()
    assert accept.is_enabled()
    page.get_by_label("Accept Late › a").check()
    page.get_by_label("Take the proposal").check()
    accept.click()

    page.get_by_text("is accepted, in revision").wait_for()
    assert stored(server, "/Late") == {"a": 2, "b": 2}


def test_a_person_rejects_it_and_says_why(page, server, suggest):
    write(server, "PUT", "/No", 1)
    number = suggest("/No", 2)

    open_proposal(page, number)
    page.get_by_label("Why you reject it").fill("not so")
    page.get_by_role("button", name="Reject").click()

    page.get_by_text(f"Proposal {number} is rejected").wait_for()
    assert stored(server, "/No") == 1
    answer = json.loads(server.request("GET", f"/api/proposals/{number}", key=KEY)[1])
    assert answer["decided"]["reason"] == "not so"


@pytest.mark.heavy
@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_fit_and_can_be_used_by_all(new_page, server, suggest, look, width):
    key = f"Fit-{look}-{width}"
    write(server, "PUT", f"/{key}", {"a": "a long text " * 30, "b": [1, 2, 3]})
    number = suggest(f"/{key}", {"a": "a longer text " * 30, "b": [3], "c": {"d" * 60: "e" * 200}})
    write(server, "PUT", f"/{key}", {"a": "", "b": [1, 2, 3]})
    page = new_page(viewport={"width": width, "height": 800}, color_scheme=look)

    for address in ("/admin/proposals/", f"/admin/proposals/{number}/"):
        page.goto(address)
        page.locator(".prop-row, .prop-op").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page, context=".prop-page").response["violations"]
        assert [one["id"] for one in found] == []
