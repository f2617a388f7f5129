"""What the processes of a server are made of: one imports the site, and the workers are forked from it."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from tests.server import lay, manage

pytestmark = pytest.mark.process

BEFORE_THE_FORK = """
import gc, sys, threading
from django.db import connection
from nola_site.management.commands.serve import Server

Server.load(None)
print("nola_site.urls" in sys.modules, gc.get_freeze_count() > 100_000, threading.active_count(), connection.connection)
"""


def test_workers_are_forked_from_the_imported_site_which_has_no_thread_and_no_connection(tmp_path):
    lay(tmp_path / "data")

    told = manage(tmp_path / "data", "shell", "-v0", "-c", BEFORE_THE_FORK, fresh=True)

    assert told.stdout == "True True 1 None\n", told.stderr


def test_connections_that_come_at_once_are_shared_by_all_workers(server):
    """Else one worker answers, and the cores of the others are idle."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while len(workers := [int(child) for child in children.read_text().split()]) < 2:
        time.sleep(0.01)
    with contextlib.ExitStack() as opened:

        def open_connections(count: int) -> list[int]:
            before = {worker: count_sockets(worker) for worker in workers}
            connections = [opened.enter_context(contextlib.closing(server.connect())) for _ in range(count)]
            for one in connections:
                one.connect()
            for one in connections:
                one.request("GET", "/healthz")
                one.getresponse().read()
            return [count_sockets(worker) - before[worker] for worker in workers]

        while min(open_connections(10)) < 1:  # one of them is not there yet
            pass
        assert min(open_connections(40)) >= 5


def count_sockets(pid: int) -> int:
    found = 0
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += os.readlink(one).startswith("socket:")
    return found
