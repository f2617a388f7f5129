import contextlib
import errno
import gc
import os
import resource
import socket
import time
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from gunicorn.app.base import BaseApplication

from access.database import engine
from nola_site.safety import first_run, schedule
from nola_site.safety.first_run import Welcome
from nola_site.safety.recovery import CannotStart
from nola_site.serving import memory
from state import clock
from state.files.atomic import CannotWrite, NoRoom
from state.locks import is_alive, try_lock

MOST_FILES = 65_536
STALLED = 75_000  # milliseconds
PATIENCE = 5.0  # seconds for the workers of a killed server to notice and go


class Command(BaseCommand):
    help = "Prepare everything on the first run, then serve the admin and the API on one port."

    def handle(self, **options: Any) -> None:
        os.umask(0o077)  # what is written here is nobody else's
        memory.keep_little()
        try:
            first_run.make_directories()
            allow_many_connections()
            lock = hold_directory(settings.NOLA_DB_DIR / ".lock")
            patience = 0 if engine().find_file() else PATIENCE  # where the directory is not ours alone
            listener = open_socket(settings.NOLA_HOST, settings.NOLA_PORT, patience)
            welcome = first_run.prepare()
            database = identify_database()
        except CannotStart as error:
            raise CommandError(str(error)) from None
        self.stdout.write(format_banner(welcome))
        self.stdout.flush()
        try:
            Server(listener).run()
        finally:
            note_head(database)
            lock.close()


class Server(BaseApplication):
    """gunicorn with its asgi worker, on a socket that is open already."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self.listener.fileno()}",
            "worker_class": "nola_site.serving.worker.Worker",
            "workers": settings.NOLA_WORKERS,
            "preload_app": True,
            "post_worker_init": start_schedule,
            "timeout": 60,
            "graceful_timeout": 2,
            "keepalive": 75,
            "loglevel": "warning",
            "control_socket_disable": True,
            "proc_name": "nola",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The site, imported once for all workers: forked, they share it. No thread and no connection before that."""
        from nola_site import urls  # noqa: F401 - the API and the admin
        from nola_site.asgi import application

        gc.freeze()  # a look for garbage would write to it, and so copy it
        return application


def start_schedule(worker: Any) -> None:
    schedule.start(worker.ppid)


def identify_database() -> tuple[int, int] | None:
    """Which file the database is; None where there is none."""
    database = engine().find_file()
    if database is None or not database.exists():
        return None
    stat = database.stat()
    return stat.st_dev, stat.st_ino


def note_head(database: tuple[int, int] | None) -> None:
    """Leave word of the newest revision, for the next start, unless the file is another one now."""
    if identify_database() == database:
        with contextlib.suppress(DatabaseError, NoRoom, CannotWrite):
            clock.note_head()
            connections.close_all()  # the last one to close takes the -wal into the database


def hold_directory(path: Path) -> IO[str]:
    """Lock the data directory for this server's life: for it alone, or with others where the database is no file.

    Raises CannotStart with the pid of the one that has it.
    """
    file = path.open("a+")
    deadline = time.monotonic() + PATIENCE
    while not try_lock(file, shared=engine().find_file() is None):
        file.seek(0)
        pid = file.read().strip()
        if (pid.isdigit() and is_alive(int(pid))) or time.monotonic() > deadline:
            raise CannotStart(f"another server (pid {pid}) is using {settings.NOLA_DATA_DIR}. Stop it first.")
        time.sleep(0.1)
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def open_socket(host: str, port: int, patience: float = 0) -> socket.socket:
    """An open socket. Raises CannotStart where the port stays taken so long, or the address is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + patience
    while True:
        try:
            listener = socket.create_server((host, port), family=family, backlog=1024)
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise CannotStart(
                    f"cannot listen on {host}, port {port}: {error.strerror}."
                    " Stop what uses it, or set NOLA_PORT (and NOLA_HOST) to something else."
                ) from None
        time.sleep(0.1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # the connections inherit both
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # a client that takes nothing any more is let go by the system
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED)
    return listener


def allow_many_connections() -> None:
    """Each stream is an open file; the usual limit of 1,024 would be the end of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def format_banner(welcome: Welcome) -> str:
    host = "127.0.0.1" if settings.NOLA_HOST in ("0.0.0.0", "::") else settings.NOLA_HOST
    host = f"[{host}]" if ":" in host else host
    lines = ["", f"Nola is at {settings.NOLA_PUBLIC_URL or f'http://{host}:{settings.NOLA_PORT}'}", ""]
    if welcome.admin_password:
        lines += [f"  admin user      {settings.NOLA_ADMIN_USER}", f"  admin password  {welcome.admin_password}"]
    if welcome.api_key:
        lines += [f"  API key         {welcome.api_key}"]
    if len(lines) > 3:
        lines += ["", f"Shown this once; kept in {settings.NOLA_DB_DIR}, in files only you can read.", ""]
    lines += ["Stop with Ctrl+C. Data: " + str(settings.NOLA_DATA_DIR), ""]
    return "\n".join(lines)
