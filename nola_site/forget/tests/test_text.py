"""A text that was forgotten is in no table any more, and everything else is as it was."""

import json

import pytest

from access.models import SecurityEvent
from conversations.models import Message
from nola_site.forget import run
from nola_site.forget.redaction import BadText
from nola_site.forget.tests.memory import CARD, flaws, forget, post, put, stored
from state import clock, store
from state.address import Address
from state.history import audit, past, replay
from state.models import Idempotency, Receipt, Revision, Snapshot
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db


def test_it_goes_from_values_names_numbers_reasons_and_all_of_the_past():
    put("/Card/number", f"my card is {CARD}, or was", f"card {CARD}")
    put("/Card/plain", 41111111)
    put(f"/Card/{CARD}", [CARD, {"deep": [f"{CARD}{CARD}"]}])
    put("/Card/number", "none")
    before = {seq: past.text_at("Card", seq).text for seq in range(1, 5)}

    found = forget(CARD)

    assert found.counts == {"keys": 1, "changes": 3, "revisions (who, why)": 1}
    assert CARD not in stored()
    assert flaws() == []
    mark = f"[redacted] {found.revision}"
    for seq, text in before.items():
        wanted = text.replace(f'"{CARD}":', f'"{mark}":').replace(CARD, "[redacted]")
        assert past.text_at("Card", seq).text == wanted
    assert Revision.objects.get(seq=1).reason == "card [redacted]"


def test_a_number_goes_where_it_is_written_so():
    put("/Card", {"number": 4111111111111111, "other": 42, "is": True})

    forget("4111111111111111")

    assert store.read(Address("Card")).text == '{"number":"[redacted]","other":42,"is":true}'
    assert flaws() == []


def test_a_key_that_is_named_so_is_renamed_and_two_of_them_stay_two():
    put("/secret-one", 1)
    put("/secret-two", 2)

    first, second = forget("secret-one"), forget("secret-two")

    names = [f"[redacted] {one.revision}" for one in (first, second)]
    assert json.loads(store.read_all().text) == {names[0]: 1, names[1]: 2}
    assert flaws() == []


def test_it_goes_in_every_spelling_that_json_has():
    text = 'Žižkov/"12"'
    put("/Where", {"plain": text, "inner": json.dumps({"at": text}), "twice": json.dumps(json.dumps([text]))})

    forget(text)

    assert json.loads(store.read(Address("Where")).text) == {
        "plain": "[redacted]",
        "inner": '{"at": "[redacted]"}',
        "twice": '"[\\"[redacted]\\"]"',
    }


def test_conversations_lose_it_and_the_search_does_not_find_it(owner):
    talk = "/api/conversations/talk"
    post(owner, f"{talk}/messages", {"speaker": "user", "message": f"pay with xylophone99 {CARD} please"})
    post(owner, f"{talk}/messages", {"speaker": "user", "message": "another"})
    body = {"title": "about xylophone99", "metadata": {"xylophone99": ["xylophone99"]}}
    owner.patch(talk, json.dumps(body), content_type="application/json")

    found = forget("xylophone99")

    assert "xylophone99" not in stored()
    assert Message.objects.first().message == f"pay with [redacted] {CARD} please"
    assert owner.get("/api/search?q=xylophone99").json()["messages"] == []
    assert len(owner.get("/api/search?q=please").json()["messages"]) == 1
    assert owner.get(talk).json()["title"] == "about [redacted]"
    assert found.counts == {"messages": 1, "conversations": 1, "changes": 1}
    assert flaws() == []


def test_what_a_redaction_has_left_of_a_message_is_guarded(owner):
    post(owner, "/api/conversations/talk/messages", {"speaker": "user", "message": f"pay with {CARD}"})
    forget(CARD)

    Message.objects.update(message="pay with pleasure")

    assert flaws() == [f"message {Message.objects.get().pk} is not what a redaction has left of it"]


def test_a_purge_takes_what_was_left(owner):
    talk = "/api/conversations/talk"
    post(owner, f"{talk}/messages", {"speaker": "user", "message": "one"})
    owner.patch(talk, json.dumps({"title": f"{CARD} and more"}), content_type="application/json")
    forget(CARD)

    post(owner, f"{talk}/purge", {"confirm": "talk"})

    assert "and more" not in stored()
    assert flaws() == []


def test_receipts_and_notes_of_requests_lose_it(owner):
    put("/Card/number", f"it is {CARD}")
    post(owner, "/api/context", {})
    path = f"/api/state/Card?pointer=/{CARD.replace(' ', '%20')}"
    owner.put(path, "1", content_type="application/json", headers={"Idempotency-Key": CARD})
    assert Idempotency.objects.count() == 1

    forget(CARD)

    assert CARD not in stored()
    assert Idempotency.objects.count() == 0
    receipt = Receipt.objects.get()
    text = owner.get(f"/api/context/{receipt.receipt}").content.decode()
    assert "it is [redacted]" in text


@pytest.mark.parametrize("text", ["abc", "", "redacted", "x[redacted]x"])
def test_a_text_that_is_in_too_much_is_refused(text):
    with pytest.raises(BadText):
        run.parse_forgettable(text)


def test_nothing_is_done_twice():
    put("/Card", CARD)
    forget(CARD)

    again = forget(CARD)

    assert (again.is_empty, again.revision, clock.read().seq) == (True, 0, 2)


def test_who_did_it_is_kept_and_what_it_was_is_not():
    put("/Card", CARD)

    found = forget(CARD)

    row = Revision.objects.get(seq=found.revision)
    assert (row.actor, row.source, row.reason) == ("cli:ada", "forget", "it was never to be here")
    assert row.info == {"forgotten": "a text", "rows": {"keys": 1, "changes": 1}, "copies": 0}
    event = SecurityEvent.objects.get(event="forgotten")
    assert (event.actor, event.detail) == ("cli:ada", "a text. changes: 1, keys: 1, checkpoints and backups: 0")


def test_readers_of_the_feed_begin_anew_and_learn_what_has_changed(owner):
    put("/Card/number", CARD)
    cursor = owner.get("/api/changes").json()["cursor"]

    forget(CARD)

    assert owner.get(f"/api/changes?since={cursor}").status_code == 410
    events = owner.get("/api/changes").json()["revisions"]
    assert events[-1]["source"] == "forget"
    assert events[-1]["changes"][1] == {
        "kind": "state",
        "key": "Card",
        "patch": [{"op": "replace", "path": "/number", "value": "[redacted]"}],
    }


def test_undo_diff_blame_and_history_go_on(owner):
    put("/Card/number", CARD)
    put("/Card/number", "none")
    forget(CARD)

    undone = post(owner, "/api/undo", {"revision": 2})

    assert undone["revision"] == 4
    assert owner.get("/api/state/Card").json() == {"number": "[redacted]"}
    assert owner.get("/api/diff?from=1&to=2&key=Card").status_code == 200
    assert owner.get("/api/blame/Card").status_code == 200
    assert [one["revision"] for one in owner.get("/api/history/Card").json()["revisions"]] == [4, 2, 1]
    assert flaws() == []


def test_snapshots_are_made_anew(monkeypatch):
    monkeypatch.setattr(replay, "SNAPSHOT_CHANGES", 4)
    monkeypatch.setattr(replay, "WEIGH_EVERY", 1)
    for number in range(9):
        put("/Card", {"number": CARD, "at": number})
        replay.keep_snapshot("Card", 40, 40)
    kept = list(Snapshot.objects.values_list("key", "revision"))
    assert kept

    plan = run._plan(run.parse_forgettable(CARD), 10, audit.show_nothing)
    snapshots = run._list_snapshots(plan)
    forget(CARD)
    run._settle(snapshots)

    assert list(Snapshot.objects.values_list("key", "revision")) == kept
    assert CARD not in stored()
    assert flaws() == []


def test_a_reason_that_says_it_does_not_keep_it():
    put("/Card", CARD)

    found = run.forget(run.parse_forgettable(CARD), Author("cli:ada", Source.FORGET, f"because of {CARD}"))

    assert Revision.objects.get(seq=found.revision).reason == "because of [redacted]"
    assert CARD not in stored()
