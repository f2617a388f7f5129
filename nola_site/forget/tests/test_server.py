"""With a server that runs: afterwards no file holds it, and nothing that is asked of the server shows it."""

import json
import os
import subprocess

import pytest

from nola_site.serving.tests.streams import Stream
from tests.server import lay, manage, running

pytestmark = pytest.mark.process
SECRET = "Žofie/xylophone77"
SPELLINGS = [SECRET, "xylophone77", "\\u017dofie", "\\u017Dofie", "Zofie", "zofie"]


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def send(server, method, path, value=None):
    status, body, _ = server.request(method, path, None if value is None else json.dumps(value).encode())
    assert status < 300, body
    return json.loads(body) if body else None


def fill(server):
    """It is everywhere: in values, names, numbers' neighbours, the past, talks, receipts, checkpoints."""
    for number in range(5):
        send(server, "PUT", "/api/state/Persona", {"friend": SECRET, f"of {SECRET}": [SECRET * number], "n": number})
        said = {"speaker": "user", "message": f"{SECRET} {number} " * 3**number, "metadata": {"note": SECRET}}
        send(server, "POST", "/api/conversations/talk/messages", said)
    send(server, "PATCH", "/api/conversations/talk", {"title": SECRET})
    send(server, "POST", "/api/checkpoints", {"name": "mine", "why": SECRET, "conversations": True})
    send(server, "POST", "/api/context", {"conversation": "talk"})
    send(server, "GET", "/api/state/Persona?at=2")


def files_with(data, words=SPELLINGS):
    """Read by another process: to open and close the database in this one would take its readers' locks away."""
    found = [subprocess.run(["grep", "-rlaFi", "--", word, data], capture_output=True, text=True) for word in words]
    return sorted({line.rpartition("/")[2] for one in found for line in one.stdout.splitlines()})


def run_forget(data, *arguments):
    done = manage(data, "forget", "--yes", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_file_and_no_answer_holds_it_afterwards(data):
    with running(data) as server:
        fill(server)
        assert manage(data, "backup").returncode == 0
        assert {"nola.sqlite3-wal", "mine.json"} <= set(files_with(data))

        said = run_forget(data, SECRET)

        assert files_with(data) == []
        assert SECRET not in said and "Still there" not in said
        assert send(server, "GET", "/api/state/Persona")["friend"] == "[redacted]"
        assert send(server, "GET", "/api/state/Persona?at=2")["friend"] == "[redacted]"
        assert send(server, "GET", "/api/search?q=xylophone77")["messages"] == []
        stream = b"GET /api/changes?since=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        shown = server.raw(stream + b"Authorization: Bearer nola_a-key-for-tests-only\r\n\r\n")
        for path in ("state", "changes?since=0", "history/Persona", "blame/Persona", "conversations/talk"):
            status, body, _ = server.request("GET", f"/api/{path}")
            shown += body
            assert status == 200
        assert b"[redacted]" in shown and b"xylophone77" not in shown
        assert manage(data, "doctor").returncode == 0
        assert manage(data, "export", str(data.parent / "all.zip")).returncode == 0
        assert manage(data.parent / "other", "import", str(data.parent / "all.zip")).returncode == 0
        assert files_with(data.parent / "other") == []
        send(server, "POST", "/api/state/restore", {"checkpoint": "mine"})
        [backup] = (data / "backups").glob("nola-*.sqlite3")
        assert manage(data, "restorebackup", backup.stem, "--yes").returncode == 0
        assert files_with(data) == []


POINTS = {  # where it is killed: before the database, in its transaction, and before its files are cleared
    "copies": "run._rewrite = lambda *given: os.kill(os.getpid(), 9)",
    "transaction": "run.record_event = lambda *given: os.kill(os.getpid(), 9)",
    "files": "run.traces.clear = lambda *given: os.kill(os.getpid(), 9)",
}
KILLED = """
import os
from nola_site.forget import run
from state.revisions import Author, Source
{}
run.forget(run.parse_forgettable({!r}, everywhere=True), Author("cli:ada", Source.FORGET))
"""


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("what", [SECRET, "/Persona/friend"])
def test_a_run_that_was_killed_is_finished_by_the_same_command(data, point, what):
    lay(data)
    with running(data) as server:
        fill(server)
    assert manage(data, "backup").returncode == 0
    killed = manage(data, "shell", "-v0", "-c", KILLED.format(POINTS[point], what))
    assert killed.returncode == -9 and files_with(data) != []

    run_forget(data, what, *(["--everywhere"] if what.startswith("/") else []))

    assert files_with(data) == []
    assert manage(data, "doctor").returncode == 0
    with running(data) as server:
        assert send(server, "GET", "/api/state/Persona")["friend"] == "[redacted]"
        assert not json.loads(server.request("GET", "/readyz")[1]).get("recovered")


def test_who_follows_is_told_to_begin_anew(data):
    with running(data) as server:
        send(server, "PUT", "/api/state/Persona", {"friend": SECRET})
        with Stream(server) as stream:
            assert stream.next().kind == "hello"

            run_forget(data, "/Persona/friend")

            assert stream.next().kind == "reset"
        with Stream(server, "?since=0") as again:
            [first, *_] = [again.next() for _ in range(3)]
            assert SECRET not in "".join(again.lines) and first.data["revision"] == 1


def test_it_asks_first_and_tells_nothing_of_it(data):
    lay(data)
    with running(data) as server:
        send(server, "PUT", "/api/state/Persona", {"friend": SECRET})

    asked = manage(data, "forget", SECRET)

    assert asked.returncode == 1 and "Say --yes" in asked.stderr
    assert "keys: 1" in asked.stdout and SECRET not in asked.stdout
    assert os.path.exists(data / "db") and files_with(data) != []


def test_what_is_not_its_own_to_change_is_named(data):
    lay(data)
    (data / "db" / "notes.txt").write_text(SECRET)
    (data / "db" / "set-aside-20260101T000000Z").mkdir()
    (data / "db" / "set-aside-20260101T000000Z" / "nola.sqlite3").write_text(SECRET)

    said = manage(data, "forget", "--yes", SECRET)

    assert "notes.txt holds it, and is not changed" in said.stdout
    assert "set-aside-20260101T000000Z may hold it" in said.stdout
    assert "set-aside-20260101T000000Z/nola.sqlite3 holds it" in said.stdout
