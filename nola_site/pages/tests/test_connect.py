"""The page that connects an agent: what is to be copied is right, and the first call is seen."""

import uuid

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from access import auth
from access.models import ApiKey


@pytest.mark.django_db
def test_it_shows_this_address_and_no_key(owner, settings, make_key):
    settings.NOLA_PUBLIC_URL = "https://nola.example.org"
    make_key("nola_a-key-for-tests-only")

    text = owner.get("/admin/connect/").content.decode()

    assert "https://nola.example.org/mcp" in text
    assert str(settings.BASE_DIR / "nola") in text
    assert "nola_a-key" not in text
    assert "@ADDRESS@" not in text and "@ROOT@" not in text and "@DATA@" not in text


@pytest.mark.django_db
def test_it_tells_who_has_called_since_the_page_was_opened(owner, agent, monkeypatch):
    monkeypatch.setattr(auth, "_stamped", {})
    address = "/admin/connect/callers"
    before = owner.get(address, {"since": "1000000000.5"}).json()
    agent.get("/api/state")

    after = owner.get(address, {"since": "1000000000.5"}).json()

    assert (before, after) == ({"callers": []}, {"callers": ["default"]})
    assert owner.get(address, {"since": "32000000000"}).json() == {"callers": []}
    for nonsense in ("", "yesterday", "nan", "inf", "-1e300", "1e12"):
        assert owner.get(address, {"since": nonsense}).status_code == 200


@pytest.mark.django_db
def test_who_may_not_see_keys_is_not_told_who_calls(agent):
    user = User.objects.create_user("eve", is_staff=True)
    guest = Client()
    guest.force_login(user)
    ApiKey.objects.update(last_used_at=timezone.now())
    address = "/admin/connect/callers?since=1000000000"

    assert guest.get(address).json() == {"callers": []}
    user.user_permissions.add(Permission.objects.get(codename="view_apikey"))
    assert guest.get(address).json() == {"callers": ["default"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_fits_a_phone_and_copies(new_page, scheme):
    page = new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/admin/connect/")
    for summary in page.locator("summary").all():
        summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    found = Axe().run(page, context=".connect")
    assert found.violations_count == 0, found.generate_report()
    page.get_by_role("button", name="Copy Zed: settings.json").click()
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.get_by_role("status").filter(has_text="It is copied").count() == 1
    assert '"context_servers"' in page.evaluate("navigator.clipboard.readText()")


def test_the_first_call_is_seen_as_it_comes(page, server):
    page.goto("/admin/connect/")
    page.wait_for_selector("text=Waiting for a call …")

    server.request("GET", "/api/state")

    page.wait_for_selector("text=First call received, from default.")


def test_a_new_key_is_copied_with_a_click_and_as_a_line_to_keep(new_page):
    page = new_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/admin/access/apikey/add/")
    page.fill("#id_name", f"copied-{uuid.uuid4().hex}")
    page.get_by_role("button", name="Save", exact=True).click()
    key = page.locator("#key-text").inner_text()

    page.get_by_role("button", name="Copy the key").click()
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.get_by_role("button", name="Copy: keep the key").click()
    page.locator("[data-copy=key-export]", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"export MEMORY_KEY={key}"
    assert page.locator("[data-copy=key-text]").inner_text() == "Copy"
