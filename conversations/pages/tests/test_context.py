"""The page where a context is tried out, in a browser on a live server; and receipts, which outlive that server."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.server import running

READY = "[data-part=result]:not([aria-busy])"
PROFILE = {"level_1": "a mathematician", "level_2": "a mathematician who wrote programs", "level_3": {"born": 1815}}
SAID = [{"speaker": "user", "message": f"message {n} about pears"} for n in range(8)]


@pytest.fixture(scope="module")
def told(server):
    """A server that knows a few things."""
    put(server, "/Profile", {"name": "Ada", "about": PROFILE})
    put(server, "/Long", {"level_1": "short", "level_2": "words " * 60})
    put(server, "/Hostile", {"<img src=x onerror=alert(1)>": "<script>alert(2)</script>"})
    assert server.request("POST", "/api/conversations/trip/messages", json.dumps(SAID).encode())[0] == 201
    return server


def put(server, pointer, value):
    assert server.request("PUT", f"/api/state?pointer={pointer}", json.dumps(value).encode())[0] in (200, 201)


def api(server, path):
    status, body, _ = server.request("GET", path)
    assert status == 200
    return body.decode()


def open_page(page, query=""):
    page.goto("about:blank")
    page.goto(f"/admin/context/#{query}")
    page.wait_for_selector(READY)


def part(page, name):
    return page.locator(f"[data-part={name}]")


def test_the_page_shows_what_the_api_gives(told, page):
    open_page(page, "key=Profile&pointer=/Long&budget=170&conversation=trip&q=pears")

    expected = api(told, "/api/context?key=Profile&pointer=/Long&budget=170&conversation=trip&q=pears&format=markdown")
    assert part(page, "text").text_content() == expected
    assert page.locator(".ctx-chip span").first.text_content() == "Profile"
    names = page.locator("[data-part=sections] .ctx-name").all_text_contents()
    assert names == ["Profile", "Long", "trip", "Found for pears"]
    assert page.locator("[data-part=sections] .ctx-name").first.get_attribute("href") == "/admin/state/tree/#/Profile"
    expect(part(page, "left_out")).to_contain_text("older message")


def test_it_is_worked_by_keyboard_and_keeps_what_is_asked_for_in_its_address(told, page):
    open_page(page)
    page.focus("#ctx-add")
    page.keyboard.type("Profile\n/Long\n")
    expect(page.locator("[data-part=sections] .ctx-name")).to_have_text(["Profile", "Long"])
    page.keyboard.press("Backspace")
    expect(page.locator("[data-part=sections] .ctx-name")).to_have_text(["Profile"])
    expect(part(page, "text")).to_contain_text("born: 1815")

    page.focus("input[name=level]:checked")
    page.keyboard.press("ArrowLeft")
    expect(part(page, "text")).to_contain_text("who wrote programs")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    expect(part(page, "left_out")).to_contain_text("it takes")
    expect(part(page, "sections")).to_have_text("Nothing fits into this budget.")

    asked = dict(parse_qsl(urlsplit(page.url).fragment))
    assert (asked["key"], asked["level"], asked["budget"]) == ("Profile", "2", "2")
    page.reload()
    page.wait_for_selector(READY)
    assert page.locator("#ctx-budget").input_value() == "2"
    expect(page.locator(".ctx-chip")).to_have_count(1)


def test_a_late_answer_does_not_replace_a_newer_one(told, page):
    held = []
    page.route("**/api/context?*budget=77&*", lambda route: held.append(route))
    open_page(page, "key=Profile&budget=500")
    with page.expect_request("**/api/context?*budget=77&*") as slow:
        page.fill("#ctx-budget", "77")
    with page.expect_event("requestfailed", lambda request: request == slow.value):
        page.fill("#ctx-budget", "600")
    expect(part(page, "sum")).to_contain_text("of 600 tokens")

    assert len(held) == 1
    assert part(page, "result").get_attribute("aria-busy") is None


def test_typing_asks_once_it_pauses(told, page):
    open_page(page, "key=Profile")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/api/context?" in request.url else None)

    page.evaluate("""() => {
      const budget = document.getElementById("ctx-budget");
      for (const value of ["1", "12", "123", "1234"]) {
        budget.value = value;
        budget.dispatchEvent(new InputEvent("input", { bubbles: true }));
      }
    }""")
    expect(part(page, "sum")).to_contain_text("of 1,234 tokens")

    assert len(asked) == 1


def test_what_cannot_be_asked_for_is_told_and_what_was_shown_stays(told, page, problems):
    open_page(page, "key=Profile")
    text = part(page, "text").text_content()

    page.fill("#ctx-conversation", "nothing")
    expect(part(page, "problem")).to_have_text("There is no conversation 'nothing'.")
    assert part(page, "text").text_content() == text
    page.fill("#ctx-conversation", "")
    expect(part(page, "problem")).to_be_hidden()
    assert all("404" in one for one in problems)
    problems.clear()


def test_json_is_shown_and_copied_to_the_letter(told, new_page):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    open_page(page, "key=Hostile&key=Profile&format=json")
    expected = json.loads(api(told, "/api/context?key=Hostile&key=Profile&format=json"))["text"]

    part(page, "copy").click()
    expect(part(page, "copy")).to_have_text("Copied")

    assert part(page, "text").text_content() == page.evaluate("navigator.clipboard.readText()") == expected
    assert page.locator("#ctx img, #ctx script").count() == 0


def test_a_receipt_is_kept_and_shows_what_was_given_then(told, page):
    put(told, "/Then", "as it was")
    open_page(page, "key=Then&format=markdown&budget=50")
    part(page, "keep").click()
    page.wait_for_function("() => location.hash.startsWith('#receipt=')")
    expect(part(page, "receipt")).to_contain_text("what you were given")
    put(told, "/Then", "as it is now")

    page.reload()
    page.wait_for_selector(READY)

    expect(part(page, "text")).to_have_text("## Then\n\nas it was\n")
    first = part(page, "receipts").locator("li").first
    expect(first).to_contain_text("You")
    assert (
        first.locator("a").get_attribute("href") == urlsplit(page.url)._replace(scheme="", netloc="", path="").geturl()
    )
    page.click("text=Ask for the same now")
    expect(part(page, "text")).to_contain_text("as it is now")
    assert page.locator("#ctx-budget").input_value() == "50"


def test_the_weights_are_made_where_there_are_none_and_edited_in_the_tree(told, page):
    open_page(page)
    part(page, "weights").click()
    page.wait_for_selector(".tree-node[aria-label^='ContextWeights:']")
    put(told, "/ContextWeights", {"Profile": 0})

    open_page(page)

    expect(part(page, "left_out")).to_contain_text("its weight in ContextWeights is 0")
    part(page, "weights").click()
    page.wait_for_selector(".tree-node[aria-label^='ContextWeights:']")
    assert api(told, "/api/state/ContextWeights") == '{"Profile":0}'
    told.request("DELETE", "/api/state/ContextWeights")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_the_page_is_accessible_and_fits(told, new_page, scheme, width):
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    open_page(page, "key=Profile&key=Long&key=None&budget=60&conversation=trip&q=pears")

    violations = Axe().run(page, context="#ctx").response["violations"]

    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_thousands_of_keys_fit_the_page(server, new_page):
    for start in range(0, 3072, 128):
        operations = [{"op": "put", "pointer": f"/key {n}", "value": n} for n in range(start, start + 128)]
        assert server.request("POST", "/api/transactions", json.dumps({"operations": operations}).encode())[0] == 200
    page = new_page(viewport={"width": 1440, "height": 900})

    open_page(page, "budget=100000")
    page.wait_for_selector("[data-part=sections] >> text=Show more")

    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    stack = page.locator("[data-part=stack]")
    assert stack.evaluate(
        "stack => stack.lastChild.offsetLeft + stack.lastChild.offsetWidth <= stack.offsetLeft + stack.offsetWidth"
    )
    rows = page.locator("[data-part=sections] > .ctx-section")
    assert rows.count() == 100
    page.locator("[data-part=sections] >> text=Show more").click()
    assert rows.count() == 200


@pytest.mark.process
def test_a_receipt_outlives_the_server_and_what_it_was_made_of(tmp_path):
    with running(tmp_path / "data") as server:
        put(server, "/Profile", PROFILE)
        server.request("POST", "/api/conversations/trip/messages", json.dumps(SAID).encode())
        status, given, headers = server.request("POST", "/api/context", b'{"conversation":"trip","q":"pears"}')
        assert status == 201
        server.request("DELETE", "/api/state/Profile")
        server.request("DELETE", "/api/conversations/trip")
        server.kill()
        server.start()

        assert server.request("GET", headers["location"])[:2] == (200, given)
