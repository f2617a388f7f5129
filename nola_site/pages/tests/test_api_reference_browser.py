"""The page of the API reference in a browser: the theme of the reader, the filter, and calls that are tried out."""

import json
import os
import re
import subprocess
import uuid

import pytest
from axe_playwright_python.sync_playwright import Axe

from nola_site.pages.tests.test_api_reference import CALLS
from tests.server import KEY, manage


@pytest.fixture
def reader(new_page):
    """Opens the reference, for somebody who is not signed in."""

    def open_page(**options):
        page = new_page(storage_state=None, **options)
        page.goto("/api/docs")
        return page

    return open_page


def is_dark(page):
    return page.evaluate("document.documentElement.classList.contains('dark')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_the_theme_of_the_system_as_long_as_none_is_chosen(reader, scheme):
    page = reader(color_scheme=scheme)

    assert is_dark(page) == (scheme == "dark")
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    page.wait_for_function(
        f"() => document.documentElement.classList.contains('dark') === {str(scheme != 'dark').lower()}"
    )


def test_it_has_the_theme_that_was_chosen_in_the_admin_at_once(new_page):
    page = new_page(color_scheme="light")
    page.goto("/admin/")
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('dark'))")
    other = page.context.new_page()
    other.goto(page.url.replace("/admin/", "/api/docs"))
    assert is_dark(other)

    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('light'))")

    other.wait_for_function("() => !document.documentElement.classList.contains('dark')")


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone_with_everything_open(reader, scheme):
    page = reader(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_filter_finds_calls_by_their_words_and_parameters(reader):
    page = reader()
    page.keyboard.press("/")
    page.keyboard.type("RECEIPT delete")

    assert page.locator("summary:visible").all_inner_texts() == ["DELETE\n/api/context/receipts\nRemove old receipts"]
    assert page.locator("h2:visible").all_inner_texts() == ["Context"]
    assert page.get_by_role("status").first.inner_text() == f"1 of {len(CALLS)} calls"
    page.keyboard.press("Escape")
    assert page.locator("[data-words]:visible").count() == len(CALLS)


def test_a_link_opens_a_call_and_an_open_call_is_a_link(new_page):
    page = new_page()
    page.goto("/api/docs#put_state")
    assert page.locator("#put_state[open]").count() == 1

    page.locator("#read_diff > summary").click()

    page.wait_for_function("() => location.hash === '#read_diff'")


def send(page, name, **fields):
    call = page.locator(f"#{name}")
    call.evaluate("one => { one.open = true }")
    for field, value in fields.items():
        call.locator(f"[name={field}]").fill(value)
    call.get_by_role("button", name="Send").click()
    call.locator(".reference-status[data-ok]").wait_for()
    return call.locator(".reference-status").inner_text(), call.locator(".reference-content").inner_text()


def test_calls_are_made_with_the_session_and_numbers_stay_as_they_are(new_page, server):
    key = f"Tried{uuid.uuid4().hex}"
    page = new_page()
    page.goto("/api/docs")

    status, content = send(page, "put_state", address=f"{key}/a b", body='{"n":12345678901234567890123}')

    assert status.startswith("201 Created · Nola-Revision: ")
    assert content == '{\n  "n": 12345678901234567890123\n}'
    assert server.request("GET", f"/api/state/{key}")[1] == b'{"a b":{"n":12345678901234567890123}}'
    status, content = send(page, "read_state", pointer=f"/{key}/a b/n\n/{key}/none")
    assert (status[:6], json.loads(content)) == ("200 OK", {f"/{key}/a b/n": 12345678901234567890123})


def test_a_pasted_key_is_used_in_place_of_the_session_and_kept_nowhere(new_page, server, problems):
    made = manage(server.data, "apikey", "create", f"reader-{uuid.uuid4().hex}", "--scopes", "read")
    page = new_page()
    page.goto("/api/docs")
    page.fill("#key", made.stdout.strip())

    assert send(page, "read_state", address="Identity/name") == (send(page, "read_state")[0], '"Nola"')
    status, content = send(page, "put_state", address="Identity/name", body='"Eve"')
    assert status.startswith("403") and "may neither write the state nor" in content
    assert made.stdout.strip() not in page.content()
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage])").count("nola_") == 0
    problems.clear()  # the browser names the 403


def test_who_is_not_signed_in_is_told_what_to_send(reader, problems):
    status, content = send(reader(), "list_conversations")

    assert status.startswith("401") and "Authorization: Bearer" in content
    problems.clear()  # the browser names the 401


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("read_state", {"address": "Identity/it's"}),
        ("put_state", {"address": "Identity/it's", "body": '"it\'s & $HOME"'}),
        ("query_state", {"path": "$..name"}),
    ],
)
def test_the_call_for_a_terminal_does_the_same(new_page, server, name, fields, problems):
    server.request("PUT", "/api/state/Identity/it's", b'"here"')
    page = new_page()
    page.goto("/api/docs")
    shown = send(page, name, **fields)[1]
    command = page.locator(f"#{name}-curl").inner_text()

    told = subprocess.run(
        command,
        shell=True,
        env={"PATH": os.environ["PATH"], "MEMORY_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert re.sub(r"\s", "", told.stdout) == re.sub(r"\s", "", shown)
