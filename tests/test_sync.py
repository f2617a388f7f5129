"""Folders kept in step by real commands, beside a real server, and killed."""

import json
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
