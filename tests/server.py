"""A real Nola in a process of its own, on a real data directory, spoken to over real sockets."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEY = "nola_a-key-for-tests-only"
PASSWORD = "a-password-for-tests-only"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def environment(data: Path, port: int, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NOLA_", "DJANGO_"))}
    return inherited | {
        "NOLA_DATA_DIR": str(data),
        "NOLA_PORT": str(port),
        "NOLA_API_KEY": KEY,
        "NOLA_ADMIN_PASSWORD": PASSWORD,
        "NOLA_TIME_ZONE": "Europe/Prague",
        "NOLA_WRITES_PER_MINUTE": "0",
        **settings,
    }


def manage(data: Path, *arguments: str, port: int = 8000, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py to its end; `returncode`, `stdout` and `stderr` tell."""
    command = [sys.executable, "manage.py", *arguments]
    env = environment(data, port, **settings)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


SERVE = ("manage.py", "serve")
GUNICORN = ("-m", "gunicorn", "nola_site.wsgi", "--bind", "127.0.0.1:{port}", "--threads", "4", "--no-control-socket")
BANNER = "Nola is at "


class Server:
    def __init__(self, data: Path, command: tuple[str, ...] = SERVE, **settings: str) -> None:
        self.data, self.command, self.settings = data, command, settings
        self.port = free_port()

    def start(self) -> "Server":
        env = environment(self.data, self.port, **self.settings)
        self.log = (self.data.parent / f"{self.data.name}.log").open("a+")
        self.banners = self.output().count(BANNER)
        arguments = [part.replace("{port}", str(self.port)) for part in self.command]
        self.process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=env, stdout=self.log, stderr=self.log, start_new_session=True
        )
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
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

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
def running(data: Path, *command: str, **settings: str) -> Iterator[Server]:
    server = Server(data, *([command] if command else []), **settings)
    try:
        yield server.start()
    finally:
        server.close()
