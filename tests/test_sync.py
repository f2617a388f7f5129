"""Folders kept in step by real commands, beside a real server, and killed."""

import contextlib
import json
import signal
import subprocess
import sys

import pytest

from tests.server import ROOT, environment, manage, running


@pytest.fixture
def server(tmp_path):
    with running(tmp_path / "data") as server:
        yield server


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
    assert "1 keys changed in one revision" in pushed.stdout
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
    put(server, "Note", {"title": "a"})
    manage(server.data, "sync", str(folder))
    (folder / "Note.json").write_text('{"title": "file"}')
    put(server, "Note", {"title": "nola"})

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
from state import store

async def in_a_notebook():
    print(store.pull("Me", 1), store.pull("Me"))
    report = store.sync("files")
    open("files/Me.json", "w").write('{"level_1": "new", "level_3": "long"}')
    store.push("files/Me.json")
    print(store.pull("Me", level=1), report.count("added"))

asyncio.run(in_a_notebook())
"""


def test_a_script_in_any_directory_can_push_pull_and_sync(server, tmp_path):
    put(server, "Me", {"level_1": "short", "level_3": "long"})

    env = environment(server.data, 8000) | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True)

    assert ran.stderr == ""
    assert ran.stdout == "short {'level_1': 'short', 'level_3': 'long'}\nnew 4\n"
    assert get(server, "Me") == {"level_1": "new", "level_3": "long"}


@contextlib.contextmanager
def watching(data, folder, *options):
    command = [sys.executable, "manage.py", "sync", str(folder), "--watch", *options]
    env = environment(data, 8000)
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(process, "Watching both sides")
        yield process
    finally:
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


def test_watch_brings_changes_both_ways_until_it_is_ended(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Note", {"title": "a", "n": 1})

    with watching(server.data, folder) as watch:
        put(server, "Note/n", 2)
        wait_for(watch, "updated: Note.json: brought up to date")
        assert json.loads((folder / "Note.json").read_text()) == {"title": "a", "n": 2}

        (folder / "Note.json").write_text('{"title": "b", "n": 2}')
        wait_for(watch, "1 change brought into Note")
        assert get(server, "Note") == {"title": "b", "n": 2}

        put(server, "New", 1)
        wait_for(watch, "added: New.json")
        (folder / "Own.json").write_text("[1]")
        wait_for(watch, "added: Own.json")
        assert get(server, "Own") == [1]

        (folder / "Note.json").write_text('{"title": "half')
        wait_for(watch, "failed: Note.json: line 1, column 11")
        assert get(server, "Note") == {"title": "b", "n": 2}
        (folder / "Note.json").write_text('{"title": "whole", "n": 2}')
        wait_for(watch, "1 change brought into Note")

        (folder / "Note.json").unlink()
        wait_for(watch, "its file is gone; the key stays")
        assert get(server, "Note") == {"title": "whole", "n": 2}

        watch.send_signal(signal.SIGINT)
        wait_for(watch, "Ended.")
        assert watch.wait() == 0


def test_a_file_that_is_saved_by_removing_it_first_deletes_nothing(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Note", {"title": "a"})

    with watching(server.data, folder, "--delete") as watch:
        head = int(server.request("GET", "/api/state/Note")[2]["nola-revision"])
        (folder / "Note.json").rename(folder / "Note.json~")
        put(server, "Other", 1)
        wait_for(watch, "added: Other.json")
        (folder / "Note.json").write_text('{"title": "b"}')
        wait_for(watch, "1 change brought into Note")

        revisions = json.loads(server.request("GET", "/api/history/Note")[1])["revisions"]
        assert [one["patch"] for one in revisions if one["revision"] > head] == [
            [{"op": "replace", "path": "/title", "value": "b"}]
        ]


def test_watch_stops_when_its_folder_is_gone(server, tmp_path):
    folder = tmp_path / "files"
    put(server, "Note", {"title": "a"})

    with watching(server.data, folder) as watch:
        folder.rename(tmp_path / "elsewhere")
        wait_for(watch, "is gone; nothing is deleted in Nola")

        assert watch.wait() != 0
    assert get(server, "Note") == {"title": "a"}
    assert not folder.exists()
