"""Taking everything away, and making an equal store from it elsewhere."""

import hashlib
import json
import random
import shutil
import sqlite3
import zipfile
from contextlib import closing

import pytest

from tests.server import ROOT, manage, running

pytestmark = [pytest.mark.process, pytest.mark.sqlite]  # test_postgres has what is promised of PostgreSQL
SUGGESTER = "nola_a-key-that-suggests"

TABLES = [
    "state_revision",
    "state_change",
    "state_storage",
    "conversation",
    "conversation_history",
    "state_receipt",
    "state_proposal",
]


def contents(data):
    """Every row of the memory."""
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        rows = {table: database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}
        clock = "store_id, last_seq, last_at, last_chain, keys, bytes, characters"
        rows["clock"] = database.execute(f"SELECT {clock} FROM state_meta").fetchall()
    return rows


def indexed(data):
    """The messages that can be found by their words."""
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        return [row for (row,) in database.execute("SELECT id FROM conversation_words_docsize ORDER BY id")]


def suggest(data, server):
    """A proposal that waits, by a key that may do no more."""
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as database:
        row = (hashlib.sha256(SUGGESTER.encode()).hexdigest(), "2026-01-01 00:00:00")
        columns = "sha256, created_at, name, prefix, scopes, places, user_id, previous_sha256"
        values = "?, ?, 'planner', 'nola_', 'suggest', '[]', '', ''"
        database.execute(f"INSERT INTO access_apikey ({columns}) VALUES ({values})", row)
        database.commit()
    assert server.request("PUT", "/api/state/Odd/new", b"1", key=SUGGESTER)[0] == 202


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The first release's store, brought up to date and written to, and its export; its server has stopped."""
    data = tmp_path_factory.mktemp("archive") / "data"
    (data / "db").mkdir(parents=True)
    with closing(sqlite3.connect(data / "db" / "nola.sqlite3")) as old:
        old.executescript((ROOT / "tests" / "data" / "first_release.sql").read_text())
    with running(data) as server:
        server.request("PUT", "/api/state/Odd", '{"z":-0.0,"a":[1e300,12345678901234567890123,"é😀\\u0000"]}'.encode())
        server.request("POST", "/api/undo", b'{"revision": 5}')
        assert server.request("POST", "/api/context", b'{"q": "hello"}')[0] == 201
        suggest(data, server)
        result = manage(data, "export", str(data.parent / "memory.zip"))
        assert result.returncode == 0, result.stderr
        server.stop()
    return data


@pytest.fixture
def archive(source, tmp_path):
    return shutil.copyfile(source.parent / "memory.zip", tmp_path / "memory.zip")


def test_an_import_into_an_empty_directory_gives_an_equal_store(source, archive, tmp_path):
    there = tmp_path / "elsewhere"

    result = manage(there, "import", str(archive))

    assert result.returncode == 0, result.stderr
    assert contents(there) == contents(source)
    assert indexed(there) == indexed(source) == [row[0] for row in contents(there)["conversation_history"]]
    with running(there) as server:
        checked = manage(there, "doctor")
        assert (checked.returncode, "receipts: 1 with" in checked.stdout) == (0, True)
        assert server.request("GET", "/api/state/Scalar?at=13")[1] == b'"again"'
        assert server.request("PUT", "/api/state/After", b"1")[2]["nola-revision"] == "33"
        [receipt] = json.loads(server.request("GET", "/api/context/receipts")[1])["receipts"]
        assert server.request("GET", f"/api/context/{receipt['receipt']}")[0] == 200
        assert manage(there, "export", str(tmp_path / "again.zip")).returncode == 0
    with zipfile.ZipFile(archive) as first, zipfile.ZipFile(tmp_path / "again.zip") as second:
        assert second.read("revisions.jsonl").startswith(first.read("revisions.jsonl"))


def test_the_state_in_it_is_a_checkpoint_that_loaddata_reads(archive, tmp_path):
    with zipfile.ZipFile(archive) as opened:
        (tmp_path / "state.json").write_bytes(opened.read("state.json"))
        assert len(opened.read("messages.jsonl").splitlines()) == 2
        assert json.loads(opened.read("nola.json"))["rows"]["revisions.jsonl"] == 32

    with running(tmp_path / "data") as server:
        assert manage(tmp_path / "data", "loaddata", str(tmp_path / "state.json")).returncode == 0
        assert server.request("GET", "/api/state/Scalar")[1] == b'"again"'


@pytest.mark.parametrize(("format", "lacks"), [(1, ["state_receipt", "state_proposal"]), (2, ["state_proposal"])])
def test_an_archive_from_before_receipts_or_proposals_can_still_be_read(source, archive, tmp_path, format, lacks):
    names = {f"{table.removeprefix('state_')}s.jsonl" for table in lacks}
    with zipfile.ZipFile(archive) as new, zipfile.ZipFile(tmp_path / "old.zip", "w") as old:
        about = json.loads(new.read("nola.json")) | {"format": format}
        for name in set(new.namelist()) - {*names, "nola.json"}:
            old.writestr(name, new.read(name))
        old.writestr("nola.json", json.dumps(about))

    result = manage(tmp_path / "there", "import", str(tmp_path / "old.zip"))

    assert result.returncode == 0, result.stderr
    assert contents(tmp_path / "there") == {**contents(source), **{table: [] for table in lacks}}


@pytest.mark.parametrize(("name", "column"), [("messages.jsonl", "place"), ("conversations.jsonl", "user_id")])
def test_rows_of_an_archive_from_before_a_column_get_theirs(source, archive, tmp_path, name, column):
    with zipfile.ZipFile(archive) as new, zipfile.ZipFile(tmp_path / "old.zip", "w") as old:
        about = json.loads(new.read("nola.json"))
        rows = [json.loads(line) for line in new.read(name).splitlines()]
        text = "".join(json.dumps({k: v for k, v in row.items() if k != column}) + "\n" for row in rows)
        about["sha256"][name] = hashlib.sha256(text.encode()).hexdigest()
        for other in set(new.namelist()) - {name, "nola.json"}:
            old.writestr(other, new.read(other))
        old.writestr(name, text)
        old.writestr("nola.json", json.dumps(about))

    result = manage(tmp_path / "there", "import", str(tmp_path / "old.zip"))

    assert (result.returncode, all(row[column] for row in rows), bool(rows)) == (0, True, True), result.stderr
    assert contents(tmp_path / "there") == contents(source)


def test_an_import_never_meets_a_memory_that_is_there(archive, tmp_path):
    data = tmp_path / "data"
    with running(data) as server:
        assert "a server is running" in manage(data, "import", str(archive)).stderr
        server.stop()
    before = contents(data)

    result = manage(data, "import", str(archive))

    assert (result.returncode, "holds a memory already" in result.stderr) == (1, True)
    assert contents(data) == before


def test_an_export_never_overwrites_a_file(source, archive):
    before = archive.read_bytes()

    assert manage(source, "export", str(archive)).returncode == 1
    assert archive.read_bytes() == before


def replaced(archive, name, change):
    """The archive with one of its files changed, as somebody would who unpacks it and packs it again."""
    with zipfile.ZipFile(archive) as opened:
        members = {member: opened.read(member) for member in opened.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(archive, "w") as opened:
        for member, data in members.items():
            opened.writestr(member, data)


def with_method(archive, number):
    """The archive whose first file says that it was packed by another method."""
    raw = archive.read_bytes()
    place = raw.index(b"PK\x01\x02") + 10
    archive.write_bytes(raw[:place] + bytes([number, 0]) + raw[place + 2 :])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "not a zip file, or a damaged one"),
        (lambda path: path.write_bytes(b""), "not a zip file, or a damaged one"),
        (lambda path: with_method(path, 99), "That compression method is not supported"),
        (lambda path: path.unlink(), "there is no file"),
        (lambda path: replaced(path, "messages.jsonl", lambda text: text[:-20]), "messages.jsonl in it is missing, or"),
        (lambda path: replaced(path, "nola.json", lambda text: b"{}"), "it is not an export of Nola"),
        (
            lambda path: replaced(path, "nola.json", lambda text: text.replace(b'"format": 3', b'"format": 9')),
            "format 9",
        ),
    ],
)
def test_a_bad_archive_is_refused_and_leaves_no_store(archive, tmp_path, spoil, words):
    spoil(archive)

    result = manage(tmp_path / "data", "import", str(archive))

    assert (result.returncode, result.stdout) == (1, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "data").rglob("*.sqlite3*"))


def test_a_changed_byte_anywhere_is_found_or_means_nothing(source, archive, tmp_path):
    whole = archive.read_bytes()
    chance = random.Random(5)
    for number in range(6):
        place = chance.randrange(len(whole))
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :])
        data = tmp_path / str(number)

        result = manage(data, "import", str(archive))

        assert "Traceback" not in result.stderr
        if result.returncode == 0:
            assert contents(data) == contents(source)
