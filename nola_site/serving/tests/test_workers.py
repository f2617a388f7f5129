"""What the processes of a server are made of: one imports the site, and the workers are forked from it."""

import os
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
    workers = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    before = {pid: count_sockets(pid) for pid in workers}
    connections = [server.connect() for _ in range(40)]
    try:
        for one in connections:
            one.connect()
        for one in connections:
            one.request("GET", "/healthz")
            one.getresponse().read()
        taken = [count_sockets(pid) - before[pid] for pid in workers]
    finally:
        for one in connections:
            one.close()

    assert len(taken) == 2
    assert min(taken) >= 5


def count_sockets(pid: int) -> int:
    return sum(os.readlink(one).startswith("socket:") for one in Path(f"/proc/{pid}/fd").iterdir())
