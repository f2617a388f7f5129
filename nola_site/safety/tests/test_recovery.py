"""A start where something is damaged, gone, old or foreign: it stops with the way out, or says what it did."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.server import ROOT, environment, free_port, manage, running

pytestmark = pytest.mark.process

FIRST_RELEASE = ROOT / "tests" / "data" / "first_release.sql"


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A data directory with a checkpoint of revision 3 and a backup of revision 4; its server has stopped at 5."""
    data = tmp_path_factory.mktemp("recovery") / "data"
    with running(data) as server:
        server.request("PUT", "/api/state/Kept", b'{"n":1}')
        server.request("DELETE", "/api/state/Context")
        assert manage(data, "checkpoint", "create", "mine").returncode == 0
        server.request("PUT", "/api/state/Kept/n", b"2")
        assert manage(data, "backup").returncode == 0
        server.request("PUT", "/api/state/Kept/n", b"3")
        server.stop()
    return data


@pytest.fixture
def data(used, tmp_path):
    return shutil.copytree(used, tmp_path / "data")


@pytest.fixture
def database(data):
    return data / "db" / "nola.sqlite3"


@pytest.fixture
def backup(data):
    [path] = (data / "backups").glob("*.sqlite3")
    return path


def refused(data, **settings):
    """What a start says that stops with exit code 1, having left the database as it was."""
    database = data / "db" / "nola.sqlite3"
    before = database.read_bytes() if database.exists() else None
    result = manage(data, "serve", port=free_port(), **settings)
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stderr
    assert (database.read_bytes() if database.exists() else None) == before
    return result.stderr


def ready(server):
    return json.loads(server.request("GET", "/readyz", key=None)[1])


def test_a_lost_volume_comes_back_from_the_newest_checkpoint_as_revision_1(data):
    shutil.rmtree(data / "db")

    with running(data) as server:
        status, body, headers = server.request("GET", "/api/state")
        assert (status, headers["nola-revision"]) == (200, "1")
        assert json.loads(body).keys() == {"Kept", "Identity", "Persona"}
        [made] = json.loads(server.request("GET", "/api/history/Kept")[1])["revisions"]
        assert (made["actor"], made["source"], made["info"]["checkpoint"]) == ("system:first-run", "restore", "mine")
        assert "The database was gone; this is the checkpoint mine of 20" in server.output()
        assert "restorebackup nola-" in server.output()
        assert "this is the checkpoint mine" in ready(server)["recovered"]["text"]


def test_conversations_come_back_from_a_checkpoint_that_has_them(tmp_path):
    data, chats = tmp_path / "data", tmp_path / "chats" / "Stimuli" / "conversations"
    chats.mkdir(parents=True)
    turn = {"timestamp": "2026-01-10T09:00:01", "user": "hello", "assistant": "good morning"}
    chat = {"session_id": "talk", "channel": "x", "started": "2026-01-10T09:00:00", "turns": [turn]}
    (chats / "one.json").write_text(json.dumps(chat))
    with running(data) as server:
        assert manage(data, "importlegacy", str(tmp_path / "chats")).returncode == 0
        assert manage(data, "checkpoint", "create", "both", "--conversations").returncode == 0
        server.stop()
    shutil.rmtree(data / "db")

    with running(data):
        assert manage(data, "doctor").returncode == 0
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        texts = database.execute("SELECT message FROM conversation_history ORDER BY id").fetchall()
    assert texts == [("hello",), ("good morning",)]


def test_a_lost_file_goes_on_above_the_revision_that_was_known(data, database):
    database.unlink()

    with running(data) as server:
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":1}'
        assert server.request("GET", "/api/state")[2]["nola-revision"] == "6"
        assert server.request("GET", "/api/state/Kept?at=4")[0] == 410
        assert manage(data, "doctor").returncode == 0


def test_a_damaged_checkpoint_is_passed_over_for_an_older_one(data):
    shutil.rmtree(data / "db")
    older = data / "checkpoints" / "mine.json"
    newer = json.loads(older.read_text())
    newer[0]["fields"]["at"] = "2099-01-01T00:00:00+00:00"
    (data / "checkpoints" / "newer.json").write_text(json.dumps(newer))

    with running(data) as server:
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":1}'
        assert "this is the checkpoint mine" in server.output()


def test_a_lost_database_without_checkpoints_is_said_loudly(data):
    shutil.rmtree(data / "db")
    shutil.rmtree(data / "checkpoints")

    with running(data) as server:
        assert server.request("GET", "/api/state/Context")[0] == 200
        assert "The database is gone, and there is no checkpoint" in server.output()
        assert "The database is gone" in ready(server)["recovered"]["text"]
        [made] = json.loads(server.request("GET", "/api/history/Context")[1])["revisions"]
        assert made["info"] == {"lost_database": True}


def test_a_first_start_has_nothing_to_recover(tmp_path):
    with running(tmp_path / "data") as server:
        assert "recovered" not in ready(server)
        assert "WARNING" not in server.output()


@pytest.mark.parametrize("length", [99, 4096, 60_000])
def test_a_truncated_database_stops_the_start_with_the_ways_back(data, database, length):
    database.write_bytes(database.read_bytes()[:length])

    said = refused(data)

    assert "It was left as it is" in said
    assert "restorebackup nola-" in said
    assert "from mine" in said


def test_doctor_sets_a_damaged_database_aside_and_the_next_start_goes_on(data, database):
    broken = database.read_bytes()[:60_000]
    database.write_bytes(broken)
    refused(data)

    assert manage(data, "doctor", "--fix").returncode == 0

    with running(data) as server:
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":1}'
        assert "recovered" in ready(server)
    [aside] = (data / "db").glob("set-aside-*")
    assert (aside / "nola.sqlite3").read_bytes() == broken


@pytest.mark.parametrize("left", [b"", b"S"])
def test_a_database_cut_to_nothing_is_a_lost_one(data, database, left):
    database.write_bytes(left)

    with running(data) as server:
        assert "this is the checkpoint mine" in server.output()
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":1}'


def test_a_foreign_database_is_not_touched(data, database):
    database.unlink()
    with closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()

    assert "is a database of something else" in refused(data)


def test_a_database_of_a_newer_release_is_not_touched(data, database):
    with closing(sqlite3.connect(database)) as newer:
        newer.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('state', '9999_later', '2030-01-01')")
        newer.commit()

    assert "was written by a newer Nola (it has state.9999_later)" in refused(data)


def test_a_history_whose_end_was_cut_off_stops_the_start(data, database):
    with closing(sqlite3.connect(database)) as altered:
        altered.execute("UPDATE state_meta SET last_seq = 3")
        altered.commit()

    assert "the clock stands at revision 3; the newest in the history is 5" in refused(data)


def test_a_backup_that_was_copied_over_the_database_begins_a_new_epoch(data, database, backup):
    shutil.copyfile(backup, database)

    with running(data) as server:
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":2}'
        assert server.request("GET", "/api/state")[2]["nola-revision"] == "6"
        assert server.request("GET", "/api/state/Kept?at=5")[0] == 410
        assert server.request("GET", "/api/state/Kept?at=2")[1] == b'{"n":1}'
        assert "stands at revision 4; the one before it had 5" in server.output()
        assert "stands at revision 4" in ready(server)["recovered"]["text"]
        assert manage(data, "doctor").returncode == 0


def test_a_wal_that_an_earlier_database_left_does_not_meet_the_backup_copied_over_it(data, database, backup):
    with running(data) as server:
        server.request("PUT", "/api/state/Kept/n", b"4")
        server.request("PUT", "/api/state/Other", b'"' + b"x" * 100_000 + b'"')
        server.kill()
    assert Path(f"{database}-wal").stat().st_size
    shutil.copyfile(backup, database)

    with running(data) as server:
        assert "belonged to another database" in server.output()
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":2}'
        assert server.request("GET", "/api/state/Other")[0] == 404
        assert manage(data, "doctor").returncode == 0


def test_another_store_put_in_its_place_begins_a_new_epoch(data, database, tmp_path):
    with running(tmp_path / "other") as server:
        server.stop()
    shutil.copyfile(tmp_path / "other" / "db" / "nola.sqlite3", database)

    with running(data) as server:
        assert server.request("GET", "/api/state")[2]["nola-revision"] == "6"
        assert server.request("GET", "/api/state?at=3")[0] == 410


def test_before_migrations_a_backup_and_a_checkpoint_are_taken(tmp_path):
    data = tmp_path / "data"
    (data / "db").mkdir(parents=True)
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as old:
        old.executescript(FIRST_RELEASE.read_text())

    with running(data) as server:
        [backup] = (data / "backups").glob("auto-*-r30-before-migration.sqlite3")
        [checkpoint] = (data / "checkpoints").glob("auto-*-r30-before-migration.json")
        assert "backups/auto-" in server.output()
        server.stop()
        server.start()
        assert len(list((data / "backups").iterdir())) == 1
    with closing(sqlite3.connect(backup)) as kept:
        assert [row[0] for row in kept.execute("SELECT name FROM django_migrations WHERE app = 'state'")] == [
            "0001_initial"
        ]
    assert manage(data, "checkpoint", "verify", checkpoint.stem).returncode == 0


@contextmanager
def small_disk(folder: Path, size: str):
    """A file system of its own, which fills up. Skips the test where one cannot be mounted."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("NO MOUNT: a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take up all but `leave` bytes."""
    ballast = folder / "ballast"
    room = os.statvfs(folder)
    ballast.write_bytes(b"x" * max(0, room.f_bavail * room.f_frsize - leave))
    return ballast


def test_a_full_disk_refuses_writes_and_takes_them_again_once_there_is_room(tmp_path):
    with small_disk(tmp_path / "disk", "12m") as disk, running(disk / "data") as server:
        assert server.request("PUT", "/api/state/Kept", b"1")[0] == 201
        ballast = fill(disk, 100_000)

        status, body, _ = server.request("PUT", "/api/state/Big", b'"' + b"x" * 1_000_000 + b'"')
        taken = server.request("POST", "/api/checkpoints", b'{"name":"nope"}')
        fill_up = [server.request("PUT", "/api/state/Kept", str(n).encode())[0] for n in range(40)]

        assert (status, "disk is full" in json.loads(body)["detail"]) == (507, True)
        assert set(fill_up) <= {200, 507}
        assert taken[0] in (201, 507)
        backed_up = manage(disk / "data", "backup")
        assert (backed_up.returncode, "disk is full" in backed_up.stderr) == (1, True)
        assert not list((disk / "data").glob("*/.*partial"))
        assert server.request("GET", "/api/state/Big")[0] == 404
        ballast.unlink()
        assert server.request("PUT", "/api/state/Big", b'"' + b"x" * 1_000_000 + b'"')[0] == 201
        assert manage(disk / "data", "doctor").returncode == 0


def test_an_import_on_a_full_disk_stops_with_the_reason_and_goes_on_once_there_is_room(tmp_path):
    chats = tmp_path / "chats.jsonl"
    lines = ({"session_id": "long", "role": "user", "content": f"message {n} {'x' * 500}"} for n in range(4000))
    chats.write_text("\n".join(map(json.dumps, lines)))
    with small_disk(tmp_path / "disk", "24m") as disk, running(disk / "data") as server:
        ballast = fill(disk, 1_500_000)

        stopped = manage(disk / "data", "importchats", str(chats))

        assert (stopped.returncode, "disk is full" in stopped.stderr) == (1, True), stopped.stderr
        assert "Traceback" not in stopped.stderr
        ballast.unlink()
        again = manage(disk / "data", "importchats", str(chats))
        assert again.returncode == 0, again.stderr
        [found] = json.loads(server.request("GET", "/api/conversations")[1])["conversations"]
        assert found["messages"] == 4000
        assert manage(disk / "data", "doctor").returncode == 0


def test_an_archive_that_finds_no_room_leaves_no_store(tmp_path):
    with running(tmp_path / "data") as server:
        big = json.dumps(random.Random(5).randbytes(2_000_000).hex()).encode()
        assert server.request("PUT", "/api/state/Big", big)[0] == 201
    assert manage(tmp_path / "data", "export", str(tmp_path / "memory.zip")).returncode == 0
    with small_disk(tmp_path / "disk", "6m") as disk:
        result = manage(disk / "data", "import", str(tmp_path / "memory.zip"))

        assert (result.returncode, "disk is full" in result.stderr) == (1, True), result.stderr
        assert "Traceback" not in result.stderr
        assert not list(disk.glob("data/db/*.sqlite3"))


def test_a_start_on_a_full_disk_stops_with_the_reason(tmp_path):
    with small_disk(tmp_path / "disk", "20m") as disk:
        with running(disk / "data") as server:
            server.stop()
        ballast = fill(disk, 0)

        result = manage(disk / "data", "serve", port=free_port(), NOLA_ADMIN_PASSWORD="another-password")
        assert result.returncode == 1
        assert "full" in result.stderr or "No space" in result.stderr
        assert "Traceback" not in result.stderr
        ballast.unlink()
        with running(disk / "data") as server:
            assert server.request("GET", "/api/state/Identity")[0] == 200


def test_a_read_only_data_directory_stops_the_start(tmp_path, used):
    with small_disk(tmp_path / "disk", "12m") as disk:
        data = shutil.copytree(used, disk / "data")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

        result = manage(data, "serve", port=free_port())

        assert result.returncode == 1
        assert f"the data directory {data} cannot be written" in result.stderr


def test_a_clock_that_was_set_back_changes_no_order(data, tmp_path):
    """With libfaketime nowhere guaranteed, the store's own last time is set ahead instead: the same to it."""
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as ahead:
        ahead.execute("UPDATE state_meta SET last_at = '2031-01-01 00:00:00'")
        ahead.commit()

    with running(data) as server:
        server.request("PUT", "/api/state/Kept/n", b"9")
        [newest, *_] = json.loads(server.request("GET", "/api/history/Kept")[1])["revisions"]
        made = json.loads(server.request("POST", "/api/checkpoints", b"{}")[1])

        assert newest["at"] == "2031-01-01T00:00:00+00:00"
        assert made["at"] == "2031-01-01T00:00:00+00:00"
        assert json.loads(server.request("GET", "/api/checkpoints")[1])["checkpoints"][0]["name"] == made["name"]


def test_two_servers_that_start_at_once_on_a_lost_database_restore_it_once(data):
    shutil.rmtree(data / "db")
    env = environment(data, free_port())
    command = [
        sys.executable,
        "-c",
        "import django; django.setup(); from nola_site.safety import first_run; first_run.prepare()",
    ]
    starts = [
        subprocess.Popen(command, cwd=ROOT, env=env | {"DJANGO_SETTINGS_MODULE": "nola_site.settings"}) for _ in "ab"
    ]
    assert [process.wait(timeout=60) for process in starts] == [0, 0]

    with running(data) as server:
        assert server.request("GET", "/api/state")[2]["nola-revision"] == "1"


def test_a_damaged_wal_is_said_and_its_numbers_are_not_used_again(data, database):
    with running(data) as server:
        for number in range(20):
            server.request("PUT", "/api/state/Kept/n", str(100 + number).encode())
        head = int(server.request("GET", "/api/state")[2]["nola-revision"])
        server.kill()
    wal = Path(f"{database}-wal")
    whole = bytearray(wal.read_bytes())
    whole[len(whole) // 2] ^= 1
    wal.write_bytes(whole)

    with running(data) as server:
        assert "cannot be read. It is kept in" in server.output()
        assert int(server.request("GET", "/api/state")[2]["nola-revision"]) > head
        assert server.request("GET", f"/api/state/Kept?at={head}")[0] == 410
        assert "transactions" in ready(server)["recovered"]["text"]
        [aside] = (data / "db").glob("set-aside-*")
        assert (aside / "nola.sqlite3-wal").read_bytes() == whole
        assert manage(data, "doctor").returncode == 0


def test_a_server_that_was_killed_starts_again_without_a_word(data):
    with running(data) as server:
        server.request("PUT", "/api/state/Kept/n", b"4")
        server.kill()
        server.start()

        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":4}'
        assert "WARNING" not in server.output()
        assert "recovered" not in ready(server)
