"""What the Content-Security-Policy lets a page do is enough for it: a console without errors."""

import pytest

pytestmark = pytest.mark.process


def test_the_api_reference_needs_no_evaluation(page):
    answer = page.goto("/api/docs")

    page.locator("#read_state > summary").click()
    page.wait_for_function("() => location.hash === '#read_state'")
    assert "unsafe-eval" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("address", ["/admin/", "/admin/access/securityevent/", "/admin/auth/user/1/change/"])
def test_pages_of_the_theme_work_as_they_are_served(page, address):
    answer = page.goto(address)

    page.locator("#nav-sidebar, nav, aside").first.wait_for()
    assert answer.headers["cache-control"].count("no-store") == 1


def test_somebody_who_has_to_wait_is_told_so_on_the_page(new_page, problems):
    page = new_page(storage_state=None)
    page.goto("/admin/login/")
    said = page.get_by_text("Too many wrong passwords. Try again in")
    for _ in range(15):  # each makes the wait twice as long, so that in the end one comes too soon on any machine
        page.fill("#id_username", "nobody-of-that-name")
        page.fill("#id_password", "wrong")
        page.press("#id_password", "Enter")
        page.wait_for_load_state()
        if said.count():
            break

    assert said.count() == 1
    problems.clear()  # the browser names the 429
