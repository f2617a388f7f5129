"""The page of all that happened, in a real browser: live, filtered, grouped, and taken back."""

import json
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import open_tree, patch, stored, write
from tests.browser import sign_in
from tests.server import manage, running

OTHERS = ("planner", "reader", "<img src=x onerror=window.pwned=1>")
MAKE_KEYS = """
from access.models import ApiKey, hash_key
for number, name in enumerate({names!r}):
    key = f"nola_key-number-{{number}}-for-tests"
    ApiKey.objects.create(name=name, prefix=key[:9], sha256=hash_key(key), scopes="read write")
"""
ADMIN = """async ([method, path, body, reason]) => {
  const { call } = await import('/static/nola/lib/api.js');
  const headers = { 'Nola-Reason': encodeURIComponent(reason) };
  await call(method, path, { body, type: 'application/json', headers });
}"""

LINES = """async () => {
  const { app } = await import('/static/state/activity/main.js');
  return app.list.blocks.flatMap((block) => block.lines).length;
}"""


@pytest.fixture(scope="module")
def agents(server):
    """API keys of other agents, by name."""
    made = manage(server.data, "shell", "-c", MAKE_KEYS.format(names=OTHERS))
    assert made.returncode == 0, made.stderr
    return {name: f"nola_key-number-{number}-for-tests" for number, name in enumerate(OTHERS)}


def put(server, pointer, value, key):
    status, answer, _ = server.request("PUT", f"/api/state{quote(pointer)}", json.dumps(value).encode(), key)
    assert status in (200, 201), answer


def open_activity(page, **filters):
    page.goto("about:blank")
    page.goto("/admin/activity/#" + "&".join(f"{name}={quote(value)}" for name, value in filters.items()))
    ready(page)
    return page


def ready(page):
    page.wait_for_selector(".act[data-status=live]:not([aria-busy])")


def rows(page):
    """The text of each line, without the time."""
    texts = page.locator(".act-feed .act-block > .act-row > .act-main").all_inner_texts()
    return [" ".join(text.replace("chevron_right", "").split()) for text in texts]


def row(page, text):
    return page.locator(".act-feed .act-row", has_text=text).first


def head(server):
    return json.loads(server.request("GET", "/api/history?limit=1")[1])["revisions"][0]


def test_what_others_do_arrives_by_itself(page, server, agents):
    write(server, "PUT", "/Live", {"n": 0})
    open_activity(page, key="Live")
    assert rows(page) == ['default added Live added {"n":0}']

    put(server, "/Live/n", 1, agents["planner"])
    page.wait_for_selector(".act-row:has-text('planner')")

    assert rows(page) == ["planner changed Live n 0 became → 1", 'default added Live added {"n":0}']
    assert page.locator(".act-fresh").count() == 1


def test_what_arrives_does_not_move_what_one_reads(new_page, server, agents):
    for number in range(40):
        put(server, "/Still/n", number, agents[("planner", "reader")[number % 2]])
    page = open_activity(new_page(viewport={"width": 1280, "height": 500}), key="Still")
    page.locator(".act-scroll").evaluate("scroll => (scroll.scrollTop = 700)")
    page.wait_for_function("() => document.querySelector('.act-scroll').scrollTop > 600")
    seen = row(page, "20 became → 21")
    before = seen.bounding_box()["y"]

    put(server, "/Still/n", 99, agents["reader"])
    page.get_by_role("button", name="1 new change").wait_for()

    assert abs(seen.bounding_box()["y"] - before) < 2
    page.get_by_role("button", name="1 new change").click()
    page.wait_for_function("() => document.querySelector('.act-scroll').scrollTop === 0")
    assert "→ 99" in rows(page)[0]


def test_filters_stand_in_the_address_and_go_back_and_forward(page, server, agents):
    write(server, "PUT", "/Sieve", {"n": 0})
    put(server, "/Sieve/n", 1, agents["planner"])
    open_activity(page)
    page.evaluate(ADMIN, ["PUT", "/api/state/Sieve/n", "2", "I know better"])
    page.get_by_label("Key").fill("Sieve")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.act-row').length === 3")

    page.get_by_label("Who").select_option(label="planner")
    page.wait_for_function("() => document.querySelectorAll('.act-row').length === 1")
    assert page.url.endswith("#actor=key%3Aplanner&key=Sieve")
    assert rows(page) == ["planner changed Sieve n 0 became → 1"]

    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('.act-row').length === 3")
    assert page.get_by_label("Who").input_value() == ""
    page.go_forward()
    page.wait_for_function("() => document.querySelectorAll('.act-row').length === 1")
    assert page.get_by_label("Who").input_value() == "key:planner"
    page.get_by_label("Who").select_option(label="Everybody")
    page.get_by_label("Through").select_option(label="the browser")
    page.wait_for_function("() => document.querySelectorAll('.act-row').length === 1")
    assert rows(page) == ["You changed Sieve I know better n 1 became → 2"]
    page.get_by_role("button", name="Clear").click()
    ready(page)
    assert page.url.endswith("/admin/activity/#") or page.url.endswith("/admin/activity/")


def test_times_are_chosen_by_presets_and_by_hand(page, server):
    write(server, "PUT", "/Times", 1)
    page.clock.set_fixed_time(head(server)["at"])  # so that it is today in any second of the day
    open_activity(page, key="Times")

    for preset in ("hour", "today", "week"):
        page.get_by_label("When").select_option(preset)
        page.wait_for_function("when => location.hash.endsWith(when)", arg=f"when={preset}")
        ready(page)
        assert len(rows(page)) == 1
    page.get_by_label("When").select_option("span")
    page.get_by_label("To", exact=True).fill("2020-01-31T12:00")
    page.get_by_label("To", exact=True).blur()
    page.get_by_text("Nothing like that happened").wait_for()
    assert "to=2020-01-31T12%3A00" in page.url
    page.get_by_label("From", exact=True).fill("2020-01-31T12:00")
    page.get_by_label("To", exact=True).fill("")
    page.get_by_label("From", exact=True).blur()
    page.wait_for_selector(".act-row")


def test_many_changes_in_a_row_are_one_line_that_opens(page, server, agents):
    for number in range(60):
        put(server, f"/{('Run', 'Run2')[number % 2]}/n", number, agents["planner"])
    open_activity(page, actor="key:planner")
    page.wait_for_selector(".act-group")
    line = page.locator(".act-group").first
    assert "planner changed" in line.inner_text()
    assert "Run2, Run" in line.inner_text()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert line.locator(".act-toggle").get_attribute("aria-expanded") == "true"
    assert line.locator(".act-inner > .act-row").count() == 50
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.querySelector('.act-head').textContent").endswith("changed Run2")
    put(server, "/Run/n", "newest", agents["planner"])
    page.wait_for_selector(".act-inner > .act-row:first-child :text('newest')")
    assert page.evaluate("document.activeElement.querySelector('.act-head').textContent").endswith("changed Run2")
    line.get_by_role("button", name="Show more").click()
    assert line.locator(".act-inner > .act-row").count() > 60


def test_a_place_leads_to_the_tree(page, server):
    write(server, "PUT", "/a~1b", {"x y": [1]})
    write(server, "PUT", "/a~1b/x y/0", 2)
    open_activity(page, key="a/b")

    page.get_by_role("link", name="x y › 0").click()

    page.wait_for_url("**/admin/state/tree/#/a~1b/x%20y/0")
    page.wait_for_selector(".tree-node[aria-label^='0:']:focus")


def say(server, session, *messages):
    said = [{"speaker": "user", "message": message} for message in messages]
    assert server.request("POST", f"/api/conversations/{session}/messages", json.dumps(said).encode())[0] in (200, 201)


def test_messages_are_told_in_words_with_a_link_to_the_chat(page, server):
    say(server, "trip-42", *(f"word {number}" for number in range(12)))
    open_activity(page, key="trip-42")

    link = page.get_by_role("link", name="word 0", exact=True)
    link.wait_for()
    assert rows(page) == ["default added 12 messages in word 0"]
    assert link.get_attribute("title") == "trip-42"
    link.click()
    page.get_by_text("word 11").wait_for()


def test_conversations_have_their_names_on_the_page_of_a_change(page, server):
    say(server, "trip-43", "Where to in May?")
    page.goto(f"/admin/activity/{head(server)['revision']}/")

    page.get_by_role("link", name="Where to in May?").wait_for()
    page.get_by_text("Record of message").first.click()
    assert "trip-43" not in page.locator(".one-said").inner_text()
    assert page.locator(".one-patch summary", has_text="Where to in May?").count() > 0


def test_the_names_of_all_rows_are_asked_for_at_once_and_once(page, server):
    for number in range(6):
        say(server, f"many-{number}", f"First word {number}")
    server.request("PATCH", "/api/conversations/many-0", b'{"archived":true}')
    server.request("DELETE", "/api/conversations/many-5")
    asked, read = [], []
    page.on("request", lambda one: "/names/" in one.url and asked.append(parse_qs(urlsplit(one.url).query)["session"]))
    page.on("request", lambda one: "/api/history?" in one.url and read.append(one.url))
    open_activity(page)
    line = page.locator(".act-group", has_text="First word").first
    line.wait_for()
    assert "many-0" not in line.locator(".act-toggle").inner_text()
    assert 1 <= len(asked) <= len(read)  # a page of history asks in one go
    names = [session for sessions in asked for session in sessions if session != "many-5"]
    assert len(names) == len(set(names))
    drawn = len(asked)

    line.locator(".act-toggle").click()
    for number in range(5):
        line.locator(".act-inner").get_by_role("link", name=f"First word {number}", exact=True).first.wait_for()
    assert line.locator(".act-inner").get_by_role("link", name="many-5", exact=True).count()  # it is not there any more
    assert len(asked) <= drawn + 1
    assert not set(names) & {session for sessions in asked[drawn:] for session in sessions}


def test_a_name_on_its_way_is_not_asked_for_again(page, server):
    for number in range(120):  # two pages of history, which fold into a line
        say(server, f"late-{number % 3}", f"Late word {number}")
    held, asked, read = [], [], []
    page.route("**/names/**", lambda route: held.append(route))
    page.on("request", lambda one: "/names/" in one.url and asked.extend(parse_qs(urlsplit(one.url).query)["session"]))
    page.on("request", lambda one: "/api/history?" in one.url and read.append(one.url))
    open_activity(page)
    assert len(read) >= 2
    assert {"late-0", "late-1", "late-2"} <= set(asked)
    assert len(asked) == len(set(asked))

    for route in held:
        route.continue_()
    page.locator(".act-group", has_text="Late word").first.wait_for()


def test_one_change_is_taken_back_and_the_undo_too(page, server):
    write(server, "PUT", "/Once", {"a": 1})
    write(server, "PUT", "/Once/a", 2)
    open_activity(page, key="Once")
    page.keyboard.press("ArrowDown")

    page.keyboard.press("u")
    dialog = page.get_by_role("dialog")
    dialog.locator(".chg-item").wait_for()
    assert stored(server, "/Once/a") == 2
    page.keyboard.press("Enter")
    page.get_by_text("Taken back.").wait_for()
    assert stored(server, "/Once/a") == 1
    page.wait_for_selector(".act-row:has-text('took back change')")

    page.get_by_role("button", name="Undo this undo").click()
    dialog.locator(".chg-item").wait_for()
    dialog.get_by_role("button", name="Undo").click()
    page.get_by_text("It is back.").wait_for()
    assert stored(server, "/Once/a") == 2


def test_a_whole_line_is_taken_back_and_nothing_else(page, server, agents):
    write(server, "PUT", "/Line", {"mine": 0})
    for number in range(1, 6):
        put(server, "/Line/n", number, agents["reader"])
        put(server, "/Elsewhere/n", number, agents["reader"])
    open_activity(page, key="Line")
    line = page.locator(".act-group")
    assert "changed 5 places in Line" in line.inner_text()

    line.get_by_role("button", name="Undo all of these").click()
    dialog = page.get_by_role("dialog")
    assert "Undo 5 changes by reader" in dialog.inner_text()
    dialog.locator(".chg-item").first.wait_for()
    dialog.get_by_role("button", name="Undo").click()

    page.get_by_text("Taken back.").wait_for()
    assert stored(server, "/Line") == {"mine": 0}
    assert stored(server, "/Elsewhere") == {"n": 5}


def test_an_import_is_taken_back_as_a_whole(page, server):
    lines = "".join(
        json.dumps({"session_id": name, "speaker": "user", "message": "hello"}) + "\n" for name in ("old-1", "old-2")
    )
    status, answer, _ = server.request("POST", "/api/conversations/import", lines.encode())
    assert status in (200, 201), answer
    batch = json.loads(answer)["batch"]
    open_activity(page, batch=batch)

    page.locator(".act-undo").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Undo the whole import").wait_for()
    dialog.get_by_text("1 message deleted").first.wait_for()
    dialog.get_by_role("button", name="Undo").click()

    page.get_by_text("Taken back.").wait_for()
    assert server.request("GET", "/api/conversations/old-1")[0] == 410
    assert server.request("GET", "/api/conversations/old-2")[0] == 410


def test_all_that_an_actor_did_in_a_time_is_taken_back(browser, session, tmp_path):
    with running(tmp_path / "data") as server:
        made = manage(server.data, "shell", "-c", MAKE_KEYS.format(names=OTHERS))
        assert made.returncode == 0, made.stderr
        write(server, "PUT", "/Plan", {"a": 1, "b": 1})
        put(server, "/Plan/a", 2, "nola_key-number-0-for-tests")
        put(server, "/Other", {"x": 1}, "nola_key-number-0-for-tests")
        write(server, "PUT", "/Plan/b", 2)
        page = browser.new_context(base_url=f"http://127.0.0.1:{server.port}").new_page()
        sign_in(page, server)
        open_activity(page, actor="key:planner", when="hour")

        page.get_by_role("button", name="Undo all by planner").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("Undo everything planner did in the last hour").wait_for()
        dialog.locator(".chg-item").first.wait_for()
        assert stored(server, "/Plan") == {"a": 2, "b": 2}
        dialog.get_by_role("button", name="Undo").click()

        page.get_by_text("Taken back.").wait_for()
        assert stored(server, "/Plan") == {"a": 1, "b": 2}
        assert stored(server, "/Other") is None
        page.context.close()


def test_where_a_later_change_is_in_the_way_one_chooses(page, server, problems):
    write(server, "PUT", "/Way", {"a": 1, "b": 1})
    patch(server, "Way", {"op": "replace", "path": "/a", "value": 2}, {"op": "replace", "path": "/b", "value": 2})
    write(server, "PUT", "/Way/a", 3)
    open_activity(page, key="Way")
    page.get_by_role("button", name="Undo all of these").wait_for()
    page.locator(".act-toggle").click()

    row(page, "changed 2 places in Way").locator(".act-inner .act-undo").nth(1).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("This was changed again since.").wait_for()
    dialog.get_by_label("Keep the newer").check()
    dialog.locator(".chg-result .chg-item").wait_for()
    dialog.get_by_role("button", name="Undo").click()

    page.get_by_text("Taken back.").wait_for()
    assert stored(server, "/Way") == {"a": 3, "b": 1}
    problems.clear()  # the refusal


def test_hostile_text_is_text(page, server, agents):
    evil = OTHERS[2]
    put(server, f"/{evil}", {evil: evil}, agents[evil])
    open_activity(page, key=evil)
    page.evaluate(ADMIN, ["PUT", f"/api/state/{quote(evil)}/n", json.dumps(evil), evil])
    page.wait_for_selector(".act-row:has-text('You')")

    row(page, "You").locator(".act-undo").click()
    page.get_by_role("dialog").locator(".chg-item").first.wait_for()

    assert rows(page)[0].count(evil) == 3  # key, reason, value
    assert page.locator("#nola-activity img, .chg-dialog img").count() == 0
    assert page.evaluate("window.pwned") is None


def test_a_long_history_keeps_few_elements(page, server, agents):
    for number in range(300):
        put(server, "/Long/n", number, agents[("planner", "reader")[number % 2]])
    open_activity(page, key="Long")

    for _ in range(40):
        if page.locator("[data-part=end]").is_visible():
            break
        page.locator(".act-scroll").evaluate("scroll => (scroll.scrollTop = scroll.scrollHeight)")
        page.wait_for_function("() => !document.querySelector('[data-part=wait]:not([hidden])')")

    page.wait_for_function("() => document.querySelectorAll('.act-row').length < 150")
    assert page.evaluate(LINES) == 300
    page.locator(".act-scroll").evaluate("scroll => (scroll.scrollTop = 0)")
    row(page, "→ 299").wait_for()


def test_too_large_a_change_is_fetched_when_asked_for(page, server):
    write(server, "PUT", "/Large", {"text": "x" * 80_000, "n": 1})
    write(server, "DELETE", "/Large")
    write(server, "PUT", "/Small", 1)
    open_activity(page, key="Large")

    row(page, "changed much in Large").get_by_role("button", name="Show what changed").click()

    row(page, "changed much in Large").get_by_text("{ text, n }").wait_for()


def test_a_page_without_the_right_to_change_shows_no_undo(browser, server):
    code = (
        "from django.contrib.auth.models import User, Permission\n"
        "user = User.objects.create_user('looker', password='only-looks-at-it', is_staff=True)\n"
        "user.user_permissions.set(Permission.objects.filter(codename__in=['view_stateentry', 'view_revision']))\n"
    )
    assert manage(server.data, "shell", "-c", code).returncode == 0
    write(server, "PUT", "/Looked", 1)
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
    page = context.new_page()
    page.goto("/admin/")
    page.fill("#id_username", "looker")
    page.fill("#id_password", "only-looks-at-it")
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/")

    open_activity(page, key="Looked")

    assert len(rows(page)) == 1
    assert page.locator(".act-undo").count() == 0
    page.keyboard.press("ArrowDown")
    page.keyboard.press("u")
    assert page.get_by_role("dialog").count() == 0
    context.close()


def test_signed_out_is_said(page, server, problems):
    write(server, "PUT", "/Out", 1)
    open_activity(page, key="Out")

    page.context.clear_cookies()
    page.get_by_label("Through").select_option("api")

    page.get_by_text("You are signed out.").wait_for()
    page.get_by_text("you are signed out; sign in again in another tab", exact=False).last.wait_for()
    problems.clear()  # the refusals


def test_a_server_that_does_not_answer_is_said_and_one_tries_again(page, server, problems):
    write(server, "PUT", "/Away", 1)
    open_activity(page, key="Away")
    page.route("**/api/history*", lambda route: route.abort())

    page.get_by_label("Through").select_option("api")
    page.get_by_text("The server does not answer.").wait_for()
    page.unroute("**/api/history*")
    page.get_by_role("button", name="Try again").click()

    page.wait_for_selector(".act-row")
    assert len(rows(page)) == 1
    problems.clear()  # the failure


def test_an_empty_history_says_so(page):
    open_activity(page, actor="key:nobody-at-all")

    page.get_by_text("Nothing like that happened").wait_for()
    assert page.locator(".act-feed").is_hidden()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_the_page_is_accessible_and_fits(new_page, server, agents, scheme, width):
    write(server, "PUT", "/Fits", {"text": "a long text without an end " * 20, "n": 1})
    for number in range(4):
        put(server, "/Fits/n", number, agents["planner"])
    page = open_activity(new_page(color_scheme=scheme, viewport={"width": width, "height": 800}), key="Fits")
    page.locator(".act-toggle").first.click()
    page.locator(".act-inner > .act-row").first.wait_for()

    found = Axe().run(page, context="#nola-activity").response["violations"]

    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".act-scroll").evaluate("scroll => scroll.scrollWidth <= scroll.clientWidth")


def test_a_row_opens_all_of_its_change_and_escape_leads_back(page, server, agents):
    write(server, "PUT", "/Opened", {"n": 1})
    put(server, "/Opened/n", 2, agents["planner"])
    seq = head(server)["revision"]
    open_activity(page, key="Opened")
    page.wait_for_selector(".act-row")

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Change {seq}")
    dialog.get_by_text("verifies").wait_for()
    assert page.url.endswith(f"/admin/activity/{seq}/#key=Opened")
    assert dialog.get_by_text("key:planner", exact=True).is_visible()
    assert dialog.locator(".chg-item").inner_text().split() == ["n", "1", "became", "→", "2"]
    assert Axe().run(page, context=".one-dialog").response["violations"] == []
    page.keyboard.press("Escape")
    page.wait_for_function("() => location.pathname === '/admin/activity/'")
    assert dialog.count() == 0
    assert page.evaluate("document.activeElement.querySelector('.act-head').textContent").endswith("changed Opened")

    page.go_forward()
    dialog.get_by_text("verifies").wait_for()
    page.reload()
    page.wait_for_selector(".one-page .chg-item")
    page.keyboard.press("Escape")
    page.wait_for_url("**/admin/activity/")


def test_a_change_is_undone_from_its_page_which_leads_to_the_undo_and_back(page, server, agents):
    write(server, "PUT", "/Regret", {"n": 1})
    put(server, "/Regret/n", 2, agents["planner"])
    seq = head(server)["revision"]
    page.goto(f"/admin/activity/{seq}/")
    page.wait_for_selector(".one .chg-item")

    page.keyboard.press("u")
    undo = page.get_by_role("dialog").get_by_role("button", name="Undo", exact=True)
    undo.and_(page.locator(":enabled:focus")).press("Enter")
    page.wait_for_url(f"**/admin/activity/{seq + 1}/")
    assert stored(server, "/Regret") == {"n": 1}
    page.get_by_role("link", name=f"change {seq}").click()
    page.wait_for_url(f"**/admin/activity/{seq}/")
    assert "Taken back by" in page.locator(".one-facts").inner_text()
    page.get_by_role("link", name="The tree as of this change").click()
    page.wait_for_url(f"**/admin/state/tree/#&at={seq}")
    page.wait_for_selector(".past-banner:not([hidden])")


def test_activity_is_narrowed_to_words_of_the_reason(page, server):
    open_activity(page)
    page.evaluate(ADMIN, ["PUT", "/api/state/Reasoned", "1", "The Dentist has called"])
    page.evaluate(ADMIN, ["PUT", "/api/state/Reasoned", "2", "something else"])

    page.get_by_label("Why").fill("dentist")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.act-row').length === 1")
    assert page.url.endswith("#reason=dentist")
    assert "The Dentist has called" in rows(page)[0]


def test_where_no_key_has_changed_lately_the_tree_says_so_until_one_does(page, server):
    for number in range(25):
        body = json.dumps({"speaker": "user", "message": str(number)}).encode()
        assert server.request("POST", "/api/conversations/quiet/messages", body)[0] in (200, 201)
    open_tree(page)
    if not page.locator("#tp-activity").is_visible():
        page.keyboard.press("i")
        page.get_by_role("tab", name="Activity").click()

    quiet = page.get_by_text("No key has changed lately.")
    quiet.wait_for()
    write(server, "PUT", "/Loud", 1)
    quiet.wait_for(state="hidden")
    assert "Loud" in page.locator("#tp-activity").inner_text()
