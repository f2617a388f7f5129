"""Fixtures that several apps' tests share."""

import importlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import post_migrate
from django.test import Client
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, Page

from access import auth
from access.database import engine
from access.models import ApiKey, hash_key
from access.rights import ALL
from nola_site.safety import reads
from state.database.postgres.words import WordSearch
from tests.browser import chromium, sign_in
from tests.postgres import Cluster, find_ours, find_tools, running_cluster, serving_databases
from tests.server import Server, running

KEY = "nola_a-key-for-tests-only"
BEGIN_ALL_IDS_ANEW = {  # but those of migrations, which stay also where all tables are emptied
    "sqlite": "DELETE FROM sqlite_sequence WHERE name <> 'django_migrations'",
    "postgresql": "SELECT setval(seqrelid::regclass, 1, false) FROM pg_sequence"
    " WHERE seqrelid::regclass::text <> 'django_migrations_id_seq'",
}
BEGIN_IDS_ANEW = {  # but for what stays: groups, and what they may do
    "sqlite": " AND name NOT LIKE 'django%' AND (name NOT LIKE 'auth%' OR name = 'auth_user')",
    "postgresql": " AND seqrelid::regclass::text !~ '^(django|auth_(permission|group))';"
    " SELECT setval('auth_group_id_seq', max(id)) FROM auth_group",
}

pytest_plugins = ["tests.whole_run", "tests.declared", "tests.contract"]

# No test fails on a clock. The examples are the same each time, fewer outside of CI; `make soak` searches for new ones.
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60)
hypothesis_settings.register_profile("dev", deadline=None, derandomize=True, max_examples=30)
hypothesis_settings.register_profile("few", deadline=None, derandomize=True, max_examples=10)  # on a second database
hypothesis_settings.register_profile("search", deadline=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New directories, made without a look at those that are there."""
    base = tmp_path_factory.mktemp("kept")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_directories(settings: Any, folders: Iterator[Path]) -> None:
    """Each test has checkpoints, backups, and what lies beside a database, of its own."""
    folder = next(folders)
    folder.mkdir()
    settings.NOLA_DB_DIR = folder / "db"
    settings.NOLA_DB_DIR.mkdir()
    settings.NOLA_CHECKPOINT_DIR = folder / "checkpoints"
    settings.NOLA_BACKUP_DIR = folder / "backups"
    settings.FIXTURE_DIRS = [settings.NOLA_CHECKPOINT_DIR, settings.NOLA_SEED_DIR]


@pytest.fixture(scope="session")
def groups_stay(django_db_setup: None, django_db_blocker: Any) -> None:
    """The groups of people are those that a migration makes, with the same ids, after each test that empties tables."""
    make_groups = importlib.import_module("access.migrations.0003_groups").make_groups
    last = apps.get_app_config("conversations")  # of those with permissions
    post_migrate.connect(lambda **_: make_groups(apps, connection.schema_editor()), sender=last, weak=False)
    empty = connection.ops.execute_sql_flush

    def empty_and_begin_ids_anew(statements: list[str]) -> None:
        empty([*statements, BEGIN_ALL_IDS_ANEW[connection.vendor]])

    connection.ops.execute_sql_flush = empty_and_begin_ids_anew
    with django_db_blocker.unblock():
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(autouse=True)
def begin_ids_anew(request: pytest.FixtureRequest) -> Callable[[], None]:
    """The first row of each table has id 1, whatever other tests have used; again, for who has rolled rows back."""
    asks = {"db", "transactional_db", "django_db_setup"} & set(request.fixturenames)
    if asks or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("groups_stay")
        request.getfixturevalue("_django_db_helper")
        _begin_ids_anew()
    return _begin_ids_anew


def _begin_ids_anew() -> None:
    with connection.cursor() as cursor:
        cursor.execute(BEGIN_ALL_IDS_ANEW[connection.vendor] + BEGIN_IDS_ANEW[connection.vendor])


@pytest.fixture(autouse=True)
def no_change_is_counted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process knows of the keys it has written is not known of those of the next test."""
    monkeypatch.setattr("state.history.replay._counted", {})


@pytest.fixture(scope="session", autouse=True)
def preparing_is_not_counted() -> Iterator[None]:
    """What it takes to write in turn, or to begin a search, does not count among the queries: SQLite asks for none."""
    with pytest.MonkeyPatch.context() as patch:
        for kind, name in [(type(engine()), "take_turn"), (WordSearch, "__init__")]:
            patch.setattr(kind, name, _uncounted(getattr(kind, name)))
        yield


def _uncounted(ask: Callable[..., Any]) -> Callable[..., Any]:
    def ask_uncounted(*given: Any) -> Any:
        log = connection.queries_log
        before = len(log)
        answer = ask(*given)
        while len(log) > before:
            log.pop()
        return answer

    return ask_uncounted


@pytest.fixture(autouse=True)
def stamps(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """When the use of each key was noted, by its id: no test's keys count as those of the test before."""
    monkeypatch.setattr(auth, "_stamped", stamps := {})
    return stamps


@pytest.fixture(autouse=True)
def no_reads_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests before have read is not counted in this one."""
    monkeypatch.setattr(reads, "_counts", {})


@pytest.fixture
def make_key(db: None, stamps: dict[int, float]) -> Callable[..., ApiKey]:
    """Makes keys that count as used just now, so that their first use asks for no more than the next."""

    def make(key: str, name: str = "default", scopes: tuple[str, ...] = ALL) -> ApiKey:
        made = ApiKey.objects.create(name=name, prefix=key[:9], sha256=hash_key(key), scopes=" ".join(scopes))
        stamps[made.id] = time.monotonic()
        return made

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
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL does not count its steps")

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


@pytest.fixture(scope="session")
def new_postgres() -> Iterator[Callable[[], str]]:
    """Makes empty databases on a PostgreSQL, by their addresses."""
    if find_tools() is None and not find_ours():
        pytest.skip("PostgreSQL is not installed here (on Debian and Ubuntu: apt install postgresql)")
    with serving_databases() as make:
        yield make


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module share; each uses keys of its own."""
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of its own for the tests of a module, to be stopped, filled up, locked."""
    if find_tools() is None and not os.environ.get("CI"):
        pytest.skip("NO POSTGRESQL IS INSTALLED (on Debian and Ubuntu: apt install postgresql)")
    with running_cluster() as cluster:
        yield cluster


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
