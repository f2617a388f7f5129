"""The order of messages: that of the tree, and of time as far as the tree lets it. The same one everywhere."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import append, audit, delete, drafts, export, log, read
from conversations.context.messages import read_last_messages
from conversations.drafts import ConversationWrite, NewConversation, NewMessage
from conversations.models import Conversation, Message
from conversations.order import LEVELS, find_last, find_places
from state import store, undo
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TALK = "/api/conversations/s/messages"
law = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
seconds = st.integers(-3, 3)


@st.composite
def trees(draw):
    """Messages as (seconds after noon, number of the one it answers, its own or None), in any order."""
    count = draw(st.integers(1, 9))
    told = [(draw(seconds), draw(st.none() | st.integers(0, number))) for number in range(count)]
    order = draw(st.permutations(range(count)))
    return [(told[n][0], None if told[n][1] is None else order.index(told[n][1])) for n in order]


def make_tree(tree, most=1000):
    """Written anew, in revisions of so many rows."""
    if Conversation.objects.exists():
        delete.purge_conversation("s", "s", ADA)
    new = [
        NewMessage("user", f"{n}", at(time), ref=f"{n}", parent="" if parent is None else f"{parent}")
        for n, (time, parent) in enumerate(tree)
    ]
    log.write([ConversationWrite(NewConversation("s"), messages=new)], ADA)
    return list(Message.objects.order_by("id").values_list("pk", flat=True))


def at(second):
    return NOON + timedelta(seconds=second)


def read_pages(limit, order="oldest"):
    row, found, cursor, is_end = Conversation.objects.get(), [], None, False
    while not is_end:
        page = read.read_page(row, order, limit, cursor)
        found += page.messages
        cursor = page.newer if order == "oldest" else page.older
        is_end = cursor is None
    return found


def check_order(rows):
    """The law: none before the one it answers, and those that answer the same one by time, then as they came."""
    kept = {row.pk for row in rows}
    parents = {row.pk: row.parent_id if row.parent_id in kept and row.parent_id != row.pk else None for row in rows}
    seen, last = set(), {}
    for row in rows:
        parent = parents[row.pk]
        if parent is not None:
            assert parent in seen
            assert last.get(parent, (row.timestamp, 0)) <= (row.timestamp, row.pk)
            last[parent] = (row.timestamp, row.pk)
        seen.add(row.pk)
    if not any(parents.values()):
        assert rows == sorted(rows, key=lambda row: (row.timestamp, row.pk))


def change_something(draw, ids, first):
    """One of what can be done to messages that are there, or its undo; not of a revision up to the first."""
    kept = list(Message.objects.filter(deleted_revision=None).order_by("id").values_list("pk", flat=True))
    what = draw(st.sampled_from(["delete", "time", "undo", "append", "branch"]))
    pk = draw(st.sampled_from(kept or ids))
    if what == "delete" and kept:
        delete.delete_messages("s", [pk], ADA)
    elif what == "time" and kept:
        log.change_message("s", pk, {"timestamp": at(draw(seconds))}, ADA)
    elif what == "undo" and store.head() > first:
        store.commit(undo.plan([store.head()]), ADA)
    elif what in ("append", "branch") and kept:
        sent = NewMessage("user", "more", at(draw(seconds)), parent=f"#{pk}" if what == "branch" else "")
        append.append_messages("s", [sent], ADA, fields=NewConversation("s"))


@law
@given(st.data(), trees(), st.integers(1, 4), st.sampled_from([3, 1000]))
def test_no_message_stands_before_the_one_it_answers_wherever_they_are_read(monkeypatch, data, tree, limit, most):
    monkeypatch.setattr(drafts, "MOST_ROWS", most)
    ids, first = make_tree(tree), store.head()
    for _ in range(data.draw(st.integers(0, 4))):
        change_something(data.draw, ids, first)

    rows = read_pages(limit)

    check_order(rows)
    order = [row.pk for row in rows]
    row = Conversation.objects.get()
    assert [one.pk for one in read_pages(limit, "newest")] == order[::-1]
    assert [one["id"] for piece in export.split_conversation(row) for one in piece["messages"]] == order
    assert [one.pk for one in read_last_messages("s", 99, store.head())] == order[::-1]
    for number, pk in enumerate(order):
        around = [one.pk for one in read.read_around(row, pk, 4).messages]
        assert around == order[max(0, number - 2) : number + 3]
    assert list(audit.find_flaws(connection, lambda text: None)) == []


@law
@given(st.data(), trees())
def test_the_context_of_a_revision_stays_in_its_order(data, tree):
    ids, first = make_tree(tree), store.head()
    told = {}
    for _ in range(4):
        told[store.head()] = [one.pk for one in read_last_messages("s", 99, store.head())]
        change_something(data.draw, ids, first)

    assert {seq: [one.pk for one in read_last_messages("s", 99, seq)] for seq in told} == told


def test_what_was_said_keeps_its_time(agent):
    [first] = send(agent, {"speaker": "user", "message": "q", "timestamp": "2026-01-31T12:00:02.000001+01:00"})
    [answer] = send(
        agent, {"speaker": "assistant", "message": "a", "timestamp": "2026-01-31T11:00:00.50Z", "parent": first["id"]}
    )

    assert texts(agent) == ["q", "a"]
    assert (answer["timestamp"], answer["timestamp_text"]) == (
        "2026-01-31T11:00:00.500000+00:00",
        "2026-01-31T11:00:00.50Z",
    )


def send(agent, *messages):
    response = agent.post(TALK, [*messages], content_type="application/json")
    assert response.status_code == 201
    return response.json()["messages"]


def texts(agent, query=""):
    return [one["message"] for one in agent.get(f"{TALK}{query}").json()["messages"]]


def said(text, second, **more):
    return {"speaker": "user", "message": text, "timestamp": at(second).isoformat(), **more}


def test_a_clock_two_seconds_behind_adds_to_the_end(agent):
    [first] = send(agent, said("question", 10))
    [late] = send(agent, said("answer", 8))
    send(agent, said("so?", 9), said("well", 7))
    send(agent, said("thanks", 20))

    assert texts(agent) == ["question", "answer", "so?", "well", "thanks"]
    assert texts(agent, "?order=newest&limit=2") == ["thanks", "well"]
    assert late["parent"] == first["id"]


def test_what_is_sent_together_stays_together_whatever_its_clock(agent):
    send(agent, said("question", 10), said("answer", 8), said("thanks", 11))
    send(agent, said("an old question", -4000), said("an old answer", -4002))

    assert texts(agent) == ["an old question", "an old answer", "question", "answer", "thanks"]


def test_what_is_much_older_is_put_where_it_was_said(agent):
    send(agent, said("now", 0))
    [old] = send(agent, said("an hour ago", -3600))

    assert (texts(agent), old["parent"]) == (["an hour ago", "now"], None)


def test_a_late_clock_follows_an_answer_with_a_parent(agent):
    [first] = send(agent, said("q", 10))
    [second] = send(agent, said("a", 5, parent=first["id"]))
    [third] = send(agent, said("b", 6, parent=second["id"]), said("c", 4))[1:]

    assert texts(agent) == ["q", "a", "b", "c"]
    assert third["message"] == "c"


def test_an_append_goes_on_with_what_is_left_of_a_branch_whose_end_was_deleted(agent):
    first, second = send(agent, said("a", 0), said("b", 1))
    [branch] = send(agent, said("B", 2, parent=first["id"]))
    agent.patch("/api/conversations/s", {"current_leaf": branch["id"]}, content_type="application/json")
    agent.delete(f"{TALK}/{branch['id']}")

    [more] = send(agent, said("c", 3))

    assert more["parent"] == second["id"]
    assert texts(agent, "?branch=current") == ["a", "b", "c"]


def test_a_deep_line_of_answers_is_placed_anew_in_a_few_queries(django_assert_max_num_queries):
    depth = LEVELS * 4
    ids = make_tree([(1000, None), *((-number, number) for number in range(depth))])

    with django_assert_max_num_queries(LEVELS * 4 + 40):
        delete.delete_messages("s", ids[:1], ADA)

    assert [row.pk for row in read_pages(1000)] == ids[1:]
    check_order(read_pages(1000))
    store.commit(undo.plan([store.head()]), ADA)
    assert [row.pk for row in read_pages(1000)] == ids


def test_the_last_of_new_messages_is_told_as_it_will_stand():
    new = [
        NewMessage("user", "q", at(5), ref="q"),
        NewMessage("user", "x", at(4), ref="x"),
        NewMessage("user", "a", at(3), ref="a", parent="q"),
    ]

    assert (find_last(new), find_last(new[:2]), find_last([])) == ("a", "q", "")


def test_a_line_of_many_answers_is_placed_without_recursion():
    count = 50_000
    messages = {number: (at(-number), number - 1) for number in reversed(range(count))}

    places = find_places(messages)

    assert sorted(messages, key=places.__getitem__) == list(range(count))


def test_a_long_conversation_is_cut_only_where_nothing_is_torn(agent, monkeypatch):
    monkeypatch.setattr(export, "MOST_MESSAGES", 1)
    send(agent, said("a", 0), said("b", 1), said("c", -1), said("x", 3), said("d", 5), said("d", 4), said("e", 6))

    pieces = [[one["message"] for one in piece["messages"]] for piece in export.split_conversation(row())]

    assert pieces == [["a", "b", "c"], ["x", "d", "d"], ["e"]]


def row():
    return Conversation.objects.get()


def test_cursors_of_a_release_before_lead_on(agent):
    send(agent, *(said(f"{number}", number) for number in range(4)))
    second = Message.objects.get(message="1")

    old = read._cursor(second.timestamp, second.pk)

    assert texts(agent, f"?cursor={old}") == ["2", "3"]


def test_the_doctor_sees_a_message_that_stands_elsewhere(agent):
    send(agent, said("q", 0), said("a", -1))
    Message.objects.filter(message="a").update(place=1)

    [flaw] = audit.find_flaws(connection, lambda text: None)

    assert flaw == "1 messages stand elsewhere than their times and what they answer say"


@pytest.mark.sqlite  # no message on PostgreSQL is from before
@pytest.mark.django_db(transaction=True)
def test_a_migration_places_what_is_there_and_can_be_taken_back():
    before = ("conversations", "0004_folded_words")
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    make_tree([(2, None), (1, 0), (0, 1), (0, None), (3, 3)])
    Message.objects.filter(message="3").update(deleted_revision=1)
    places = dict(Message.objects.values_list("pk", "place"))
    log_row = Message.objects.values_list("pk", "timestamp", "parent", "message").order_by("pk")
    rows = list(log_row)

    MigrationExecutor(connection).migrate([before])
    with connection.cursor() as cursor:
        assert "place" not in [
            one.name for one in connection.introspection.get_table_description(cursor, Message._meta.db_table)
        ]
    MigrationExecutor(connection).migrate(newest)

    Message.objects.filter(message="4").values_list("place")
    assert list(log_row) == rows
    expected = find_places({1: (at(3), None)})[1]
    assert dict(Message.objects.values_list("pk", "place")) == places | {Message.objects.get(message="4").pk: expected}
