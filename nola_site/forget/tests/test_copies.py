"""Checkpoints and backups lose it too, and are as good as before."""

import json
import sqlite3
import threading
from contextlib import closing

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from access.database import engine
from nola_site.forget import places, run
from nola_site.forget.redaction import Redaction
from nola_site.forget.tests.memory import CARD, forget, post, put
from state import clock, store
from state.address import Address
from state.backups import files
from state.backups.files import Backup, create_backup, is_dump, verify_database
from state.checkpoints.files import create_automatic, save_checkpoint
from state.checkpoints.verify import find_problem
from state.database.postgres import dumps
from state.database.postgres.dumps import open_dump
from state.database.sql import fetch_rows
from state.database.sqlite.files import open_database
from state.history.audit import find_flaws
from state.report import Category
from state.sync.run import sync_folder
from tests.server import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def databases_beside(transactional_db, django_db_blocker, monkeypatch):
    """A dump is restored into a database of its own, which is none of those that pytest knows of."""
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", django_db_blocker._real_ensure_connection)


def open_backup(path):
    return open_dump(path) if is_dump(path) else open_database(path)


def holds(path, text):
    return dumps.holds_any(path, [text.encode()]) if is_dump(path) else text.encode() in path.read_bytes()


def test_checkpoints_and_backups_lose_it_and_are_sound(owner):
    put("/Card/number", CARD)
    post(owner, "/api/conversations/talk/messages", {"speaker": "user", "message": f"{CARD} and the rest"})
    made = save_checkpoint("mine", contents=("state", "conversations")), save_checkpoint(why="now")
    backup = create_backup()
    put("/Card/number", "none")

    found = forget(CARD)

    assert {*found.copies.values()} == {"rewritten"}
    assert len(found.copies) == 3
    for one in made:
        assert CARD not in one.path.read_text()
        assert find_problem(one.path) == ""
    assert not holds(backup.path, CARD)
    verify_database(backup.path)
    assert forget(CARD).is_empty
    with open_backup(backup.path) as file:
        assert list(fetch_rows(file, "SELECT message FROM conversation_history")) == [("[redacted] and the rest",)]
        assert list(find_flaws(file)) == []


@pytest.mark.sqlite
def test_a_node_goes_from_copies_too():
    put("/Persona", {"address": "Long Lane 5", "name": "Nola"})
    one, backup = create_automatic("now"), create_backup()

    forget("/Persona/address")

    assert "Long Lane" not in one.path.read_text()
    assert not holds(backup.path, "Long Lane")
    verify_database(backup.path)


def test_a_damaged_checkpoint_that_holds_it_is_removed():
    put("/Card/number", CARD)
    one = create_automatic("now")
    one.path.write_text(one.path.read_text()[:-5])

    found = forget(CARD)

    assert "damaged" in found.copies[one.path.name]
    assert not one.path.exists()


def test_a_preview_changes_nothing_and_does_not_show_it():
    put("/Card/number", CARD)
    one, head = create_automatic("now"), clock.read()

    found = run.preview(run.parse_forgettable(CARD))

    assert found.masked == "41…11 (19 characters)"
    assert list(found.lines()) == ["changes: 1", "keys: 1", f"{one.path.name}: rewritten"]
    assert (clock.read(), CARD in one.path.read_text()) == (head, True)


def test_a_folder_that_still_holds_it_does_not_bring_it_back(tmp_path):
    put("/Card", {"number": CARD, "of": "Ada"})
    sync_folder(tmp_path)
    forget(CARD)

    report = sync_folder(tmp_path)

    assert json.loads(store.read(Address("Card")).text) == {"number": "[redacted]", "of": "Ada"}
    [conflict] = report.select(Category.CONFLICTING)
    assert "something was forgotten" in conflict.text
    sync_folder(tmp_path, prefer="db")
    assert CARD not in (tmp_path / "Card.json").read_text()


def test_a_proposal_and_its_hash_would_be_rewritten():
    kept = json.dumps({"Card": [{"op": "add", "path": f"/{CARD}", "value": CARD}]})

    new = json.loads(places.COLUMNS["state_proposal"]["patches"](Redaction([CARD], 7), kept))

    assert new == {"Card": [{"op": "add", "path": "/[redacted] 7", "value": "[redacted]"}]}


@pytest.mark.parametrize("what", ["Remember that I like", "/Identity/owner/name"])
def test_a_backup_of_the_first_release_loses_it_too(settings, what):
    path = settings.NOLA_BACKUP_DIR / "old.sqlite3"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.executescript((ROOT / "tests" / "data" / "first_release.sql").read_text())
    put("/Card", CARD)

    found = forget(what)

    assert found.copies == {"old.sqlite3": "rewritten"}
    verify_database(path)
    with open_database(path) as file:
        [(message,)] = fetch_rows(file, "SELECT message FROM conversation_history WHERE id = 1")
        [(value,)] = fetch_rows(file, "SELECT value_json FROM state_storage WHERE key_name = 'Identity'")
    assert message.startswith("[redacted]") == (json.loads(value)["owner"]["name"] != "[redacted]")
    assert forget(what).is_empty


@pytest.mark.sqlite
def test_a_damaged_backup_is_removed_with_a_word(settings):
    put("/Card", CARD)
    path = create_backup().path
    path.write_bytes(path.read_bytes()[:5000])

    found = forget(CARD)

    assert found.copies == {path.name: "removed, since it is damaged and cannot be rewritten"}
    assert not path.exists()


@pytest.mark.sqlite
def test_a_copy_that_is_being_made_is_waited_for_and_loses_it_too(monkeypatch):
    put("/Card", CARD)
    begun, made = threading.Event(), []
    name = (files, "copy_database") if engine().find_file() else (dumps, "dump_database")
    real = getattr(*name)

    def copy(*places):
        real(*places)
        begun.set()
        forgetting.join(0.2)  # it would be through by then, and the copy of before would come after it

    monkeypatch.setattr(*name, copy)
    copying = threading.Thread(target=lambda: made.append(create_backup()))
    forgetting = threading.Thread(target=lambda: made.append((begun.wait(), forget(CARD))))
    copying.start(), forgetting.start()
    copying.join(), forgetting.join()

    assert len(made) == 2 and isinstance(made[0], Backup)
    assert not holds(made[0].path, CARD)
