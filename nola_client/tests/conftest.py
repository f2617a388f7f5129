"""Both clients, behind one face, so that each test asks both."""

import asyncio
import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from nola_client import AsyncNola, Nola
from tests.server import KEY, Server

NAMES = itertools.count()
collect_ignore = ["adapters"]  # they have an environment of their own, see test_adapters.py


class Waiting:
    """An async client whose calls are waited for, and whose lists are read to their end."""

    def __init__(self, client: AsyncNola) -> None:
        self.client, self.loop = client, asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            found = getattr(self.client, name)(*args, **kwargs)
            if inspect.isasyncgen(found):
                return self._items(found)
            return self.loop.run_until_complete(found)

        return called

    def _items(self, found: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self.loop.run_until_complete(anext(found))
                except StopAsyncIteration:
                    return
        finally:
            self.loop.run_until_complete(found.aclose())

    def end(self) -> None:
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


@pytest.fixture(params=["plain", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes a client of either kind: `connect(key, address, ...)`, with the Nola's own arguments."""
    made: list[Any] = []

    def make(*args: Any, **kwargs: Any) -> Any:
        made.append(Nola(*args, **kwargs) if request.param == "plain" else Waiting(AsyncNola(*args, **kwargs)))
        return made[-1]

    yield make
    for one in made:
        one.close() if isinstance(one, Nola) else one.end()


@pytest.fixture
def nola(connect: Any, server: Server) -> Any:
    return connect(KEY, f"http://127.0.0.1:{server.port}")


@pytest.fixture
def name() -> str:
    """A name that no other test has, for a key or a conversation."""
    return f"name-{next(NAMES)}"
