"""A new release takes over from the old one while both run on one database, which it brings up to date meanwhile."""

import itertools
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import psycopg
import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from tests.server import ROOT, Server, free_port, manage
from tests.servers import any_cluster, closing_all, make_database, make_servers
from tests.soak.feed import finish
from tests.soak.servers import LOGS, WRITERS, Hopper, Poller, Writer, find_lost

CODE = ("access", "conversations", "fixtures", "nola_site", "state", "templates", "manage.py")
WRITES = 15  # of each writer at least before the next step
NEXT = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("state", "{last}")]
    operations = [
        migrations.CreateModel("Next", [("id", models.BigAutoField(primary_key=True)), ("text", models.TextField())]),
        migrations.AddField("storemeta", "next", models.TextField(null=True)),
        migrations.AddField("stateentry", "next", models.IntegerField(db_default=7)),
        migrations.AddField("revision", "next", models.TextField(null=True)),
        migrations.AddField("idempotency", "next", models.IntegerField(db_default=7)),
        migrations.AddIndex("change", models.Index(fields=["key", "id"], name="next_change")),
    ]
"""
FIRST = {"access": 8, "conversations": 12, "state": 11}  # the first migrations since there are several servers
LATER: dict[str, str] = {}  # "app.name" of one that takes something away, and since which release nothing uses it


# The rule


def find_breaking(operations):
    """What a server of the release before could not live with."""
    for operation in operations:
        adds = isinstance(operation, migrations.CreateModel | migrations.AddIndex | migrations.AlterModelOptions)
        if isinstance(operation, migrations.AddField):
            adds = operation.field.null or operation.field.has_db_default()
        if not adds:
            yield type(operation).__name__


def test_a_migration_only_adds_what_the_release_before_does_not_mind():
    found = {
        f"{app}.{name}": list(find_breaking(migration.operations))
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if app in FIRST and int(name[:4]) >= FIRST[app]
    }

    assert {name: breaking for name, breaking in found.items() if breaking and name not in LATER} == {}


def test_what_it_minds_is_known():
    text = models.TextField()
    adding = [
        migrations.CreateModel("Next", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("change", "next", models.TextField(null=True)),
        migrations.AddField("change", "next", models.IntegerField(db_default=7)),
    ]
    breaking = [
        migrations.AddField("change", "next", models.IntegerField(default=7)),  # a default of Python's alone
        migrations.RemoveField("change", "key"),
        migrations.RenameField("change", "key", "name"),
        migrations.AlterField("change", "key", text),
        migrations.DeleteModel("Change"),
        migrations.RunSQL("SELECT 1"),
    ]

    assert list(find_breaking(adding)) == []
    assert len(list(find_breaking(breaking))) == len(breaking)


# Both side by side


@pytest.fixture
def new_release(tmp_path) -> Path:
    """The code of this release, and one migration more."""
    folder = tmp_path / "new_release"
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (tmp_path / "new_release").mkdir(exist_ok=True)
        copy(ROOT / name, folder / name)
    known = sorted(path.stem for path in (folder / "state" / "migrations").glob("0*.py"))
    (folder / "state" / "migrations" / "0999_next.py").write_text(NEXT.format(last=known[-1]))
    return folder


class Site:
    """The servers that a balancer would know; it goes on to the next one where a connection is refused."""

    def __init__(self, servers):
        self.known = servers

    def __iter__(self):
        for number in itertools.count():
            yield self.known[number % len(self.known)]


def write_more(writers):
    before = [one.written for one in writers]
    deadline = time.monotonic() + 120
    while any(one.written < count + WRITES for one, count in zip(writers, before, strict=True)):
        assert all(one.thread.is_alive() for one in writers), [one.problems for one in writers]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def applied(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM django_migrations WHERE name = '0999_next'").fetchone()[0]


@pytest.mark.heavy
@pytest.mark.process
def test_a_new_release_takes_over_while_all_write_and_read(new_release, tmp_path):
    with any_cluster() as cluster:
        url = make_database(cluster)
        (old,) = make_servers(tmp_path, url, 1)
        new = Server(old.data, (str(new_release / "manage.py"), "serve"), fresh=True, DATABASE_URL=url)
        with closing_all([old, new]):
            old.start()
            for log in LOGS:
                old.request("PUT", f"/api/state/{log}", b"[]")
            old.request("PUT", "/api/state/Leaves", b"{}")
            site = Site([old])
            writers = [Writer([old], number, 10**6) for number in range(WRITERS)]
            for writer in writers:
                writer.servers = iter(site)
            readers = [kind([old, new], kind.__name__) for kind in (Hopper, Poller)]
            for actor in [*writers, *readers]:
                actor.thread.start()
            write_more(writers)

            with psycopg.connect(url) as reading:  # an export that holds the tables for a while
                reading.execute("SELECT count(*) FROM state_revision, state_storage, state_idempotency, state_meta")
                ending = threading.Thread(target=end_once_it_is_waited_for, args=(reading, url))
                ending.start()
                new.start()
                ending.join()
            assert applied(url) == 1
            site.known = [old, new]
            write_more(writers)
            site.known = [new]
            write_more(writers)  # none of them waits for the old one any more
            kill_a_worker(old)
            assert old.request("GET", "/readyz", key=None)[0] == 200
            site.known = [old, new]
            write_more(writers)
            refused = manage(old.data, "serve", port=free_port(), DATABASE_URL=url)
            assert (refused.returncode, "was written by a newer Nola (it has state.0999_next)" in refused.stderr) == (
                1,
                True,
            )
            old.stop()
            write_more(writers)

            for writer in writers:
                writer.writes = 0
            for writer in writers:
                writer.thread.join(timeout=60)
            finish(new, readers, writers)
            assert [one.problems for one in writers if one.problems] == []
            assert find_lost(new, writers) == []
            assert [broken for one in writers for broken in one.broken] == []


def end_once_it_is_waited_for(reading, url):
    """Go on reading for a while after a migration wants a table that is being read."""
    with psycopg.connect(url, autocommit=True) as connection:
        wanted = "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        while not connection.execute(wanted).fetchone():
            time.sleep(0.01)
    time.sleep(3)
    reading.close()


def kill_a_worker(server):
    """Another one takes its place, on the newer schema."""
    workers = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    before = set(workers.read_text().split())
    os.kill(int(min(before)), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while len(before | set(workers.read_text().split())) == len(before):
        assert time.monotonic() < deadline
        time.sleep(0.05)
