"""Kinto on the PostgreSQL that Nola has too, in a database of its own."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from tests.bench import databases
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
    with tempfile.TemporaryDirectory(prefix="nola-bench-kinto-") as folder, databases.new() as settings:
        url = unquote(settings["DATABASE_URL"]).replace("postgres://", "postgresql://", 1)
        ini = Path(folder) / "kinto.ini"
        ini.write_text(INI.format(url=url))
        migrate = [PEERS.with_name("kinto"), "migrate", "--ini", ini]
        done = subprocess.run(migrate, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"kinto migrate failed: {done.stderr[-300:]}")
        serve = ("--worker-class", "gthread", "--threads", str(THREADS), "--bind", "127.0.0.1:{port}")
        with started(str(PEERS), *GUNICORN, *serve, "--paste", str(ini)) as server:
            target = Target(server.port, (*server.pids, *databases.find_pids()), AUTHORIZATION)
            for path in (BUCKET, *(f"{COLLECTIONS}/{name}" for name in collections)):
                target.ask(target.request("PUT", path, b"{}"))
            yield target
