from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import chromium, sign_in
from tests.server import Server, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module share; each uses keys of its own."""
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def session(browser: Browser, server: Server) -> Any:
    """The cookies of somebody who is signed in."""
    context = browser.new_context()
    sign_in(context.new_page(), server)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def problems() -> list[str]:
    """What goes wrong on the pages of a test: errors, requests to other hosts. A test that expects some clears it."""
    return []


@pytest.fixture
def new_page(browser: Browser, server: Server, session: Any, problems: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens pages in browsers of their own, signed in; in the end none of them may have had a problem."""
    contexts = []

    def open_page(**options: object) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}, "storage_state": session, **options}
        contexts.append(browser.new_context(base_url=f"http://127.0.0.1:{server.port}", **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(f"{error}\n{error.stack}"))
        page.on("request", lambda request: None if _is_ours(request.url) else problems.append(request.url))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def _is_ours(url: str) -> bool:
    return "127.0.0.1" in url or url.startswith(("data:", "blob:"))


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()
