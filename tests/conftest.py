from collections.abc import Iterator

import pytest

from tests.server import Server, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module share; each uses keys of its own."""
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        yield server
