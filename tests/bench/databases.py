"""The database that is measured: the file in the data directory, or a PostgreSQL that syncs what it commits."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import psycopg

from tests.postgres import Cluster, running_cluster

AS_IT_COMES = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "max_wal_size": "4GB"}
KINDS = ("sqlite", "postgres")
clusters: list[Cluster] = []  # the one that runs, for all servers that are started meanwhile
names = itertools.count(1)


@contextmanager
def on(kind: str) -> Iterator[None]:
    """Let servers that are started meanwhile use this kind of database."""
    with on_postgres() if kind == "postgres" else nullcontext():
        yield


@contextmanager
def on_postgres(**settings: str) -> Iterator[Cluster]:
    with running_cluster(**AS_IT_COMES | settings) as cluster:
        clusters.append(cluster)
        try:
            yield cluster
        finally:
            clusters.remove(cluster)


@contextmanager
def new() -> Iterator[dict[str, str]]:
    """The settings of a server for a database of its own, which is gone at the end; none for SQLite."""
    if not clusters:
        yield {}
        return
    name = f"bench{os.getpid()}x{next(names)}"
    execute(f"CREATE DATABASE {name}")
    try:
        yield {"DATABASE_URL": clusters[-1].url(name)}
    finally:
        execute(f"DROP DATABASE {name} WITH (FORCE)")


def execute(statement: str) -> None:
    with psycopg.connect(clusters[-1].url(), autocommit=True) as database:
        database.execute(statement)  # type: ignore[call-overload]


def find_pids() -> tuple[int, ...]:
    """The process of PostgreSQL, whose children are all others; none for SQLite."""
    return tuple(int((one.folder / "data" / "postmaster.pid").read_text().split()[0]) for one in clusters)
