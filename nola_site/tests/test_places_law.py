"""The law of places: a limited key reads what it would read from a memory that never had anything else.

The second memory is filled after each revision with what the places show by then. What that is, is said here anew.
"""

import json
from copy import deepcopy

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from access.models import ApiKey, hash_key
from state.models import Revision

pytestmark = pytest.mark.django_db
NAMES = ["a", "b", "0"]
KEYS = ["K", "L~/"]
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "level_1", "level_3"]), inner, max_size=3)
    ),
    max_leaves=10,
)
inner = st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=3) | values
objects = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1)
ways = st.lists(st.sampled_from(NAMES), max_size=2)
nodes = st.tuples(st.sampled_from(KEYS), ways).map(lambda found: [found[0], *found[1]])
writes = st.one_of(
    st.tuples(st.just("put"), nodes, values | objects),
    st.tuples(st.just("merge"), nodes, objects),
    st.tuples(st.just("delete"), nodes, st.none()),
    st.tuples(st.just("move"), nodes, nodes),
    st.tuples(st.just("undo"), st.integers(0, 8), st.none()),
)


NOTHING = object()


def pointer(tokens):
    return "".join("/" + one.replace("~", "~0").replace("/", "~1") for one in tokens)


def client(name, places=()):
    ApiKey.objects.create(
        name=name, sha256=hash_key(name), scopes="read write", places=json.dumps([pointer(one) for one in places])
    )
    return Client(headers={"Authorization": f"Bearer {name}"})


def send(caller, method, address, value=None, **more):
    return caller.generic(method, address, json.dumps(value), **{"content_type": "application/json", **more})


def write(caller, number, what, first, second):
    """Do something, if it can be done. The reason tells it apart from all others."""
    why = {"headers": {"Nola-Reason": f"number-{number}"}}
    address = f"/api/state?pointer={pointer(first)}" if isinstance(first, list) else ""
    if what == "put":
        send(caller, "PUT", address, second, **why)
    elif what == "merge":
        send(caller, "PATCH", address, second, content_type="application/merge-patch+json", **why)
    elif what == "delete":
        send(caller, "DELETE", address, **why)
    elif what == "move":
        ops = [{"op": "move", "from": pointer(first[1:]), "path": pointer(second[1:])}]
        where = f"/api/state?pointer={pointer(first[:1])}"
        send(caller, "PATCH", where, ops, content_type="application/json-patch+json", **why)
    else:
        send(caller, "POST", "/api/undo", {"revision": first}, **why)


def pick(document, places):
    """What of the state lies in the places: each is looked up by itself, and put where it was."""
    found = {}
    for place in sorted(places, key=len):
        node = document
        for token in place:
            node = node[token] if isinstance(node, dict) and token in node else NOTHING
        if node is NOTHING:
            continue
        at = found
        for token in place[:-1]:
            at = at.setdefault(token, {})
        at[place[-1]] = deepcopy(node)
    return in_order(found, document)


def in_order(part, whole):
    """The members in the order in which they stand in the whole."""
    if not isinstance(part, dict) or not isinstance(whole, dict):
        return part
    return {name: in_order(part[name], value) for name, value in whole.items() if name in part}


def state(caller, at=None):
    return caller.get("/api/state" + ("" if at is None else f"?at={at}")).json()


READS = ["", "?level=1", "?level=2", "?level=3", "?view=tree&depth=9", "?view=tree&limit=1", "?node=/K", "?node=/K/a"]


def read_now(caller):
    """The bodies and tags of all ways to read what is there now, but for the numbers of revisions."""
    found = {}
    for key in ["", "K", "L~0~1", "K/a", "K/a/b", "K/0", "L~0~1/b"]:
        for query in READS:
            response = caller.get(f"/api/state/{key}{query}" if key else f"/api/state{query}")
            found[key, query] = response.status_code, response.content, response.get("ETag")
    several = "/api/state?" + "&".join(f"pointer={one}" for one in ("/K", "/K/a", "/L~0~1/b/0", "/K/0"))
    paths = ["$", "$..*", "$.K.*", "$[?@.a]", "$..a", "$..b[0]"]
    for asked in [several, *(f"/api/query?path={path}" for path in paths), "/api/query?path=$..*&level=1"]:
        response = caller.get(asked)
        found[asked] = response.status_code, response.content
    return found


def reasons(caller, address):
    response = caller.get(address)
    return [one["reason"] for one in response.json()["revisions"]] if response.status_code == 200 else None


def read_past(caller, numbers):
    """What the past is said to have been, with the revisions called by their place in the list of numbers."""
    found = {}
    for place, number in enumerate(numbers):
        for address in ("", "/K", "/K/a", "/L~0~1/b", "/K/0"):
            response = caller.get(f"/api/state{address}?at={number}")
            body = response.content.replace(f"revision {number}".encode(), b"revision")
            found[place, address] = response.status_code, body
        if place:
            diff = caller.get(f"/api/diff?from={numbers[place - 1]}&to={number}&was=true").json()
            found[place, "diff"] = diff["patches"]
    for call in ("/api/history?limit=1000", "/api/changes?limit=1000", "/api/history?key=K"):
        found[call] = reasons(caller, call)
    for key in ("K", "L~0~1"):
        found[key] = reasons(caller, f"/api/history/{key}")
        blame = caller.get(f"/api/blame/{key}")
        found[key, "blame"] = blame.status_code, [one["pointer"] for one in blame.json().get("leaves", [])]
    deleted = caller.get("/api/deleted").json()["deleted"]
    found["deleted"] = [(one["pointer"], one["node"], one["reason"]) for one in deleted]
    return found


def fill(owner, moments):
    """Make a memory that had these values, one after the other; the revisions of those that changed something."""
    numbers = []
    now = {}
    for reason, wanted in moments:
        gone = [{"op": "delete", "pointer": pointer([key])} for key in now.keys() - wanted.keys()]
        came = [{"op": "put", "pointer": pointer([key]), "value": value} for key, value in wanted.items()]
        body = {"operations": sorted([*gone, *came], key=lambda one: one["pointer"])}
        response = send(owner, "POST", "/api/transactions", body, headers={"Nola-Reason": reason})
        assert response.status_code == 200, response.content
        numbers.append(int(response["Nola-Revision"]))
        now = wanted
    return numbers


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    phases=[Phase.generate],
)
@given(st.tuples(objects, objects), st.lists(writes, max_size=8), st.lists(nodes, min_size=1, max_size=3))
def test_a_limited_key_reads_what_a_memory_of_its_places_alone_would_tell(db, first, later, places):
    done = [*(("put", [key], value) for key, value in zip(KEYS, first, strict=True)), *later]
    with transaction.atomic():
        owner, limited = client("owner"), client("limited", places)
        start = Revision.objects.count()
        for number, one in enumerate(done):
            write(owner, number, *one)
        seqs = [*Revision.objects.order_by("seq").values_list("seq", "reason")[start:]]
        moments = [(seq, reason, pick(state(owner, seq), places)) for seq, reason in seqs]
        before = ["{}", *(json.dumps(value) for *_, value in moments)]
        shown = [one for one, was in zip(moments, before, strict=False) if json.dumps(one[2]) != was]
        told = read_now(limited), read_past(limited, [seq for seq, *_ in shown])
        transaction.set_rollback(True)
    with transaction.atomic():
        owner, limited = client("owner"), client("limited")
        numbers = fill(owner, [(reason, value) for _, reason, value in shown])
        apart = read_now(limited), read_past(limited, numbers)
        transaction.set_rollback(True)

    assert told[0] == apart[0]
    assert told[1] == apart[1]
