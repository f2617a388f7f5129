"""What the processes of a server are made of: one imports the site, and the workers are forked from it."""

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
