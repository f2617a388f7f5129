"""The product in Firefox: a walk through its pages, by keyboard where a person would, without an error on any."""

import json
import time
from urllib.parse import quote

import pytest

from state.pages.tests.tree import stored, write
from tests.firefox import firefox
from tests.server import PASSWORD

pytestmark = pytest.mark.process
PAGES = "[...new Set([...document.querySelectorAll('nav a[href]')].map((one) => one.pathname))]"
ROW = "document.querySelector(`.tree-node[aria-label^='${arguments[0]}:']`)"


@pytest.fixture(scope="module")
def signed_in(server):
    """A Firefox in which the owner has signed in by keyboard."""
    with firefox() as fox:
        fox.base = f"http://127.0.0.1:{server.port}"
        fox.goto(f"{fox.base}/admin/")
        fox.click("#id_username")
        fox.type("admin")
        fox.press("Tab")
        fox.type(PASSWORD)
        fox.press("Enter")
        fox.wait("location.pathname === '/admin/' && document.querySelector('main') !== null")
        yield fox


@pytest.fixture
def fox(signed_in):
    """In the end no script and no policy may have had a complaint."""
    signed_in.errors()
    yield signed_in
    assert signed_in.errors() == []


def visit(fox, address):
    fox.goto("about:blank")  # another place on the same page is no new page
    fox.goto(fox.base + address)


def open_tree(fox, pointer):
    """The tree, at a node, with the focus on it."""
    visit(fox, f"/admin/state/tree/#{quote(pointer)}")
    fox.wait("document.querySelector('[data-status=live]') !== null")
    fox.wait("document.activeElement.ariaLabel?.startsWith(arguments[0] + ':')", pointer.rsplit("/", 1)[-1])


def comes(read, expected):
    """Whether what is read becomes what is expected, in the time a busy server may take."""
    until = time.monotonic() + 30
    while (found := read()) != expected and time.monotonic() < until:
        time.sleep(0.05)
    return found == expected


def test_a_value_is_edited_by_keyboard_and_the_edit_undone(fox, server):
    write(server, "PUT", "/Fox", {"mood": "calm"})
    open_tree(fox, "/Fox/mood")

    fox.press("Enter")
    fox.wait("document.activeElement.matches('.tree-input')")
    fox.press("Control", "a")
    fox.type("curious")
    fox.press("Enter")

    assert comes(lambda: stored(server, "/Fox/mood"), "curious")
    fox.wait("document.activeElement.matches('.tree-node')")
    fox.press("Control", "z")
    assert comes(lambda: stored(server, "/Fox/mood"), "calm")


def test_what_others_write_comes_by_itself(fox, server):
    write(server, "PUT", "/FoxLive", {"count": 1})
    open_tree(fox, "/FoxLive/count")

    write(server, "PUT", "/FoxLive/count", 2)

    fox.wait(f"{ROW}.querySelector('.tree-value').textContent === '2'", "count")


def test_the_tree_is_filtered_from_the_keyboard(fox, server):
    write(server, "PUT", "/FoxFilter", {"needle-in-hay": 1, "hay": 2})
    open_tree(fox, "/FoxFilter/hay")

    fox.press("f")
    fox.type("needle-in")

    fox.wait(f"!{ROW}?.checkVisibility()", "hay")
    fox.wait(f"{ROW}?.checkVisibility()", "needle-in-hay")
    fox.press("Escape")
    fox.wait(f"{ROW}?.checkVisibility()", "hay")


def test_activity_tells_of_a_change_while_it_is_open(fox, server):
    visit(fox, "/admin/activity/")
    fox.wait_for("Identity")

    write(server, "PUT", "/FoxActs", "a value from outside")

    fox.wait_for("FoxActs")


def test_a_checkpoint_shows_what_restoring_it_changes(fox, server):
    write(server, "PUT", "/FoxKept", "before")
    server.request("POST", "/api/checkpoints", b'{"name": "fox"}')
    write(server, "PUT", "/FoxKept", "after")

    visit(fox, "/admin/checkpoints/fox/")

    fox.wait_for("FoxKept")


def test_a_conversation_is_found_and_read(fox, server):
    said = [{"speaker": "user", "message": "Where do foxes sleep in winter?"}]
    server.request("POST", "/api/conversations/foxes/messages", json.dumps(said).encode())

    visit(fox, "/admin/conversations/message/?q=foxes+winter")
    fox.click("main a[href*='/conversation/']")

    fox.wait_for("Where do foxes sleep in winter?")


def test_a_context_is_put_together(fox):
    visit(fox, "/admin/context/")

    fox.wait("/^\\d.* tokens/.test(document.querySelector('#ctx-sum').textContent.trim())")


def test_an_api_key_is_made_and_shown_once(fox):
    visit(fox, "/admin/access/apikey/add/")
    fox.click("#id_name")
    fox.type("fox")
    fox.press("Enter")

    assert fox.wait("document.querySelector('#key-text')?.textContent").startswith("nola_")


@pytest.mark.heavy
def test_every_page_of_the_sidebar_opens_and_fits_a_phone(fox):
    visit(fox, "/admin/")
    pages = fox.run(PAGES)
    assert len(pages) > 10
    fox.resize(390, 844)

    wide = []
    for page in pages:
        visit(fox, page)
        if fox.run("document.documentElement.scrollWidth") > 390:
            wide.append(page)

    fox.resize(1280, 800)
    assert wide == []
