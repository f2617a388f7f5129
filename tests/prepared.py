"""Processes of ours without the wait for imports: each is forked from one that has imported everything and run nothing.

All else is as in `python manage.py ...`: arguments, environment, streams, a session of its own, its parent is the one
who asked, and the settings are read from its own environment, when something first asks for them. Where the start
itself is what a test is about, it uses a real one: `fresh` in tests/server.py.
"""

import ctypes
import functools
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BECOME_THE_PARENT_OF_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
OURS = ("access", "conversations", "nola_site", "state")

may_start = True  # whether the test that runs is marked as one that starts processes, see tests/whole_run.py


# In the tests


class Forked(subprocess.Popen):
    """As `Popen([sys.executable, *arguments], start_new_session=True)`."""

    def _execute_child(self, *given: Any) -> None:
        arguments, _, _, _, _, cwd, env = given[:7]
        pipes = given[10:16]  # what is read and written by the child is at 0, 3 and 5; -1 is what we have
        streams = [own if pipe == -1 else pipe for own, pipe in enumerate((pipes[0], pipes[3], pipes[5]))]
        order = {"arguments": arguments, "cwd": str(cwd or ROOT), "env": env or dict(os.environ)}
        try:
            channel = prepared()
            socket.send_fds(channel, [json.dumps(order).encode()], streams)
            self.pid = int(channel.recv(32))
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)


def end() -> None:
    """End the prepared process of this one, if there is one."""
    if prepared.cache_info().currsize:
        prepared().close()
        prepared.cache_clear()


def adopt() -> None:
    """Become the parent of what processes of this one leave behind."""
    ctypes.CDLL(None).prctl(BECOME_THE_PARENT_OF_ORPHANS, 1, 0, 0, 0)


@functools.cache
def prepared() -> socket.socket:
    """The way to the prepared process of this one, which ends with it."""
    adopt()
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NOLA_", "DJANGO_"))}
    env |= {"DJANGO_SETTINGS_MODULE": "nola_site.settings", "NOLA_DATA_DIR": "/nowhere"}
    command = [sys.executable, "-m", "tests.prepared", str(there.fileno())]
    subprocess.Popen(
        command, cwd=ROOT, env=env, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    there.close()
    return here


# In the prepared process


def prepare() -> None:
    """Import what the commands and the server use, but nothing that builds something from the settings."""
    import django
    from django.conf import settings
    from django.core.management import get_commands, load_command_class

    django.setup()
    for name, app in get_commands().items():
        if app in OURS:
            load_command_class(app, name)
    modules = [path.rpartition(".")[0] for path in settings.MIDDLEWARE]
    for name in ["nola_site.urls", "nola_site.serving.worker", "nola_site.serving.bridge", "nola_site.serving.sse",
                 "gunicorn.app.wsgiapp", "gunicorn.arbiter", "argon2", *modules]:  # fmt: skip
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def fork(channel: socket.socket) -> list[str]:
    """Fork for each order. Returns, in the child, its arguments."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, 1_000_000, 3)
        if not message:
            sys.exit()
        told, tell = os.pipe()
        begin, go = os.pipe()
        between = os.fork()  # it ends at once, and leaves its child to the one who asked
        if not between:
            if os.fork():
                os._exit(0)
            os.setsid()
            os.write(tell, str(os.getpid()).encode())
            os.close(go)
            if not os.read(begin, 1):
                os._exit(1)
            channel.close()
            for descriptor in (told, tell, begin):
                os.close(descriptor)
            return become(json.loads(message), streams)
        os.waitpid(between, 0)
        os.write(go, b"!")
        channel.send(os.read(told, 32))
        for descriptor in (told, tell, begin, go, *streams):
            os.close(descriptor)


def become(order: dict[str, Any], streams: list[int]) -> list[str]:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    forget_settings()
    return order["arguments"]


def forget_settings() -> None:
    """As if nothing had asked for the settings yet."""
    from django.conf import settings
    from django.db import connections
    from django.utils.functional import empty

    import nola_site

    settings._wrapped = empty
    del sys.modules["nola_site.settings"], nola_site.settings
    del connections.settings, connections["default"]  # the rest of what imports have kept is a constant
    connections._settings = None


def main(arguments: list[str]) -> None:
    """What `python` does with arguments: a file, or a module after -m."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    prepare()
    main(fork(socket.socket(fileno=int(sys.argv[1]))))
