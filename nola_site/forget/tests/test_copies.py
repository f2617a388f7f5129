"""Checkpoints and backups lose it too, and are as good as before."""

import pytest

from nola_site.forget import run
from nola_site.forget.tests.memory import CARD, forget, post, put
from state import clock
from state.backups.files import create_backup, open_database, verify_database
from state.checkpoints.files import create_automatic, save_checkpoint
from state.checkpoints.verify import find_problem
from state.database.sql import fetch_rows
from state.history.audit import find_flaws

pytestmark = pytest.mark.django_db(transaction=True)


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
    assert CARD.encode() not in backup.path.read_bytes()
    verify_database(backup.path)
    assert forget(CARD).is_empty
    with open_database(backup.path) as file:
        assert list(fetch_rows(file, "SELECT message FROM conversation_history")) == [("[redacted] and the rest",)]
        assert list(find_flaws(file)) == []


def test_a_node_goes_from_copies_too():
    put("/Persona", {"address": "Long Lane 5", "name": "Nola"})
    one, backup = create_automatic("now"), create_backup()

    forget("/Persona/address")

    assert "Long Lane" not in one.path.read_text()
    assert b"Long Lane" not in backup.path.read_bytes()
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
    assert list(found.lines()) == ["1 changes", "1 keys", f"{one.path.name}: rewritten"]
    assert (clock.read(), CARD in one.path.read_text()) == (head, True)
