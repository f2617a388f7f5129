"""Backups: taken under load, verified, and put back with the server up or down."""

import json
import sqlite3
import threading
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.server import ROOT, Server, manage, running

pytestmark = [pytest.mark.process, pytest.mark.sqlite]  # test_dumps has what is promised of PostgreSQL


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def put(server: Server, address: str, value: object) -> int:
    status, body, headers = server.request("PUT", f"/api/state/{address}", json.dumps(value).encode())
    assert status in (200, 201), body
    return int(headers["nola-revision"])


def backup(data: Path) -> Path:
    result = manage(data, "backup")
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.split(" holds ")[0])


def test_a_backup_is_put_back_under_a_running_server_and_the_clock_goes_on(data):
    with running(data) as server:
        before = put(server, "Kept/n", 1)
        file = backup(data)
        put(server, "Kept/n", 2)
        lost = put(server, "Lost", "soon")

        result = manage(data, "restorebackup", file.name, "--yes")

        assert result.returncode == 0, result.stderr
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":1}'
        assert server.request("GET", "/api/state/Lost")[0] == 404
        assert int(server.request("GET", "/api/state")[2]["nola-revision"]) == lost + 1
        assert server.request("GET", f"/api/state/Kept?at={before}")[1] == b'{"n":1}'
        status, body, headers = server.request("GET", f"/api/state/Kept?at={lost}")
        assert (status, headers["content-type"]) == (410, "application/problem+json")
        assert f"revision {lost} is gone" in json.loads(body)["detail"]
        status, body, _ = server.request("PUT", f"/api/state/Kept/n?base={lost}", b"3")
        assert (status, json.loads(body)["detail"].split(":")[0]) == (410, f"revision {lost} is gone")
        assert server.request("PUT", f"/api/state/Kept/m?base={before}", b"4")[0] == 201
        assert put(server, "After", 1) == lost + 3
        assert manage(data, "doctor").returncode == 0

        [saved] = data.glob("backups/*before-restorebackup*")
        assert manage(data, "restorebackup", saved.name, "--yes").returncode == 0
        assert server.request("GET", "/api/state/Lost")[1] == b'"soon"'


def test_backups_taken_under_load_are_sound_and_hold_what_was_acknowledged(data):
    with running(data) as server:
        acknowledged, stop = [0], threading.Event()

        def write() -> None:
            while not stop.is_set():
                acknowledged.append(put(server, "Load/n", len(acknowledged)))

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        try:
            for _ in range(3):
                at_least = max(acknowledged)
                file = backup(data)
                with closing(sqlite3.connect(file)) as database:
                    assert database.execute("SELECT max(seq) FROM state_revision").fetchone()[0] >= at_least
                    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        finally:
            stop.set()
            for writer in writers:
                writer.join()


def test_a_damaged_database_is_set_aside_and_the_backup_takes_its_place(data):
    with running(data) as server:
        put(server, "Kept", 1)
        file = backup(data)
        server.stop()
        database = data / "db" / "nola.sqlite3"
        database.write_bytes(database.read_bytes()[:50_000])
        broken = database.read_bytes()

        assert manage(data, "restorebackup", str(file), "--yes").returncode == 0
        server.start()

        assert server.request("GET", "/api/state/Kept")[1] == b"1"
        [aside] = data.glob("db/set-aside-*")
        assert (aside / "nola.sqlite3").read_bytes() == broken


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-5000]), "damaged"),
        (lambda file: file.write_bytes(b"x" * 5000), "is not a SQLite database"),
        (lambda file: file.write_bytes(b""), "is not a SQLite database"),
        (lambda file: execute(file, "UPDATE state_storage SET value_json = '2' WHERE key_name = 'Kept'"), "'Kept'"),
        (lambda file: execute(file, "UPDATE state_meta SET last_seq = 1"), "the clock stands at revision 1"),
        (lambda file: execute(file, "DROP TABLE state_meta"), "none of Nola's tables"),
        (
            lambda file: execute(
                file, "INSERT INTO django_migrations (app, name, applied) VALUES ('state', '9999_later', 0)"
            ),
            "written by a newer Nola (it has state.9999_later)",
        ),
    ],
)
def test_a_bad_backup_is_refused_and_nothing_changes(data, spoil, words):
    with running(data) as server:
        put(server, "Kept", 1)
        file = backup(data)
        spoil(file)
        now = put(server, "Kept", 3)

        result = manage(data, "restorebackup", str(file), "--yes")

        assert result.returncode == 1
        assert "Nothing was restored" in result.stderr
        assert words in result.stderr
        assert "Traceback" not in result.stderr
        assert server.request("GET", "/api/state/Kept")[1] == b"3"
        assert int(server.request("GET", "/api/state")[2]["nola-revision"]) == now


def execute(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()


def test_a_backup_of_the_first_release_is_brought_up_to_date_and_put_back(data, tmp_path):
    old = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(old)) as database:
        database.executescript((ROOT / "tests" / "data" / "first_release.sql").read_text())
    with running(data) as server:
        assert manage(data, "restorebackup", str(old), "--yes").returncode == 0

        assert server.request("GET", "/api/state/Scalar?at=13")[1] == b'"again"'
        assert server.request("GET", "/api/state")[2]["nola-revision"] == "31"
    assert old.exists()


def test_who_may_come_in_stays_as_it_is_unless_asked_for(data):
    with running(data) as server:
        file = backup(data)
        code = "from access.models import ApiKey; ApiKey.objects.update(revoked_at='2026-01-01T00:00Z')"
        assert manage(data, "shell", "-c", code).returncode == 0

        manage(data, "restorebackup", str(file), "--yes")

        assert server.request("GET", "/api/state")[0] == 401
        manage(data, "restorebackup", str(file), "--with-access", "--yes")
        assert server.request("GET", "/api/state")[0] == 200


def test_a_restore_that_is_not_agreed_to_changes_nothing(data):
    with running(data):
        file = backup(data)

        result = manage(data, "restorebackup", str(file))

    assert (result.returncode, "Say --yes" in result.stderr) == (1, True)


def test_a_backup_goes_where_it_is_told_and_an_unknown_one_is_named(data, tmp_path):
    with running(data):
        result = manage(data, "backup", "--to", str(tmp_path / "elsewhere"))

        assert result.returncode == 0
        assert len(list((tmp_path / "elsewhere").iterdir())) == 1
        assert "there is no file nope" in manage(data, "restorebackup", "nope").stderr


def test_a_restore_that_dies_half_way_leaves_the_memory_as_it_was(data):
    with running(data) as server:
        file = backup(data)
        now = put(server, "Kept", list(range(1000)))
        code = (
            "from state import clock\n"
            "from state.backups.restore_backup import restore_backup\n"
            "import os, pathlib\n"
            "clock.continue_above = lambda *_: os.kill(os.getpid(), 9)\n"
            f"restore_backup(pathlib.Path({str(file)!r}), 'cli:x')\n"
        )
        assert manage(data, "shell", "-v", "0", "-c", code).returncode == -9

        assert len(json.loads(server.request("GET", "/api/state/Kept")[1])) == 1000
        assert put(server, "Kept", 1) == now + 1
        assert manage(data, "doctor").returncode == 0


def test_no_copy_lets_anybody_in(data, tmp_path):
    with running(data) as server:
        with closing(sqlite3.connect(data / "db" / "nola.sqlite3", timeout=10)) as database, database:
            database.execute("INSERT INTO django_session VALUES ('a-live-session-key', 'its-data', '2099-01-01')")
        put(server, "Facts", 1)

        file = backup(data)
        assert manage(data, "export", str(tmp_path / "all.zip")).returncode == 0
        assert manage(data, "restorebackup", file.name, "--yes", "--with-access").returncode == 0

    assert b"a-live-session-key" not in file.read_bytes()
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert not any(b"session-key" in archive.read(name) for name in archive.namelist())
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM django_session").fetchone() == (0,)


def test_a_backup_of_an_older_release_signs_nobody_in(data):
    with running(data) as server:
        put(server, "Facts", 1)
        file = backup(data)
        with closing(sqlite3.connect(file)) as old, old:
            old.execute("INSERT INTO django_session VALUES ('a-live-session-key', 'its-data', '2099-01-01')")

        assert manage(data, "restorebackup", file.name, "--yes", "--with-access").returncode == 0

    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM django_session").fetchone() == (0,)


def test_the_security_log_is_never_put_back(data):
    with running(data) as server:
        put(server, "Facts", 1)
        file = backup(data)
        with closing(sqlite3.connect(data / "db" / "nola.sqlite3", timeout=10)) as database, database:
            database.execute(
                "INSERT INTO security_log (at, event, actor, detail, address)"
                " VALUES ('2026-11-27', 'refused', 'key:wild', '', '')"
            )

        assert manage(data, "restorebackup", file.name, "--yes", "--with-access").returncode == 0

    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        events = [event for (event,) in database.execute("SELECT event FROM security_log ORDER BY id")]
    assert events[-2:] == ["refused", "restored"]
