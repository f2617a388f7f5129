"""A real PostgreSQL, for the tests: a cluster of its own in a temporary folder, on a socket there, as an ordinary user.

`python -m tests.postgres make test` runs a command beside two, one for each worker of pytest-xdist, since a transaction
in any database of a cluster holds up erasures; the tests then use them in place of files of SQLite.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

USER = "nola"
SETTINGS = {
    "listen_addresses": "",  # a socket alone
    "max_connections": "300",
    "fsync": "off",  # what is killed in tests is Nola, not the machine
    "full_page_writes": "off",
    "autovacuum": "off",  # it would come at any moment
    "log_min_messages": "fatal",
}


def find_tools() -> Path | None:
    """The folder of initdb and its like, the newest; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    there = found[-1] if found else shutil.which("initdb")
    return Path(there).parent if there else None


class Cluster:
    """A server in a folder, started and stopped."""

    def __init__(self, folder: Path, tools: Path, **settings: str) -> None:
        self.folder, self.tools, self.settings = folder, tools, {**SETTINGS, **settings}
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self.as_user:  # the server refuses to run as root
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        self.run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", USER, "--locale=C", "-E", "UTF8", "-N")

    def start(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in self.settings.items())
        socket = f"-c unix_socket_directories='{self.folder}'"
        self.control("start", "-l", str(self.folder / "log"), "-o", f"{socket} {options}")

    def stop(self, mode: str = "fast") -> None:
        self.control("stop", "-m", mode)

    def control(self, *arguments: str) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", *arguments)

    def run(self, tool: str, *arguments: str) -> None:
        command = [*self.as_user, str(self.tools / tool), *arguments]
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=tool != "pg_ctl")
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {(done.stderr or b'').decode()}")

    def url(self, database: str = "postgres", user: str = USER) -> str:
        return f"postgres://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple]:
        """Run statements, each kept at once. Returns the rows of the last one."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def let_in(self, *lines: str) -> None:
        """Begin pg_hba.conf with these lines."""
        path = self.folder / "data" / "pg_hba.conf"
        path.write_text("\n".join([*lines, path.read_text()]))
        self.execute("SELECT pg_reload_conf()")


@contextmanager
def running_cluster(**settings: str) -> Iterator[Cluster]:
    """A new cluster, which is gone at the end. Raises RuntimeError where there is no PostgreSQL."""
    tools = find_tools()
    if tools is None:
        raise RuntimeError("PostgreSQL is not installed here (on Debian and Ubuntu: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="nola-pg-"))
    try:
        cluster = Cluster(folder, tools, **settings)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_ours() -> str:
    """The address of the cluster that this process of tests is to use; "" for none."""
    there = os.environ.get("TEST_POSTGRES", "").split()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return there[int(worker) % len(there)] if there else ""


@contextmanager
def serving_databases() -> Iterator[Callable[[], str]]:
    """Makes empty databases, by their addresses: where TEST_POSTGRES names a server, on that; else on a new one."""
    import psycopg

    def make() -> str:
        name = f"made_{secrets.token_hex(6)}"
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return urlsplit(base)._replace(path=f"/{name}").geturl()

    if base := find_ours():
        yield make
    else:
        with running_cluster() as cluster:
            base = cluster.url()
            yield make


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster ends too
    if find_tools() is None:
        print(f"SKIPPED: NO POSTGRESQL IS INSTALLED, so this did not run on it: {' '.join(sys.argv[1:])}")  # noqa: T201
        sys.exit("on Debian and Ubuntu: apt install postgresql" if os.environ.get("CI") else 0)
    with running_cluster() as one, running_cluster() as other:
        env = {**os.environ, "TEST_POSTGRES": f"{one.url()} {other.url()}"}
        sys.exit(subprocess.run(sys.argv[1:], env=env).returncode)
