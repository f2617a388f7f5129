"""A server that is told to stop answers all who have reached it, and nobody gets to it afterwards."""

import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from nola_site.serving.tests.test_serving import get, statuses
from tests.server import running

pytestmark = pytest.mark.process


def workers(server) -> list[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def test_whoever_has_reached_a_server_that_stops_is_answered(tmp_path):
    with running(tmp_path / "data") as server:
        all_of_it = [*workers(server), server.process.pid]
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # it knows; each worker looks once a second
        for pid in all_of_it:
            os.kill(pid, signal.SIGSTOP)
        reached = []
        with suppress(ConnectionRefusedError):  # it has stopped already
            for _ in range(50):
                reached.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        for connection in reached[1:]:
            connection.sendall(get("/api/state"))
        time.sleep(1)
        for pid in all_of_it[:-1]:
            os.kill(pid, signal.SIGCONT)
        for connection in reached[:1]:  # it is let in just now
            connection.sendall(get("/api/state"))

        assert [statuses(connection.recv(65536)) for connection in reached] == [[200]] * len(reached)

        os.kill(server.process.pid, signal.SIGCONT)
        assert server.process.wait(timeout=15) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
        for connection in reached:
            connection.close()


def test_a_silent_connection_holds_up_no_stop(tmp_path):
    with running(tmp_path / "data") as server:
        silent = socket.create_connection(("127.0.0.1", server.port))
        began = time.monotonic()

        assert server.stop() == 0

        assert time.monotonic() - began < 10
        silent.close()
