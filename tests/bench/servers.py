"""The servers that are measured: Nola, empty apps under the same gunicorn, and the peers where they are installed."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from tests.bench import databases
from tests.bench.load import Requests, request
from tests.server import KEY, ROOT, TAKEN, free_port, running

PEERS = ROOT / ".venv-peers" / "bin" / "python"  # set up by `make bench-peers`
WORKERS = 2
THREADS = 8
NOLA = f"./nola serve, {WORKERS} workers of {THREADS} threads"
WSGI = f"an empty WSGI app under gunicorn, {WORKERS} gthread workers of {THREADS} threads"
ASGI = f"an empty ASGI app under gunicorn, {WORKERS} asgi workers"
FASTAPI = f"FastAPI under uvicorn, {WORKERS} workers"
GUNICORN = ("-m", "gunicorn", "--no-control-socket", "--keep-alive", "75", "--workers", str(WORKERS))
PATIENCE = ("--timeout-keep-alive", "75", "--timeout-worker-healthcheck", "60")
UVICORN = ("-m", "uvicorn", "tests.bench.peers.app:app", "--log-level", "warning", "--no-access-log", *PATIENCE)


class Target(NamedTuple):
    """A server to send requests to, and the processes whose CPU is counted."""

    port: int
    pids: tuple[int, ...]
    authorization: str = ""

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        if self.authorization:
            headers["Authorization"] = self.authorization
        if body is not None:
            headers = {"Content_Type": "application/json"} | headers
        return request(method, path, body, **headers)

    def ask(self, sent: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        """One request on a connection of its own, and its answer. Raises SystemExit where that is an error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.connect()
            connection.sock.sendall(sent)
            response = http.client.HTTPResponse(connection.sock)
            response.begin()
            answer = response.read()
        if response.status >= 400:
            raise SystemExit(f"{sent[:100]!r}: {response.status} {answer[:300]!r}")
        return response, answer


@contextlib.contextmanager
def nola(data: Path | None = None, **settings: str) -> Iterator[tuple[Target, Path]]:
    """Nola as `make run` starts it, on that data directory or on one of its own, with a database of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="nola-bench-") as folder,
        nullcontext({}) if "DATABASE_URL" in settings else databases.new() as database,
    ):
        settings = {"NOLA_WORKERS": str(WORKERS), "NOLA_THREADS": str(THREADS)} | database | settings
        with running(data or Path(folder) / "data", fresh=True, **settings) as server:
            yield Target(server.port, (server.process.pid,), f"Bearer {KEY}"), server.data


@contextlib.contextmanager
def empty(kind: str) -> Iterator[Target]:
    """An app that does nothing, as `wsgi` or `asgi`."""
    worker = ("--worker-class", "gthread", "--threads", str(THREADS)) if kind == "wsgi" else ("--worker-class", "asgi")
    with started(
        sys.executable, *GUNICORN, *worker, "--bind", "127.0.0.1:{port}", f"tests.bench.peers.empty:{kind}"
    ) as target:
        yield target


@contextlib.contextmanager
def fastapi(store: str, workers: int = WORKERS) -> Iterator[Target]:
    """FastAPI in front of one of tests/bench/peers/stores.py."""
    with tempfile.TemporaryDirectory(prefix="nola-bench-peer-") as folder:
        env = {"PEER_STORE": store, "PEER_DATA": folder}
        subprocess.run([PEERS, "-c", "import tests.bench.peers.app"], cwd=ROOT, env=os.environ | env, check=True)
        with started(str(PEERS), *UVICORN, "--workers", str(workers), "--port", "{port}", **env) as target:
            yield target


@contextlib.contextmanager
def started(*command: str, **env: str) -> Iterator[Target]:
    """A server, once it takes connections; `{port}` stands for its port."""
    port = free_port()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            cwd=ROOT, env=os.environ | env, start_new_session=True, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            try:
                await_answer(port, process, "/")
            except SystemExit:
                log.seek(0)
                sys.stderr.write(log.read()[-2000:])
                raise
            yield Target(port, (process.pid,))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            TAKEN.pop(port).close()


def await_answer(port: int, process: subprocess.Popen, path: str, status: int | None = None) -> None:
    """Wait until a server answers there, with any status or with that one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            if connection.getresponse().status == status or status is None:
                return
        time.sleep(0.005)
    raise SystemExit(f"the server on port {port} did not come up")


def repeat(sent: bytes) -> Requests:
    while True:
        yield sent
