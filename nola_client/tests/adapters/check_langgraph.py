"""The store beside LangGraph's InMemoryStore: whatever is asked of both, they answer the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, InvalidNamespaceError, Item, ListNamespacesOp, MatchCondition, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from nola_client.langgraph import NolaStore

LABELS = st.sampled_from(["users", "a/b~ž"])
LONG = ("users", "users", "a/b~ž")
PATHS = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
WILD = st.lists(LABELS | st.just("*"), min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(["a.b", "", "x/y~0"])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUES = st.dictionaries(
    st.sampled_from(["n", "theme", "deep"]),
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("in"), inner), max_leaves=4
    ),
    max_size=3,
)
FILTERS = st.none() | VALUES | VALUES.map(lambda value: {name: {"$ne": one} for name, one in value.items()})
OPS = st.one_of(
    st.builds(GetOp, PATHS, KEYS),
    st.builds(PutOp, PATHS, KEYS, VALUES | st.none()),
    st.builds(SearchOp, PATHS | st.just(()), FILTERS, limit=st.integers(0, 12), offset=st.integers(0, 3)),
    st.builds(
        ListNamespacesOp,
        st.lists(st.builds(MatchCondition, st.sampled_from(["prefix", "suffix"]), WILD), max_size=2).map(tuple),
        max_depth=st.none() | st.integers(1, 3),
        limit=st.integers(0, 20),
        offset=st.integers(0, 2),
    ),
)
BATCHES = st.lists(st.lists(OPS, min_size=1, max_size=6), min_size=1, max_size=8)


def ask(oracle, op):
    """What InMemoryStore answers. It has namespaces in which nothing is, which we do not list: a get makes some."""
    before = set(oracle._data)
    if isinstance(op, ListNamespacesOp):
        inhabited = InMemoryStore()
        inhabited._data.update({name: items for name, items in oracle._data.items() if items})
        return inhabited.batch([op])[0]
    [result] = oracle.batch([op])
    for looked_at in set(oracle._data) - before:
        del oracle._data[looked_at]
    return result


def batch(oracle, ops):
    """Theirs reads all before it writes, as we do."""
    results = [None if isinstance(op, PutOp) else told(ask(oracle, op)) for op in ops]
    before = set(oracle._data)
    oracle.batch([op for op in ops if isinstance(op, PutOp)])
    for looked_at in (
        set(oracle._data) - before - {op.namespace for op in ops if isinstance(op, PutOp) and op.value is not None}
    ):
        del oracle._data[looked_at]
    return results


def told(result):
    """A result without its times."""
    if isinstance(result, list):
        return [told(one) for one in result]
    return (result.namespace, result.key, repr(result.value)) if isinstance(result, Item) else result


@given(BATCHES)
def check_that_both_answer_the_same(count, nola, waiting, run, fresh, batches):
    plain, other, oracle = NolaStore(nola, fresh()), NolaStore(waiting, fresh()), InMemoryStore()

    begin = [PutOp(path, "x/y~0", {"n": 1}) for path in (LONG[:1], LONG[1:], LONG)]
    for ops in [begin, *batches]:
        expected = batch(oracle, ops)
        assert [told(one) for one in plain.batch(ops)] == expected
        assert [told(one) for one in run(other.abatch(ops))] == expected
        count(2 * len(ops))


def check_that_numbers_are_compared(count, nola, fresh):
    store, oracle = NolaStore(nola, fresh()), InMemoryStore()
    for one in (store, oracle):
        for number in range(6):
            one.put(("n",), str(number), {"n": number, "deep": {"n": number, "list": [number]}})

    for wanted in ({"n": {"$gte": 2, "$lt": 5}}, {"n": {"$gt": 1.5, "$lte": 4, "$ne": 3}}, {"deep": {"list": [2]}},
                   {"deep": {"n": {"$eq": 3}}}, {"deep": {"n": 3, "list": [4]}}):  # fmt: skip
        assert told(store.search(("n",), filter=wanted)) == told(oracle.search(("n",), filter=wanted))
        count(1)


def check_that_namespaces_are_picked_by_their_beginning_and_end(count, nola, fresh):
    store, oracle = NolaStore(nola, fresh()), InMemoryStore()
    for one in (store, oracle):
        for path in (("a",), ("a", "b"), ("a", "b", "c"), ("x", "b"), ("c", "a")):
            one.put(path, "k", {})

    ends = [{"suffix": ("b",)}, {"suffix": ("*", "c")}, {"prefix": ("a", "*")}, {"prefix": ("a",), "suffix": ("b",)}]
    for picked in [*ends, {"max_depth": 1}, {"max_depth": 2, "limit": 2, "offset": 1}]:
        assert store.list_namespaces(**picked) == oracle.list_namespaces(**picked)
        count(1)


def check_that_a_search_with_words_has_the_best_first(nola, fresh):
    store = NolaStore(nola, fresh())
    store.put(("facts",), "car", {"text": "The car is blue"})
    store.put(("facts",), "tea", {"text": "Ada likes green tea"})

    assert [one.key for one in store.search(("facts",), query="Which tea does Ada like?")] == ["tea", "car"]


def check_that_an_item_keeps_when_it_was_made(nola, fresh):
    store = NolaStore(nola, fresh())
    store.put(("a",), "x", {"n": 1})
    first = store.get(("a",), "x")
    store.put(("a",), "x", {"n": 2})
    again = store.get(("a",), "x")

    assert first.created_at == again.created_at <= first.updated_at < again.updated_at


def check_that_many_writes_are_one_revision(nola, fresh):
    store, name = NolaStore(nola, fresh()), fresh()

    NolaStore(nola, name).batch([PutOp(("a",), str(number), {"n": number}) for number in range(100)])

    assert len(list(nola.history(name))) == 1
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(("a.b",), "x", {})])
    with pytest.raises(NotImplementedError):
        store.put(("a",), "x", {}, ttl=5)


def check_that_a_store_for_graphs_that_wait_says_so(waiting, nola, run):
    with pytest.raises(TypeError, match="awaited"):
        NolaStore(waiting).get(("a",), "x")
    assert run(NolaStore(nola).aget(("nothing",), "x")) is None
