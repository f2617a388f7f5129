"""Pages of the list of all keys: as from the whole state, and for the cost of a page."""

import hashlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from state import store
from state.jsondoc.pages import parse_tree_page, render_tree
from state.jsondoc.pointer import format_pointer
from state.jsondoc.tests import strategies
from state.jsondoc.text import make_document
from state.models import StateEntry
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db

ADA = Author("key:ada", Source.API)
ON_A_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
names = strategies.names.filter(lambda name: name and "\0" not in name and name.isprintable())
TREE = "application/vnd.nola.tree+json"


def fill(documents):
    store.remove_keys(list(StateEntry.objects.values_list("pk", flat=True)), ADA)
    store.put_keys({key: make_document(value) for key, value in documents.items()}, ADA)


@st.composite
def pages(draw, documents):
    """The parameters of a page, with keys and nodes that are there and some that are not."""
    limit, depth = draw(st.none() | st.integers(1, 4)), draw(st.none() | st.integers(0, 3))
    after = draw(st.none() | st.sampled_from([*documents]) if documents else st.none())
    last = draw(st.none() | st.integers(1, 4)) if after is None else None
    tokens = st.lists(st.sampled_from([*documents, "0", "a"]), max_size=3)
    opened = draw(st.lists(tokens.map(format_pointer), max_size=3, unique=True))
    order = draw(st.none() | st.just("caseless"))
    given = {"limit": limit, "depth": depth, "after": after, "last": last, "order": order}
    return {name: str(value) for name, value in given.items() if value is not None}, opened


@ON_A_DATABASE
@given(documents=st.dictionaries(names, strategies.values, max_size=9), data=st.data())
def test_a_page_of_keys_is_that_of_the_whole_state(agent, documents, data):
    fill(documents)
    given, opened = data.draw(pages(documents))

    response = agent.get("/api/state", {"view": "tree", **given, "open": opened})

    whole = store.read_all()
    wanted = render_tree(whole.text.encode(), parse_tree_page(given, opened)).encode()
    assert (response.status_code, response.content) == (200, wanted)
    assert response["ETag"] == f'W/"{hashlib.sha256(wanted).hexdigest()[:32]}"'
    assert (response["Nola-Revision"], response["Content-Type"]) == (str(whole.revision), TREE)


def at_bytes(name):
    return name.encode()


def at_letters(name):
    """By each character in lower case; where that is the same, by bytes."""
    return "".join(one.lower() for one in name).encode(), name.encode()


@pytest.mark.parametrize(("order", "place"), [({}, at_bytes), ({"order": "caseless"}, at_letters)])
@ON_A_DATABASE
@given(documents=st.dictionaries(names, st.integers(), max_size=9), limit=st.integers(1, 4))
@example(
    documents=dict.fromkeys(["b", "B", "a", "A", "_", "ΑΣ", "ας", "ασ", "İ", "Ä", "z", "\uff21", "\U0001f600"], 1),
    limit=2,
)
def test_pages_one_after_the_other_give_every_key_once_in_order(agent, order, place, documents, limit):
    fill(documents)

    found, after = [], {}
    while after is not None:
        page = agent.get("/api/state", {"view": "tree", "limit": limit, **order, **after}).json()
        found += [name for name, _ in page["members"]]
        after = {"after": page["next"]} if "next" in page else None

    assert found == sorted(documents, key=place)


@pytest.mark.parametrize("query", ["", "&last=2"])
def test_a_new_store_has_an_empty_page(agent, query):
    response = agent.get(f"/api/state?view=tree{query}")

    assert response.content == b'{"type":"object","bytes":2,"size":0,"members":[]}'
    assert response["Nola-Revision"] == "0"


def test_members_of_an_object_stand_as_they_are_stored_in_any_order_of_keys(agent):
    fill({"b": {"B": 1, "a": 2}, "A": {}, "a": 1})

    page = agent.get("/api/state?view=tree&depth=2&order=caseless").json()

    assert [name for name, _ in page["members"]] == ["A", "a", "b"]
    assert [name for name, _ in page["members"][2][1]["members"]] == ["B", "a"]
    then = agent.get(f"/api/state?view=tree&order=caseless&at={store.head()}&limit=2&after=A").json()
    assert [name for name, _ in then["members"]] == ["a", "b"]


@pytest.mark.parametrize("moment", ["", "&at=1"])
@pytest.mark.parametrize(("order", "last"), [("", ["a", "b"]), ("&order=caseless", ["b", "C"])])
def test_the_last_keys_stand_in_their_order(agent, order, last, moment):
    fill({"b": 1, "C": {}, "a": 1, "A": 1})

    page = agent.get(f"/api/state?view=tree&last=2{order}{moment}").json()

    assert [name for name, _ in page["members"]] == last
    assert page["size"] == 4
    assert "next" not in page


def test_the_last_members_of_an_object_and_items_of_a_list_are_shown(agent):
    fill({"A": {"z": 1, "a": [1, 2, 3], "b": {"c": 1, "d": 2}}, "B": [0, 1, 2, 3]})

    members = agent.get("/api/state/A?view=tree&last=2&limit=1&depth=2").json()
    items = agent.get("/api/state?view=tree&node=/B&last=3&level=1").json()

    assert [name for name, _ in members["members"]] == ["a", "b"]
    assert [one["next"] for _, one in members["members"]] == [0, "c"]  # inside, the first
    assert (items["start"], len(items["items"])) == (1, 3)
    assert "next" not in items


@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("/api/state?view=tree&order=up", "there is no order 'up'; there is: caseless"),
        ("/api/state?last=2", "the parameter 'last' goes with view=tree only"),
        ("/api/state?view=tree&last=0", "last is a whole number from 1 to 1000, not '0'"),
        ("/api/state?view=tree&last=2&after=A", "after goes on behind a member or item, last begins before the end"),
        ("/api/state?order=caseless", "the parameter 'order' goes with view=tree only"),
        ("/api/state/A?view=tree&order=caseless", "order goes with the tree of all keys only"),
        ("/api/state?view=tree&order=caseless&node=/A", "order goes with the tree of all keys only"),
    ],
)
def test_an_order_or_a_page_that_there_is_not_is_refused(agent, address, detail):
    fill({"A": {"b": 1}})

    response = agent.get(address)

    assert response.status_code == 422
    assert response.json()["detail"].startswith(detail)


@pytest.mark.parametrize("query", ["after=gone", "after=", "after=gone&depth=0", "after=gone&order=caseless"])
@pytest.mark.parametrize("documents", [{}, {"A": 1}])
def test_a_page_after_a_key_that_is_not_there_is_refused(agent, query, documents):
    fill(documents)

    response = agent.get(f"/api/state?view=tree&{query}")

    assert response.status_code == 422
    assert response.json()["detail"].startswith("there is no member '")


def test_a_page_that_is_known_is_not_sent_again(agent):
    fill({"A": 1})
    tag = agent.get("/api/state?view=tree")["ETag"]

    assert agent.get("/api/state?view=tree", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("query", ["limit=20", "limit=20&after=Key0005&open=/Key0007&depth=2", "depth=0", "last=20"])
def test_what_a_page_reads_does_not_grow_with_the_number_of_keys(agent, count_steps, query):
    def read():
        assert agent.get(f"/api/state?view=tree&{query}").status_code == 200

    fill({f"Key{number:04}": {"n": number} for number in range(100)})
    read()
    few = count_steps(read)
    fill({f"Key{number:04}": {"n": number} for number in range(1000)})

    assert count_steps(read) == few > 0


def test_a_page_is_two_queries(agent, django_assert_num_queries):
    fill({"A": 1, "B": {"x": 1}, "C": 3})

    with django_assert_num_queries(2):  # the key that may read, and the page
        agent.get("/api/state?view=tree&limit=2&open=/B")
    with django_assert_num_queries(2):
        agent.get("/api/state?view=tree&last=2")


def test_a_page_in_the_order_of_letters_is_few_queries_too(agent, django_assert_max_num_queries):
    fill({f"Key{number:04}": {"n": number} for number in range(1000)})

    with django_assert_max_num_queries(5):
        agent.get("/api/state?view=tree&limit=400&after=Key0007&order=caseless")
