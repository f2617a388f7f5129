"""A database of the first release, brought up to date by this one: nothing of it is lost or altered."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.server import ROOT, Server, running

pytestmark = pytest.mark.process

DATA = ROOT / "tests" / "data"
HASHES = json.loads((DATA / "first_release.json").read_text())  # of the whole state, as that release showed it
HEAD = 30
HISTORY = ["state_revision", "state_change", "conversation", "conversation_history"]


def rows(database: sqlite3.Connection) -> dict[str, list]:
    """The history by table; columns that came later are left out."""
    columns = {
        "state_revision": "seq, at, actor, source, reason, info, chain",
        "state_change": "id, revision, kind, key, forward, inverse, result_hash, salt, digest",
        "conversation": "id, session_id, title, channel, source, started, metadata, revision",
        "conversation_history": "id, conversation_id, user_id, message, speaker, timestamp, revision",
    }
    return {table: database.execute(f"SELECT {columns[table]} FROM {table} ORDER BY 1").fetchall() for table in HISTORY}


def first_release(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True)
    database = sqlite3.connect(path)
    database.executescript((DATA / "first_release.sql").read_text())
    return database


@contextmanager
def upgrade(data: Path) -> Iterator[Server]:
    database = first_release(data / "db" / "nola.sqlite3")
    before = rows(database)
    database.close()
    with running(data) as server:
        server.before = before
        yield server


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory):
    with upgrade(tmp_path_factory.mktemp("upgrade") / "data") as server:
        yield server


@pytest.fixture
def database(upgraded):
    with closing(sqlite3.connect(upgraded.data / "db" / "nola.sqlite3")) as database:
        yield database


def test_the_history_of_the_first_release_is_all_there(upgraded, database):
    assert rows(database) == upgraded.before
    assert len(upgraded.before["state_revision"]) == HEAD
    assert len(upgraded.before["conversation_history"]) == 2


@pytest.mark.parametrize("revision", HASHES)
def test_the_state_reads_as_it_did_at_each_revision(upgraded, revision):
    status, body, _ = upgraded.request("GET", f"/api/state?at={revision}")

    assert (status, hashlib.sha256(body).hexdigest()) == (200, HASHES[revision])


def test_the_state_is_the_one_that_was_left(upgraded):
    _, body, headers = upgraded.request("GET", "/api/state")

    assert hashlib.sha256(body).hexdigest() == HASHES[headers["nola-revision"]]


def test_what_was_left_is_counted(upgraded, database):
    state = upgraded.request("GET", "/api/state")[1].decode()

    [totals] = database.execute("SELECT keys, 1 + bytes, 1 + characters FROM state_meta")
    assert totals == (len(json.loads(state)), len(state.encode()), len(state))


@pytest.mark.parametrize("statement", ["DELETE FROM state_revision", "UPDATE state_change SET key = 'x'"])
def test_the_history_is_guarded_again(database, statement):
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)


def test_new_writes_go_on_where_the_first_release_stopped(tmp_path):
    with upgrade(tmp_path / "data") as server:
        status, _, headers = server.request("PUT", "/api/state/After", b"1")

        assert (status, headers["nola-revision"]) == (201, str(HEAD + 1))
        assert server.request("POST", "/api/undo", b'{"revision": 5}')[0] == 200


def test_the_chain_of_the_first_release_verifies(upgraded):
    revisions, changes = upgraded.before["state_revision"], upgraded.before["state_change"]
    link = ""
    for seq, at, actor, source, reason, info, stored in revisions:
        mine = [change for change in changes if change[1] == seq]
        for _, _, kind, key, forward, inverse, result, salt, digest in mine:
            assert digest == sha256([salt, kind, key, forward, inverse, result])
        link = sha256([link, [seq, f"{at.replace(' ', 'T')}+00:00", actor, source, reason, info], [c[8] for c in mine]])
        assert link == stored


def sha256(parts: list) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
