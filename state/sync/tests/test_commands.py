"""Folders kept in step by real commands, beside a real server, and killed."""

import contextlib
import json
import signal
import subprocess
import sys
import threading

import pytest

from tests.server import ROOT, environment, manage

pytestmark = pytest.mark.process


def get(server, key):
    status, body, _ = server.request("GET", f"/api/state/{key}")
    assert status == 200, body
    return json.loads(body)


def put(server, key, value):
    status, body, _ = server.request("PUT", f"/api/state/{key}", json.dumps(value).encode())
    assert status in (200, 201), body


def test_commands_work_beside_a_server_and_undo_takes_a_sync_back(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Note", {"title": "a", "n": 1})

    pulled = manage(server.data, "pull", str(folder))
    assert (pulled.returncode, pulled.stderr) == (0, "")
    assert json.loads((folder / "Note.json").read_text()) == {"title": "a", "n": 1}

    (folder / "Note.json").write_text('{"title": "b", "n": 1}')
    put(server, "Note/n", 2)
    dry = manage(server.data, "sync", str(folder), "--dry-run")
    assert "Nothing was written." in dry.stdout and "1 change brought into Note" in dry.stdout
    synced = manage(server.data, "sync", str(folder))
    assert synced.returncode == 0, synced.stderr
    assert get(server, "Note") == json.loads((folder / "Note.json").read_text()) == {"title": "b", "n": 2}

    (folder / "Note.json").write_text('{"title": "c", "n": 2}')
    pushed = manage(server.data, "push", str(folder / "Note.json"))
    assert "1 key changed in one revision" in pushed.stdout
    assert get(server, "Note")["title"] == "c"
    [last] = json.loads(server.request("GET", "/api/history/Note?limit=1")[1])["revisions"]
    assert last["source"] == "sync" and last["actor"].startswith("cli:")
    assert last["info"] == {"folder": "files", "files": {"Note": "Note.json"}}
    server.request("POST", "/api/undo", json.dumps({"revision": last["revision"]}).encode())
    assert get(server, "Note")["title"] == "b"
    assert manage(server.data, "sync", str(folder)).returncode == 0
    assert json.loads((folder / "Note.json").read_text()) == {"title": "b", "n": 2}


def test_a_conflict_is_told_and_ends_with_an_error(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Met", {"title": "a"})
    manage(server.data, "pull", str(folder), "--keys", "Met")
    (folder / "Met.json").write_text('{"title": "file"}')
    put(server, "Met", {"title": "nola"})

    ended = manage(server.data, "sync", str(folder))

    assert ended.returncode == 1
    assert '[/title: Nola has "nola"' in ended.stdout
    assert "1 in conflict, as listed above; everything else is done." in ended.stderr


def test_refusals_are_one_line_that_names_the_way_out(server, tmp_path):
    nowhere = manage(server.data, "push", str(tmp_path / "nowhere.json"))
    assert nowhere.returncode == 1
    assert "nowhere.json: is not there" in nowhere.stdout
    assert not (tmp_path / ".nola-sync.json").exists()

    none = manage(tmp_path / "no-data", "sync", str(tmp_path / "files"))
    assert none.returncode == 1
    assert none.stderr == "CommandError: there is no database yet; start Nola once (make run), and sync then\n"
    assert not (tmp_path / "no-data" / "db" / "nola.sqlite3").exists()


SCRIPT = """
import asyncio
from nola_site import ready; ready()
from state.sync import pull, push, sync

async def in_a_notebook():
    print(pull("Me", 1), pull("Me"))
    report = sync("files", keys=["Me"])
    open("files/Me.json", "w").write('{"level_1": "new", "level_3": "long"}')
    push("files/Me.json")
    print(pull("Me", level=1), report.count("added", "files"))

asyncio.run(in_a_notebook())
"""


def test_a_script_in_any_directory_can_push_pull_and_sync(server, tmp_path):
    put(server, "Me", {"level_1": "short", "level_3": "long"})

    env = environment(server.data, 8000) | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True)

    assert ran.stderr == ""
    assert ran.stdout == "short {'level_1': 'short', 'level_3': 'long'}\nnew 1\n"
    assert get(server, "Me") == {"level_1": "new", "level_3": "long"}


@contextlib.contextmanager
def watching(data, folder, *options):
    command = [sys.executable, "manage.py", "sync", str(folder), "--watch", *options]
    env = environment(data, 8000)
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    hung = threading.Timer(60, process.kill)
    hung.start()
    try:
        wait_for(process, "Watching both sides")
        yield process
    finally:
        hung.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def wait_for(process, text):
    """Read what the process says up to a line with this text."""
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return said
    raise AssertionError("".join(said))


@pytest.mark.heavy
def test_watch_brings_changes_both_ways_until_it_is_ended(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Seen", {"title": "a", "n": 1})

    with watching(server.data, folder) as watch:
        put(server, "Seen/n", 2)
        wait_for(watch, "updated: Seen.json: brought up to date")
        assert json.loads((folder / "Seen.json").read_text()) == {"title": "a", "n": 2}

        (folder / "Seen.json").write_text('{"title": "b", "n": 2}')
        wait_for(watch, "1 change brought into Seen")
        assert get(server, "Seen") == {"title": "b", "n": 2}

        put(server, "New", 1)
        wait_for(watch, "added: New.json")
        (folder / "Own.json").write_text("[1]")
        wait_for(watch, "added: Own.json")
        assert get(server, "Own") == [1]

        (folder / "Seen.json").write_text('{"title": "half')
        wait_for(watch, "failed: Seen.json: line 1, column 11")
        assert get(server, "Seen") == {"title": "b", "n": 2}
        (folder / "Seen.json").write_text('{"title": "whole", "n": 2}')
        wait_for(watch, "1 change brought into Seen")

        (folder / "Seen.json").unlink()
        wait_for(watch, "its file is gone; the key stays")
        assert get(server, "Seen") == {"title": "whole", "n": 2}

        watch.send_signal(signal.SIGINT)
        wait_for(watch, "Ended.")
        assert watch.wait() == 0


@pytest.mark.heavy
def test_watch_stops_when_its_folder_is_gone(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Seen", {"title": "a"})

    with watching(server.data, folder) as watch:
        put(server, "Seen", {"title": "b"})
        wait_for(watch, "updated: Seen.json: brought up to date")
        folder.rename(tmp_path / "elsewhere")
        wait_for(watch, "is not there; nothing is deleted in Nola")

        assert watch.wait() != 0
    assert get(server, "Seen") == {"title": "b"}
    assert not folder.exists()


def transact(server, values):
    for start in range(0, len(values), 128):
        operations = [{"op": "put", "pointer": at, "value": one} for at, one in values[start : start + 128]]
        status, body, _ = server.request("POST", "/api/transactions", json.dumps({"operations": operations}).encode())
        assert status == 200, body


def test_a_sync_that_is_killed_leaves_whole_files_and_is_completed_by_the_next(server, tmp_path):
    folder = tmp_path / "files"
    keys = [f"Key{number:03}" for number in range(150)]
    transact(server, [(f"/{key}", {"file": 0, "nola": 0, "text": "x" * 5_000}) for key in keys])
    assert manage(server.data, "pull", str(folder), "--keys", *keys).returncode == 0
    for key in keys:
        path = folder / f"{key}.json"
        path.write_text(path.read_text().replace('"file": 0', '"file": 1'))
    transact(server, [(f"/{key}/nola", 1) for key in keys])

    command = [sys.executable, "manage.py", "sync", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(server.data, 8000), stdout=subprocess.DEVNULL) as process:
        first = folder / "Key000.json"
        while '"nola": 1' not in first.read_text() and process.poll() is None:
            pass
        process.kill()
    found = [json.loads((folder / f"{key}.json").read_text()) for key in keys]
    assert {one["file"] for one in found} == {1}
    assert {one["nola"] for one in found} == {0, 1}, "it was killed too late to prove anything"
    ended = manage(server.data, "sync", str(folder))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    whole = {"file": 1, "nola": 1, "text": "x" * 5_000}
    assert all(json.loads((folder / f"{key}.json").read_text()) == whole for key in keys)
    assert all(get(server, key) == whole for key in keys[::50])
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".nola-sync.json"]
    assert "Nothing was changed." in manage(server.data, "sync", str(folder)).stdout


def test_writes_of_others_during_syncs_are_kept(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Busy", {"file": 0, "nola": 0})
    manage(server.data, "pull", str(folder), "--keys", "Busy")
    stop = threading.Event()
    last = [0]

    def write_on():
        while not stop.is_set():
            last[0] += 1
            put(server, "Busy/nola", last[0])

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for number in range(1, 3):
            path = folder / "Busy.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"file": number}))
            ended = manage(server.data, "sync", str(folder))
            assert ended.returncode == 0, ended.stdout + ended.stderr
            assert get(server, "Busy")["file"] == number
    finally:
        stop.set()
        writer.join()
    manage(server.data, "sync", str(folder))

    assert json.loads((folder / "Busy.json").read_text()) == get(server, "Busy") == {"file": 2, "nola": last[0]}
