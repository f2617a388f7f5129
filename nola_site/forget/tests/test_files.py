"""What was forgotten is in no file of the database: no page that was freed, no sample of a column, no log of SQLite."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection, connections

from access.database import engine, find_folder
from conversations import traces
from nola_site.forget.tests.memory import CARD, forget, post, put

DIGITS = tuple("0123456789")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_to_clear():
    """Tests that forget within a transaction, which is taken back, leave their notes."""
    for note in traces.list_notes():
        note.unlink()


def files_with(word):
    """The files of the database, or its tables, that hold a word. Read by another process: see tests of erasure."""
    folder = find_folder()
    if engine().find_file() is None:
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")  # what is in memory alone, and what was removed a moment ago
            cursor.execute(
                "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database"
                " WHERE datname = current_database()"
            )
            folder = Path(cursor.fetchone()[0])
    found = subprocess.run(["grep", "-rla", "--", word, folder], capture_output=True, text=True)
    assert found.returncode < 2, found.stderr
    names = [name for name in map(os.path.basename, found.stdout.splitlines()) if name.startswith(("test", *DIGITS))]
    return names if engine().find_file() else [find_table(name) for name in names]


def find_table(name):
    with connection.cursor() as cursor:
        number = name.partition(".")[0]
        cursor.execute("SELECT relname FROM pg_class WHERE pg_relation_filenode(oid) = %s", [number])
        return (cursor.fetchone() or (name,))[0]


def fill(client):
    """It stands in live rows and in dead ones, and in what the database knows of its columns."""
    for number in range(20):
        put("/Card/number", f"{CARD} {number}")
        put(f"/Card{number}", CARD)
        said = {"speaker": "user", "message": f"{CARD} and the rest {number}"}
        post(client, "/api/conversations/talk/messages", said)
    put("/Card/number", "none")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_no_file_of_the_database_holds_it(agent):
    fill(agent)
    assert files_with(CARD) != []

    found = forget(CARD)

    assert files_with(CARD) == []
    assert (found.left, traces.list_notes()) == ([], [])


@pytest.mark.skipif(connection.vendor == "sqlite", reason="of SQLite it is told in tests of erasure")
@pytest.mark.parametrize(
    ("database", "statement"),
    [("test", "SELECT count(*) FROM auth_user"), ("another", "SELECT pg_current_xact_id()")],
    ids=["a reader", "a writer to another database of the server"],
)
def test_what_others_may_still_see_is_said_and_goes_once_they_have_ended(agent, database, statement):
    fill(agent)
    other = connections.create_connection("default")
    if database == "another":
        other.settings_dict = {**other.settings_dict, "NAME": "postgres"}
    with closing(other), other.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(statement)

        assert traces.OTHERS in forget(CARD).left

        assert len(traces.list_notes()) == 1
        assert traces.clear(patience=0) == traces.OTHERS

    assert traces.clear() == ""
    assert files_with(CARD) == traces.list_notes() == []
