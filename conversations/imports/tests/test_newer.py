"""Exports of one account, one after another: a newer one completes what an import wrote, whatever comes first."""

import itertools
import json
from operator import itemgetter

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import audit, checkpoint, delete, log, read
from conversations.context.messages import read_last_messages
from conversations.export import split_conversation
from conversations.imports.chats import FileImport, import_file
from conversations.imports.tests.test_importchats import claude
from conversations.imports.tests.test_shared_chats import SHARED
from conversations.models import Conversation, Message
from conversations.parts import list_parts
from conversations.search import index
from conversations.search.messages import search_messages
from conversations.search.tests.kept import check_index
from conversations.search.tokenize import parse_terms
from state import store, undo
from state.database.sql import fetch_row
from state.report import Category
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)
NOON = 1_760_000_000
law = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("conversations.imports.legacy_state.PAUSE", 0)


def chatgpt(told, title="Trip", updated=None, leaf=None, **more):
    """A conversation of messages as (id, id of the one before it, seconds after noon, text)."""
    mapping = {
        ref: {
            "id": ref,
            "parent": parent,
            "children": [other for other, before, *_ in told if before == ref],
            "message": {
                "id": ref,
                "author": {"role": "user" if ref < "n" else "assistant"},
                "create_time": NOON + time,
                "content": {"content_type": "text", "parts": [text]},
                "metadata": {},
                "recipient": "all",
            },
        }
        for ref, parent, time, text in told
    }
    return {
        "title": title,
        "create_time": NOON,
        "update_time": None if updated is None else NOON + updated,
        "mapping": mapping,
        "current_node": leaf or told[-1][0],
        "conversation_id": "c",
        **more,
    }


def bring(tmp_path, *found, **how):
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(found))
    return import_file(FileImport("cli:ada", path, **how))


def everything():
    """All that is there, by names instead of the numbers that a store gives."""
    found = []
    for row in Conversation.objects.filter(deleted_revision=None).order_by("session_id"):
        rows = read.read_page(row, "oldest", 1000).messages
        names = {one.pk: one.client_id for one in rows}
        about = (row.session_id, row.title, row.archived, row.started, row.metadata, names.get(row.current_leaf_id))
        branch = [one.client_id for one in read.read_page(row, "oldest", 1000, branch=True).messages]
        fields = ("client_id", "speaker", "message", "timestamp", "timestamp_text", "status", "metadata")
        messages = [(*(getattr(one, name) for name in fields), names.get(one.parent_id)) for one in rows]
        found.append((about, branch, sorted(messages, key=itemgetter(0))))  # of one time they stand as they came
    return found


@st.composite
def accounts(draw):
    """Three exports of one account, as it grew: more messages, longer texts, other titles."""
    sessions = [draw(histories(session, draw(st.booleans()))) for session in ("c", "d")[: draw(st.integers(1, 2))]]
    return [[one for found in sessions if (one := found[number])] for number in range(3)]


@st.composite
def histories(draw, session, has_times):
    count = draw(st.integers(1, 5))
    seconds = [draw(st.integers(-3, 3)) for _ in range(count)]
    parents = [None, *(draw(st.integers(0, number)) for number in range(count - 1))]
    sizes = sorted(draw(st.integers(0 if number else 1, count)) for number in range(3))
    full = [draw(st.sampled_from(["yes and no", "no", "perhaps"])) for _ in range(count)]
    found, title = [], ""
    for number, size in enumerate(sizes):
        if not size:
            found.append(None)
            continue
        lengths = [
            draw(st.integers(0, len(text))) if n == size - 1 and number < 2 else 99 for n, text in enumerate(full)
        ]
        told = [
            (
                f"{'am'[n % 2]}{n}",
                None if parents[n] is None else f"{'am'[parents[n] % 2]}{parents[n]}",
                seconds[n],
                full[n][: lengths[n]],
            )
            for n in range(size)
        ]
        leaf = draw(st.sampled_from([ref for ref, *_ in told]))
        title = draw(st.sampled_from(["Trip", "Lisbon"] if title else ["Trip", "Lisbon", ""]))
        updated = 100 + number if has_times else None
        found.append(chatgpt(told, title, updated, leaf, is_archived=draw(st.booleans()), conversation_id=session))
    return found


@settings(law, max_examples=40)
@given(accounts(), st.sampled_from(list(itertools.permutations(range(3)))))
def test_exports_in_any_order_and_twice_end_equal(tmp_path, account, order):
    ends = []
    for way in ((0, 1, 2), order + order, (2, 2, 0, 1)):
        for name in Conversation.objects.values_list("session_id", flat=True):
            delete.purge_conversation(name, name, ADA)
        reports = [bring(tmp_path, *account[number]) for number in way]
        ends.append(everything())
        assert [one.select(Category.CONFLICTING) for one in reports] == [[]] * len(reports)
        assert list(audit.find_flaws(connection, lambda text: None)) == []

    assert ends[1] == ends[0]
    assert ends[2] == ends[0]


HALF = chatgpt([("a1", None, 0, "one"), ("m1", "a1", 1, "half an")], "Old", 100)
WHOLE = chatgpt([("a1", None, 0, "one"), ("m1", "a1", 1, "half an answer")], "New", 200)
BRANCHED = chatgpt(
    [("a1", None, 0, "one"), ("m1", "a1", 1, "half an answer"), ("a2", None, 2, "other"), ("m2", "a2", 3, "so")],
    "Newest",
    300,
)


def texts():
    return [one.message for one in read.read_page(Conversation.objects.get(), "oldest", 99).messages]


def found(words):
    return [hit.message.message for hit in search_messages(parse_terms(words), {}, 9).hits]


def test_a_newer_export_completes_an_answer_and_a_title(tmp_path):
    bring(tmp_path, HALF)
    report = bring(tmp_path, WHOLE)

    assert (texts(), Conversation.objects.get().title) == (["one", "half an answer"], "New")
    assert found("answer") == ["half an answer"]
    assert report.select(Category.CONFLICTING) == []
    assert report.select(Category.UPDATED)[0].text == "1 in c: message from the file"


@pytest.mark.parametrize("account", list(itertools.permutations([HALF, WHOLE, BRANCHED])))
def test_exports_put_together_in_one_file_end_as_they_do_one_after_another(tmp_path, account):
    for one in account:
        bring(tmp_path, one)
    ends = everything()
    delete.purge_conversation("c", "c", ADA)

    report = bring(tmp_path, *account)

    assert everything() == ends
    assert (texts(), Conversation.objects.get().title) == (["one", "half an answer", "other", "so"], "Newest")
    assert report.select(Category.CONFLICTING) == []


def test_lines_that_each_say_when_they_were_changed_go_into_one_revision(tmp_path):
    lines = [
        {"session_id": "c", "role": "user", "content": str(number), "created_at": NOON, "updated_at": NOON + number}
        for number in range(9)
    ]

    assert bring(tmp_path, *lines).revisions == 1


def test_an_older_export_changes_nothing(tmp_path):
    bring(tmp_path, WHOLE)
    head = store.head()

    report = bring(tmp_path, HALF)

    assert (texts(), Conversation.objects.get().title, store.head()) == (["one", "half an answer"], "New", head)
    assert report.select(Category.CONFLICTING) == []


def test_a_completion_is_undone_and_done_again_with_its_texts(tmp_path):
    bring(tmp_path, HALF)
    before, then = everything(), store.head()
    bring(tmp_path, WHOLE)
    after = everything()

    store.commit(undo.plan([store.head()]), ADA)
    assert (everything(), found("answer"), found('"half an"')) == (before, [], ["half an"])
    store.commit(undo.plan([store.head()]), ADA)

    assert (everything(), found("answer")) == (after, ["half an answer"])
    assert [one.message for one in read_last_messages("c", 9, then)] == ["half an", "one"]
    assert list(audit.find_flaws(connection, lambda text: None)) == []


def test_the_history_of_a_completion_holds_no_text(tmp_path, agent):
    bring(tmp_path, HALF)
    bring(tmp_path, WHOLE)

    assert "half an" not in agent.get("/api/changes").content.decode()
    delete.purge_conversation("c", "c", ADA)
    assert Message.objects.count() == 0


def test_a_checkpoint_from_before_a_completion_brings_nothing_back(tmp_path):
    bring(tmp_path, HALF)
    rows = [json.loads(line) for line in checkpoint.dump_rows(connection)]
    bring(tmp_path, WHOLE)

    assert checkpoint.restore_rows(rows, ADA) == {"conversations": 0, "messages": 0}
    assert texts() == ["one", "half an answer"]


def test_a_new_branch_comes_with_its_links_and_is_the_current_one(tmp_path):
    bring(tmp_path, WHOLE)
    bring(tmp_path, BRANCHED)
    grown = everything()
    delete.purge_conversation("c", "c", ADA)
    bring(tmp_path, BRANCHED)

    assert everything() == grown
    assert grown[0][1] == ["import:a2", "import:m2"]


def test_what_somebody_has_touched_stays_and_is_said(tmp_path):
    bring(tmp_path, HALF)
    log.change("c", {"title": "Mine"}, ADA)
    log.change_message("c", Message.objects.get(message="half an").pk, {"metadata": {"mine": True}}, ADA)

    report = bring(tmp_path, WHOLE)

    assert (texts(), Conversation.objects.get().title) == (["one", "half an"], "Mine")
    assert len(report.select(Category.CONFLICTING)) == 2


def test_a_branch_that_somebody_has_chosen_stays(tmp_path, agent):
    bring(tmp_path, BRANCHED)
    first = Message.objects.get(message="half an answer").pk
    agent.patch("/api/conversations/c", {"current_leaf": first}, content_type="application/json")

    bring(tmp_path, BRANCHED | {"update_time": NOON + 400, "current_node": "m2"})

    assert Conversation.objects.get().current_leaf_id == first


def deepseek(title, updated):
    told = {"inserted_at": "2025-03-02T10:00:00Z", "fragments": [{"type": "REQUEST", "content": "Soup?"}]}
    return {"id": "c", "title": title, "updated_at": f"2025-03-0{updated}T10:00:00+08:00",
            "mapping": {"m": {"id": "m", "parent": None, "message": told}}}  # fmt: skip


def open_webui(title, updated):
    told = {"id": "m", "parentId": None, "childrenIds": [], "role": "user", "content": "Soup?", "timestamp": NOON}
    return {"id": "c", "title": title, "updated_at": NOON + updated,
            "chat": {"title": title, "history": {"messages": {"m": told}, "currentId": "m"}}}  # fmt: skip


def librechat(title, updated):
    told = {"messageId": "m", "text": "Soup?", "isCreatedByUser": True, "createdAt": "2025-03-02T10:00:00Z"}
    return {"conversationId": "c", "endpoint": "e", "title": title, "updatedAt": f"2025-03-0{updated}T10:00:00Z",
            "messages": [told]}  # fmt: skip


VERSIONS = {
    "ChatGPT": lambda title, updated: chatgpt([("a1", None, 0, "Soup?")], title, updated),
    "Claude": lambda title, updated: claude() | {"name": title, "updated_at": f"2025-03-0{updated}T10:01:00Z"},
    "DeepSeek": deepseek,
    "open-webui": open_webui,
    "LibreChat": librechat,
}


@pytest.mark.parametrize("make", VERSIONS.values(), ids=VERSIONS)
def test_a_newer_title_is_taken_and_an_older_one_is_not_whatever_its_source_calls_the_time(tmp_path, make):
    bring(tmp_path, make("A soup", 2))
    bring(tmp_path, make("Stew", 3))
    report = bring(tmp_path, make("Not a soup", 1))

    assert Conversation.objects.get().title == "Stew"
    assert report.select(Category.CONFLICTING) == []


def thinking(told, thought, updated):
    """An answer of Claude with a thought beside it."""
    blocks = [{"type": "thinking", "thinking": thought}, {"type": "text", "text": told}]
    one = {"uuid": "m", "sender": "assistant", "created_at": "2025-03-02T10:00:00Z", "content": blocks}
    return {"uuid": "c", "updated_at": f"2025-03-0{updated}T10:01:00Z", "chat_messages": [one]}


def test_what_stands_beside_a_completed_answer_is_completed_found_and_undone_with_it(tmp_path):
    bring(tmp_path, thinking("half", "leeks", 2))
    before = everything()
    bring(tmp_path, thinking("half an answer", "onions and salt", 3))
    after, counts = everything(), []

    for _ in range(3):
        counts.append([len(found(words)) for words in ("half leeks", "answer onions", "leeks onions")])
        there = everything()
        store.commit(undo.plan([store.head()]), ADA)
        assert there == (after if len(counts) % 2 else before)
    delete.purge_conversation("c", "c", ADA)
    check_index()  # every word that was told is the one that is forgotten
    for word in ("half", "leeks", "onions"):
        search = index.search(parse_terms(word))
        assert fetch_row(f"SELECT count(*) FROM {search.rows} WHERE {search.condition}", *search.values) == (0,)

    assert counts == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_a_context_of_the_past_has_the_text_and_what_stood_beside_it_as_they_were(tmp_path):
    bring(tmp_path, thinking("half", "leeks", 2))
    then = store.head()
    bring(tmp_path, thinking("half an answer", "onions and salt", 3))

    [one] = read_last_messages("c", 9, then)
    [now] = read_last_messages("c", 9, store.head())

    assert (one.message, [part.text for part in list_parts(one.metadata)]) == ("half", ["leeks"])
    assert (now.message, [part.text for part in list_parts(now.metadata)]) == ("half an answer", ["onions and salt"])


def test_the_last_message_stands_for_a_leaf_that_an_export_does_not_have(tmp_path):
    bring(tmp_path, chatgpt([("a1", None, 3, "one"), ("m1", "a1", 0, "two"), ("m2", "a1", 1, "so")], "Trip", 1))
    row = Conversation.objects.get()
    [exported] = split_conversation(row)
    delete.purge_conversation("c", "c", ADA)

    bring(tmp_path, exported | {"current_leaf": 99})

    assert [one.message for one in read.read_page(Conversation.objects.get(), "oldest", 9, branch=True).messages] == [
        "one", "so",
    ]  # fmt: skip


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not here")
def test_the_sample_that_grew_ends_equal_in_either_order(tmp_path):
    first, second = (json.loads((SHARED / f"{name}.json").read_text()) for name in ("32-grow-1", "33-grow-2"))
    reports = [bring(tmp_path, *first), bring(tmp_path, *second)]
    grown = everything()
    delete.purge_conversation("gp-grow", "gp-grow", ADA)
    reports += [bring(tmp_path, *second), bring(tmp_path, *first)]

    assert everything() == grown
    assert "four, in full" in texts()
    assert [one.select(Category.CONFLICTING) for one in reports] == [[]] * 4


def test_the_words_beside_a_completed_text_are_still_found(tmp_path):
    def talk(text):
        value = chatgpt([("q", None, 0, "look"), ("z", "q", 1, text)])
        value["mapping"]["z"]["message"]["content"]["parts"].append({"content_type": "image", "prompt": "a heron"})
        return value

    for text in ("half", "half an answer, now whole"):
        path = tmp_path / "conversations.json"
        path.write_text(json.dumps([talk(text)]))
        import_file(FileImport("cli:ada", path))

    found = [one.message.message for one in search_messages(parse_terms("heron"), {}, 5).hits]
    assert found == ["half an answer, now whole"]
    check_index()
    assert [one.message.message for one in search_messages(parse_terms("whole heron"), {}, 5).hits] == found
