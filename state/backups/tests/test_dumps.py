"""Backups of a PostgreSQL: dumps taken under use, verified, and put back with the server up."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.server import Server, manage, running

pytestmark = pytest.mark.process


@pytest.fixture
def url(new_postgres):
    return new_postgres()


@pytest.fixture
def data(tmp_path, url):
    """A data directory whose memory is on that PostgreSQL."""
    made = manage(
        tmp_path / "data", "shell", "-v0", "-c", "from nola_site.safety import first_run; first_run.prepare()",
        DATABASE_URL=url,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return tmp_path / "data"


def put(server: Server, address: str, value: object) -> int:
    status, body, headers = server.request("PUT", f"/api/state/{address}", json.dumps(value).encode())
    assert status in (200, 201), body
    return int(headers["nola-revision"])


def backup(data: Path, url: str, *arguments: str) -> Path:
    result = manage(data, "backup", *arguments, DATABASE_URL=url)
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.split(" holds ")[0])


def read(url: str, statement: str) -> list:
    with psycopg.connect(url, autocommit=True) as database:
        return database.execute(statement).fetchall()


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(statement)


def list_scratch(url: str) -> list:
    return read(url, "SELECT datname FROM pg_database WHERE starts_with(datname, 'nola_scratch_')")


def value(url: str, key: str) -> list:
    return read(url, f"SELECT value_json FROM state_storage WHERE key_name = '{key}'")


def test_a_dump_is_put_back_under_a_running_server_and_the_clock_goes_on(data, url):
    with running(data, DATABASE_URL=url) as server:
        before = put(server, "Kept/n", 1)
        said = b'{"speaker":"user","message":"findable\\u0001"}'
        assert server.request("POST", "/api/conversations/a/messages", said)[0] == 201
        file = backup(data, url, "--verify")
        assert (file.suffix, f"-r{before + 1}" in file.name) == (".dump", True)
        put(server, "Kept/n", 2)
        assert server.request("POST", "/api/conversations/a/messages", said)[0] == 201
        lost = put(server, "Lost", "soon")
        created = manage(data, "apikey", "create", "later", DATABASE_URL=url)
        assert created.returncode == 0

        result = manage(data, "restorebackup", file.stem, "--yes", DATABASE_URL=url)

        assert result.returncode == 0, result.stderr
        assert value(url, "Kept") == [('{"n":1}',)]
        assert value(url, "Lost") == []
        assert read(url, "SELECT message FROM conversation_history") == [("findable\x01\x02",)]
        assert read(url, "SELECT last_seq FROM state_meta") == [(lost + 1,)]
        assert read(url, "SELECT count(*) FROM access_apikey WHERE name = 'later'") == [(1,)]
        assert put(server, "After", 1) == lost + 2
        checked = manage(data, "doctor", DATABASE_URL=url)
        assert checked.returncode == 0, checked.stdout

        [saved] = data.glob("backups/*before-restorebackup.dump")
        assert manage(data, "restorebackup", saved.name, "--yes", DATABASE_URL=url).returncode == 0
        assert value(url, "Lost") == [('"soon"',)]
        assert list_scratch(url) == []


def test_no_copy_has_sessions_in_it_and_no_list_of_processes_a_password(data, url, tmp_path):
    insert = "INSERT INTO django_session VALUES ('secret-session', 'x', now())"
    run(url, insert)
    spy = tmp_path / "bin" / "pg_dump"
    spy.parent.mkdir()
    real = shutil.which("pg_dump")
    spy.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/seen; exec {real} "$@"\n')
    spy.chmod(0o755)
    with_password = url.replace("nola@", "nola:geheim@")

    made = manage(data, "backup", DATABASE_URL=with_password, PATH=f"{spy.parent}:{os.environ['PATH']}")

    assert made.returncode == 0, made.stderr
    [file] = data.glob("backups/*.dump")
    assert file.stat().st_mode & 0o077 == 0
    tables = subprocess.run(["pg_restore", "--list", file], capture_output=True, text=True).stdout
    assert "TABLE DATA public state_change" in tables
    assert "TABLE DATA public django_session" not in tables
    seen = (tmp_path / "seen").read_text() if (tmp_path / "seen").exists() else ""
    assert "geheim" not in seen + made.stdout + made.stderr


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-5000]), "is damaged"),
        (lambda file: file.write_bytes(b"x" * 5000), "is not a dump of PostgreSQL"),
        (lambda file: file.write_bytes(b""), "is"),
    ],
)
def test_a_spoilt_dump_is_refused_and_nothing_changes(data, url, spoil, words):
    file = backup(data, url)
    spoil(file)
    before = read(url, "SELECT * FROM state_meta")

    result = manage(data, "restorebackup", str(file), "--yes", DATABASE_URL=url)

    assert result.returncode == 1
    assert "Nothing was restored" in result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert read(url, "SELECT * FROM state_meta") == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE state_storage SET value_json = '2' WHERE key_name = (SELECT min(key_name) FROM state_storage)", "key"),
        ("UPDATE state_meta SET last_seq = 0", "the clock stands at revision 0"),
        ("DROP TABLE state_meta", "none of Nola's tables"),
        (
            "INSERT INTO django_migrations (app, name, applied) VALUES ('state', '9999_later', now())",
            "state.9999_later",
        ),
    ],
)
def test_a_dump_of_what_is_no_sound_memory_is_refused(data, url, new_postgres, tmp_path, statement, words):
    file, other = backup(data, url), new_postgres()
    subprocess.run(["pg_restore", "--no-owner", f"--dbname={other}", file], check=True)
    run(other, statement)
    bad = tmp_path / "bad.dump"
    subprocess.run(["pg_dump", "--format=custom", f"--file={bad}", f"--dbname={other}"], check=True)
    before = read(url, "SELECT * FROM state_meta")

    result = manage(data, "restorebackup", str(bad), "--yes", DATABASE_URL=url)

    assert (result.returncode, words in result.stderr) == (1, True), result.stderr
    assert read(url, "SELECT * FROM state_meta") == before
    assert list_scratch(url) == []


def test_a_file_of_sqlite_is_put_back_on_postgresql_too(data, url, tmp_path):
    there = tmp_path / "there"
    first = "from nola_site.safety import first_run; first_run.prepare()"
    assert manage(there, "shell", "-v0", "-c", first, DATABASE_URL="").returncode == 0
    with running(there, DATABASE_URL="") as server:
        put(server, "Filed", 1)
    file = backup(there, "")

    result = manage(data, "restorebackup", str(file), "--yes", DATABASE_URL=url)

    assert result.returncode == 0, result.stderr
    assert value(url, "Filed") == [("1",)]
    dump = backup(data, url, "--verify")
    refused = manage(there, "restorebackup", str(dump), "--yes", DATABASE_URL="")
    assert (refused.returncode, "is a dump of a PostgreSQL" in refused.stderr) == (1, True)


def test_without_the_tools_it_says_what_to_install_and_how_else_to_take_it_away(data, url, tmp_path):
    code = (
        "from state.database.postgres import dumps; dumps.find_tools = lambda name: {}\n"
        "from django.core.management import call_command; call_command('backup')"
    )

    result = manage(data, "shell", "-v0", "-c", code, DATABASE_URL=url)

    assert result.returncode != 0
    assert "there is no pg_dump here. Install the client of PostgreSQL" in result.stderr
    assert "./nola export" in result.stderr
    assert list(data.glob("backups/*")) == []


def test_a_user_who_may_make_no_database_is_told_what_to_allow(data, url):
    run(url, "DROP ROLE IF EXISTS plain")
    run(url, "CREATE ROLE plain LOGIN SUPERUSER")
    run(url, "ALTER ROLE plain NOSUPERUSER NOCREATEDB; GRANT pg_read_all_data TO plain")

    result = manage(data, "backup", "--verify", DATABASE_URL=url.replace("nola@", "plain@"))

    assert (result.returncode, "ALTER ROLE plain CREATEDB" in result.stderr) == (1, True), result.stderr
    assert list(data.glob("backups/*")) == []


def test_what_a_killed_run_has_left_is_found_and_dropped(data, url):
    run(url, "CREATE DATABASE nola_scratch_0123")

    found = manage(data, "doctor", DATABASE_URL=url)
    fixed = manage(data, "doctor", "--fix", DATABASE_URL=url)

    assert "the database nola_scratch_0123 was left" in found.stdout
    assert "fixed: dropped" in fixed.stdout
    assert list_scratch(url) == []
