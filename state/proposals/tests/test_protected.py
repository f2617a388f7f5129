"""Protected paths: no API key changes what is there, through whatever door; people do."""

import json
from contextlib import suppress

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import store
from state.address import Address
from state.jsondoc.patch import PatchFailed
from state.jsondoc.pointer import Blocked
from state.jsondoc.text import make_document
from state.proposals.protected import ProtectedPath
from state.revisions import Author, Source
from state.store import head

pytestmark = pytest.mark.django_db
ADA, AGENT = Author("user:ada", Source.ADMIN), Author("key:planner", Source.API)
PERSONA = {"name": "Nola", "traits": ["calm", "kind"], "mood": "good"}
JSON, MERGE, PATCH = "application/json", "application/merge-patch+json", "application/json-patch+json"


def put(key, value, author=ADA):
    return store.put(Address(key), make_document(value), author)


def protect(*pointers):
    put("ProtectedPaths", list(pointers))


@pytest.fixture(autouse=True)
def memory(db):
    put("Persona", PERSONA)
    put("Notes", {})
    protect("/Persona/name", "/Persona/traits/1", "/Rules")


def send(client, method, path, body, media_type=JSON):
    return client.generic(method, path, json.dumps(body), content_type=media_type)


REFUSED = {
    "the leaf": ("PUT", "/api/state/Persona/name", "Eve", JSON),
    "the key": ("PUT", "/api/state/Persona", PERSONA | {"name": "Eve"}, JSON),
    "the key as another kind of value": ("PUT", "/api/state/Persona", [], JSON),
    "the key gone": ("DELETE", "/api/state/Persona", None, JSON),
    "the leaf gone": ("DELETE", "/api/state/Persona/name", None, JSON),
    "merged": ("PATCH", "/api/state/Persona", {"name": None}, MERGE),
    "replaced": ("PATCH", "/api/state/Persona", [{"op": "replace", "path": "/name", "value": "Eve"}], PATCH),
    "moved away": ("PATCH", "/api/state/Persona", [{"op": "move", "from": "/name", "path": "/who"}], PATCH),
    "pushed aside": ("PATCH", "/api/state/Persona", [{"op": "add", "path": "/traits/0", "value": "x"}], PATCH),
    "made": ("PUT", "/api/state/Rules", {"be": "good"}, JSON),
    "a part of it made": ("PUT", "/api/state/Rules/be", "good", JSON),
    "in a transaction": (
        "POST",
        "/api/transactions",
        {"operations": [
            {"op": "put", "pointer": "/Notes/a", "value": 1},
            {"op": "put", "pointer": "/Persona/name", "value": "Eve"},
        ]},
        JSON,
    ),
    "a restore": (
        "POST",
        "/api/state/restore",
        [{"model": "state.stateentry", "pk": "Persona", "fields": {"value_json": {}}}],
        JSON,
    ),
    "the list": ("PUT", "/api/state/ProtectedPaths", [], JSON),
    "an item of the list": ("DELETE", "/api/state/ProtectedPaths/0", None, JSON),
    "with a base": ("PUT", "/api/state/Persona/name?base=2", "Eve", JSON),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_api_key_is_refused_with_the_place_and_the_way_out(agent, name):
    before = head()

    response = send(agent, *REFUSED[name])

    assert response.status_code == 403
    assert response.json()["pointer"] in ("/Persona/name", "/Persona/traits/1", "/Rules", "/ProtectedPaths")
    assert "Ask a person; a suggest key may propose it" in response.json()["detail"]
    assert head() == before


def test_an_undo_by_an_api_key_is_refused(agent):
    put("Persona", PERSONA | {"name": "Eve"})
    before = head()

    response = send(agent, "POST", "/api/undo", {"revision": before})

    assert response.status_code == 403
    assert head() == before


@pytest.mark.parametrize("name", ["in a transaction", "a restore"])
def test_a_dry_run_tells_it_too(agent, name):
    method, path, body, media_type = REFUSED[name]
    body = {"checkpoint": body, "dry_run": True} if isinstance(body, list) else body | {"dry_run": True}

    assert send(agent, method, path, body, media_type).status_code == 403


def test_what_stands_beside_it_is_written_as_ever(agent):
    assert send(agent, "PUT", "/api/state/Persona/mood", "low").status_code == 200
    assert send(agent, "PUT", "/api/state/Persona", PERSONA | {"age": 3}).status_code == 200
    more = [{"op": "add", "path": "/traits/2", "value": "brave"}]
    assert send(agent, "PATCH", "/api/state/Persona", more, PATCH).status_code == 200
    whole = [{"op": "replace", "path": "", "value": PERSONA | {"age": 4}}]
    assert send(agent, "PATCH", "/api/state/Persona", whole, PATCH).status_code == 200
    assert read_name() == "Nola"


def read_name():
    return json.loads(store.read(Address("Persona", ("name",))).text)


def test_a_person_writes_all_of_it(owner):
    assert send(owner, "PUT", "/api/state/Persona/name", "Eve").status_code == 200
    assert send(owner, "DELETE", "/api/state/Persona", None).status_code == 204
    assert send(owner, "PUT", "/api/state/ProtectedPaths", ["/Notes"]).status_code == 200


@pytest.mark.parametrize("actor", ["cli:ada", "system:seed", "user:ada"])
def test_the_command_line_writes_it_too(actor):
    assert put("Persona", {}, Author(actor, Source.CLI)).changed


def test_an_empty_pointer_protects_all(agent):
    protect("")

    assert send(agent, "PUT", "/api/state/Notes/a", 1).status_code == 403
    assert send(agent, "PUT", "/api/state/New", 1).status_code == 403


def test_what_is_not_protected_any_more_is_written(agent):
    store.remove(Address("ProtectedPaths"), ADA)

    assert send(agent, "PUT", "/api/state/Persona/name", "Eve").status_code == 200


@pytest.mark.parametrize("value", ["/Persona", {"Persona": True}, [1], ["Persona"], ["/a~2"]])
def test_what_is_no_list_of_pointers_is_refused_where_it_is_written(owner, make_key, value):
    make_key("nola_suggester", "planner", ("suggest",))
    suggester = Client(headers={"Authorization": "Bearer nola_suggester"})
    form = {"key_name": "ProtectedPaths", "value": json.dumps(value), "seen": 3, "reason": ""}
    before = head()

    assert send(owner, "PUT", "/api/state/ProtectedPaths", value).status_code == 422
    assert send(suggester, "PUT", "/api/state/ProtectedPaths", value).status_code == 422
    page = owner.post("/admin/state/stateentry/ProtectedPaths/change/", form)
    assert "ProtectedPaths" in page.context["adminform"].form.non_field_errors()[0]
    assert head() == before


def test_a_list_that_comes_in_otherwise_protects_all_if_it_is_none(agent):
    put("ProtectedPaths", "all of it", Author("cli:ada", Source.SYNC))

    assert send(agent, "PUT", "/api/state/Notes/a", 1).status_code == 403


def test_the_list_costs_no_query(agent):
    send(agent, "PUT", "/api/state/Notes", {"a": 0})
    with CaptureQueriesContext(connection) as with_list:
        send(agent, "PUT", "/api/state/Notes/a", 1)
    store.remove(Address("ProtectedPaths"), ADA)
    with CaptureQueriesContext(connection) as without:
        send(agent, "PUT", "/api/state/Notes/a", 2)

    assert len(with_list) == len(without)
    [read] = [query["sql"] for query in with_list if "ProtectedPaths" in query["sql"]]
    assert "last_chain" in read  # along with the clock


values = st.recursive(
    st.integers(0, 3),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.sampled_from("ab0"), some, max_size=3),
    max_leaves=8,
)


ON_A_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@ON_A_DATABASE
@given(values, values, st.lists(st.sampled_from("ab01"), max_size=2))
def test_what_stands_at_a_protected_path_never_changes_by_a_key(old, new, way):
    put("Doc", old)
    pointer = "".join(f"/{name}" for name in ["Doc", *way])
    protect(pointer)
    before = node(old, way)
    try:
        put("Doc", new, AGENT)
    except ProtectedPath as error:
        assert error.pointer == pointer
    now = json.loads(store.read(Address("Doc")).text)
    assert node(now, way) == before
    if now != new:
        assert now == old
    put("Doc", new)  # as a person does
    assert json.loads(store.read(Address("Doc")).text) == new


lists = st.lists(st.integers(0, 3) | st.lists(st.integers(0, 3), min_size=1, max_size=3), min_size=2, max_size=4)
places = st.sampled_from(["/0", "/1", "/2", "/1/0", "/1/1", "/-", ""])
values_set = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace"]), "path": places, "value": st.integers(7, 9)}
)
removals = st.fixed_dictionaries({"op": st.just("remove"), "path": places})
moves = st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "path": places, "from": places})


@ON_A_DATABASE
@given(
    old=lists,
    ops=st.lists(values_set | removals | moves, min_size=1, max_size=3),
    way=st.sampled_from([["0"], ["1"], ["2"], ["1", "0"], ["1", "1"]]),
)
def test_no_patch_by_a_key_changes_it_either(old, ops, way):
    put("Doc", old)
    protect("".join(f"/{name}" for name in ["Doc", *way]))
    before = node(old, way)

    with suppress(ProtectedPath, PatchFailed, Blocked):
        store.patch(Address("Doc"), ops, AGENT)

    now = store.read_all().text
    assert node(json.loads(now).get("Doc", {}), way) == before


def node(value, way):
    """What is there, told apart from what is equal to it in Python."""
    for name in way:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return "nothing"
    return json.dumps(value)
