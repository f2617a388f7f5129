"""A real Nola in a process of its own, on a real data directory, spoken to over real sockets.

What is started here has its imports done and its first run behind it, see tests/prepared.py and `template`. What is
started `fresh` has not: a Python of its own and an empty directory, as `make run` begins.
"""

import atexit
import contextlib
import functools
import hashlib
import http.client
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import prepared
from tests.postgres import find_ours
from tests.prepared import ROOT, Forked

KEY = "nola_a-key-for-tests-only"
PASSWORD = "a-password-for-tests-only"
PORTS = range(20_000, 32_000)  # the system gives none of these to a client, also while a server is down for a moment
TAKEN: dict[int, socket.socket] = {}
POSTGRES = find_ours()  # on which each data directory has a database
WRITERS = 0x6E6F6C61  # the number of the advisory lock that who writes holds there
MADE: set[str] = set()  # their names


def free_port() -> int:
    """A port that no other process of tests on this machine gets either, while this one runs."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        claim = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            claim.bind(f"\0nola-tests-{port}")
            socket.create_server(("127.0.0.1", port)).close()
            TAKEN[port] = claim
            return port
        claim.close()


def environment(data: Path, port: int, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NOLA_", "DJANGO_"))}
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process compiles all of ours
    return inherited | {
        "NOLA_DATA_DIR": str(data),
        "NOLA_PORT": str(port),
        "NOLA_API_KEY": KEY,
        "NOLA_ADMIN_PASSWORD": PASSWORD,
        "NOLA_TIME_ZONE": "Europe/Prague",
        "NOLA_WRITES_PER_MINUTE": "0",
        **({} if "DATABASE_URL" in settings else {"DATABASE_URL": database_url(data)}),
        **settings,
    }


def database_url(data: Path) -> str:
    """The address of the database that belongs to a data directory, empty at first; "" where it is a file in there."""
    if not POSTGRES:
        return ""
    name = name_database(data)
    if name not in MADE:
        make_database(name)
    return urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()


def name_database(data: Path) -> str:
    return f"nola_{hashlib.sha256(str(data.absolute()).encode()).hexdigest()[:16]}"


def make_database(name: str, template: str = "template1") -> None:
    MADE.add(name)
    run_on_server(f"CREATE DATABASE {name} TEMPLATE {template}")
    atexit.register(run_on_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def run_on_server(statement: str) -> None:
    """A statement outside of all these databases."""
    import psycopg

    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(statement)


@contextlib.contextmanager
def open_database(data: Path) -> Iterator[Any]:
    """The database of a data directory, to look and write into past Nola; each statement is kept at once."""
    if POSTGRES:
        import psycopg

        opened = psycopg.connect(database_url(data), autocommit=True)
    else:
        opened = sqlite3.connect(data / "db" / "nola.sqlite3", timeout=10, isolation_level=None)
    with contextlib.closing(opened):
        yield opened


def started(*arguments: str, env: dict[str, str], fresh: bool = False, **streams: Any) -> subprocess.Popen:
    """A Python of ours with these arguments, in a session of its own."""
    assert prepared.may_start, "what starts processes is to be marked: pytest.mark.process"
    if fresh:
        return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=env, start_new_session=True, **streams)
    return Forked(arguments, cwd=ROOT, env=env, **streams)


def manage(
    data: Path, *arguments: str, port: int = 8000, fresh: bool = False, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run manage.py to its end; `returncode`, `stdout` and `stderr` tell."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    env = environment(data, port, **settings)
    with started("manage.py", *arguments, env=env, fresh=fresh, **pipes) as process:
        try:
            output, errors = process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@contextlib.contextmanager
def hold_turn(data: Path) -> Iterator[None]:
    """Somebody else is writing, and does not come to an end."""
    with open_database(data) as database:
        for statement in ("BEGIN", f"SELECT pg_advisory_xact_lock({WRITERS})") if POSTGRES else ("BEGIN IMMEDIATE",):
            database.execute(statement)
        yield
        database.execute("ROLLBACK")


@functools.cache
def template() -> Path:
    """A data directory after a first run."""
    folder = Path(tempfile.mkdtemp(prefix="nola-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = manage(folder, "shell", "-v0", "-c", "from nola_site.safety import first_run; first_run.prepare()")
    assert made.returncode == 0, made.stderr
    return folder


def lay(data: Path) -> None:
    """A memory such as a first run leaves, and unlike any other."""
    (data / "db").mkdir(parents=True)
    (data / "db").chmod(0o700)
    if POSTGRES:
        make_database(name_database(data), name_database(template()))
    else:
        database = shutil.copyfile(template() / "db" / "nola.sqlite3", data / "db" / "nola.sqlite3")
        database.chmod(0o600)
    with open_database(data) as database:
        database.execute(f"UPDATE state_meta SET store_id = '{uuid.uuid4()}', epoch = '{uuid.uuid4().hex[:8]}'")


SERVE = ("manage.py", "serve")
GUNICORN = ("-m", "gunicorn", "nola_site.wsgi", "--bind", "127.0.0.1:{port}", "--threads", "4", "--no-control-socket")
BANNER = "Nola is at "


class Server:
    def __init__(self, data: Path, command: tuple[str, ...] = SERVE, fresh: bool = False, **settings: str) -> None:
        self.data, self.command, self.fresh, self.settings = data, command, fresh, settings
        self.port = free_port()

    def start(self) -> "Server":
        if not self.fresh and not self.data.exists():
            lay(self.data)
            self.settings.setdefault("NOLA_ADMIN_PASSWORD", "")  # it holds already, and takes long to look up
        env = environment(self.data, self.port, **self.settings)
        self.log = (self.data.parent / f"{self.data.name}.log").open("a+")
        self.banners = self.output().count(BANNER)
        arguments = [part.replace("{port}", str(self.port)) for part in self.command]
        self.process = started(*arguments, env=env, fresh=self.fresh, stdout=self.log, stderr=self.log)
        self.wait()
        return self

    def wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                # workers that outlive a killed server for a moment must not speak for the new one
                if self._has_begun() and self.request("GET", "/readyz", key=None)[0] == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server did not come up:\n{self.output()}")

    def _has_begun(self) -> bool:
        return self.command != SERVE or self.output().count(BANNER) > self.banners

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def kill(self) -> None:
        """SIGKILL for the server and all its workers, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.reap()

    def reap(self) -> None:
        """Wait for all that has been killed; the workers of a server that is gone are ours."""
        self.process.wait()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-self.process.pid, 0)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.reap()
        self.log.close()
        TAKEN.pop(self.port).close()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def request(
        self, method: str, path: str, body: bytes | None = None, key: str | None = KEY
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers (names in lower case) of one request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {key}"} if key else {})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, response.read(), headers
        finally:
            connection.close()

    def raw(self, sent: bytes, close_after_sending: bool = False) -> bytes:
        """All that comes back for these bytes until the server closes or a second has passed in silence."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(sent)
            if close_after_sending:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            connection.settimeout(1)
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while chunk := connection.recv(65536):
                    received += chunk
            return received


@contextlib.contextmanager
def running(data: Path, *command: str, fresh: bool = False, **settings: str) -> Iterator[Server]:
    server = Server(data, command or SERVE, fresh, **settings)
    try:
        yield server.start()
    finally:
        server.close()
