"""Dumps of a PostgreSQL, by its own tools: made, read, and restored into a database that is gone afterwards.

The tools get what they need to connect by their environment, so that no list of processes shows a password.
"""

import errno
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper

from state.database.tables import open_beside
from state.errors import DamagedDatabase, ForeignDatabase, UnsupportedDatabase

SUFFIX = ".dump"
SCRATCH = "nola_scratch_"  # how the names begin of databases that a dump is restored into
INSTALLED = "/usr/lib/postgresql/*/bin"  # where Debian and its like have each version
FORBIDDEN = "42501"  # SQLSTATE
LESS = ("--no-owner", "--no-privileges")  # whoever restores it owns it
OPTIONS = {"options"}  # of a session of ours, not of a tool
ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


# The tools


def dump_database(path: Path, connection: BaseDatabaseWrapper = live) -> None:
    """A database as it is in one moment, without sessions. Raises UnsupportedDatabase and OSError."""
    arguments = ["--format=custom", *LESS, "--exclude-table-data=django_session", f"--file={path}"]
    done = _run("pg_dump", arguments, connection)
    if done.returncode:
        raise UnsupportedDatabase(f"pg_dump says: {_explain(done)}")


def check_dump(path: Path) -> set[str]:
    """The tables whose rows a dump holds, once all of it could be read. Raises DamagedDatabase and Unsupported."""
    listed = _read(path, "--list")
    _read(path, f"--file={os.devnull}")
    return set(re.findall(r"^\d+; \d+ \d+ TABLE DATA \S+ (\S+) ", listed, re.MULTILINE))


def read_dump(path: Path, table: str) -> Iterator[dict[str, str | None]]:
    """The rows of a small table in a dump. Raises as `check_dump` does."""
    lines = iter(_read(path, "--data-only", f"--table={table}", "--file=-").split("\n"))
    head = next((found for line in lines if (found := re.match(r"COPY \S+ \((.*)\) FROM stdin;", line))), None)
    if head is None:
        return
    columns = [name.strip(' "') for name in head[1].split(",")]
    for line in lines:
        if line == "\\.":
            return
        yield dict(zip(columns, map(_parse, line.split("\t")), strict=True))


def holds_any(path: Path, wanted: Sequence[bytes]) -> bool:
    """Whether one of these is in the texts of a dump, as they are escaped there. Raises UnsupportedDatabase."""
    most = max(map(len, wanted), default=1)
    with subprocess.Popen([find_tool("pg_restore"), "--file=-", path], stdout=subprocess.PIPE) as process:
        assert process.stdout
        rest = b""
        while chunk := process.stdout.read(1 << 20):
            data = rest + chunk
            if any(one in data for one in wanted):
                process.kill()
                return True
            rest = data[-most:]
    return False


@contextmanager
def open_dump(path: Path, server: BaseDatabaseWrapper = live) -> Iterator[BaseDatabaseWrapper]:
    """A dump, restored into a database of its own on a server, which is dropped at the end.

    Raises DamagedDatabase, and UnsupportedDatabase where that is not allowed or there are no tools.
    """
    name = f"{SCRATCH}{secrets.token_hex(6)}"
    tool = find_tool("pg_restore")
    _create(server, name)
    try:
        done = _run(tool, ["--exit-on-error", *LESS, f"--dbname={name}", str(path)], server)
        if done.returncode:
            raise DamagedDatabase(f"{path.name} cannot be restored: {_explain(done)}")
        with open_beside(name, {**server.settings_dict, "NAME": name}) as connection:
            yield connection
    finally:
        with suppress(DatabaseError):
            drop_scratch(name, server)


def list_scratch(server: BaseDatabaseWrapper = live) -> list[str]:
    """What runs that were killed have left."""
    with server.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database d WHERE starts_with(datname, %s)"
            " AND pg_get_userbyid(datdba) = current_user"
            " AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1",
            [SCRATCH],
        )
        return [name for (name,) in cursor.fetchall()]


def drop_scratch(name: str, server: BaseDatabaseWrapper = live) -> None:
    with _apart(server) as database:
        database.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _create(server: BaseDatabaseWrapper, name: str) -> None:
    try:
        with _apart(server) as database:
            database.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != FORBIDDEN:
            raise
        user = server.settings_dict["USER"] or "..."
        raise UnsupportedDatabase(
            "a dump is restored into a database of its own first, and this user may make none. Let it: ALTER ROLE"
            f" {user} CREATEDB"
        ) from None


@contextmanager
def _apart(server: BaseDatabaseWrapper) -> Iterator[Any]:
    """A connection beside the one that may be in a transaction."""
    with server.wrap_database_errors:
        database = server.get_new_connection(server.get_connection_params())
        try:
            database.autocommit = True
            yield database
        finally:
            database.close()


@contextmanager
def suspend_triggers(connection: BaseDatabaseWrapper, tables: Sequence[str]) -> Iterator[None]:
    """In a transaction: without those of tables, in a way that nobody who reads them waits for."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the end would be in the way of the next
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def find_tool(name: str) -> Path:
    """The newest of its kind, which reads and writes what servers of before do. Raises UnsupportedDatabase."""
    found = find_tools(name)
    if not found:
        raise UnsupportedDatabase(
            f"there is no {name} here. Install the client of PostgreSQL (on Debian and Ubuntu: apt install"
            " postgresql-client), or take everything away with ./nola export, which needs none"
        )
    return max(found, key=lambda path: found[path])


@cache
def find_tools(name: str) -> dict[Path, int]:
    """All that are installed, with their versions."""
    places = [*map(str, Path("/").glob(f"{INSTALLED.removeprefix('/')}/{name}")), shutil.which(name)]
    return {Path(place): version for place in places if place and (version := _read_version(place))}


def _read_version(tool: str) -> int:
    try:
        said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    found = re.search(r" (\d+)[.\w]*", said)
    return int(found[1]) if found else 0


def _run(
    name: str | Path, arguments: Sequence[str], connection: BaseDatabaseWrapper
) -> "subprocess.CompletedProcess[str]":
    tool = _choose(name, connection) if isinstance(name, str) else name
    env = {**os.environ, **_describe(connection), "LC_ALL": "C"}
    done = subprocess.run([tool, *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if os.strerror(errno.ENOSPC) in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return done


def _choose(name: str, connection: BaseDatabaseWrapper) -> Path:
    """The tool of the server's version, or of the next; an older one refuses. Raises UnsupportedDatabase."""
    find_tool(name)
    wanted = int(getattr(connection, "pg_version", 0)) // 10_000
    found = {path: version for path, version in find_tools(name).items() if version >= wanted}
    if not found:
        there = max(find_tools(name).values())
        raise UnsupportedDatabase(
            f"the server is PostgreSQL {wanted}, and {name} here is of {there}. Install postgresql-client-{wanted}, or"
            " take everything away with ./nola export"
        )
    return min(found, key=lambda path: found[path])


def _describe(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """How to connect, as the environment of the tools."""
    from psycopg.pq import Conninfo

    given = connection.get_connection_params()
    names = {one.keyword.decode(): one.envvar.decode() for one in Conninfo.get_defaults() if one.envvar}
    return {names[name]: str(one) for name, one in given.items() if name in names and name not in OPTIONS and one}


def _read(path: Path, *arguments: str) -> str:
    """What pg_restore says of a dump, or gives of it. Raises DamagedDatabase."""
    done = subprocess.run(
        [find_tool("pg_restore"), *arguments, path], capture_output=True, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        said = _last(done.stderr.decode(errors="replace"))
        foreign = "valid archive" in said or "magic string" in said
        raise (
            ForeignDatabase(f"{path.name} is not a dump of PostgreSQL")
            if foreign
            else DamagedDatabase(f"{path.name} is damaged: {said}")
        )
    return done.stdout.decode(errors="replace")


def _explain(done: "subprocess.CompletedProcess[str]") -> str:
    return _last(done.stderr)


def _last(errors: str) -> str:
    lines = [line for line in errors.splitlines() if line.strip() and " hint: " not in line]
    said = next((line for line in lines if "error:" in line), lines[-1] if lines else "nothing")
    return said.rpartition("error: ")[2].strip().rstrip(".")


def _parse(field: str) -> str | None:
    """A value as COPY writes it."""
    return None if field == "\\N" else re.sub(r"\\(.)", lambda found: ESCAPED.get(found[1], found[1]), field)
