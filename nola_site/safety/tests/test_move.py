"""Moving a whole memory between databases: equal, whole or resumed, and the source as it was."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from conversations.imports.tests.test_importchats import chatgpt
from state.database.postgres.values import show_nul
from tests.server import environment, manage, running, started

pytestmark = pytest.mark.process
ODD = '{"z":-0.0,"a":[1e300,12345678901234567890123,9007199254740993,"é😀\\u0000\\u0001"],"":null}'
LARGE = b'"%s"' % (b"x" * (16 * 1024 * 1024 - 2))
TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    "SELECT name FROM sqlite_master WHERE type = 'table'",
)
NOT_COMPARED = ("django_migrations", "sqlite_", "conversation_words", "nola_move")


def open_at(place):
    """The database of a data directory, or at an address, past Nola."""
    if isinstance(place, Path):
        return closing(sqlite3.connect(place / "db" / "nola.sqlite3", isolation_level=None))
    return psycopg.connect(place, autocommit=True)


def contents(place):
    """Every row of every table, alike from both, as hashes."""
    with open_at(place) as database:
        names = sorted(database.execute(TABLES[isinstance(place, Path)]).fetchall())
        return {name: read_table(database, name, place) for (name,) in names if not name.startswith(NOT_COMPARED)}


def read_table(database, name, place):
    cursor = database.execute(f"SELECT * FROM {name}")
    columns = [column[0] for column in cursor.description]
    show = (
        plain if isinstance(place, Path) else lambda value: plain(show_nul(value) if isinstance(value, str) else value)
    )
    return sorted(repr(sorted(zip(columns, map(show, row), strict=True))) for row in cursor)


def plain(value):
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(value, str) and value[:2] == "20" and value[4:5] == "-" and value[10:11] == " " and len(value) < 27:
        return datetime.fromisoformat(value).isoformat(timespec="microseconds")
    if isinstance(value, str | bytes) and len(value) > 1000:
        return sha256(value.encode() if isinstance(value, str) else value).hexdigest()
    return int(value) if isinstance(value, bool) else value


def run(data, *arguments, url=""):
    return manage(data, *arguments, DATABASE_URL=url)


def move(data, to, url=""):
    return run(data, "move", "--to", str(to), url=url)


def first_run(data, url=""):
    made = run(data, "shell", "-v0", "-c", "from nola_site.safety import first_run; first_run.prepare()", url=url)
    assert made.returncode == 0, made.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A data directory with something of everything; its server has stopped."""
    data = tmp_path_factory.mktemp("move") / "data"
    first_run(data)
    with running(data, DATABASE_URL="") as server:
        assert server.request("PUT", "/api/state/Odd%20%C3%A9", ODD.encode())[0] == 201
        assert server.request("PUT", "/api/state/Gone", b"1")[0] == 201
        assert server.request("DELETE", "/api/state/Gone")[0] == 204
        assert server.request("PUT", "/api/state/Secret", b'"4111 1111 1111 1111"')[0] == 201
        for session in ("s1", "s2"):
            said = [{"speaker": "user", "message": f"word{number} a\x01b\x01\x02\ufeff😀"} for number in range(600)]
            address, body = f"/api/conversations/{session}/messages", json.dumps(said).encode()
            status, body, _ = server.request("POST", address, body)
            assert status == 201, body
        assert server.request("POST", "/api/context", b'{"q": "word7"}')[0] == 201
        made = run(data, "apikey", "create", "planner", "--scopes", "suggest")
        assert made.returncode == 0, made.stderr
        suggester = next(word for word in made.stdout.split() if word.startswith("nola_"))
        assert server.request("PUT", "/api/state/Odd%20%C3%A9/new", b"1", key=suggester)[0] == 202
        connection = server.connect()
        headers = {"Authorization": "Bearer nola_a-key-for-tests-only", "Idempotency-Key": '"k1"'}
        connection.request("PUT", "/api/state/Once", b"1", headers)
        assert connection.getresponse().status == 201
        connection.close()
        chats = data.parent / "conversations.json"
        chats.write_text(json.dumps([chatgpt()]))
        imported = run(data, "importchats", str(chats))
        assert imported.returncode == 0, imported.stderr + imported.stdout
        assert run(data, "forget", "4111 1111 1111 1111", "--yes").returncode == 0
        server.stop()
    with open_at(data) as database:
        database.execute("UPDATE sqlite_sequence SET seq = 77 WHERE name = 'state_proposal'")  # higher ones are gone
    return data


@pytest.fixture
def target(new_postgres):
    return new_postgres()


def test_a_memory_goes_on_in_a_postgresql_and_back_in_a_file(source, target, tmp_path):
    was = contents(source)

    moved = move(source, target)

    assert moved.returncode == 0, moved.stderr
    assert f"DATABASE_URL='{target}' ./nola serve" in moved.stdout
    assert contents(target) == was == contents(source)
    assert move(source, tmp_path / "back", url=target).returncode == 0
    assert contents(tmp_path / "back") == was
    with open_at(tmp_path / "back") as database:
        assert database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'state_proposal'").fetchone() == (77,)
        assert database.execute("SELECT count(*) FROM conversation_words_docsize").fetchone()[0] == len(
            was["conversation_history"]
        )


@pytest.mark.heavy
def test_the_largest_document_survives(target, tmp_path):
    first_run(tmp_path / "data")
    with running(tmp_path / "data", DATABASE_URL="") as server:
        assert server.request("PUT", "/api/state/Large", LARGE)[0] == 201
        server.stop()

    assert move(tmp_path / "data", target).returncode == 0
    assert move(tmp_path / "data", tmp_path / "back", url=target).returncode == 0

    with open_at(target) as new, open_at(tmp_path / "back") as back:
        read = "SELECT value_json FROM state_storage WHERE key_name = 'Large'"
        assert new.execute(read).fetchone() == back.execute(read).fetchone() == (LARGE.decode(),)


def test_the_same_epoch_etags_and_cursors_hold_on_the_other_side(source, target):
    addresses = ["/api/state/Odd%20%C3%A9", "/api/changes?since=0", "/api/conversations/s1/messages"]
    with running(source, DATABASE_URL="") as server:
        before = [server.request("GET", address)[::2] for address in addresses]
        bodies = [server.request("GET", address)[1] for address in addresses]
        server.stop()
    assert move(source, target).returncode == 0

    with running(source, DATABASE_URL=target) as server:
        after = [server.request("GET", address)[::2] for address in addresses]

        assert [status for status, _ in after] == [200] * len(addresses)
        assert [(status, head.get("etag"), head.get("nola-revision")) for status, head in after] == [
            (status, head.get("etag"), head.get("nola-revision")) for status, head in before
        ]
        assert [server.request("GET", address)[1] for address in addresses] == bodies
        found = server.request("GET", "/api/search?q=word599")
        assert (found[0], b"word599" in found[1]) == (200, True)
        revision = int(after[0][1]["nola-revision"])
        assert server.request("PUT", "/api/state/After", b"1")[2]["nola-revision"] == str(revision + 1)
        server.stop()
    again = move(source, target)
    assert (again.returncode, "it holds this very memory already" in again.stderr) == (1, True)


# Killed


STOP = """
    CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.{key} >= {number} THEN PERFORM pg_advisory_lock(77); END IF; RETURN NEW; END $$;
    CREATE TRIGGER stop BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION stop();
"""


def start_and_stop(source, target, table, key, number):
    """A move that waits at a row; what lets it go on, and the process."""
    assert run(source, "migrate", url=target).returncode == 0
    holder = psycopg.connect(target, autocommit=True)
    holder.execute(STOP.format(table=table, key=key, number=number))
    holder.execute("SELECT pg_advisory_lock(77)")
    env = environment_for(source)
    process = started("manage.py", "move", "--to", target, env=env, stdout=-1, stderr=-1, text=True)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 77"
    while not holder.execute(waiting).fetchone()[0]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return holder, process


def environment_for(data):
    return environment(data, 8000, DATABASE_URL="")


@pytest.mark.parametrize(
    ("table", "key", "number"),
    [("state_revision", "seq", 3), ("conversation_history", "id", 700), ("state_meta", "last_seq", 1)],
)
def test_a_move_that_was_killed_goes_on_where_it_stood(source, target, table, key, number):
    was = contents(source)
    holder, process = start_and_stop(source, target, table, key, number)
    process.kill()
    process.wait()
    holder.execute("SELECT pg_advisory_unlock(77); DROP FUNCTION stop CASCADE")
    there = {name: len(rows) for name, rows in contents(target).items()}
    assert contents(source) == was

    with started(
        "manage.py", "serve", env={**environment_for(source), "DATABASE_URL": target}, stdout=-1, stderr=-1, text=True
    ) as server:
        assert "a move into this database is unfinished" in server.communicate(timeout=60)[1]
        assert server.returncode == 1
    again = move(source, target)

    assert again.returncode == 0, again.stderr
    assert contents(target) == was == contents(source)
    copied = int(again.stdout.split(" of them in this run")[0].rpartition(" ")[2].replace(",", ""))
    assert copied <= sum(map(len, was.values())) - there["conversation_history"] - there["state_revision"]
    assert there["conversation_history"] == (500 if table == "conversation_history" else 0) or table == "state_meta"
    holder.close()


def test_a_move_into_a_file_that_was_killed_goes_on_too(source, target, tmp_path):
    assert move(source, target).returncode == 0
    was, there = contents(target), tmp_path / "there"
    with open_at(target) as holder:
        holder.execute("BEGIN; LOCK TABLE conversation_history")  # which is read after others are written
        env = {**environment(source, 8000), "DATABASE_URL": target}
        process = started("manage.py", "move", "--to", str(there), env=env, stdout=-1, stderr=-1, text=True)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'conversation_history'::regclass"
        while not holder.execute(waiting).fetchone()[0]:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.kill()
        process.wait()
        holder.execute("ROLLBACK")

    assert move(source, there, url=target).returncode == 0

    assert contents(there) == was == contents(target)


def test_what_is_written_meanwhile_is_told_and_brought_over_by_the_next_run(source, target, tmp_path):
    data = tmp_path / "data"
    assert move(source, data).returncode == 0
    with running(data, DATABASE_URL="") as server:
        holder, process = start_and_stop(data, target, "state_meta", "last_seq", 1)
        assert server.request("PUT", "/api/state/Odd%20%C3%A9", b"2")[0] == 200
        assert server.request("DELETE", "/api/state/Once")[0] == 204
        said = b'{"speaker":"user","message":"later"}'
        assert server.request("POST", "/api/conversations/s1/messages", said)[0] == 201
        gone = b'{"confirm":"s2"}'
        assert server.request("POST", "/api/conversations/s2/purge", gone)[0] == 200
        holder.execute("SELECT pg_advisory_unlock(77)")
        output, errors = process.communicate(timeout=60)
        holder.execute("DROP FUNCTION stop CASCADE")
        holder.close()
        assert "Meanwhile 4 revisions were written that are not there" in output, errors
        server.stop()

    again = move(data, target)

    assert again.returncode == 0, again.stderr
    assert "Meanwhile" not in again.stdout
    assert contents(target) == contents(data)
    copied = int(again.stdout.split(" of them in this run")[0].rpartition(" ")[2].replace(",", ""))
    assert copied < 50
    with open_at(target) as database:
        assert database.execute("SELECT count(*) FROM conversation_words").fetchone() == (
            len(contents(data)["conversation_history"]),
        )


# Refused


def test_a_database_that_holds_something_else_is_left_alone(source, target):
    with open_at(target) as database:
        database.execute("CREATE TABLE books (id integer)")

    refused = move(source, target)

    assert (refused.returncode, "it has the table books" in refused.stderr) == (1, True)
    with open_at(target) as database:
        assert database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (1,)


def test_a_database_with_another_memory_is_left_alone(source, target, tmp_path):
    first_run(tmp_path / "other", url=target)
    before = contents(target)

    refused = move(source, target)

    assert (refused.returncode, "it holds another memory already" in refused.stderr) == (1, True)
    assert contents(target) == before


def test_what_a_move_of_another_memory_has_left_is_left_alone(source, target, tmp_path):
    first_run(tmp_path / "other")
    assert move(tmp_path / "other", target).returncode == 0
    before = contents(target)

    refused = move(source, target)

    assert (refused.returncode, "a move of another memory into it was begun" in refused.stderr) == (1, True)
    assert contents(target) == before


def test_a_database_of_a_newer_release_is_left_alone(source, target):
    assert move(source, target).returncode == 0
    with open_at(target) as database:
        database.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('state', '9999_later', now())")

    refused = move(source, target)

    assert (refused.returncode, "made by a newer Nola (it has state.9999_later)" in refused.stderr) == (1, True)


def test_a_memory_whose_history_does_not_verify_is_not_moved(source, target, tmp_path):
    assert move(source, tmp_path / "copy").returncode == 0
    with open_at(tmp_path / "copy") as database:
        database.execute("UPDATE state_storage SET value_json = '2' WHERE key_name = 'Once'")

    refused = move(tmp_path / "copy", target)

    assert (refused.returncode, "'Once'" in refused.stderr) == (1, True)
    assert contents(target) == {}


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("mysql://nola:geheim@localhost/nola", "--to must begin with postgres://"),
        ("postgres://nola:geheim@localhost", "--to names no database"),
        ("postgres://nola:geheim@127.0.0.1:1/nola", "that --to names it right"),
        ("sqlite://nola.sqlite3", "a path begins with a third slash"),
        ("", "--to is no address"),
        ("{source}", "this is the database that is to be moved"),
        ("sqlite:///{source}/db/nola.sqlite3", "this is the database that is to be moved"),
    ],
)
def test_an_address_that_does_not_do_is_refused_without_its_password(source, to, words):
    refused = move(source, to.format(source=str(source).removeprefix("/") if "://" in to else source))

    assert refused.returncode == 1
    assert words in refused.stderr
    assert "geheim" not in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr


def test_a_database_that_is_not_there_is_named_with_the_way_out(source, target):
    refused = move(source, target.replace("/made_", "/lacks_"))

    assert (refused.returncode, "Create it there (createdb)" in refused.stderr) == (1, True)
