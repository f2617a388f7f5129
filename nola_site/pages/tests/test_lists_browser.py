"""Every list in a real browser, on a phone and at a desk, with long and odd names: one component, the same laws."""

import json

import pytest

from tests.server import manage

LONG = "a-name-that-does-not-end-" * 5
SIZES = [(390, 844), (800, 700), (1300, 800), (1440, 900)]  # of a phone, a tablet, a laptop, a desk
LISTS = {
    "keys": "/admin/state/stateentry/",
    "conversations": "/admin/conversations/conversation/",
    "api keys": "/admin/access/apikey/",
    "people": "/admin/auth/user/",
    "security log": "/admin/access/securityevent/",
    "checkpoints": "/admin/checkpoints/",
    "proposals": "/admin/proposals/",
}
SUGGESTS = "nola_a-key-that-may-suggest"
MAKE = f"""
from django.contrib.auth.models import User, Group
from access.models import ApiKey, hash_key
ApiKey.objects.create(name='crawler', prefix='nola_a-ke', sha256=hash_key({SUGGESTS!r}), scopes='suggest')
ApiKey.objects.create(name={LONG!r}[:60], prefix='nola_abcd', sha256='0' * 64,
    scopes='read:state write:state read:conversations', expires_at='2031-01-01T00:00Z',
    places='["/Persona", "/Tasks/open"]', user_id={LONG!r})
User.objects.create(username='zoe', is_staff=True).groups.set(Group.objects.all())
User.objects.create(username={LONG!r})
"""
UNFIT = """() => {
  const wrong = [], width = document.documentElement.clientWidth;
  const isPhone = document.querySelector(".ui-list").clientWidth <= 896;
  const say = (what, one) => wrong.push(`${what}: ${one.outerHTML.slice(0, 160)}`);
  const wide = document.documentElement.scrollWidth;
  if (wide > width) wrong.push(`the page is ${wide} wide`);
  const seen = (one) => one.getClientRects().length > 0;
  for (const one of [...document.querySelectorAll(".ui-list *")].filter(seen)) {
    const box = one.getBoundingClientRect();
    if (box.right > width + 0.5 || box.left < -0.5) say("beyond the page", one);
    if (one.matches("time") && one.getClientRects().length > 1) say("a date in two lines", one);
    if (!isPhone || one.closest(".ui-list-note, .ui-list-count")) continue;
    if (one.matches("a, button, summary, .ui-list-pick label")) {
      const row = one.closest("tbody tr");
      if ((row && !one.matches("label") ? row : one).getBoundingClientRect().height < 44) say("hard to touch", one);
    }
  }
  for (const row of document.querySelectorAll(".ui-list-table tbody tr:not(.ui-list-note)")) {
    const tops = new Set([...row.children].filter((one) => seen(one) && !one.matches(".ui-list-pick"))
      .filter((one) => one.getBoundingClientRect().top < row.getBoundingClientRect().bottom - 1)
      .map((one) => Math.round(one.getBoundingClientRect().top / 8)));
    if (tops.size > (isPhone ? 2 : 1)) say(`${tops.size} lines`, row);
    const high = row.getBoundingClientRect().height;
    if (high > (isPhone ? 61 : 42)) say(`${high} high`, row);
  }
  if (!document.querySelector(".ui-list-table tbody tr")) wrong.push("no row");
  return wrong;
}"""


def call(server, method, path, body=None, key=None):
    status, answer, _ = server.request(
        method, path, None if body is None else json.dumps(body).encode(), *filter(None, [key])
    )
    assert status < 300, answer


@pytest.fixture(scope="module")
def full(server):
    """A memory with something in each list."""
    for name in (LONG, "%C3%9Cberlegungen", "%F0%9F%98%80", "%20%20", *(f"Listed%20{n}" for n in range(60))):
        call(server, "PUT", f"/api/state/{name}", {"text": LONG})
    for n in range(3):
        said = [{"speaker": "user", "message": f"{LONG} {n}"}] * (n + 1)
        call(server, "POST", f"/api/conversations/listed-{n}-{LONG if n else ''}/messages", said)
    for name, parts in ((LONG[:90], True), ("small", False)):
        call(server, "POST", "/api/checkpoints", {"name": name, "why": LONG, "conversations": parts})
    made = manage(server.data, "shell", "-c", MAKE)
    assert made.returncode == 0, made.stderr
    call(server, "PUT", f"/api/state/{LONG}/text", "short", SUGGESTS)
    call(server, "PUT", "/api/state/Listed%201/text", "short", SUGGESTS)
    return server


def names(page):
    return [
        name.strip() for name in page.locator(".ui-list-table").first.locator("tbody .ui-list-name").all_inner_texts()
    ]


@pytest.mark.parametrize("name", LISTS)
def test_nothing_is_wider_than_the_page_and_rows_keep_to_their_lines(page, full, name):
    page.goto(LISTS[name])

    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(UNFIT) == [], width


@pytest.mark.parametrize("name", ["keys", "api keys", "people", "checkpoints"])
def test_a_list_is_sorted_both_ways_by_its_names(page, full, name):
    page.goto(LISTS[name])
    head = page.locator("thead .ui-list-name").first
    found = []
    for _ in range(2):
        head.locator("a").click()
        page.wait_for_load_state()
        found.append((head.get_attribute("aria-sort"), names(page)))

    orders = dict(found)
    assert {*orders} == {"ascending", "descending"}
    if name in ("api keys", "people", "checkpoints"):  # on one page
        assert orders["ascending"] == orders["descending"][::-1]
    assert orders["ascending"] != orders["descending"]


def test_a_phone_sorts_by_a_menu(new_page, full):
    page = new_page(viewport={"width": 390, "height": 844})
    page.goto(LISTS["people"])

    page.locator("summary", has_text="Sort").click()
    page.locator(".ui-list-sort").get_by_role("link", name="Name").click()

    page.wait_for_url("**/?o=-*")
    assert names(page) == sorted(names(page), reverse=True)


def test_a_menu_closes_by_escape_by_a_press_elsewhere_and_once_something_is_chosen(page, full):
    page.goto(LISTS["conversations"])
    menu = page.locator(".conv-menu")
    summary = menu.locator("summary")

    summary.press("Enter")
    page.keyboard.press("Escape")
    assert menu.get_attribute("open") is None
    assert summary.evaluate("one => one === document.activeElement")
    summary.click()
    page.locator("h1").click()
    assert menu.get_attribute("open") is None
    summary.click()
    with page.expect_download():
        menu.get_by_role("link", name="JSON lines").click()
    assert menu.get_attribute("open") is None


def test_what_is_selected_is_told_in_a_bar_and_done_with_one_press(page, full):
    page.goto(LISTS["keys"])
    bar = page.get_by_role("region", name="What is selected")
    assert not bar.is_visible()

    page.get_by_label("Select Listed 20", exact=True).check()
    page.get_by_label("Select Listed 23", exact=True).click(modifiers=["Shift"])
    chosen = page.locator(".action-select:checked").evaluate_all("all => all.map((one) => one.value)")

    assert chosen[0] == "Listed 20"
    assert chosen[-1] == "Listed 23"
    assert bar.get_by_role("status").inner_text() == f"{len(chosen)} selected"
    bar.get_by_role("button", name="Select nothing").click()
    assert not bar.is_visible()
    page.get_by_label("Select all on this page").check()
    bar.get_by_role("button", name="Select all").click()
    assert "selected" in bar.get_by_role("status").inner_text()
    assert page.locator("[name=select_across]").get_attribute("value") == "1"
    bar.get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="Leave them").click()
    page.wait_for_url(f"**{LISTS['keys']}")


def test_what_cannot_be_taken_back_is_pressed_twice(page, full):
    page.goto(LISTS["api keys"])
    page.get_by_label("Select crawler", exact=True).check()

    page.get_by_role("button", name="Revoke", exact=True).click()
    assert page.locator(".action-select:checked").count() == 1
    page.get_by_role("button", name="Select nothing").click()

    page.reload()
    assert page.locator("tr", has_text="crawler").locator(".field-state").inner_text() == "active"


def test_a_search_that_finds_nothing_leads_back(page, full):
    page.goto(LISTS["people"])

    page.get_by_role("searchbox", name="Find people").fill("nobody-of-this-name")
    page.keyboard.press("Enter")
    page.locator(".ui-empty").get_by_role("link", name="Show all").click()

    page.locator(".ui-list-table").wait_for()
    assert "zoe" in names(page)


def test_pages_lead_to_each_other(page, full):
    page.goto(LISTS["keys"])
    first = names(page)

    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**/?p=2")
    assert not {*first} & {*names(page)}
    page.get_by_role("link", name="Previous").click()

    page.wait_for_url("**/?p=1")
    assert names(page) == first


def test_the_whole_row_leads_on_a_phone_and_the_box_does_not(new_page, full):
    page = new_page(viewport={"width": 390, "height": 844})
    page.goto(LISTS["people"])
    row = page.locator("tbody tr", has_text="zoe")

    row.click(position={"x": 200, "y": 52})

    page.wait_for_url("**/change/")
    page.goto(LISTS["keys"])
    page.locator("tbody .ui-list-pick label").first.click(position={"x": 3, "y": 50})
    assert page.locator(".action-select:checked").count() == 1
