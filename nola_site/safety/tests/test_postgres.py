"""What keeps a memory safe, where it is on a PostgreSQL."""

import json
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.server import manage, running

pytestmark = pytest.mark.process
FIRST_RUN = "from nola_site.safety import first_run; first_run.prepare()"
ODD = '{"z":-0.0,"a":[1e300,12345678901234567890123,"é😀\\u0000"]}'
TABLES = {
    "state_revision": "seq, actor, source, reason, info, chain",
    "state_change": "id, revision, kind, key, forward, inverse, result_hash, salt, digest",
    "state_storage": "key_name, value_json, revision",
    "conversation": "id, session_id, user_id, revision",
    "conversation_history": "id, conversation_id, message, place, revision",
    "state_receipt": "receipt, actor, revision",
    "state_meta": "store_id, last_seq, last_chain, keys, bytes, characters",
}


@pytest.fixture
def url(new_postgres):
    return new_postgres()


def prepare(data: Path, url: str) -> Path:
    made = manage(data, "shell", "-v0", "-c", FIRST_RUN, DATABASE_URL=url)
    assert made.returncode == 0, made.stderr
    return data


def fill(server) -> None:
    assert server.request("PUT", "/api/state/Odd", ODD.encode())[0] == 201
    said = b'{"speaker":"user","message":"hello \\u0001 there"}'
    assert server.request("POST", "/api/conversations/a/messages", said)[0] == 201
    assert server.request("POST", "/api/context", b'{"q": "hello"}')[0] == 201


def contents(data: Path, url: str) -> dict[str, list[str]]:
    """Every row of the memory, asked of Nola itself."""
    code = (
        "import json\nfrom state.database.sql import fetch_rows\nfrom django.db import connection\n"
        f"tables = {TABLES!r}\n"
        "print(json.dumps({name: [repr(row) for row in fetch_rows(connection, "
        "f'SELECT {columns} FROM {name} ORDER BY 1')] for name, columns in tables.items()}))"
    )
    done = manage(data, "shell", "-v0", "-c", code, DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(statement)


# Archives


def test_an_archive_made_on_one_database_is_taken_by_the_other(url, new_postgres, tmp_path):
    with running(prepare(tmp_path / "file", ""), DATABASE_URL="") as server:
        fill(server)
        server.stop()
    was = contents(tmp_path / "file", "")
    assert manage(tmp_path / "file", "export", str(tmp_path / "1.zip"), DATABASE_URL="").returncode == 0

    there = manage(tmp_path / "there", "import", str(tmp_path / "1.zip"), DATABASE_URL=url)

    assert there.returncode == 0, there.stderr
    assert contents(tmp_path / "there", url) == was
    assert manage(tmp_path / "there", "export", str(tmp_path / "2.zip"), DATABASE_URL=url).returncode == 0
    back = manage(tmp_path / "back", "import", str(tmp_path / "2.zip"), DATABASE_URL="")
    assert back.returncode == 0, back.stderr
    assert contents(tmp_path / "back", "") == was
    with running(tmp_path / "there", DATABASE_URL=url) as server:
        said = b'{"speaker":"user","message":"after"}'
        assert server.request("POST", "/api/conversations/a/messages", said)[0] == 201
        assert manage(tmp_path / "there", "doctor", DATABASE_URL=url).returncode == 0


def test_an_import_takes_an_empty_database_alone_and_makes_nothing_of_a_bad_archive(url, new_postgres, tmp_path):
    data = prepare(tmp_path / "data", url)
    assert manage(data, "export", str(tmp_path / "good.zip"), DATABASE_URL=url).returncode == 0
    (tmp_path / "bad.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:-300])
    empty = new_postgres()

    taken = manage(data, "import", str(tmp_path / "good.zip"), DATABASE_URL=url)
    bad = manage(tmp_path / "new", "import", str(tmp_path / "bad.zip"), DATABASE_URL=empty)

    assert (taken.returncode, "is not empty. Name another one in DATABASE_URL" in taken.stderr) == (1, True)
    assert (bad.returncode, "Nothing was imported" in bad.stderr) == (1, True)
    with psycopg.connect(empty) as database:
        assert database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


# The doctor


def test_the_doctor_says_what_it_looked_at_and_what_it_cannot_see(url, tmp_path):
    data = prepare(tmp_path / "data", url)
    assert manage(data, "backup", DATABASE_URL=url).returncode == 0

    found = manage(data, "doctor", DATABASE_URL=url)

    assert found.returncode == 0, found.stdout + found.stderr
    assert "database: PostgreSQL" in found.stdout
    assert "fsync is off: a power cut may damage the database" in found.stdout  # the tests' own server
    assert "not looked at from here: its pages" in found.stdout
    assert "guards: history and security log are append-only" in found.stdout
    assert "chain: every row of the history is as it was written" in found.stdout
    assert "backups: 1, the newest" in found.stdout
    assert "how much the server of the database has is not seen from here" in found.stdout


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("ALTER TABLE state_change DISABLE TRIGGER state_change_update", "update on state_change"),
        ("UPDATE state_storage SET value_json = '2'", "is not what the history makes of it"),
        ("UPDATE state_meta SET keys = keys + 1", "state_meta counts"),
        ("UPDATE state_meta SET last_seq = 0", "the clock stands at revision 0"),
        ("DROP TABLE state_meta", "none of Nola's tables"),
        ("INSERT INTO django_migrations (app, name, applied) VALUES ('state', '9999_later', now())", "newer Nola"),
    ],
)
def test_the_doctor_names_what_is_wrong(url, tmp_path, statement, words):
    data = prepare(tmp_path / "data", url)
    run(url, statement)

    found = manage(data, "doctor", DATABASE_URL=url)

    assert words in found.stdout, found.stdout + found.stderr
    assert found.returncode == (0 if "counts" in words else 1)


def test_the_doctor_sets_right_what_it_can(url, tmp_path):
    data = prepare(tmp_path / "data", url)
    run(url, "DROP TRIGGER state_revision_delete ON state_revision")
    run(url, "UPDATE state_meta SET bytes = 1")

    fixed = manage(data, "doctor", "--fix", DATABASE_URL=url)

    assert (fixed.returncode, "fixed: made anew" in fixed.stdout, "fixed: counted anew" in fixed.stdout) == (
        0,
        True,
        True,
    )
    again = manage(data, "doctor", DATABASE_URL=url)
    assert "state_meta counts" not in again.stdout
    with psycopg.connect(url) as database, pytest.raises(psycopg.errors.IntegrityError):
        database.execute("DELETE FROM state_revision")


@pytest.mark.parametrize("gone", ["nothing", "server"])
def test_the_doctor_of_a_database_without_a_memory_says_what_to_do(url, tmp_path, gone):
    address = url if gone == "nothing" else "postgres://nola:geheim@127.0.0.1:1/nola"
    (tmp_path / "data" / "db").mkdir(parents=True)

    found = manage(tmp_path / "data", "doctor", DATABASE_URL=address)

    assert found.returncode == 1
    assert ("There is none yet" if gone == "nothing" else "cannot be used") in found.stdout
    assert "Traceback" not in found.stderr
    assert "geheim" not in found.stdout + found.stderr


# Put back to an earlier point, and forgotten


def test_a_database_that_was_put_back_to_a_point_in_time_goes_on_above(url, new_postgres, tmp_path):
    data, earlier = prepare(tmp_path / "data", url), new_postgres()
    assert manage(data, "backup", DATABASE_URL=url).returncode == 0
    with running(data, DATABASE_URL=url) as server:
        assert server.request("PUT", "/api/state/Odd", ODD.encode())[0] == 201
        server.stop()
    seq = json.loads((data / "db" / "head").read_text())["seq"]
    [dump] = data.glob("backups/nola-*.dump")
    subprocess.run(["pg_restore", "--no-owner", f"--dbname={earlier}", dump], check=True)

    with running(data, DATABASE_URL=earlier) as server:
        ready = json.loads(server.request("GET", "/readyz")[1])

    assert ready["revision"] == seq + 1
    assert "a database was put here" in json.dumps(ready["recovered"]).lower()


def test_what_is_forgotten_goes_from_dumps_too(url, tmp_path):
    data = prepare(tmp_path / "data", url)
    with running(data, DATABASE_URL=url) as server:
        assert server.request("PUT", "/api/state/Card", b'"4111 1111 1111 1111"')[0] == 201
        assert manage(data, "backup", DATABASE_URL=url).returncode == 0
        [dump] = data.glob("backups/*.dump")
        assert "4111 1111" in read_dump(dump)

        done = manage(data, "forget", "4111 1111 1111 1111", "--yes", DATABASE_URL=url)

        assert done.returncode == 0, done.stdout + done.stderr
    assert "4111 1111" not in read_dump(dump)
    assert "[redacted]" in read_dump(dump)
    assert manage(data, "restorebackup", dump.name, "--yes", DATABASE_URL=url).returncode == 0


def read_dump(path: Path) -> str:
    return subprocess.run(["pg_restore", "--file=-", path], capture_output=True, text=True, check=True).stdout
