import copy
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import store
from state.address import Address, NotFound
from state.database.sql import fetch_rows
from state.history import blame, past, replay, timeline
from state.jsondoc.patch import find_parent, replay_ops
from state.jsondoc.pointer import escape_token, parse_pointer
from state.jsondoc.tests import strategies
from state.jsondoc.tests.test_pointer import nodes
from state.jsondoc.text import NOTHING, dump_json, make_document, parse_json
from state.jsondoc.trees.moves import diff_values
from state.models import Change, Revision, Snapshot
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)
numbers = itertools.count()
BY_HISTORY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@st.composite
def histories(draw):
    """Documents that follow one another: most differ in a few places only, some are None, for "deleted"."""
    current = draw(strategies.small_values)
    documents = [current]
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.integers(0, 9)) == 0:
            current = draw(st.none() | strategies.small_values)
        elif current is not None:
            current = draw(edited(current))
        documents.append(current)
    return documents


@st.composite
def edited(draw, document):
    """The document with one node replaced, or an operation applied."""
    document = copy.deepcopy(document)
    tokens, _ = draw(st.sampled_from(list(nodes(document))))
    value = draw(strategies.small_values)
    if not tokens:
        return value
    parent = find_parent(document, tokens)
    key = int(tokens[-1]) if isinstance(parent, list) else tokens[-1]
    match draw(st.integers(0, 2)):
        case 0:
            parent[key] = value
        case 1:
            del parent[key]
        case _ if isinstance(parent, list):
            parent.insert(key, value)
        case _:
            parent[draw(strategies.names)] = value
    return document


def write(documents, monkeypatch):
    """Store the documents one after another under a new key; the key, and revision and text after each write."""
    monkeypatch.setattr(replay, "SNAPSHOT_CHANGES", 4)
    key, recorded = f"key-{next(numbers)}", []
    for document in documents:
        if document is not None:
            written = store.put(Address(key), make_document(document), ADA)
        else:
            written = store.remove_keys([key], ADA)
        for edit in written.changed:
            if edit.text is not None:
                replay.keep_snapshot(key, len(edit.text), 0)
        recorded.append((written.revision, None if document is None else dump_json(document)))
    return key, recorded


@BY_HISTORY
@given(documents=histories())
def test_every_moment_reads_as_it_did_then_to_the_byte(monkeypatch, documents):
    key, recorded = write(documents, monkeypatch)

    for revision, text in recorded:
        document = replay.document_at(key, revision)
        assert (None if document is NOTHING else dump_json(document)) == text


@BY_HISTORY
@given(documents=histories())
def test_snapshots_change_no_answer(monkeypatch, documents):
    key, recorded = write(documents, monkeypatch)
    with_snapshots = [replay.document_at(key, revision) for revision, _ in recorded]
    blamed = replay.read_blame(key) if recorded[-1][1] is not None else None
    Snapshot.objects.all().delete()

    assert [replay.document_at(key, revision) for revision, _ in recorded] == with_snapshots
    if blamed:
        assert replay.blame_leaves(replay.read_blame(key), Address(key)) == replay.blame_leaves(blamed, Address(key))


@BY_HISTORY
@given(documents=histories(), data=st.data())
def test_the_difference_of_two_moments_leads_from_one_to_the_other(monkeypatch, documents, data):
    key, recorded = write(documents, monkeypatch)
    (first, old), (last, new) = (data.draw(st.sampled_from(recorded)) for _ in range(2))

    ops = replay.diff_revisions(first, last, [key]).get(key, [])

    start = NOTHING if old is None else parse_json(old).value
    end = replay_ops(start, ops)
    assert (None if end is NOTHING else dump_json(end)) == new


class Node:
    """A value that knows which revision set it: the naive way to keep blame."""

    def __init__(self, value, revision):
        self.revision = revision
        self.value = value
        if isinstance(value, dict):
            self.value = {name: Node(member, revision) for name, member in value.items()}
        if isinstance(value, list):
            self.value = [Node(item, revision) for item in value]

    def leaves(self, at=""):
        if not isinstance(self.value, (dict, list)) or not self.value:
            return {at: self.revision}
        members = self.value.items() if isinstance(self.value, dict) else enumerate(self.value)
        return {k: v for name, node in members for k, v in node.leaves(f"{at}/{escape_token(str(name))}").items()}


def naive_blame(changes):
    root = None
    for revision, ops in changes:
        for op in ops:
            root = naive_step(root, op, revision)
    return root.leaves()


def naive_step(root, op, revision):
    def parent_of(tokens):
        node = root
        for token in tokens[:-1]:
            node = node.value[int(token) if isinstance(node.value, list) else token]
        return node, int(tokens[-1]) if isinstance(node.value, list) else tokens[-1]

    tokens = parse_pointer(op["path"])
    if not tokens:
        return None if op["op"] == "remove" else Node(op["value"], revision)
    new = Node(op.get("value"), revision)
    if op["op"] in ("remove", "move"):
        source = parse_pointer(op.get("from", op["path"]))
        parent, key = parent_of(source)
        new = parent.value.pop(key)
        if not parent.value and (op["op"] == "remove" or source[:-1] != tokens[:-1]):
            parent.revision = revision
        if op["op"] == "remove":
            return root
    parent, key = parent_of(tokens)
    if isinstance(parent.value, list) and op["op"] != "replace":
        parent.value.insert(key, new)
    elif op["op"] == "replace":
        parent.value[key] = new
    else:
        members = list(parent.value.items())
        members.insert(op.get("position", len(members)), (key, new))
        parent.value = dict(members)
    return root


@BY_HISTORY
@given(documents=histories())
def test_blame_equals_a_naive_replay(monkeypatch, documents):
    key, recorded = write(documents, monkeypatch)
    if recorded[-1][1] is None:
        return
    changes = Change.objects.filter(key=key).order_by("revision_id").values_list("revision_id", "forward")

    assert dict(replay.blame_leaves(replay.read_blame(key), Address(key))) == naive_blame(changes)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_blame_follows_any_operation(data):
    document = data.draw(strategies.small_values)
    changes = [(1, [{"op": "add", "path": "", "value": document}])]
    for revision in range(2, data.draw(st.integers(2, 8))):
        new = data.draw(edited(document))
        ops = diff_values(document, new)[0]
        if isinstance(new, dict) and len(new) > 1 and data.draw(st.booleans()):
            name = data.draw(st.sampled_from(list(new)))
            ops += [{"op": "move", "from": "/" + escape_token(name), "path": "/moved" + str(revision), "position": 0}]
        document = replay_ops(copy.deepcopy(document), copy.deepcopy(ops))
        changes.append((revision, ops))

    at, by = NOTHING, 0
    for revision, ops in copy.deepcopy(changes):
        at, by = blame.replay_blame(at, by, ops, revision)

    assert dump_json(at) == dump_json(document)
    assert dict(blame.list_leaves(at, by)) == naive_blame(changes)


def test_a_snapshot_is_kept_every_so_many_changes_and_bounds_the_replay(monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(replay, "SNAPSHOT_CHANGES", 20)
    for number in range(100):
        store.put(Address("Task", ("n",)), make_document(number), ADA)
        replay.keep_snapshot("Task", 100, 0)

    assert Snapshot.objects.count() == 5
    replayed = []
    monkeypatch.setattr(replay, "replay_ops", lambda document, ops: replayed.append(ops) or {"n": 0})
    replay.document_at("Task", 50)
    assert len(replayed) <= 10


def test_a_history_is_read_no_further_than_it_is_asked_for(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(replay, "READ_AT_ONCE", 3)
    for number in range(7):
        store.put(Address("Task"), make_document(number), ADA)
    newest_first = [*range(replay.head(), replay.head() - 7, -1)]

    with django_assert_num_queries(1) as read:
        found = [change.revision_id for change in itertools.islice(replay.changes_before("Task"), 3)]
    assert found == newest_first[:3]
    assert read[0]["sql"].endswith("LIMIT 3")
    assert [change.revision_id for change in replay.changes_before("Task")] == newest_first
    assert [change.revision_id for change in replay.changes_before("Task", newest_first[1])] == newest_first[2:]


@pytest.mark.django_db(transaction=True)
def test_snapshots_are_taken_by_writing_alone(monkeypatch):
    monkeypatch.setattr(replay, "SNAPSHOT_CHANGES", 20)
    for number in range(40):
        store.put(Address("Task", ("n",)), make_document(number), ADA)
        store.put(Address("Other", ("n",)), make_document(number), ADA)

    snapshots = Snapshot.objects.order_by("revision").values_list("key", "revision")
    assert list(snapshots) == [("Task", 39), ("Other", 40), ("Task", 79), ("Other", 80)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("writers", [1, 2, 3])
def test_several_processes_take_them_where_one_would(monkeypatch, writers):
    """Each knows only what it has written itself; which of them writes is another one from time to time."""
    monkeypatch.setattr(replay, "SNAPSHOT_CHANGES", 20)
    known = [{} for _ in range(writers)]
    for number in range(100):
        monkeypatch.setattr(replay, "_counted", known[number // 3 % writers])
        store.put(Address("Task", ("n",)), make_document(number), ADA)

    snapshots = Snapshot.objects.order_by("revision").values_list("revision", flat=True)
    assert list(snapshots) == [20, 40, 60, 80, 100]


@pytest.mark.django_db(transaction=True)
def test_a_process_that_forgets_or_fails_makes_no_longer_chain(monkeypatch):
    monkeypatch.setattr(replay, "SNAPSHOT_CHANGES", 20)
    keep = replay.keep_snapshot
    for number in range(1, 41):
        monkeypatch.setattr(replay, "keep_snapshot", keep if number % 20 else lambda *_: None)  # killed when one is due
        store.put(Address("Task", ("n",)), make_document(number), ADA)

    assert list(Snapshot.objects.order_by("revision").values_list("revision", flat=True)) == [21]


@pytest.mark.django_db(transaction=True)
def test_changes_are_counted_once_in_a_while(monkeypatch):
    monkeypatch.setattr(replay, "WEIGH_EVERY", 8)
    counted = []
    count = replay._since_snapshot
    monkeypatch.setattr(replay, "_since_snapshot", lambda key: counted.append(key) or count(key))
    for number in range(24):
        store.put(Address("Task", ("n",)), make_document(number), ADA)
        store.put(Address("Other", ("n",)), make_document(number), ADA)

    assert sorted(counted) == ["Other"] * 4 + ["Task"] * 4  # the first one, and each eighth


@pytest.mark.django_db(transaction=True)
def test_snapshots_that_are_dropped_are_missed_soon(monkeypatch):
    monkeypatch.setattr(replay, "WEIGH_EVERY", 8)
    monkeypatch.setattr(replay, "SNAPSHOT_CHANGES", 20)
    for number in range(40):
        store.put(Address("Task", ("n",)), make_document(number), ADA)
        if number == 30:
            Snapshot.objects.all().delete()

    assert list(Snapshot.objects.values_list("revision", flat=True)) == [36]


@pytest.mark.django_db(transaction=True)
def test_large_patches_bring_a_snapshot_early():
    for number in range(6):
        store.put(Address("Task"), make_document(f"{number}" * 70_000), ADA)

    assert list(Snapshot.objects.order_by("revision").values_list("revision", flat=True)) == [2, 4, 6]


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_that_fails_does_not_fail_the_write(monkeypatch):
    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(replay, "keep_snapshot", fail)

    assert store.put(Address("Task"), make_document(1), ADA).revision == 1


def test_moments_are_revisions_or_times_with_a_zone():
    put = [store.put(Address("Task"), make_document(number), ADA) for number in range(3)]
    times = [Revision.objects.get(pk=written.revision).at for written in put]

    assert replay.revision_at("2") == 2
    assert replay.revision_at("0") == 0
    assert replay.revision_at(times[1].isoformat()) == 2
    assert replay.revision_at(times[1].isoformat().replace("+", " ")) == 2
    assert replay.revision_at("2001-01-01T00:00:00Z") == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), max_size=12), st.integers(-1, 26))
@BY_HISTORY
def test_a_time_is_that_of_the_last_revision_that_is_not_after_it(steps, asked):
    """Some revisions have one time, and some are gone."""
    newest = Revision.objects.first()
    begin = newest.at + timedelta(seconds=2) if newest else datetime(2026, 1, 31, tzinfo=UTC)
    expected = seq = newest.seq if newest else 0
    second = 0
    for gap, later in steps:
        seq, second = seq + gap, second + later
        Revision.objects.create(seq=seq, at=begin + timedelta(seconds=second), actor="a", source="api", chain="")
        expected = seq if second <= asked else expected

    assert replay.find_moment(begin + timedelta(seconds=asked)) == expected


@pytest.mark.sqlite  # tests/test_plans.py asks it of PostgreSQL
def test_a_time_long_past_is_found_without_a_look_at_all_since():
    plan = [row[-1] for row in fetch_rows(connection, f"EXPLAIN QUERY PLAN {replay.FIND_MOMENT}", ["2026-01-31"])]

    found = [step for step in plan if "state_revision" in step]
    assert found == ["SEARCH state_revision USING INTEGER PRIMARY KEY (rowid<?)"] * 2


@pytest.mark.parametrize(
    "text",
    [
        "4",
        "yesterday",
        "2026-01-01T00:00:00",
        "2999-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "",
        "9" * 5000,
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(replay.UnknownMoment):
        replay.revision_at(text)


def test_a_key_that_never_was_is_unknown():
    with pytest.raises(NotFound):
        timeline.check_known("Task")
    with pytest.raises(NotFound):
        replay.read_blame("Task")


@pytest.mark.parametrize(("module", "reader"), [(replay, "read_newest"), (past, "read_texts")])
@pytest.mark.parametrize("address", [None, Address("Task")])
@pytest.mark.parametrize("write_meanwhile", ["put", "remove"])
def test_the_past_is_right_while_somebody_writes(monkeypatch, module, reader, address, write_meanwhile):
    for number in range(3):
        store.put(Address("Task"), make_document({"n": number}), ADA)
    real = getattr(module, reader)

    def overtaken(*args):
        found = real(*args)
        if write_meanwhile == "put":
            store.put(Address("Task"), make_document({"n": "later"}), ADA)
        else:
            store.remove_keys(["Task"], ADA)
        return found

    monkeypatch.setattr(module, reader, overtaken)

    for revision, number in ((3, 2), (2, 1)):
        expected = f'{{"n":{number}}}'
        assert past.read_value_at(address, revision) == (expected if address else f'{{"Task":{expected}}}')


def test_the_newest_of_a_key_knows_removal_and_return():
    store.put(Address("Task"), make_document(1), ADA)
    store.remove_keys(["Task"], ADA)

    assert replay.read_newest("Task") == (2, None)
    assert replay.read_newest("Never") == (0, None)
    store.put(Address("Task"), make_document(2), ADA)
    assert replay.read_newest("Task") == (3, "2")
