"""The owner at work in a real browser, checked through the API."""

import json

import pytest
from playwright.sync_api import Page

from tests.browser import sign_in
from tests.server import Server


def open_key(page: Page, key: str) -> None:
    page.goto("/admin/state/stateentry/")
    page.get_by_role("link", name=key, exact=True).click()
    page.wait_for_selector("textarea[name=value]")


def value_of(server: Server, key: str) -> object:
    return json.loads(server.request("GET", f"/api/state/{key}")[1])


def test_an_edit_in_the_browser_is_in_the_next_get(page, server):
    server.request("PUT", "/api/state/Edited", b'{"mood":"calm","n":1.0}')
    open_key(page, "Edited")

    page.fill("textarea[name=value]", '{\n  "mood": "curious 😀",\n  "n": 1.0\n}')
    page.fill("input[name=reason]", "it told me")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/state/stateentry/")

    assert server.request("GET", "/api/state/Edited")[1] == '{"mood":"curious 😀","n":1.0}'.encode()
    page.goto("/admin/activity/#key=Edited")
    page.locator(".act-row").first.get_by_text("it told me").wait_for()
    assert page.locator(".act-row strong").first.inner_text() == "You"


def test_a_bad_document_is_shown_with_its_place_and_kept(page, server):
    server.request("PUT", "/api/state/Broken", b"{}")
    open_key(page, "Broken")

    page.fill("textarea[name=value]", '{\n  "a": 1,\n  "a": 2\n}')
    page.get_by_role("button", name="Save", exact=True).click()

    page.wait_for_selector('text=line 3, column 3, inside /a: the name "a" stands twice in one object')
    assert page.input_value("textarea[name=value]") == '{\n  "a": 1,\n  "a": 2\n}'
    assert value_of(server, "Broken") == {}


def test_a_form_that_was_overtaken_is_refused_and_kept(page, server):
    server.request("PUT", "/api/state/Raced", b'{"by":"nobody"}')
    open_key(page, "Raced")
    server.request("PUT", "/api/state/Raced/by", b'"the agent"')

    page.fill("textarea[name=value]", '{"by": "me"}')
    page.get_by_role("button", name="Save", exact=True).click()

    page.wait_for_selector("text='Raced' was changed by key:default")
    assert page.input_value("textarea[name=value]") == '{"by": "me"}'
    assert value_of(server, "Raced") == {"by": "the agent"}


def test_a_key_is_added_and_deleted(page, server):
    page.goto("/admin/state/stateentry/add/")
    page.fill("input[name=key_name]", "a/new key")
    page.fill("textarea[name=value]", "[1, 2]")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/state/stateentry/")
    assert value_of(server, "a~1new%20key") == [1, 2]

    open_key(page, "a/new key")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_url("**/admin/state/stateentry/")
    assert server.request("GET", "/api/state/a~1new%20key")[0] == 404


def test_what_agents_write_is_inert(page, server):
    hostile = {"<img src=x onerror=alert(1)>": "</textarea><script>alert(2)</script>{{x}}"}
    server.request("PUT", "/api/state/<b onclick=alert(0)>".replace(" ", "%20"), json.dumps(hostile).encode())
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))

    page.goto("/admin/activity/")
    page.wait_for_selector(".act-row")
    open_key(page, "<b onclick=alert(0)>")

    assert json.loads(page.input_value("textarea[name=value]")) == hostile


@pytest.mark.parametrize("path", ["/admin/", "/admin/state/stateentry/", "/admin/state/stateentry/Identity/change/"])
def test_pages_fit_a_phone(page, path):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_follows_changes_with_its_session_and_comes_back_after_the_server_died(browser, server):
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
    page = context.new_page()  # not the fixture: a browser logs a lost connection as an error
    sign_in(page, server)
    page.evaluate(
        """() => {
            window.seen = [];
            const source = new EventSource("/api/changes?key=Watched");
            source.addEventListener("hello", () => window.seen.push("hello"));
            source.onmessage = (event) => window.seen.push(JSON.parse(event.data).revision);
        }"""
    )
    page.wait_for_function("() => window.seen.length == 1")
    first = int(server.request("PUT", "/api/state/Watched", b"1")[2]["nola-revision"])
    page.wait_for_function("() => window.seen.length == 2")

    server.kill()
    server.start()
    second = int(server.request("PUT", "/api/state/Watched", b"2")[2]["nola-revision"])
    page.wait_for_function("() => window.seen.length == 3")

    assert page.evaluate("window.seen") == ["hello", first, second]
    context.close()
