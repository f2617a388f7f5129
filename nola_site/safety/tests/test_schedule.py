"""What a running server does by itself: once, however many workers it has."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from tests.server import manage, running

pytestmark = pytest.mark.process

LONG_AGO = {"at": "2020-01-01T00:00:00+00:00", "seq": 0}


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def make_due(data, **record):
    (data / "db" / "schedule").write_text(json.dumps(record or {"checkpoint": LONG_AGO, "backup": LONG_AGO}))


def wait_for(condition, seconds=20):
    """A generous end for what comes within a few seconds; never a measure of speed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kept(data, folder):
    return sorted((data / folder).glob("auto-*-scheduled*"))


@pytest.mark.heavy
def test_what_is_due_is_made_once_across_workers_and_shown(data):
    with running(data, NOLA_WORKERS="3") as server:
        assert json.loads(server.request("GET", "/readyz", key=None)[1])["last_backup"] is None
        make_due(data)

        wait_for(lambda: kept(data, "backups") and kept(data, "checkpoints"))
        time.sleep(5)  # two more rounds: nothing has changed, so nothing more is made

        assert (len(kept(data, "checkpoints")), len(kept(data, "backups"))) == (1, 1)
        ready = json.loads(server.request("GET", "/readyz", key=None)[1])
        assert ready["last_checkpoint"]
        assert ready["last_backup"]
        make_due(data, checkpoint={"at": LONG_AGO["at"], "seq": 1})
        server.request("PUT", "/api/state/Changed", b"1")
        wait_for(lambda: len(kept(data, "checkpoints")) == 2)
        assert len(kept(data, "backups")) == 1
        assert manage(data, "doctor").returncode == 0


def test_another_worker_takes_over_when_the_one_that_does_it_dies(data):
    with running(data, NOLA_WORKERS="2") as server:
        make_due(data)
        wait_for(lambda: kept(data, "checkpoints"))
        holder = next(pid for pid in children(server.process.pid) if holds(pid, "/db/.schedule"))
        os.kill(holder, signal.SIGKILL)
        server.wait()

        server.request("PUT", "/api/state/Changed", b"1")

        def is_made():
            make_due(data)  # again and again: the new one may be about to note what the dead one had made
            return len(kept(data, "checkpoints")) == 2

        wait_for(is_made)


def children(pid):
    return [int(child) for child in open(f"/proc/{pid}/task/{pid}/children").read().split()]


def holds(pid, name):
    files = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            files.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return any(path.endswith(name) for path in files)


def test_a_failure_is_said_in_log_readyz_and_doctor(data):
    with running(data) as server:
        shutil.rmtree(data / "backups")
        (data / "backups").write_text("in the way")
        make_due(data)

        wait_for(lambda: "backup failed" in server.output())

        assert "backups" in json.loads(server.request("GET", "/readyz", key=None)[1])["backup_failed"]
        assert server.request("PUT", "/api/state/Changed", b"1")[0] == 201
        assert "the last scheduled backup failed" in manage(data, "doctor").stdout


def test_what_was_uploaded_and_left_for_a_day_goes(data):
    old, new = (data / "imports" / f"{name * 20}.0" for name in ("o", "n"))
    with running(data) as server:
        assert server.stop() == 0
    old.parent.mkdir()
    for path in (old, new):
        path.write_bytes(b"{}")
    os.utime(old, (time.time() - 2 * 86400,) * 2)

    with running(data):
        wait_for(lambda: not old.exists())
        assert new.exists()


@pytest.mark.heavy
def test_nothing_is_made_where_it_is_switched_off(data):
    with running(data, NOLA_CHECKPOINT_MINUTES="0", NOLA_BACKUP_HOURS="0"):
        make_due(data)
        time.sleep(6)

        assert not kept(data, "checkpoints") + kept(data, "backups")


@pytest.mark.parametrize("way", ["copied", "moved", "removed"])
def test_a_database_that_is_replaced_under_the_server_stops_it_loudly(data, way):
    with running(data) as server:
        server.request("PUT", "/api/state/Kept", b"1")
        assert manage(data, "backup").returncode == 0
        [backup] = (data / "backups").glob("*.sqlite3")
        server.request("PUT", "/api/state/Kept", b"2")
        wait_for(lambda: '"seq": 3' in (data / "db" / "head").read_text(), 30)
        database = data / "db" / "nola.sqlite3"
        if way == "copied":
            shutil.copyfile(backup, database)
        elif way == "moved":
            shutil.copyfile(backup, data / "db" / "new")
            os.replace(data / "db" / "new", database)
        else:
            database.unlink()

        server.process.wait(timeout=60)
        assert "while the server was running" in server.output()

        server.start()
        known = {"copied": b"1", "moved": b"1"}
        if way in known:
            assert server.request("GET", "/api/state/Kept")[1] == known[way]
            assert server.request("GET", "/api/state/Kept?at=3")[0] == 410
        assert int(server.request("GET", "/api/state")[2]["nola-revision"]) > 3
        assert "recovered" in json.loads(server.request("GET", "/readyz", key=None)[1])
        assert manage(data, "doctor").returncode == 0


def test_a_worker_stops_cleanly_with_the_schedule_in_it(data):
    with running(data) as server:
        server.request("PUT", "/api/state/Kept", b"1")
        assert server.stop() == 0

        assert json.loads((data / "db" / "head").read_text())["seq"] == 2
        assert "Traceback" not in server.output()


def test_watching_the_database_leaves_the_locks_of_sqlite_alone(data):
    """Else a command that closes the database takes itself for the last one, and removes the -wal in use."""
    with running(data, NOLA_WORKERS="1") as server:
        server.request("PUT", "/api/state/Kept", b"1")
        wait_for(lambda: '"seq": 2' in (data / "db" / "head").read_text(), 60)  # it has looked by then
        wal = data / "db" / "nola.sqlite3-wal"
        before = wal.stat().st_ino

        assert manage(data, "doctor").returncode == 0
        server.request("PUT", "/api/state/Kept", b"2")

        assert wal.stat().st_ino == before
        with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
            assert database.execute("SELECT value_json FROM state_storage WHERE key_name = 'Kept'").fetchone() == ("2",)
