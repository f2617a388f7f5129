"""The search that `/` opens on every page, in a real browser."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from state.pages.tests.tree import write

FIELD, HIT = "#nola-search input[name=q]", "#nola-search .search-hit"
CHOSEN = "#nola-search [aria-selected=true]"


def say(server, session, *texts, **more):
    body = {"session_id": session, "messages": [{"speaker": "user", "message": text} for text in texts], **more}
    status, text, _ = server.request("POST", "/api/conversations", json.dumps(body).encode())
    assert status == 201, text


def search(page, words):
    """Open the search by its key, and wait for the answer to these words."""
    page.keyboard.press("/")
    page.wait_for_selector("#nola-search[open]")
    page.keyboard.type(words)
    page.wait_for_selector(f"{CHOSEN}:has(mark)")


def goto(page, address):
    """Go to a page of the admin, and wait until the theme shows it."""
    page.goto(address)
    page.wait_for_function("() => document.querySelector('#main')?.clientHeight > 0")


def list_pages(page):
    goto(page, "/admin/")
    links = page.eval_on_selector_all("#nav-sidebar a[href^='/admin/']", "all => all.map((one) => one.pathname)")
    return [one for one in dict.fromkeys(links) if "logout" not in one]


def test_it_opens_on_every_page_and_gives_the_focus_back(page, server):
    pages = list_pages(page)
    assert len(pages) >= 12

    for address in pages:
        goto(page, address)
        page.evaluate("document.activeElement.blur(); document.querySelector('.search-open').focus()")
        page.keyboard.press("/")
        page.wait_for_selector("#nola-search[open]")
        assert page.evaluate("document.activeElement.name") == "q", address
        assert page.input_value(FIELD) == "", address
        page.keyboard.press("Escape")
        page.wait_for_selector("#nola-search", state="hidden")
        assert page.evaluate("document.activeElement.className.includes('search-open')"), address


def test_it_does_not_open_while_one_types(page, server):
    goto(page, "/admin/search/")
    page.locator(".search-page input[name=q]").press("/")

    assert page.input_value(".search-page input[name=q]") == "/"
    assert not page.locator("#nola-search").is_visible()


def test_enter_leads_to_the_node_in_the_tree(page, server):
    write(server, "PUT", "/Quokka", {"home": {"isle": "rottnest sand"}})
    goto(page, "/admin/activity/")

    search(page, "rottn")
    assert page.locator(CHOSEN).locator("mark").inner_text() == "rottnest"
    page.keyboard.press("Enter")

    page.wait_for_url("**/admin/state/tree/#/Quokka/home/isle")
    page.wait_for_function("() => document.activeElement.ariaLabel === 'isle: text rottnest sand'")


def test_in_the_tree_it_leads_to_another_node_of_it(page, server):
    write(server, "PUT", "/Wombat", {"burrow": {"deep": "wombat tunnels"}, "other": 1})
    goto(page, "/admin/state/tree/#/Wombat/other")
    page.wait_for_function("() => document.activeElement.ariaLabel === 'other: 1'")

    search(page, "tunnels")
    page.keyboard.press("Enter")

    page.wait_for_function("() => document.activeElement.ariaLabel === 'deep: text wombat tunnels'")
    assert not page.locator("#nola-search").is_visible()


def test_enter_leads_to_the_message_with_its_words_marked(page, server):
    say(server, "numbat", *[f"line {n}" for n in range(150)], "the numbat eats termites", *["more"] * 40)
    goto(page, "/admin/")

    search(page, "termit")
    page.keyboard.press("Enter")

    page.wait_for_selector(".is-target:has-text('the numbat eats termites')")
    page.wait_for_function("() => [...CSS.highlights.get('nola-hit') ?? []].map(String).includes('termites')")


def test_arrows_choose_and_go_round(page, server):
    for name in ("Dingo one", "Dingo two", "Dingo three"):
        write(server, "PUT", f"/{name}", 1)
    goto(page, "/admin/")
    search(page, "dingo")
    names = page.locator(f"{HIT} .search-name").all_inner_texts()

    seen = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        seen.append(page.locator(CHOSEN).locator(".search-name").inner_text())
        assert page.get_attribute(FIELD, "aria-activedescendant") == page.get_attribute(CHOSEN, "id")
        page.keyboard.press(key)

    assert names == ["Dingo one", "Dingo two", "Dingo three"]
    assert seen == [*names, names[0]]
    assert page.locator(CHOSEN).locator(".search-name").inner_text() == names[2]


def test_what_is_typed_on_is_what_enter_opens(page, server):
    """However fast: an answer to less than what stands in the field opens nothing."""
    write(server, "PUT", "/Emu", 1)
    write(server, "PUT", "/Emus all", {"x": 2})
    goto(page, "/admin/")
    search(page, "emu")

    page.keyboard.type("s a")
    page.keyboard.press("Enter")

    page.wait_for_url("**/admin/state/tree/#/Emus%20all")


def test_an_answer_that_was_overtaken_is_not_shown(page, server):
    write(server, "PUT", "/Skink", "lizard")
    goto(page, "/admin/")
    late = []
    page.route("**/search/hits?q=liz", lambda route: late.append(route))
    page.keyboard.press("/")
    page.keyboard.type("liz")
    page.wait_for_function("() => document.querySelector('#nola-search').ariaBusy === 'true'")

    page.fill(FIELD, "skink")
    page.wait_for_selector(f"{CHOSEN}:has-text('Skink')")

    expect(page.locator(f"{HIT} .search-name").first).to_have_text("Skink")
    assert len(late) == 1


def test_searches_are_remembered_for_this_person_alone(page, server):
    write(server, "PUT", "/Bilby", {"ears": "long bilby ears"})
    goto(page, "/admin/")
    for number in range(9):
        page.evaluate(
            "n => import('/static/nola/search/recent.js').then(({Recent}) => new Recent('other').add(`secret ${n}`))",
            number,
        )
    page.keyboard.press("/")
    page.wait_for_selector("#nola-search[open]")
    expect(page.locator(".search-nothing")).to_contain_text("Finds keys")
    page.keyboard.type("bilby")
    page.wait_for_selector(f"{CHOSEN}:has(mark)")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/Bilby")

    goto(page, "/admin/")
    page.keyboard.press("/")
    expect(page.locator(HIT)).to_have_text(["historybilby"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{CHOSEN}:has(mark)")
    page.fill(FIELD, "")
    page.get_by_role("button", name="Clear recent searches").click()

    expect(page.locator(HIT)).to_have_count(0)
    stored = page.evaluate("Object.fromEntries(Object.entries(localStorage).filter(([n]) => n.startsWith('nola-')))")
    assert list(stored) == ["nola-searches-other"]
    assert json.loads(stored["nola-searches-other"]) == [f"secret {n}" for n in range(8, 0, -1)]


def test_all_hits_and_nothing_found_lead_to_the_page(page, server):
    write(server, "PUT", "/Quoll", {f"n{n}": "quoll spots" for n in range(12)})
    goto(page, "/admin/")
    search(page, "quoll")
    page.get_by_role("button", name="All hits").click()
    page.wait_for_url("**/admin/search/?q=quoll")
    page.get_by_role("link", name="All values").click()
    expect(page.locator(".search-page li")).to_have_count(12)

    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.fill(FIELD, "zzqqzz")
    expect(page.locator(".search-nothing")).to_have_text("Nothing has “zzqqzz” in it.")
    expect(page.locator(".search-said")).to_contain_text("Not searched: what was deleted")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/search/?q=zzqqzz")


def test_hostile_texts_are_inert(page, server):
    hostile = "<img src=x onerror=alert(1)> {{x}} tapir"
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    write(server, "PUT", "/<img src=x onerror=alert(1)> tapir", hostile)
    say(server, "tapir", hostile, title=hostile)
    goto(page, "/admin/")

    search(page, "tapir")

    assert page.locator(f"{HIT} img").count() == 0
    assert page.locator(HIT).count() == 4


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_accessible_and_fits(new_page, server, scheme, width):
    write(server, "PUT", "/Potoroo", {"x" * 200: "the potoroo " * 30, "a": {"b": {"c": "potoroo"}}})
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    goto(page, "/admin/")

    if width < 640:
        page.get_by_role("link", name="Search").locator("visible=true").first.click()
        page.wait_for_selector("#nola-search[open]")
        page.keyboard.type("potoroo")
        page.wait_for_selector(f"{CHOSEN}:has(mark)")
        box = page.locator("#nola-search").bounding_box()
        assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 800)
        targets = page.locator("#nola-search").locator("a, button, input").locator("visible=true").all()
        assert [one for one in targets if one.bounding_box()["height"] < 44] == []
    else:
        search(page, "potoroo")
    found = Axe().run(page, context="#nola-search")
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.querySelector('#nola-search').scrollWidth") <= width

    goto(page, "/admin/search/?q=potoroo")
    found = Axe().run(page, context=".search-page")
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    goto(page, "/admin/search/?q=potoroo&in=messages")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
