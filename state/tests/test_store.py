import base64
import hashlib
import json

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from state import chain, edits, revisions, store
from state.address import Address
from state.jsondoc.patch import replay_ops
from state.jsondoc.pointer import Blocked, parse_pointer
from state.jsondoc.text import NOTHING, dump_json, make_document
from state.models import Change, Revision, StateEntry, StoreMeta
from state.revisions import Author, Recorder, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.ADMIN, "a reason", {"client": "test"})


def b64(hashed):
    """A hash as history keeps it, written out here once more."""
    return base64.urlsafe_b64encode(hashed.digest()).decode().rstrip("=")


def put(pointer, value, **options):
    key, *tokens = parse_pointer(pointer)
    return store.put(Address(key, tuple(tokens)), make_document(value), ADA, **options)


def test_a_write_is_in_the_history_with_its_author():
    put("/Task", {"status": "open"})
    written = put("/Task/status", "done")

    revision = Revision.objects.get(seq=written.revision)
    change = revision.changes.get()
    assert (revision.actor, revision.source, revision.reason, revision.info) == (
        "user:ada",
        "admin",
        "a reason",
        {"client": "test"},
    )
    assert (change.kind, change.key) == ("state", "Task")
    assert change.forward == [{"op": "replace", "path": "/status", "value": "done"}]
    assert change.inverse == [{"op": "replace", "path": "/status", "value": "open"}]
    assert change.result_hash == b64(hashlib.sha256(b'{"status":"done"}'))


def test_the_history_replays_to_what_is_stored():
    put("/Task", {"steps": [1, 2, 3], "b": {"c": 1}})
    put("/Task/steps/3", {"new": True})
    put("/Task", {"b": {"c": 2, "d": [-0.0]}, "steps": [1, 3], "é": "\0"})
    store.remove(Address("Task", ("b", "c")), ADA)
    put("/Task/x/y/z", None)

    document = NOTHING
    texts = []
    changes = list(Change.objects.filter(key="Task"))
    for change in changes:
        document = replay_ops(document, change.forward)
        texts.append(dump_json(document))
        assert b64(hashlib.sha256(texts[-1].encode())) == change.result_hash

    assert texts[-1] == store.read(Address("Task")).text
    for change, before in zip(reversed(changes), [*reversed(texts[:-1]), None], strict=True):
        document = replay_ops(document, change.inverse)
        assert document is NOTHING if before is None else dump_json(document) == before


def test_removing_a_member_remembers_where_it_stood():
    put("/Task", {"a": 1, "b": 2, "c": 3})

    store.remove(Address("Task", ("b",)), ADA)

    change = Change.objects.last()
    assert change.inverse == [{"op": "add", "path": "/b", "value": 2, "position": 1}]
    assert store.read(Address("Task")).text == '{"a":1,"c":3}'


def test_a_write_that_changes_nothing_makes_no_revision():
    first = put("/Task", {"a": [1, 2.0]})

    second = put("/Task", {"a": [1, 2.0]})
    third = put("/Task/a/1", 2.0)

    assert (first.revision, second.revision, third.revision) == (1, 1, 1)
    assert Revision.objects.count() == 1


def test_a_reorder_is_a_change():
    put("/Task", {"a": 1, "b": 2})

    put("/Task", {"b": 2, "a": 1})

    assert store.read(Address("Task")).text == '{"b":2,"a":1}'
    assert store.head() == 2


def test_missing_parents_become_objects_never_arrays():
    put("/Task/a/0/b", 1)

    assert store.read(Address("Task")).text == '{"a":{"0":{"b":1}}}'


@pytest.mark.parametrize("pointer", ["/Task/n/x", "/Task/list/5", "/Task/list/x", "/Task/none/x"])
def test_a_refused_write_leaves_state_and_history_as_they_were(pointer):
    put("/Task", {"n": 1, "list": [1], "none": None})

    with pytest.raises(Blocked):
        put(pointer, 2)

    assert store.read(Address("Task")).text == '{"n":1,"list":[1],"none":null}'
    assert store.head() == 1


@pytest.mark.parametrize("key", ["", "a\0b", "é" * 257, "\ud800"])
def test_what_cannot_be_a_key_is_refused(key):
    with pytest.raises(store.BadKey):
        store.put(Address(key), make_document(1), ADA)

    assert not Revision.objects.exists()


def test_a_key_may_have_512_bytes():
    put(f"/{'é' * 256}", 1)

    assert store.read(Address("é" * 256)).text == "1"


def test_a_document_cannot_outgrow_the_limit_but_may_shrink(settings):
    put("/Task", {"a": "x" * 900_000, "b": "x" * 900_000})
    settings.NOLA_MAX_BODY_MB = 1

    with pytest.raises(edits.TooLarge):
        put("/Task/c", "y")
    put("/Task/a", "z")

    assert store.head() == 2


def test_a_document_cannot_outgrow_the_depth():
    put("/Task" + "/a" * 98, [[]])

    with pytest.raises(edits.TooDeep):
        put("/Task" + "/b" * 99, [[]])

    assert store.head() == 1


def test_a_stale_write_is_refused_by_name():
    opened = put("/Task", 1).revision
    put("/Task", 2)

    with pytest.raises(store.Stale, match=r"'Task' was changed by user:ada in revision 2; .* revision 1"):
        put("/Task", 3, seen=opened)
    with pytest.raises(store.Stale, match="exists already"):
        put("/Task", 3, seen=0)

    assert store.read(Address("Task")).text == "2"


def test_several_keys_are_one_revision():
    documents = {"A": make_document(1), "B": make_document({"x": 1})}

    written = store.put_keys(documents, ADA)
    removed = store.remove_keys(["A", "B", "not there"], ADA)

    assert (written.revision, removed.revision) == (1, 2)
    assert Change.objects.filter(revision=2).count() == 2
    assert store.read_all().text == "{}"


def test_the_whole_state_is_in_key_byte_order():
    for key in ["b", "a", "B", "é", "😀", "\uffff", 'q"']:
        put(f"/{key}", 1)

    assert store.read_all().text == '{"B":1,"a":1,"b":1,"q\\"":1,"é":1,"\uffff":1,"😀":1}'


def test_a_plan_that_was_overtaken_is_made_again(monkeypatch):
    put("/Task", {"a": 1, "b": 1})
    real, overtaken = Recorder.read_revisions, []

    def overtake(recorder, keys):
        if not overtaken:
            overtaken.append(True)
            StateEntry.objects.filter(pk="Task").update(value_json={"a": 1, "b": 2}, revision=99)
        return real(recorder, keys)

    monkeypatch.setattr(Recorder, "read_revisions", overtake)
    put("/Task/a", 2)

    assert store.read(Address("Task")).text == '{"a":2,"b":2}'


def test_the_chain_links_every_revision():
    put("/Task", {"a": 1})
    put("/Other", [1])
    store.remove(Address("Task"), ADA)

    previous = ""
    for revision in Revision.objects.order_by("seq"):
        changes = list(revision.changes.all())
        for change in changes:
            parts = [
                change.salt,
                change.kind,
                change.key,
                dump_json(change.forward),
                dump_json(change.inverse),
                change.result_hash,
            ]
            compact = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
            assert change.digest == b64(hashlib.sha256(compact.encode()))
        assert revision.chain == chain.link_revision(previous, revision, [change.digest for change in changes])
        previous = revision.chain
    assert StoreMeta.objects.get().last_chain == previous


def test_time_never_goes_back():
    later = timezone.now() + timezone.timedelta(days=1)
    put("/Task", 1)
    StoreMeta.objects.update(last_at=later)

    put("/Task", 2)

    assert Revision.objects.first().at == later


def test_a_failure_while_writing_leaves_nothing(monkeypatch):
    put("/Task", 1)

    def fail(*args):
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(revisions.Recorder, "close", fail)
    with pytest.raises(OperationalError):
        put("/Task", 2)

    assert store.read(Address("Task")).text == "1"
    assert Revision.objects.count() == 1


@pytest.mark.sqlite
def test_the_whole_state_is_read_in_the_order_of_its_index():
    put("/Task", 1)

    with CaptureQueriesContext(connection) as queries:
        store.read_all()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
        steps = [step for *_, step in cursor.fetchall()]

    assert any("USING INDEX" in step for step in steps)
    assert not any("ORDER BY" in step for step in steps)  # no copy of all texts to be sorted


def test_a_write_costs_a_fixed_number_of_queries(django_assert_num_queries):
    put("/Task", {"a": {"b": 1}})

    with django_assert_num_queries(8):  # 2 of them the savepoint that stands for BEGIN and COMMIT here
        put("/Task/a/b", 2)


def test_a_read_is_one_query(django_assert_num_queries):
    put("/Task", {"a": {"b": 1}})

    with django_assert_num_queries(1):
        reading = store.read(Address("Task", ("a", "b")))

    assert reading == ("1", 1)


@pytest.mark.sqlite
def test_writes_take_the_write_lock_at_once():
    assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == (2,)


def test_hashes_of_older_databases_are_known_again():
    text = '{"a":1}'

    assert chain.is_same(hashlib.sha256(text.encode()).hexdigest(), chain.hash_text(text))
    assert chain.is_same(chain.hash_text(text), chain.hash_text(text))
    assert not chain.is_same(hashlib.sha256(b"other").hexdigest(), chain.hash_text(text))
    assert not chain.is_same(chain.hash_text("other"), chain.hash_text(text))
