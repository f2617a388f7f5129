"""Fixtures that several apps' tests share."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, Page

from access.models import ApiKey, hash_key
from access.rights import ALL
from tests.browser import chromium, sign_in
from tests.server import Server, running

KEY = "nola_a-key-for-tests-only"

pytest_plugins = ["tests.whole_run", "tests.declared"]

# No test fails on a clock. The examples are the same each time, fewer outside of CI; `make soak` searches for new ones.
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis_settings.register_profile("dev", deadline=None, derandomize=True, max_examples=30)
hypothesis_settings.register_profile("search", deadline=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New directories, made without a look at those that are there."""
    base = tmp_path_factory.mktemp("kept")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_directories(settings: Any, folders: Iterator[Path]) -> None:
    """Each test has checkpoints and backups of its own."""
    folder = next(folders)
    folder.mkdir()
    settings.NOLA_CHECKPOINT_DIR = folder / "checkpoints"
    settings.NOLA_BACKUP_DIR = folder / "backups"
    settings.FIXTURE_DIRS = [settings.NOLA_CHECKPOINT_DIR, settings.NOLA_SEED_DIR]


@pytest.fixture
def make_key(db: None) -> Callable[..., ApiKey]:
    def make(key: str, name: str = "default", scopes: tuple[str, ...] = ALL) -> ApiKey:
        return ApiKey.objects.create(name=name, prefix=key[:9], sha256=hash_key(key), scopes=" ".join(scopes))

    return make


@pytest.fixture
def agent(make_key: Callable[..., ApiKey]) -> Client:
    """An HTTP client with an API key, as an agent uses it."""
    make_key(KEY)
    return Client(headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture
def owner(db: None) -> Client:
    """A browser in which the owner is signed in to the admin."""
    user = User.objects.create_superuser("ada", password="a-long-password")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def count_steps(db: None) -> Callable[[Callable[[], Any]], int]:
    """How many steps SQLite takes for what a function does: each row, each column of it, each place in an index."""

    def count(function: Callable[[], Any]) -> int:
        steps = itertools.count()
        connection.ensure_connection()
        connection.connection.set_progress_handler(lambda: next(steps) and 0, 1)
        try:
            function()
        finally:
            connection.connection.set_progress_handler(None, 1)
        return next(steps)

    return count


# Real servers and browsers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module share; each uses keys of its own."""
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture(scope="session")
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
