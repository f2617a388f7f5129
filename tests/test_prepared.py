"""A process that is forked is as one that is started: its settings, its arguments, its exit, its parent, its death."""

import os
import re
import signal
import socket
import subprocess

import pytest

from tests.server import environment, free_port, lay, manage, started

pytestmark = pytest.mark.process

OTHER = {
    "NOLA_HOST": "127.0.0.9",
    "NOLA_THREADS": "3",
    "NOLA_TIME_ZONE": "America/Lima",
    "NOLA_PUBLIC_URL": "https://nola.example",
    "NOLA_SECRET_KEY": "a-secret-key-for-tests-only",
}
LOOK = """
import logging, os, signal, sys, threading, time
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
print(sys.argv, os.getcwd(), os.getpid() == os.getpgrp() == os.getsid(0), sorted(os.environ))
print(sorted(os.listdir("/proc/self/fd")), [signal.getsignal(number) for number in (2, 13, 15)])
print(connection.settings_dict, timezone.get_default_timezone(), time.tzname, threading.enumerate())
print(logging.getLogger("nola").level, logging.getLogger().handlers)
call_command("diffsettings", all=True)
"""


@pytest.mark.parametrize("given", [{}, OTHER], ids=["few", "others"])
def test_what_a_command_finds_is_the_same(tmp_path, given):
    told = {"NOLA_SECRET_KEY": "a-key-for-tests", **given}
    forked, fresh = (manage(tmp_path, "shell", "-v0", "-c", LOOK, fresh=fresh, **told) for fresh in (False, True))

    assert (forked.returncode, forked.stderr) == (fresh.returncode, fresh.stderr) == (0, "")
    assert without_chance(forked.stdout) == without_chance(fresh.stdout)
    assert str(tmp_path) in forked.stdout


def without_chance(text):
    """Without addresses, and the order of a set."""
    return re.sub(r" at 0x[0-9a-f]+|, started \d+|^KNOWN = .*", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("arguments", [["nonsense"], ["shell", "-c", "raise SystemExit(7)"], ["doctor", "-h"]])
def test_it_ends_the_same(tmp_path, arguments):
    (tmp_path / "db").mkdir()

    forked, fresh = (manage(tmp_path, *arguments, fresh=fresh) for fresh in (False, True))

    assert (forked.returncode, forked.stdout, forked.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)


def test_a_wrong_setting_stops_it_too(tmp_path):
    ended = manage(tmp_path, "serve", NOLA_THREADS="many")

    assert (ended.returncode, ended.stderr.count("NOLA_THREADS")) == (1, 1)


def test_it_is_ours_to_wait_for_and_to_kill(tmp_path):
    code = "import os, time; print(os.getppid(), flush=True); time.sleep(60)"
    command = ("manage.py", "shell", "-v0", "-c", code)
    with started(*command, env=environment(tmp_path, 8000), stdout=subprocess.PIPE, text=True) as process:
        assert int(process.stdout.readline()) == os.getpid()
        os.killpg(process.pid, signal.SIGKILL)

        assert process.wait(timeout=10) == -signal.SIGKILL


def test_memories_that_are_laid_are_not_the_same_one(tmp_path):
    look = "from state.models import StoreMeta; print(StoreMeta.objects.values_list('store_id', 'epoch').get())"
    lay(tmp_path / "one")
    lay(tmp_path / "other")

    one, other = (manage(tmp_path / name, "shell", "-v0", "-c", look).stdout for name in ("one", "other"))

    assert len(one) == len(other) > 40
    assert not set(eval(one)) & set(eval(other))
    assert manage(tmp_path / "one", "doctor").returncode == 0


def test_a_port_is_given_once():
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == 50
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
