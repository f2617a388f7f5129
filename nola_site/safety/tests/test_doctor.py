"""What doctor finds in a data directory that somebody, or a disk, has altered."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.server import manage, running

pytestmark = [pytest.mark.process, pytest.mark.sqlite]  # test_postgres has what is promised of PostgreSQL

CHAT = {
    "session_id": "talk",
    "channel": "terminal",
    "started": "2026-01-10T09:00:00",
    "turns": [{"timestamp": "2026-01-10T09:00:01", "user": "hello", "assistant": "good morning"}],
}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A data directory with keys, a long history with snapshots, and a conversation; its server has stopped."""
    folder = tmp_path_factory.mktemp("doctor")
    chats = folder / "chats" / "Stimuli" / "conversations"
    chats.mkdir(parents=True)
    (chats / "one.json").write_text(json.dumps(CHAT))
    data = folder / "data"
    with running(data) as server:
        connection = server.connect()
        for number in range(520):
            connection.request(
                "PUT", "/api/state/Log/n", str(number), {"Authorization": "Bearer nola_a-key-for-tests-only"}
            )
            connection.getresponse().read()
        connection.close()  # else a worker outlives the server for a moment, and the -wal stays
        assert server.request("PUT", "/api/state/Gone", b"1")[0] == 201
        assert server.request("DELETE", "/api/state/Gone")[0] == 204
        assert manage(data, "importlegacy", str(folder / "chats")).returncode == 0
        assert manage(data, "checkpoint", "create", "mine").returncode == 0
        assert manage(data, "backup").returncode == 0
        server.stop()
    return data


@pytest.fixture
def data(healthy, tmp_path):
    return shutil.copytree(healthy, tmp_path / "data")


def tamper(data, *statements):
    """Alter the database as somebody would who knows SQLite and not the chain."""
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        for table in ("state_revision", "state_change"):
            for event in ("insert", "update", "delete"):
                database.execute(f"DROP TRIGGER {table}_{event}")
        for statement in statements:
            assert database.execute(statement).rowcount, statement
        database.commit()


def findings(data, *options):
    result = manage(data, "doctor", "--json", *options)
    assert "Traceback" not in result.stderr
    return result.returncode, {one["text"]: one for one in json.loads(result.stdout)}


def test_nothing_is_wrong_with_a_healthy_store(data):
    result = manage(data, "doctor")

    assert (result.returncode, result.stderr) == (0, "")
    assert "Nothing is wrong." in result.stdout


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "UPDATE state_change SET forward = '[]' WHERE revision = 7",
            "of revision 7 (key 'Log') is not as it was written",
        ),
        ("UPDATE state_change SET key = 'Other' WHERE revision = 7", "of revision 7 (key 'Other') is not as it"),
        ("UPDATE state_revision SET actor = 'user:eve' WHERE seq = 9", "revision 9 is not as it was written"),
        ("UPDATE state_revision SET at = '2020-01-01 00:00:00' WHERE seq = 9", "revision 9 is not as it was written"),
        ("UPDATE state_revision SET info = '{\"a\":1}' WHERE seq = 9", "revision 9 is not as it was written"),
        ("DELETE FROM state_change WHERE revision = 11", "revision 11 is not as it was written, or rows before"),
        ("DELETE FROM state_revision WHERE seq = 11", "a change belongs to revision 11, which is not there"),
        (
            "DELETE FROM state_revision WHERE seq = (SELECT max(seq) FROM state_revision)",
            "the clock stands at revision",
        ),
        ("UPDATE state_meta SET last_seq = 400", "the clock stands at revision 400; the newest in the history is"),
        (
            "UPDATE state_storage SET value_json = '{\"n\":1}' WHERE key_name = 'Log'",
            "the document of the key 'Log' is not",
        ),
        ("UPDATE state_storage SET revision = 3 WHERE key_name = 'Log'", "revision or times of the key 'Log'"),
        (
            "UPDATE state_storage SET created_at = updated_at WHERE key_name = 'Log'",
            "revision or times of the key 'Log'",
        ),
        ("DELETE FROM state_storage WHERE key_name = 'Log'", "the key 'Log' is gone, and the history does not say why"),
        ("UPDATE state_storage SET key_name = 'Gone' WHERE key_name = 'Log'", "'Gone' is stored, and was removed in"),
        ("UPDATE state_storage SET key_name = 'New' WHERE key_name = 'Log'", "'New' is stored, and the history knows"),
        ("UPDATE state_snapshot SET document = x'00'", "the snapshot of the key 'Log'"),
        ("UPDATE state_meta SET keys = 7", "state_meta counts 7 keys"),
        ("UPDATE conversation_history SET message = 'goodbye' WHERE id = 1", "added to 'talk' are not as they were"),
        ("UPDATE conversation_history SET speaker = 'user' WHERE id = 2", "added to 'talk' are not as they were"),
        ("DELETE FROM conversation_history WHERE id = 2", "added to 'talk' are not as they were"),
        ("UPDATE conversation SET title = 'x'", "title of the conversation 'talk' is not what the history says"),
    ],
)
def test_an_altered_row_is_named_with_what_to_do(data, statement, named):
    tamper(data, statement)

    code, found = findings(data)

    [finding] = [one for text, one in found.items() if named in text]
    assert finding["do"]
    assert code == (0 if "snapshot" in named and not found else 1)


def test_missing_guards_are_found_and_made_anew(data):
    tamper(data)

    assert findings(data)[0] == 1
    assert findings(data, "--fix")[0] == 0

    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute("DELETE FROM state_change")
    assert findings(data)[0] == 0


def test_wrong_snapshots_are_dropped_by_fix_and_the_past_reads_right(data):
    tamper(data, "UPDATE state_snapshot SET document = x'00'")

    findings(data, "--fix")

    assert findings(data)[0] == 0
    with running(data) as server:
        assert server.request("GET", "/api/state/Log?at=100")[1] == b'{"n":98}'


def test_wrong_totals_are_counted_anew_by_fix(data):
    tamper(data, "UPDATE state_meta SET keys = 7, characters = 0")

    findings(data, "--fix")

    assert findings(data)[0] == 0


def test_damaged_files_strays_and_open_secrets_are_found(data):
    (data / "checkpoints" / "mine.json").write_text("[")
    (data / "checkpoints" / ".half.json.ab12.partial").write_text("[")
    [backup] = (data / "backups").glob("*.sqlite3")
    backup.write_bytes(backup.read_bytes()[:9000])
    (data / "nola.sqlite3").write_bytes(b"")
    (data / "db" / "secret-key").chmod(0o644)

    code, found = findings(data)
    texts = "\n".join(found)

    assert code == 1
    for words in ["mine: not acceptable JSON", "was never finished", "is damaged", "not in use", "others can read"]:
        assert words in texts
    findings(data, "--fix")
    assert (data / "db" / "secret-key").stat().st_mode & 0o777 == 0o600
    assert not (data / "checkpoints" / ".half.json.ab12.partial").exists()
    assert backup.exists()


@pytest.mark.parametrize("length", [0, 100, 5000, 60_000])
def test_a_truncated_database_is_an_error_with_the_way_back(data, length):
    database = data / "db" / "nola.sqlite3"
    database.write_bytes(database.read_bytes()[:length])

    code, found = findings(data)

    [finding] = [one for one in found.values() if one["check"] == "database"]
    assert (code, finding["level"]) == (1, "error")
    assert "restorebackup nola-" in finding["do"] or length == 0
    assert database.stat().st_size == length
