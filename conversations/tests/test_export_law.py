"""Laws of export and import: what came out goes in again to the same, with all branches, whatever its order."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conversations import delete, drafts, export, log
from conversations.drafts import ConversationWrite, NewConversation, NewMessage
from conversations.imports.chats import FileImport, import_file
from conversations.models import Conversation, Message
from conversations.order import find_places
from conversations.read import read_page
from state.report import Category
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
law = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("conversations.imports.legacy_state.PAUSE", 0)


@st.composite
def talks(draw):
    """Messages as (seconds after noon, number of the one it answers or None, text), those deleted, and a leaf."""
    count = draw(st.integers(1, 8))
    seconds = st.integers(-2, 2)
    messages = [
        (draw(seconds), draw(st.none() | st.integers(0, number)), draw(st.sampled_from(["yes", "no"])))
        for number in range(count)
    ]
    numbers = st.integers(0, count - 1)
    return messages, draw(st.sets(numbers, max_size=2)), draw(st.none() | numbers)


def make_talk(talk):
    """Write it anew, and say what is to be read of it: texts with the place of the one each answers, in order."""
    messages, deleted, leaf = talk
    if Conversation.objects.filter(session_id="s").exists():
        delete.purge_conversation("s", "s", ADA)
    new = [
        NewMessage(
            "user", text, NOON + timedelta(seconds=time), ref=str(n), parent="" if parent is None else str(parent)
        )
        for n, (time, parent, text) in enumerate(messages)
    ]
    log.write([ConversationWrite(NewConversation("s"), messages=new, leaf="" if leaf is None else str(leaf))], ADA)
    ids = list(Message.objects.order_by("id").values_list("pk", flat=True))
    if deleted:
        delete.delete_messages("s", [ids[n] for n in sorted(deleted)], ADA)
    kept = in_order({n: messages[n][:2] for n in range(len(messages)) if n not in deleted})
    place = {n: at for at, n in enumerate(kept)}
    links = [None if messages[n][1] is None else place.get(messages[n][1], place[n]) for n in kept]
    return [(messages[n][2], link) for n, link in zip(kept, links, strict=True)]


def in_order(messages):
    """Numbers in the order in which messages stand: by time, but none before the one it answers."""
    places = find_places({n: (NOON + timedelta(seconds=time), parent) for n, (time, parent) in messages.items()})
    return sorted(messages, key=lambda n: (places[n], messages[n][0], n))


def export_talk(form):
    return "".join(export.FORMATS[form].texts(Conversation.objects.filter(deleted_revision=None)))


def numbered(text):
    """An export with places in the order of messages for the ids that a store gives."""
    document = json.loads(text)
    [talk] = document.get("conversations", [document])
    place = {one["id"]: at for at, one in enumerate(talk["messages"])}
    for one in talk["messages"]:
        one["id"], one["parent"] = place[one["id"]], None if one["parent"] is None else place[one["parent"]]
    talk["current_leaf"] = None if talk["current_leaf"] is None else place[talk["current_leaf"]]
    return talk


def read_shown():
    return [one.message for one in read_page(Conversation.objects.get(), "oldest", 100, branch=True).messages]


def bring(tmp_path, text):
    delete.purge_conversation("s", "s", ADA)
    path = tmp_path / "export.json"
    path.write_text(text)
    return import_file(FileImport("cli:ada", path))


@law
@example(([(5, None, "question"), (4, 0, "answer")], set(), None), "json", 1000)
@example(([(0, None, "yes"), (0, None, "no"), (1, 1, "yes"), (-1, 2, "no")], set(), 3), "jsonl", 3)
@example(([(0, None, "yes"), (1, 0, "no"), (2, 0, "yes")], {0, 2}, 2), "json", 1000)
@given(talks(), st.sampled_from(["json", "jsonl"]), st.sampled_from([3, 1000]))
def test_an_export_of_an_import_is_the_export_that_was_imported(tmp_path, monkeypatch, talk, form, most):
    monkeypatch.setattr(drafts, "MOST_ROWS", most)
    expected = make_talk(talk)
    first, shown = export_talk(form), read_shown()

    report = bring(tmp_path, first)

    again = numbered(export_talk(form))
    assert again == numbered(first)
    assert [(one["message"], one["parent"]) for one in again["messages"]] == expected
    assert read_shown() == shown
    assert report.select(Category.CONFLICTING) == report.select(Category.FAILED) == []


@law
@given(talks(), st.permutations(range(8)))
def test_links_come_in_whatever_the_order_of_messages_in_the_file(tmp_path, talk, order):
    messages, deleted, leaf = talk
    make_talk(([(time, parent, f"text {n}") for n, (time, parent, _) in enumerate(messages)], deleted, leaf))
    document = json.loads(export_talk("json"))
    texts = {one["id"]: one["message"] for one in document["conversations"][0]["messages"]}
    links = {one["message"]: texts.get(one["parent"]) for one in document["conversations"][0]["messages"]}
    found = document["conversations"][0]["messages"]
    document["conversations"][0]["messages"] = [found[n] for n in order if n < len(found)]

    bring(tmp_path, json.dumps(document))

    assert dict(Message.objects.values_list("message", "parent__message")) == links


def test_a_newer_export_links_what_it_adds_to_what_is_there(tmp_path):
    make_talk(([(1, None, "question")], set(), None))
    bring(tmp_path, export_talk("json"))
    document = json.loads(export_talk("json"))
    [question] = document["conversations"][0]["messages"]
    answer = {**question, "id": 99, "message": "answer", "timestamp": "2026-01-31T11:00:00Z", "parent": question["id"]}
    document["conversations"][0]["messages"].append(answer)
    path = tmp_path / "newer.json"
    path.write_text(json.dumps(document))

    import_file(FileImport("cli:ada", path))

    assert Message.objects.get(message="answer").parent.message == "question"


@pytest.mark.parametrize(
    ("parents", "finding"),
    [
        ([None, 77], "messages of s answer one that is not in the file; they begin the talk anew"),
        ([2, 1], "messages of s answer each other in a circle, which is cut where they begin the talk anew"),
    ],
)
def test_what_cannot_be_linked_is_reported(tmp_path, parents, finding):
    make_talk(([(0, None, "one"), (1, None, "two")], set(), None))
    document = json.loads(export_talk("json"))
    for number, (message, parent) in enumerate(zip(document["conversations"][0]["messages"], parents, strict=True), 1):
        message["id"], message["parent"] = number, parent

    report = bring(tmp_path, json.dumps(document))

    assert [(one.text, one.count) for one in report.select(Category.NOTED) if "talk" in one.text] == [(finding, 1)]
    assert Message.objects.count() == 2


def test_a_current_leaf_that_is_not_in_the_file_is_reported(tmp_path):
    make_talk(([(0, None, "one"), (1, None, "two"), (1, None, "three")], set(), 0))
    document = json.loads(export_talk("json"))
    document["conversations"][0]["current_leaf"] = 0

    report = bring(tmp_path, json.dumps(document))

    told = "the current leaf of s is not in the file; its last message is taken instead"
    assert told in [one.text for one in report.select(Category.NOTED)]
    assert Conversation.objects.get().current_leaf.message == "three"


def test_an_import_over_messages_with_other_links_says_so(tmp_path):
    make_talk(([(0, None, "one"), (1, None, "two"), (2, None, "three")], set(), None))
    document = json.loads(export_talk("json"))
    messages = document["conversations"][0]["messages"]
    messages[2]["parent"] = messages[0]["id"]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document))

    report = import_file(FileImport("cli:ada", path))

    told = [one.text for one in report.select(Category.CONFLICTING)]
    assert told == ["1 in s answer another message than in Nola, where the links stay as they are"]
    assert set(Message.objects.values_list("parent", flat=True)) == {None}
