"""Several real servers on one PostgreSQL and one data directory, as behind a load balancer."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.postgres import Cluster, find_tools, running_cluster
from tests.server import Server

numbers = itertools.count(1)


@contextlib.contextmanager
def any_cluster() -> Iterator[Cluster]:
    """A PostgreSQL. Skips loudly where there is none, but never in CI."""
    if find_tools() is None and not os.environ.get("CI"):
        pytest.skip("NO POSTGRESQL: install it (apt install postgresql) to run the tests of several servers")
    with running_cluster() as cluster:
        yield cluster


def make_database(cluster: Cluster) -> str:
    """The address of a new one."""
    import psycopg

    name = f"several_{next(numbers)}"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(cluster.url())._replace(path=f"/{name}").geturl()


def make_servers(folder: Path, url: str, count: int = 2, **settings: str) -> list[Server]:
    """Servers that share a data directory, not started yet."""
    folder.mkdir(exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    return [Server(folder / "data", DATABASE_URL=url, **settings) for _ in range(count)]


@contextlib.contextmanager
def closing_all(servers: list[Server]) -> Iterator[list[Server]]:
    """End them all, also those that a test has stopped."""
    try:
        yield servers
    finally:
        for server in servers:
            with contextlib.suppress(AttributeError):  # it was not started
                server.close()


@contextlib.contextmanager
def running_servers(folder: Path, cluster: Cluster, count: int = 2, **settings: str) -> Iterator[list[Server]]:
    """Servers on a database of their own, started one after the other."""
    with closing_all(make_servers(folder, make_database(cluster), count, **settings)) as servers:
        for server in servers:
            server.start()
        yield servers
