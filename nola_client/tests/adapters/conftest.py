"""These run in an environment of their own, which has the frameworks and no Django; see ../test_adapters.py."""

import asyncio
import itertools
import os

import pytest
from hypothesis import settings

from nola_client import AsyncNola, Nola

NAMES = itertools.count()
settings.register_profile("adapters", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("adapters")


@pytest.fixture(scope="session")
def address():
    return {"key": os.environ["MEMORY_KEY"], "address": os.environ["MEMORY_URL"]}


@pytest.fixture(scope="session")
def nola(address):
    with Nola(**address) as client:
        yield client


@pytest.fixture(scope="session")
def run():
    """Runs a coroutine to its end, always on the same loop."""
    loop = asyncio.new_event_loop()
    yield loop.run_until_complete
    loop.close()


@pytest.fixture(scope="session")
def waiting(address, run):
    client = AsyncNola(**address)
    yield client
    run(client.close())


@pytest.fixture(scope="session")
def fresh():
    """Makes names that nothing else has, for keys and conversations: also for each example of one test."""
    return lambda: f"{os.getpid()}-{next(NAMES)}"


CALLS = {"compared": 0}


@pytest.fixture(scope="session")
def count():
    """Counts the calls whose answers were compared with those of the framework's own object."""

    def add(number):
        CALLS["compared"] += number

    return add


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{CALLS['compared']} calls compared")
