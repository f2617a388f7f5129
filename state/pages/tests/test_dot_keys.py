"""Keys and members named . and .., which browsers take for ways through a path, are reached on all pages."""

import json
import re

import pytest

from state.pages.tests.tree import open_tree, write

pytestmark = pytest.mark.process
NAMES = ("~", ".", "..", "a/.", "./..")


@pytest.fixture
def dots(server):
    """A key of each name, with a member of each, written twice: by transactions, since a path cannot name them all."""
    for value in (1, 2):
        document = {name: {"n": value} for name in NAMES}
        for name in NAMES:
            pointer = "/" + name.replace("~", "~0").replace("/", "~1")
            put = {"op": "put", "pointer": pointer, "value": document}
            body = json.dumps({"operations": [put]}).encode()
            status, answer, _ = server.request("POST", "/api/transactions", body)
            assert status == 200, answer
    return server


def escaped(name):
    return name.replace("~", "~0").replace("/", "~1")


@pytest.mark.parametrize(("key", "member"), [(name, "") for name in NAMES] + [("..", name) for name in NAMES[1:]])
def test_the_panel_tells_of_a_node_whatever_its_name(page, dots, key, member):
    open_tree(page, f"/{escaped(key)}" + (f"/{escaped(member)}/n" if member else ""))

    page.keyboard.press("i")

    page.wait_for_selector(".tp-past > .tp-change >> nth=1")  # both writes
    page.locator(".tp-who, .tp-authors, .tp-author").first.filter(has_text="default").wait_for()


@pytest.mark.parametrize("key", [".", "..", "a.b"])
def test_the_form_of_a_key_opens_saves_and_leads_to_its_history(page, dots, key):
    write(dots, "PUT", "/a.b", 1)
    page.goto("/admin/state/stateentry/")
    page.click(f"table >> role=link[name='{key}']")

    page.fill("textarea[name=value]", '{"saved": "here"}')
    page.click("button[name=_continue], input[name=_continue]")

    page.wait_for_selector(f"text=/{re.escape(key)}/")
    assert page.input_value("textarea[name=value]").split() == ["{", '"saved":', '"here"', "}"]
    pointer = f"?pointer=/{key}"
    assert json.loads(dots.request("GET", f"/api/state{pointer}")[1]) == {"saved": "here"}
    page.get_by_role("link", name="History").first.click()
    page.wait_for_url("**/admin/activity/#key=*")
    page.wait_for_selector(".act-row")


@pytest.mark.parametrize("session_id", [".", ".."])
def test_a_conversation_of_such_a_name_is_renamed_and_exported(page, server, session_id):
    body = {"session_id": session_id, "messages": [{"speaker": "user", "message": "dotted"}]}
    server.request("POST", "/api/conversations", json.dumps(body).encode())
    listed = json.loads(server.request("GET", "/api/conversations")[1])["conversations"]
    assert session_id in [one["session_id"] for one in listed]
    page.goto(f"/admin/conversations/conversation/of/?session={session_id}")
    page.wait_for_selector(".nola-bubble")

    page.click(".nola-talk-title")
    page.fill(".nola-talk-rename", "Renamed")
    page.keyboard.press("Enter")

    name = session_id.replace(".", "~2")
    page.wait_for_selector(".nola-talk-title >> text=Renamed")
    assert json.loads(server.request("GET", f"/api/conversations/{name}")[1])["title"] == "Renamed"
    exported = page.evaluate("fetch(document.querySelector('a[download]').href).then((answer) => answer.text())")
    assert "dotted" in exported
