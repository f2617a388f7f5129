"""Kinto on PostgreSQL: both started in a temporary folder, the database as a user who may do nothing else."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.servers import GUNICORN, PEERS, THREADS, Target, started

BUCKET = "/v1/buckets/nola"
COLLECTIONS = f"{BUCKET}/collections"  # one for each client: two writes to one in the same millisecond are a conflict
AUTHORIZATION = "Basic dXNlcjpwYXNzd29yZA=="
INI = """
[app:main]
use = egg:kinto
kinto.userid_hmac_secret = benchmark
multiauth.policies = basicauth
kinto.bucket_create_principals = system.Authenticated
kinto.storage_backend = kinto.core.storage.postgresql
kinto.storage_url = {url}
kinto.permission_backend = kinto.core.permission.postgresql
kinto.permission_url = {url}
kinto.cache_backend = kinto.core.cache.postgresql
kinto.cache_url = {url}
[server:main]
use = egg:gunicorn
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = ERROR
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


class Missing(Exception):
    """What Kinto needs is not at hand; the message says what."""


@contextlib.contextmanager
def kinto(collections: Iterable[str]) -> Iterator[Target]:
    """Kinto under gunicorn with these collections, its CPU with that of PostgreSQL. Raises Missing."""
    with tempfile.TemporaryDirectory(prefix="nola-bench-kinto-") as folder, postgresql(Path(folder)) as (url, pid):
        ini = Path(folder) / "kinto.ini"
        ini.write_text(INI.format(url=url))
        migrate = [PEERS.with_name("kinto"), "migrate", "--ini", ini]
        done = subprocess.run(migrate, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"kinto migrate failed: {done.stderr[-300:]}")
        serve = ("--worker-class", "gthread", "--threads", str(THREADS), "--bind", "127.0.0.1:{port}")
        with started(str(PEERS), *GUNICORN, *serve, "--paste", str(ini)) as server:
            target = Target(server.port, (*server.pids, pid), AUTHORIZATION)
            for path in (BUCKET, *(f"{COLLECTIONS}/{name}" for name in collections)):
                target.ask(target.request("PUT", path, b"{}"))
            yield target


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[tuple[str, int]]:
    """A new PostgreSQL on a socket in the folder, as it comes: its address and process."""
    initdb = find("initdb")
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # which PostgreSQL refuses
        user = next((name for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()}), None)
        if user is None:
            raise Missing("PostgreSQL does not run as root, and there is no user postgres or nobody")
        who = {"user": user, "group": pwd.getpwnam(user).pw_gid}
    home = folder / "postgresql"
    home.mkdir()
    folder.chmod(0o755)
    if who:
        shutil.chown(home, who["user"])
    run: dict[str, Any] = {"cwd": home, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **who}
    subprocess.run([initdb, "-D", home / "data", "-U", "nola", "-A", "trust", "-E", "UTF8"], check=True, **run)
    command = [initdb.with_name("postgres"), "-D", home / "data", "-k", home, "-c", "listen_addresses="]
    with subprocess.Popen(command, **run) as process:
        try:
            deadline = time.monotonic() + 30
            while not (home / ".s.PGSQL.5432").exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Missing("PostgreSQL did not start")
                time.sleep(0.05)
            yield f"postgresql://nola@/postgres?host={home}", process.pid
        finally:
            process.terminate()


def find(program: str) -> Path:
    """A program of PostgreSQL. Raises Missing."""
    places = [*Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), shutil.which(program)]
    for place in filter(None, places):
        return Path(place).resolve()
    raise Missing("PostgreSQL is not installed (Debian: apt install postgresql)")
