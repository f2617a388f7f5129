"""Many owners in one PostgreSQL: a schema each, a column with row-level security, a database each; and a file each.

`python -m tests.bench.tenants 1000 schemas` measures one way, or all, at so many owners with ten keys of 1 kB each;
docs/scaling.md says what came of it. The tables are Nola's own; nothing in Nola knows of owners.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.bench import databases, servers
from tests.bench.load import document, memory, tree
from tests.bench.table import number, progress, say, spread
from tests.postgres import Cluster
from tests.server import manage

WAYS = ("schemas", "rows", "databases", "files")
KEYS = 10
ENTRIES = f"""INSERT INTO state_storage (%s key_name, created_at, updated_at, revision, value_json)
    SELECT %s 'Doc' || n, now(), now(), 1, '{document(1).decode()}' FROM generate_series(1, {KEYS}) n"""
READ = "SELECT value_json, revision FROM state_storage WHERE key_name = 'Doc5'"
WRITE = f"""UPDATE state_storage SET value_json = '{document(1).decode()}', updated_at = now(), revision = revision + 1
    WHERE key_name = 'Doc5'"""
MIGRATE = "ALTER TABLE state_storage ADD COLUMN note text"
CATALOG = ("pg_class", "pg_attribute", "pg_index", "pg_constraint", "pg_depend", "pg_trigger")
MEMORY = "SELECT sum(total_bytes) / 1e6 FROM pg_backend_memory_contexts"


def timed(act: Callable[[], Any]) -> float:
    """How long it takes, in ms."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def tell(what: str, values: Iterable[float], unit: str = "ms") -> None:
    progress("")
    say(f"  {what:<58}{spread(values)} {unit}")


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True)


def fetch(database: psycopg.Connection, statement: str) -> Any:
    row = database.execute(statement).fetchone()  # type: ignore[call-overload]
    return row[0] if row else None


def tell_catalog(database: psycopg.Connection) -> None:
    rows = fetch(database, "SELECT count(*) FROM pg_class")
    size = sum(fetch(database, f"SELECT pg_total_relation_size('{name}')") for name in CATALOG)
    whole = fetch(database, "SELECT pg_database_size(current_database())")
    say(f"  pg_class: {rows:,} rows; the catalog: {number(size / 1e6)} MB; all of it: {number(whole / 1e6)} MB")


def read_schema(cluster: Cluster, url: str) -> str:
    """The statements that make Nola's tables, in whatever schema comes first."""
    dump = [cluster.tools / "pg_dump", "--schema-only", "--no-owner", url]
    text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    text = re.sub(
        r"^(--.*|SET .*|SELECT pg_catalog.*|\\.*|(CREATE|COMMENT ON) SCHEMA .*)$", "", text, flags=re.MULTILINE
    )
    return text.replace("public.", "")


def schemas(url: str, ddl: str, owners: int) -> None:
    """One schema for each owner, named by search_path."""
    say(f"\na schema each, {owners:,} owners")

    def create(n: int) -> None:
        with database.transaction():
            database.execute(f"CREATE SCHEMA o{n}; SET LOCAL search_path = o{n}; {ddl}; {ENTRIES % ('', '')}")  # type: ignore[call-overload]

    with connect(url) as database:
        database.execute("SET synchronous_commit = on")
        took = []
        for n in range(owners):
            progress(f"owner {n:,}")
            took.append(timed(lambda n=n: create(n)))
        tell("to create one, the first tenth", took[: owners // 10])
        tell("to create one, the last tenth", took[-owners // 10 :])
        database.execute("VACUUM ANALYZE pg_class, pg_attribute")
        tell_catalog(database)
    visit(url, owners, lambda n: [f"SET search_path = o{n}"])
    with connect(url) as database:

        def migrate(n: int) -> None:
            database.execute(f"SET search_path = o{n}; {MIGRATE}")  # type: ignore[call-overload]

        tell("a column more, an owner", [timed(lambda n=n: migrate(n)) for n in range(owners)])
        tell("to erase an owner", [timed(lambda n=n: drop_schema(database, n)) for n in range(5)])


def drop_schema(database: psycopg.Connection, n: int) -> None:
    database.execute(f"DROP SCHEMA o{n} CASCADE")  # type: ignore[call-overload]


def visit(url: str, owners: int, begin: Callable[[int], list[str]]) -> None:
    """What one connection takes that serves all owners, and how long its statements do: for an owner that it meets for
    the first time, and for one that it has met."""
    with connect(url) as database:
        for what, statement in (("GET", READ), ("PUT", WRITE)):
            first: list[float] = []
            again: list[float] = []
            for took in (first, again):
                for n in range(owners):
                    progress(f"{what} of owner {n:,}")
                    statements = "; ".join([*begin(n), statement])
                    took.append(timed(lambda text=statements: database.execute(text)))
            tell(f"{what}, for the first time on a connection", first)
            tell(f"{what}, again", again)
            say(f"  memory of the connection: {number(float(fetch(database, MEMORY)))} MB")


def rows(url: str, ddl: str, owners: int) -> None:
    """A column in each table, first in each key, and a policy that shows the rows of one owner only."""
    say(f"\na column and row-level security, {owners:,} owners")
    with connect(url) as database:
        database.execute(ddl)  # type: ignore[call-overload]
        tables = [name for (name,) in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        database.execute("CREATE ROLE tenant LOGIN; GRANT pg_read_all_stats TO tenant; SET nola.owner = 0")
        for table in tables:
            database.execute(
                f"ALTER TABLE {table} ADD COLUMN owner bigint NOT NULL DEFAULT current_setting('nola.owner')::bigint;"  # type: ignore[call-overload]
                f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
                f"CREATE POLICY own ON {table} USING (owner = current_setting('nola.owner')::bigint);"
                f"GRANT ALL ON {table} TO tenant"
            )
        database.execute(
            "ALTER TABLE state_storage DROP CONSTRAINT state_storage_pkey, ADD PRIMARY KEY (owner, key_name)"
        )
        took = []
        for n in range(owners):
            database.execute(f"SET nola.owner = {n}")  # type: ignore[call-overload]
            took.append(timed(lambda: database.execute(ENTRIES % ("", ""))))  # type: ignore[call-overload]
        tell("to create one", took)
        database.execute("VACUUM ANALYZE")
        tell_catalog(database)
    as_tenant = re.sub("//[^@]*@", "//tenant@", url)
    visit(as_tenant, owners, lambda n: [f"SET nola.owner = {n}"])
    with connect(url) as database:
        tell("a column more, all owners", [timed(lambda: database.execute(MIGRATE))])
        delete = "DELETE FROM state_storage WHERE owner = "
        tell("to erase an owner, one table", [timed(lambda n=n: database.execute(f"{delete}{n}")) for n in range(5)])


def each_a_database(cluster: Cluster, url: str, owners: int) -> None:
    """A database for each owner, copied from one that is ready."""
    say(f"\na database each, {owners:,} owners")
    template = url.partition("?")[0].rpartition("/")[2]
    with connect(cluster.url()) as database:
        took = []
        for n in range(owners):
            progress(f"owner {n:,}")
            took.append(timed(lambda n=n: database.execute(f"CREATE DATABASE o{n} TEMPLATE {template}")))
        tell("to create one", took)
        size = fetch(database, "SELECT pg_database_size('o1')")
        say(f"  on the disk: {number(size / 1e6)} MB")
        tell("a connection", [timed(lambda n=n: connect(cluster.url(f"o{n}")).close()) for n in range(min(owners, 20))])
        with connect(cluster.url("o1")) as one:
            one.execute(READ)
            say(f"  memory of a connection: {number(memory(one.info.backend_pid))} MB")
            one.execute(MIGRATE)
        drop = "DROP DATABASE o"
        tell("to erase an owner", [timed(lambda n=n: database.execute(f"{drop}{n}")) for n in range(min(owners, 5))])


def each_a_file(owners: int) -> None:
    """A SQLite file for each owner, and a server for those who are there."""
    say("\na file each")
    with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder:
        first = Path(folder) / "0"
        with servers.nola(first):
            pass
        file = first / "db" / "nola.sqlite3"
        say(f"  on the disk: {number(file.stat().st_size / 1e6)} MB")
        copies = []
        for n in range(owners):
            copy = Path(folder) / f"{n}.sqlite3"
            copies.append(timed(lambda copy=copy: copy.write_bytes(file.read_bytes())))
        tell("to create one, as a copy", copies)
        tell(
            "a migration that has nothing to do",
            [timed(lambda: manage(first, "migrate", fresh=True)) for _ in range(3)],
        )
    with servers.nola(NOLA_WORKERS="1", NOLA_THREADS="4") as (nola, _):
        nola.ask(nola.request("GET", "/api/state"))
        say(f"  memory of a server with one worker: {number(sum(map(memory, tree(nola.pids[0]))))} MB")


def main(owners: int, ways: Sequence[str]) -> None:
    with databases.on_postgres(max_locks_per_transaction="256") as cluster, databases.new() as settings:
        url = settings["DATABASE_URL"]
        with servers.nola(**settings):
            pass
        ddl = read_schema(cluster, url)
        indexes = len(re.findall("CREATE (?:UNIQUE )?INDEX|PRIMARY KEY|UNIQUE [(]", ddl))
        say(f"Nola has {ddl.count('CREATE TABLE')} tables and {indexes} indexes")
        for name, measure in {"schemas": schemas, "rows": rows}.items():
            if name in ways:
                with databases.new() as one:
                    measure(one["DATABASE_URL"], ddl, owners)
        if "databases" in ways:
            each_a_database(cluster, url, max(5, owners // 10))
    if "files" in ways:
        each_a_file(max(5, owners // 10))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100, sys.argv[2:] or WAYS)
    say(f"\nmeasured on {os.cpu_count()} cores; medians, the least and the most")
