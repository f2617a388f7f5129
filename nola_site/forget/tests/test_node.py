"""What was at a pointer is forgotten there, now and at each moment before, wherever it was then."""

import json

import pytest

from nola_site.forget.tests.memory import ADA, flaws, forget, post, put, stored
from state import store
from state.address import Address
from state.history import past
from state.models import Idempotency

pytestmark = pytest.mark.django_db


def test_what_is_there_and_ever_was_goes_and_what_is_beside_it_stays():
    put("/Persona", {"name": "Nola", "address": {"street": "Long Lane 5"}, "home": "Long Lane 5"})
    put("/Persona/address", "Short Street 7")
    put("/Persona/name", "Ada")
    before = {seq: json.loads(past.text_at("Persona", seq).text) for seq in (1, 2, 3)}

    found = forget("/Persona/address")

    for seq, value in before.items():
        assert json.loads(past.text_at("Persona", seq).text) == {**value, "address": "[redacted]"}
    assert found.counts == {"keys": 1, "changes": 2}
    assert "Short Street 7" not in stored()
    assert json.loads(store.read(Address("Persona")).text)["home"] == "Long Lane 5"
    assert flaws() == []
    assert forget("/Persona/address").is_empty


def test_everywhere_takes_what_it_was_wherever_it_stands(owner):
    put("/Persona", {"address": "Long Lane 5", "home": "in Long Lane 5"})
    post(owner, "/api/conversations/talk/messages", {"speaker": "user", "message": "I am at Long Lane 5."})

    forget("/Persona/address", everywhere=True)

    assert "Long Lane" not in stored()
    assert json.loads(store.read(Address("Persona")).text)["home"] == "in [redacted]"


def test_an_item_is_followed_back_over_those_put_in_before_it():
    put("/People", [{"name": "Ada", "phone": "0123456"}])
    store.patch(Address("People"), [{"op": "add", "path": "/0", "value": {"name": "Bob", "phone": "777777"}}], ADA)

    forget("/People/1/phone")

    assert json.loads(past.text_at("People", 1).text) == [{"name": "Ada", "phone": "[redacted]"}]
    assert json.loads(past.text_at("People", 2).text)[0] == {"name": "Bob", "phone": "777777"}
    assert "0123456" not in stored()
    assert flaws() == []


def test_a_key_that_was_deleted_goes_from_its_past():
    put("/Gone", {"a": "once a secret"})
    store.remove(Address("Gone"), ADA)

    forget("/Gone")

    assert past.text_at("Gone", 1).text == '"[redacted]"'
    assert "once a secret" not in stored()
    assert flaws() == []


def test_a_member_that_was_renamed_is_followed():
    put("/Persona", {"home": "Long Lane 5", "name": "Nola"})
    store.patch(Address("Persona"), [{"op": "move", "from": "/home", "path": "/address"}], ADA)

    forget("/Persona/address")

    assert json.loads(past.text_at("Persona", 1).text) == {"home": "[redacted]", "name": "Nola"}
    assert "Long Lane" not in stored()
    assert flaws() == []


def test_receipts_lose_what_it_was(owner):
    put("/Persona/address", "Long Lane 5")
    post(owner, "/api/context", {})

    forget("/Persona/address")

    assert "Long Lane" not in stored()


def test_a_node_with_very_many_values_takes_nothing_else_with_it(owner):
    put("/Log", [f"line number {n}" for n in range(400)])
    other = {"Idempotency-Key": "other"}
    owner.put("/api/state/Other", '"a line number"', content_type="application/json", headers=other)

    found = forget("/Log", everywhere=True)

    assert found.counts == {"keys": 1, "changes": 1}
    assert json.loads(store.read_all().text) == {"Log": "[redacted]", "Other": "a line number"}
    assert Idempotency.objects.count() == 0  # any of them may have been of it
