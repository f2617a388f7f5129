import threading
from contextlib import suppress

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from access.database import engine
from state import chain, guards, store
from state.address import Address
from state.guards import ensure_guards
from state.history import audit
from state.jsondoc.text import make_document
from state.models import Change, Revision
from state.revisions import Author, Source, open_revision

REDACT = "UPDATE state_change SET forward = '\"[redacted]\"', salt = '', result_hash = '', redacted_by = 1"
PARTICULAR = {
    "sqlite": [
        "INSERT OR REPLACE INTO state_revision SELECT * FROM state_revision",
        "REPLACE INTO state_change SELECT * FROM state_change",
    ],
    "postgresql": [
        "TRUNCATE state_revision CASCADE",
        "TRUNCATE state_change",
        "TRUNCATE security_log",
        "MERGE INTO state_change t USING state_change s ON t.id = s.id WHEN MATCHED THEN DELETE",
    ],
}


@pytest.fixture
def history(db):
    store.put(Address("Task"), make_document({"a": 1}), Author("user:ada", Source.API))
    connection.check_constraints()  # what a test leaves for the end of its transaction keeps PostgreSQL from others


def execute(statement):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM state_revision",
        "DELETE FROM state_change",
        "UPDATE state_revision SET actor = 'user:eve'",
        "UPDATE state_change SET forward = '[]'",
        "UPDATE state_change SET key = 'Other'",
        "UPDATE state_change SET redacted_by = 1",
        "UPDATE state_change SET forward = '[]', salt = '', result_hash = '', redacted_by = 1",
        "UPDATE state_change SET forward = '[1,\"[redacted]\"]', salt = '', result_hash = '', redacted_by = 1",
        "INSERT INTO state_revision SELECT * FROM state_revision WHERE 1 = 1 ON CONFLICT (seq) DO NOTHING",
        REDACT + ", digest = ''",
        *PARTICULAR[connection.vendor],
    ],
)
def test_history_cannot_be_altered_by_anyone(history, statement):
    with pytest.raises(DatabaseError, match="append-only"):
        execute(statement)


def test_a_redaction_blanks_the_payload_once_and_keeps_the_digest(history):
    before = Change.objects.get()

    execute(REDACT)

    after = Change.objects.get()
    assert (after.forward, after.salt, after.result_hash) == ("[redacted]", "", "")
    assert (after.digest, after.inverse) == (before.digest, before.inverse)
    with pytest.raises(DatabaseError, match="append-only"):
        execute(REDACT)


PART = "UPDATE state_change SET forward = '[]', salt = '', result_hash = '', redacted_by = 2 WHERE revision = 1"
WHY = "UPDATE state_revision SET reason = '[redacted]' WHERE seq = 1"


@pytest.mark.parametrize("certified", [True, False])
def test_a_payload_is_rewritten_under_a_redaction_alone_and_the_audit_knows_what_it_left(history, certified):
    with pytest.raises(DatabaseError, match="append-only"):
        execute(PART)
    with pytest.raises(DatabaseError, match="append-only"):
        execute(WHY)
    change = Change.objects.get()
    left = {str(change.pk): chain.digest_change("", "state", "Task", "[]", '[{"op":"remove","path":""}]', "")}
    with open_revision(Author("user:ada", Source.FORGET)) as recorder:
        recorder.record("redaction", "", {"changes": left if certified else {}}, {}, "")

    execute(PART)

    assert list(audit.find_chain_flaws(connection)) == (
        [] if certified else [f"change {change.pk} of revision 1 (key 'Task') is not as it was written"]
    )
    with pytest.raises(DatabaseError, match="append-only"):
        execute(PART)
    execute(WHY)
    assert "revision 1 is not as it was written" in "".join(audit.find_chain_flaws(connection)) or not certified


def test_a_redaction_cannot_be_undone(history, owner):
    with open_revision(Author("user:ada", Source.FORGET)) as recorder:
        recorder.record("redaction", "", {}, {}, "")

    response = owner.post("/api/undo", '{"revision":2}', content_type="application/json")

    assert (response.status_code, "gone for good" in response.json()["detail"]) == (422, True)


def test_history_cannot_be_altered_through_the_orm_either(history):
    with pytest.raises(DatabaseError), transaction.atomic():
        Revision.objects.update(actor="user:eve")
    with pytest.raises(DatabaseError), transaction.atomic():
        Change.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_guards_come_back_after_a_migration_has_rebuilt_the_tables():
    executor = MigrationExecutor(connection)
    executor.migrate([("state", None)])
    call_command("migrate", verbosity=0)
    for event in ("update", "delete"):
        execute(engine().drop_trigger("state_change", event))
    assert guards.find_missing() == ["delete on state_change", "update on state_change"]

    call_command("migrate", verbosity=0)

    assert guards.find_missing() == []
    store.put(Address("Task"), make_document({"a": 1}), Author("user:ada", Source.API))
    with pytest.raises(DatabaseError, match="append-only"):
        execute("DELETE FROM state_change")


@pytest.mark.django_db(transaction=True)
def test_history_can_be_altered_at_no_moment_while_guards_are_set_anew():
    store.put(Address("Task"), make_document({"a": 1}), Author("user:ada", Source.API))
    is_over, refused = threading.Event(), []

    def attack():
        while not is_over.is_set():
            with suppress(DatabaseError):
                execute("UPDATE state_revision SET actor = 'user:eve'")
                return
            refused.append(1)
        connection.close()

    attacker = threading.Thread(target=attack)
    attacker.start()
    for _ in range(30):
        ensure_guards()
    is_over.set()
    attacker.join()

    assert refused
    assert Revision.objects.get().actor == "user:ada"


def test_guards_can_be_set_twice(history):
    ensure_guards()
    ensure_guards()

    with pytest.raises(DatabaseError, match="append-only"):
        execute("DELETE FROM state_change")


def test_migrating_back_is_refused_outside_tests(history, monkeypatch):
    monkeypatch.setitem(connection.settings_dict["TEST"], "NAME", None)

    for app, name in [("state", "zero"), ("state", "0001"), ("conversations", "zero"), ("access", "zero")]:
        with pytest.raises(CommandError, match="would erase memory or history"):
            call_command("migrate", app, name, verbosity=0)

    assert Revision.objects.count() == 1


def test_flush_is_refused_outside_tests(history, monkeypatch):
    monkeypatch.setitem(connection.settings_dict["TEST"], "NAME", None)

    with pytest.raises(CommandError, match="flush would erase the history"):
        call_command("flush", interactive=False)

    assert Revision.objects.count() == 1
