"""What is purged is in no file of the database once that is answered, or soon after what was in the way has ended."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from conversations import traces
from tests.server import lay, manage, running

pytestmark = pytest.mark.process
READER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("BEGIN")
database.execute("SELECT count(*) FROM conversation_history").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def post(server, path, value, status=(200, 201)):
    found, body, _ = server.request("POST", path, json.dumps(value).encode())
    assert found in status, body
    return json.loads(body)


def talk(server, word="Xylophone", count=40):
    """A conversation that has a word in many messages, of all lengths, and what others say and change between them."""
    for n in range(count):
        said = {"speaker": "user", "message": f"{word} {n} " * 3 ** (n % 8), "metadata": {"note": f"{word} {n}"}}
        [kept] = post(server, f"/api/conversations/{word}-talk/messages", said)["messages"]
        post(server, "/api/conversations/other/messages", {"speaker": "user", "message": f"other {n} " * 3 ** (n % 7)})
        change = json.dumps({"metadata": {"note": f"{word} again " * 2 ** (n % 9)}}).encode()
        server.request("PATCH", f"/api/conversations/{word}-talk/messages/{kept['id']}", change)
    body = json.dumps({"title": f"About the {word}"}).encode()
    assert server.request("PATCH", f"/api/conversations/{word}-talk", body)[0] == 200
    post(server, "/api/context", {"conversation": f"{word}-talk"})


def files_with(data, word):
    """Read by another process: to open and close the file in this one would take the locks of its readers away."""
    found = subprocess.run(["grep", "-rlai", "--", word, data / "db"], capture_output=True, text=True)
    return sorted(line.rpartition("/")[2] for line in found.stdout.splitlines())


def wait_for(condition, seconds=20):
    """A generous end for what comes within a few seconds; never a measure of speed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def purge(server, word="Xylophone"):
    return post(server, f"/api/conversations/{word}-talk/purge", {"confirm": f"{word}-talk"})


def notes(data):
    return list((data / "db").glob(f"{traces.NOTE}*"))


def test_the_words_are_in_no_file_when_the_purge_is_answered(data):
    with running(data) as server:
        talk(server)
        assert files_with(data, "Xylophone [0-9]") != []

        answer = purge(server)

        # the session id stays in the history, which keeps that it was
        assert files_with(data, "Xylophone [0-9a]") == files_with(data, "the Xylophone") == []
        assert answer == {"purged": "Xylophone-talk", "messages": 40, "final": True}
        assert notes(data) == []
        for word in ("Yodel", "Zither"):  # once more, in a file that was rewritten already, and the server goes on
            talk(server, word, 3)
            assert "left" not in purge(server, word)
            assert files_with(data, f"{word} [0-9a]") == []
        time.sleep(3)  # a round of the watch over the database file
        assert json.loads(server.request("GET", "/api/conversations/other")[1])["messages"] == 46
        assert manage(data, "doctor").returncode == 0


def test_words_in_pages_that_were_freed_long_ago_are_gone_too(data):
    lay(data)
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database, database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("CREATE TABLE moved (text)")
        database.executemany("INSERT INTO moved VALUES (?)", [(f"Xylophone {n} " * 100,) for n in range(50)])
        database.execute("DROP TABLE moved")
    with running(data) as server:
        talk(server, count=1)
        assert "nola.sqlite3" in files_with(data, "Xylophone 4[0-9]")

        purge(server)

        assert files_with(data, "Xylophone [0-9a]") == []


def test_a_reader_that_holds_the_wal_is_said_and_the_words_go_once_it_has_ended(data):
    with running(data) as server:
        talk(server, count=5)
        command = [sys.executable, "-c", READER, data / "db" / "nola.sqlite3"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout.readline() == "reading\n"

            answer = purge(server)

            assert answer["left"] == traces.OTHERS
            assert files_with(data, "Xylophone [0-9a]") != []
            server.request("PUT", "/api/state/Meanwhile", b"1")
            time.sleep(3)  # rounds in which it cannot go on
            assert len(notes(data)) == 1
            reader.stdin.close()
        wait_for(lambda: notes(data) == [])

        assert files_with(data, "Xylophone [0-9a]") == []


def test_a_purge_goes_on_after_the_server_was_killed(data):
    with running(data) as server:
        talk(server, count=5)
        command = [sys.executable, "-c", READER, data / "db" / "nola.sqlite3"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout.readline() == "reading\n"
            purge(server)
            server.kill()
            reader.send_signal(signal.SIGKILL)
        assert len(notes(data)) == 1
        assert "may still hold words that were erased" in manage(data, "doctor").stdout

        fixed = manage(data, "doctor", "--fix")

        assert "no word of it is left" in fixed.stdout
        assert notes(data) == files_with(data, "Xylophone [0-9a]") == []
