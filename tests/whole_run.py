"""A whole run of the tests: browsers come last, what was left out is said, and nothing may be left behind."""

import functools
import gc
import os
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests import prepared
from tests.postgres import find_ours

PATIENCE = 10.0  # seconds for what is ending to end
OURS = ("hub", "nola-", "django_")  # names of threads that a server has
HTTP = {"agent", "owner", "client", "server"}  # fixtures
PROCESS = {"server", "browser", "cluster"}  # fixtures

SHARES = 9
LEFT_OPEN = "SELECT query FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in transaction%%'"

left_out = 0
left_behind: list[str] = []


def pytest_addoption(parser: Any) -> None:
    parser.addoption(
        "--database", action="store_true", help="the tests that use the database or speak HTTP; no browser"
    )


def pytest_configure() -> None:
    prepared.adopt()


def pytest_itemcollected(item: pytest.Item) -> None:
    if PROCESS & set(getattr(item, "fixturenames", ())):
        item.add_marker("process")
    if find_ours() and item.get_closest_marker("sqlite"):
        item.add_marker(pytest.mark.skip(reason="is about SQLite"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An open browser runs an event loop in this thread, which Django's queries refuse: what needs one comes last."""
    asked = items if not config.getoption("database") else [item for item in items if uses_database(item)]
    seed = int(config.getoption("randomly_seed", 0)) if os.environ.get("CI") else None
    taken = {item for item in asked if not is_for_another_run(item, seed)}
    config.hook.pytest_deselected(items=[item for item in items if item not in taken])
    items[:] = [item for item in items if item in taken]
    browsing = {item.path for item in items if needs_browser(item)}
    mixed = {item.path.name for item in items if item.path in browsing and item.get_closest_marker("django_db")}
    if mixed:  # run after another browser, they would fail
        raise pytest.UsageError(f"tests of pages in a browser, and tests with the database, in one file: {mixed}")
    heavy = Counter(item.path for item in items if item.get_closest_marker("heavy"))
    items.sort(key=lambda item: (item.path in browsing, -heavy[item.path]))  # no worker is left with the longest


def uses_database(item: pytest.Item) -> bool:
    """Whether a test is about what any database does: it speaks HTTP, to a view or a server, or uses it directly."""
    is_about_sqlite = item.get_closest_marker("sqlite") is not None
    speaks_http = bool(HTTP & set(getattr(item, "fixturenames", ())))
    is_inside = item.get_closest_marker("django_db") is not None and item.get_closest_marker("process") is None
    return (speaks_http or is_inside) and not needs_browser(item) and not is_about_sqlite


def is_for_another_run(item: pytest.Item, seed: int | None) -> bool:
    """Of the tests that take long, as they say, a run of CI takes a share, by its seed; in time all have a turn."""
    is_heavy = item.get_closest_marker("heavy") is not None
    return seed is not None and is_heavy and zlib.crc32(item.nodeid.encode()) % SHARES != seed % SHARES


def needs_browser(item: pytest.Item) -> bool:
    return "browser" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    prepared.may_start = item.get_closest_marker("process") is not None


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Of PostgreSQL, a transaction that a test leaves open would keep what later ones erase."""
    if find_ours() and item.get_closest_marker("django_db"):
        left = watch_sessions().execute(LEFT_OPEN, [connection.settings_dict["NAME"]]).fetchall()
        assert not left, f"a transaction was left open, after: {left[0][0]}"


@functools.cache
def watch_sessions() -> Any:
    import psycopg

    return psycopg.connect(find_ours(), autocommit=True)


def pytest_deselected(items: list[pytest.Item]) -> None:
    global left_out
    left_out += sum(item.get_closest_marker("process") is not None for item in items)


# At the end


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Say, and fail for, what is left of the session; a worker of xdist tells the one that started it."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None or not session.config.getoption("numprocesses", None):
        prepared.end()
        left_behind.extend([*threads(), *processes()])
    if told is not None:
        told.update(left_out=left_out, left_behind=left_behind)
    elif left_behind:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    global left_out
    told = getattr(node, "workeroutput", {})
    left_out = max(left_out, told.get("left_out", 0))
    left_behind.extend(told.get("left_behind", []))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for one in left_behind:
        terminalreporter.write_line(f"LEFT BEHIND: {one}", red=True)
    if left_out:
        terminalreporter.write_line(f"left out: {left_out} tests that start servers or browsers; make test runs all")


def threads() -> Iterator[str]:
    """The threads that are left: those that keep a process from ending, and those that only a server has."""
    main, deadline = threading.main_thread(), time.monotonic() + PATIENCE
    for thread in threading.enumerate():
        if thread is not main and (not thread.daemon or thread.name.startswith(OURS)):
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive():
                yield f"the thread {thread.name}"


def processes() -> list[str]:
    """The processes that are left, of whatever generation: orphans come to us."""
    gc.collect()  # what a test has dropped may be the last to hold one
    deadline = time.monotonic() + PATIENCE
    while (found := children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"the process {pid}: {command}" for pid, command in found.items()]


def children() -> dict[int, str]:
    """Our processes that still run; those that have ended are let go."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return {}
    listed = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {int(pid): command_of(pid) for pid in listed.split()}


def command_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return "?"
