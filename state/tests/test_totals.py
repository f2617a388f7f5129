"""The totals of what is stored, which every write keeps."""

from contextlib import suppress

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import store, transactions, undo
from state.address import Address, NotFound
from state.entries import count_entries, read_totals, recount_totals
from state.jsondoc.tests import strategies
from state.jsondoc.text import make_document
from state.models import StoreMeta
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db

ADA = Author("key:ada", Source.API)
ON_A_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = ["a", "é", '"', "\n", "😀/~", "\x7f\u2028"]
keys = st.sampled_from(KEYS)
documents = strategies.values.map(make_document)


def put(key, document):
    store.put(Address(key), document, ADA)


def put_inside(key, document):
    store.put(Address(key), make_document({"a": [1]}), ADA)
    store.put(Address(key, ("é",)), document, ADA)


def put_all(key, document):
    store.put_keys(dict.fromkeys(KEYS, document), ADA)


def remove(key, document):
    with suppress(NotFound):
        store.remove(Address(key), ADA)


def run_transaction(key, document):
    steps = [
        {"op": "put", "pointer": "/a", "value": document.value},
        {"op": "put", "pointer": "/a", "value": {"é": 1}},
        {"op": "merge", "pointer": "/a", "value": {"x": document.value}},
    ]
    store.commit(transactions.plan(transactions.check(steps)), ADA)


def undo_the_last(key, document):
    if last := store.head():
        store.commit(undo.plan([last], "mine"), ADA)


WRITES = [put, put_inside, put_all, remove, run_transaction, undo_the_last]


@ON_A_DATABASE
@given(st.lists(st.tuples(st.sampled_from(WRITES), keys, documents), max_size=8))
def test_the_totals_are_those_of_the_whole_state_after_any_writes(writes):
    for write, key, document in writes:
        write(key, document)

    whole, totals = store.read_all().text, read_totals(connection)
    assert totals == count_entries(connection)
    if totals.keys:
        assert (1 + totals.bytes, 1 + totals.characters) == (len(whole.encode()), len(whole))
    else:
        assert (whole, totals.bytes, totals.characters) == ("{}", 0, 0)


def test_totals_are_counted_anew():
    store.put(Address("é"), make_document("é"), ADA)
    counted = read_totals(connection)
    StoreMeta.objects.update(keys=7, bytes=0)

    recount_totals(connection)

    assert read_totals(connection) == counted
    assert (counted.keys, counted.bytes, counted.characters) == (1, 10, 8)
