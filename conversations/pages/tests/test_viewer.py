"""Who may only read, or only a part, in a browser: all pages work, and nothing is asked of the API that it refuses."""

import json

import pytest
from playwright.sync_api import expect

from tests.server import manage

CONVERSATIONS, SEARCH = "/admin/conversations/conversation/", "/admin/search/"
PASSWORD = "a-long-password"
MAKE = """
from django.contrib.auth.models import Group, Permission, User
def make(name, *codenames):
    user = User.objects.create_user(name, password={password!r}, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user
make("viewer").groups.set([Group.objects.get(name="viewer")])
make("listener", "view_conversation", "view_message")
make("reader", "view_stateentry")
"""


@pytest.fixture(scope="module")
def told(server):
    said = [{"speaker": "user", "message": "violet words"}, {"speaker": "assistant", "message": "more of them"}]
    for method, path, body in (
        ("POST", "/api/conversations/trip/messages", said),
        ("PUT", "/api/state/Garden", {"flower": "violet"}),
    ):
        assert server.request(method, path, json.dumps(body).encode())[0] == 201
    made = manage(server.data, "shell", "-v0", "-c", MAKE.format(password=PASSWORD))
    assert made.returncode == 0, made.stderr
    return server


@pytest.fixture
def open_as(told, new_page):
    def sign_in(name):
        page = new_page(storage_state=None)
        page.goto("/admin/login/?next=/admin/")
        page.fill("#id_username", name)
        page.fill("#id_password", PASSWORD)
        page.press("#id_password", "Enter")
        page.wait_for_url("**/admin/")
        return page

    return sign_in


def open_talk(page):
    page.goto(CONVERSATIONS)
    page.get_by_role("link", name="violet words").click()
    page.wait_for_selector(".nola-bubble")


def open_context(page, query=""):
    page.goto(f"/admin/context/#{query}")
    page.wait_for_selector("[data-part=result]:not([aria-busy])")
    page.wait_for_load_state("networkidle")


def test_a_viewer_reads_all_pages_and_is_offered_no_change(told, open_as):
    page = open_as("viewer")

    open_talk(page)
    for name in ("select", "archive", "delete"):
        expect(page.locator(f".nola-{name}")).to_be_hidden()
    told.request("POST", "/api/conversations/trip/messages", b'{"speaker": "user", "message": "just now"}')
    expect(page.locator(".nola-text").last).to_have_text("just now")  # it is followed
    page.goto(f"{SEARCH}?q=violet")
    expect(page.locator(".search-page h2")).to_have_text(["Values", "Conversations", "Messages 1"])
    open_context(page, "conversation=trip&q=violet")
    expect(page.locator("[data-part=text]")).to_contain_text("violet words")
    expect(page.locator("[data-part=keep]")).to_be_hidden()
    page.goto("/admin/state/tree/")
    expect(page.get_by_text("Garden").first).to_be_visible()
    page.goto("/admin/activity/")
    expect(page.get_by_text("Garden").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "groups", "found", "hidden"),
    [
        ("listener", ["Conversations", "Messages 1"], "violet words", "flower"),
        ("reader", ["Values"], "flower", "violet words"),
    ],
)
def test_who_reads_one_part_gets_it_alone(open_as, name, groups, found, hidden):
    page = open_as(name)

    page.goto(f"{SEARCH}?q=violet")
    expect(page.locator(".search-page h2")).to_have_text(groups)
    expect(page.locator(".search-page")).to_contain_text(found)
    open_context(page, "q=violet")
    expect(page.locator("[data-part=text]")).to_contain_text(found)
    assert hidden not in page.locator("[data-part=text]").text_content()


def test_a_conversation_is_read_by_who_may_not_follow_what_changes(told, open_as):
    page = open_as("listener")

    open_talk(page)
    page.locator(".nola-talk-find input").fill("violet")

    expect(page.locator(".nola-talk-count")).to_contain_text("1")
