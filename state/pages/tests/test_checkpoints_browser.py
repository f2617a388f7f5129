"""The pages of checkpoints in a real browser, checked through the API."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from state.pages.tests.tree import stored, write

PAGE = "/admin/checkpoints/"


def ask(server, method, path, body=None):
    status, answer, _ = server.request(method, path, None if body is None else json.dumps(body).encode())
    assert status < 300, answer
    return json.loads(answer) if answer else None


def take(server, name, **more):
    ask(server, "POST", "/api/checkpoints", {"name": name, **more})


def names(server):
    return {one["name"] for one in ask(server, "GET", "/api/checkpoints")["checkpoints"]}


def open_checkpoint(page, name, *choose):
    """Open its page; with keys, only these are ticked."""
    page.goto(f"{PAGE}{name}/")
    page.wait_for_selector(".cp-keys .cp-key")
    if choose and page.locator(".cp-all").count():  # one alone is not chosen
        page.get_by_label("All of them", exact=True).uncheck()
        for key in choose:
            page.get_by_label(f"Restore {key}", exact=True).check()


def look(page, key):
    """The changes of a key, opened if they are not."""
    row = page.locator(".cp-key", has=page.locator("strong", has_text=re.compile(f"^{re.escape(key)}$")))
    row.wait_for()
    if row.locator("details[open]").count() == 0:
        row.locator("summary").click()
    row.locator(".chg-list").first.wait_for()
    return row


def press_restore(page):
    page.locator("[data-part=restore]").click()
    page.wait_for_selector(".nola-undo")


def offer(page, path, name=None):
    """Choose a file on the list, and send it."""
    page.goto(PAGE)
    page.get_by_label("Checkpoint file").set_input_files(path)
    if name is not None:
        page.get_by_label("Name of the file here").fill(name)
    page.get_by_role("button", name="Add it").click()


def refusal(page):
    page.wait_for_selector(".cp-refused:not([hidden])")
    return page.inner_text(".cp-refused")


def test_a_checkpoint_is_taken_and_compared_with_now(page, server):
    write(server, "PUT", "/Compared", {"tone": "warm", "topics": ["tea", "hills"]})
    page.goto(PAGE)
    page.get_by_label("Name of the checkpoint").fill("compared")
    page.get_by_label("Why you keep it").fill("before the change")
    page.get_by_role("button", name="Take a checkpoint").click()
    page.wait_for_selector("text=compared is kept, and sound.")
    write(server, "PUT", "/Compared/tone", "brisk")
    write(server, "DELETE", "/Compared/topics/1")

    page.get_by_role("link", name="compared", exact=True).click()
    changes = look(page, "Compared").locator(".chg-list").first

    assert " ".join(changes.inner_text().split()) == "tone brisk became → warm topics › 1 added hills"
    assert ask(server, "GET", "/api/checkpoints/compared/verify")["why"] == "before the change"
    assert stored(server, "/Compared/tone") == "brisk"


def test_a_restore_of_all_is_undone_from_its_message(page, server):
    write(server, "PUT", "/Whole", {"n": 1})
    take(server, "whole")
    write(server, "PUT", "/Whole", {"n": 2})
    write(server, "PUT", "/Later", "new")

    open_checkpoint(page, "whole")
    page.get_by_role("link", name="As it was then").click()
    page.get_by_label("Why you restore it").fill("it was better")
    press_restore(page)

    assert (stored(server, "/Whole"), stored(server, "/Later")) == ({"n": 1}, None)
    newest = ask(server, "GET", "/api/history/Whole")["revisions"][0]
    assert (newest["actor"], newest["source"], newest["reason"]) == ("user:admin", "restore", "it was better")
    page.wait_for_selector("text=All keys are as in this checkpoint")

    page.get_by_role("button", name="Undo").click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".chg-list").first.wait_for()
    dialog.get_by_role("button", name="Undo").click()
    page.wait_for_selector("text=Restoring would change")
    assert (stored(server, "/Whole"), stored(server, "/Later")) == ({"n": 2}, "new")


def test_what_came_later_stays_in_a_merge(page, server):
    write(server, "PUT", "/Merged", 1)
    take(server, "merged")
    write(server, "PUT", "/Merged", 2)
    write(server, "PUT", "/Afterwards", "stays")

    open_checkpoint(page, "merged")
    assert page.locator(".cp-modes [aria-current]").inner_text().startswith("Keep what came later")
    assert page.locator(".cp-key", has_text="Afterwards").count() == 0
    press_restore(page)

    assert (stored(server, "/Merged"), stored(server, "/Afterwards")) == (1, "stays")


def test_what_would_be_removed_is_said_apart_and_is_not_what_is_preselected(page, server):
    write(server, "PUT", "/Kept", 1)
    take(server, "before-many")
    later = ask(server, "GET", "/api/state")
    write(server, "PUT", "/Kept", 2)
    for number in range(5):
        write(server, "PUT", f"/Came later {number}", number)

    open_checkpoint(page, "before-many")
    button, heading = page.locator("[data-part=restore]"), page.locator(".cp-form h2")
    assert heading.inner_text() == "Restoring would change 1 key"
    assert button.inner_text() == "Restore 1 key"
    page.get_by_role("link", name="As it was then 5 keys that came later are removed").click()
    page.wait_for_url("**?mode=replace")
    page.wait_for_selector(".cp-group")

    assert heading.inner_text() == "Restoring would change 1 key and remove 5"
    assert button.inner_text() == "Restore 1 key, remove 5"
    assert "ui-danger" in button.get_attribute("class")
    assert page.locator(".cp-key").count() == 2  # the removed are one row
    page.locator(".cp-group > details > summary").click()
    page.get_by_label("Remove Came later 3").uncheck()
    assert button.inner_text() == "Restore 1 key, remove 4"
    page.get_by_label("Remove all these keys").click()
    page.get_by_label("Remove all these keys").uncheck()
    assert button.inner_text() == "Restore 1 key"
    assert "ui-danger" not in button.get_attribute("class")
    page.get_by_label("Remove all these keys").check()
    press_restore(page)
    assert page.locator("text=1 key restored, 5 removed in revision").count() == 1
    assert ask(server, "GET", "/api/state") == later


def test_only_the_chosen_keys_are_restored(page, server):
    for key in ("One", "Two", "Three"):
        write(server, "PUT", f"/{key}", "old")
    take(server, "chosen")
    for key in ("One", "Two", "Three"):
        write(server, "PUT", f"/{key}", "new")

    open_checkpoint(page, "chosen", "One", "Three")
    assert page.locator("[data-part=restore]").inner_text() == "Restore 2 keys"
    press_restore(page)

    assert [stored(server, f"/{key}") for key in ("One", "Two", "Three")] == ["old", "new", "old"]


def test_one_part_of_a_key_is_restored(page, server):
    write(server, "PUT", "/Parts", {"voice": {"tone": "warm", "pace": 1}, "mood": "calm"})
    take(server, "parts")
    write(server, "PUT", "/Parts", {"voice": {"tone": "cold", "pace": 2}, "mood": "wild"})

    open_checkpoint(page, "parts")
    look(page, "Parts").get_by_label("A part of it").select_option("/Parts/voice")
    page.wait_for_selector("text=Restore this part")
    assert page.inner_text(".cp-only strong") == "Parts › voice"
    press_restore(page)

    assert stored(server, "/Parts") == {"voice": {"tone": "warm", "pace": 1}, "mood": "wild"}


def test_what_changes_while_a_person_looks_is_shown_again(page, server):
    write(server, "PUT", "/Looked", 1)
    take(server, "looked")
    write(server, "PUT", "/Looked", 2)
    open_checkpoint(page, "looked", "Looked")
    write(server, "PUT", "/Looked", 3)

    page.locator("[data-part=restore]").click()

    page.wait_for_selector("text=Looked changed while you were looking")
    assert stored(server, "/Looked") == 3


def test_conversations_are_kept_and_come_back(page, server):
    ask(server, "POST", "/api/conversations/tea/messages", [{"speaker": "user", "message": "a cup?"}])
    page.goto(PAGE)
    page.get_by_label("Name of the checkpoint").fill("with-talk")
    page.get_by_label("With conversations").check()
    page.get_by_role("button", name="Take a checkpoint").click()
    page.wait_for_selector("text=with-talk is kept")
    server.request("DELETE", "/api/conversations/tea")

    page.goto(f"{PAGE}with-talk/")
    page.wait_for_selector("text=Bring back 1 conversation and 1 message that are missing or deleted")
    press_restore(page)

    messages = ask(server, "GET", "/api/conversations/tea/messages")["messages"]
    assert [one["message"] for one in messages] == ["a cup?"]


def test_a_downloaded_file_is_the_file_and_comes_back_under_another_name(page, server, tmp_path):
    take(server, "travelling", why="to take away")
    page.goto(PAGE)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download travelling").click()
    path = tmp_path / "on my stick (2).json"
    download.value.save_as(path)
    assert path.read_bytes() == server.request("GET", "/api/checkpoints/travelling")[1]

    offer(page, path)
    page.wait_for_url("**/on-my-stick-2/")

    assert server.request("GET", "/api/checkpoints/on-my-stick-2")[1] == path.read_bytes()
    page.goto(PAGE)
    assert "on-my-stick-2" in page.inner_text("#cp-list")


def test_a_file_that_is_refused_says_why_and_nothing_is_kept(page, server, tmp_path, problems):
    take(server, "taken")
    files = {
        "damaged.json": ('[{"model": "state.stateentry", "pk"', "line 1, column"),
        "foreign.json": ('[{"model": "auth.user", "pk": 1, "fields": {}}]', "auth.user"),
        "other.json": ('{"name": "not a checkpoint"}', "neither a checkpoint nor a fixture"),
        "taken.json": ('[{"model":"state.stateentry","pk":"A","fields":{"value_json":1}}]', "'taken' already"),
    }
    before = server.request("GET", "/api/checkpoints/taken")[1]
    for filename, (text, words) in files.items():
        path = tmp_path / filename
        path.write_text(text)
        offer(page, path)
        assert words in refusal(page)

    assert {"damaged", "foreign", "other"} & names(server) == set()
    assert server.request("GET", "/api/checkpoints/taken")[1] == before
    assert all("422" in one for one in problems)
    problems.clear()


def test_a_file_over_the_limit_is_not_even_sent(page, tmp_path):
    path = tmp_path / "large.json"
    path.write_bytes(b" " * (17 * 1024 * 1024))
    offer(page, path)

    assert "NOLA_MAX_BODY_MB=18" in refusal(page)


def test_an_edited_file_counts_once_its_owner_stands_by_it(page, server, tmp_path, problems):
    write(server, "PUT", "/Edited", "as it was")
    take(server, "unedited")
    path = tmp_path / "edited.json"
    path.write_bytes(server.request("GET", "/api/checkpoints/unedited")[1].replace(b"as it was", b"as I want it"))

    offer(page, path)
    assert "edited or damaged" in refusal(page)
    assert "edited" not in names(server)
    page.get_by_role("button", name="I edited it").click()
    page.wait_for_url("**/edited/")
    open_checkpoint(page, "edited", "Edited")
    press_restore(page)

    assert stored(server, "/Edited") == "as I want it"
    problems.clear()  # the browser logs the refusal


def test_a_checkpoint_is_deleted_after_a_question(page, server):
    take(server, "unwanted")
    page.goto(PAGE)

    page.get_by_role("link", name="Delete unwanted").click()
    page.get_by_role("link", name="Leave it").click()
    page.wait_for_url(f"**{PAGE}")
    assert "unwanted" in names(server)

    page.get_by_role("link", name="Delete unwanted").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_selector("text=unwanted is deleted")
    assert "unwanted" not in names(server)


def test_hostile_names_and_values_are_inert(page, server):
    hostile = "<img src=x onerror=alert(1)>{{constructor.constructor('alert(2)')()}}"
    ask(server, "PUT", "/api/state/%3Cb%20onclick=alert(0)%3E", {hostile: hostile})
    take(server, "hostile", why=hostile)
    ask(server, "PUT", "/api/state/%3Cb%20onclick=alert(0)%3E", {hostile: [hostile]})
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))

    page.goto(PAGE)
    assert hostile in page.inner_text("#cp-list")
    open_checkpoint(page, "hostile")

    assert hostile in look(page, "<b onclick=alert(0)>").inner_text()


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit_a_phone(new_page, server, scheme):
    write(server, "PUT", "/Seen", {"a": 1})
    if "seen" not in names(server):
        take(server, "seen")
    write(server, "PUT", "/Seen", {"a": 2, "b": [scheme]})
    page = new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})

    for path in (PAGE, f"{PAGE}seen/", f"{PAGE}seen/delete/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        if page.locator(".cp-key", has_text="Seen").count():
            look(page, "Seen")
        found = Axe().run(page, context=".cp-page")
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
