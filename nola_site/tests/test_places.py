"""What a key that is limited to places comes to see: nothing of what lies elsewhere, in no answer of any call.

Whatever lies outside, is done there or is named after it, has the marker in it.
"""

import json
import re
from base64 import urlsafe_b64decode
from itertools import combinations

import pytest
from django.test import Client

from access.models import ApiKey
from nola_site.api import api
from state.models import Revision

pytestmark = pytest.mark.django_db
MARK = "s3cr3t"
PLACES = ["/Open", "/Mixed/seen", "/Mixed/deep/er", "/Lists/items/0", "/Gone", "/Renamed", "/Part/of", "/Big/own"]
LIMITED = "nola_a-limited-key-of-this-test"


def send(client, method, address, value=None, reason="", media_type="application/json", **headers):
    headers |= {"Nola-Reason": reason} if reason else {}
    body = "" if value is None else json.dumps(value)
    return client.generic(method, address, body, content_type=media_type, headers=headers)


def put(client, address, value, reason=""):
    response = send(client, "PUT", f"/api/state/{address}", value, reason)
    assert response.status_code in (200, 201), response.content
    return int(response["Nola-Revision"])


def patch(client, address, ops, reason=""):
    response = send(client, "PATCH", f"/api/state/{address}", ops, reason, "application/json-patch+json")
    assert response.status_code == 200, response.content


def delete(client, address, reason=""):
    assert send(client, "DELETE", f"/api/state/{address}", reason=reason).status_code == 204


@pytest.fixture
def limited(make_key):
    make_key(LIMITED, "limited", ("read", "write", "admin"))
    ApiKey.objects.filter(name="limited").update(places=json.dumps(PLACES))
    return Client(headers={"Authorization": f"Bearer {LIMITED}"})


@pytest.fixture
def memory(agent):
    """A memory with secrets around the places, and a past in which they came, went and moved."""
    levels = {"level_1": "short", "level_3": "long"}
    put(agent, "Open", {"note": "shown", "list": [1, {"id": "x"}, 3], "levels": levels})
    put(agent, f"Secret-{MARK}", {MARK: [MARK], "level_1": MARK}, MARK)
    put(agent, f"Gone-{MARK}", MARK, MARK)
    put(agent, f"Found-{MARK}", f"hidden {MARK}", MARK)
    put(agent, "Mixed", {MARK: 1, "seen": {"x": 1, "y": [1, 2]}, "deep": {"er": "shown", MARK: {MARK: MARK}}})
    put(agent, f"Mixed/{MARK}", [MARK, {"id": MARK}], MARK)
    put(agent, "Mixed/deep/er", "shown later")
    put(agent, "Lists", {"items": [MARK, {MARK: MARK}]}, MARK)
    put(agent, "Gone", {"was": "here"})
    put(agent, "Part", {"of": {"it": 1}, MARK: MARK})
    patch(agent, "Mixed", [{"op": "move", "from": "/seen/x", "path": f"/{MARK}-moved"}])
    patch(agent, "Mixed", [{"op": "move", "from": f"/{MARK}-moved", "path": "/seen/z"}])
    patch(agent, "Mixed", [{"op": "move", "from": f"/{MARK}/0", "path": f"/{MARK}-first"}], MARK)
    patch(agent, "Mixed", [{"op": "replace", "path": "/deep", "value": {"er": "shown", MARK: MARK}}])
    patch(agent, "Mixed", [{"op": "replace", "path": "/deep", "value": {"er": "shown", MARK: 2}}], MARK)
    patch(agent, "Mixed", [{"op": "remove", "path": "/seen/y/0"}, {"op": "remove", "path": f"/{MARK}-first"}])
    patch(
        agent, "Part", [{"op": "replace", "path": "/of", "value": ["own"]}, {"op": "add", "path": "/x", "value": MARK}]
    )
    put(agent, "Part", MARK)
    put(agent, "Part", {"of": "back", MARK: {"a": MARK}})
    delete(agent, "Part/of")
    delete(agent, f"Gone-{MARK}", MARK)
    delete(agent, "Gone")
    both = [
        {"op": "put", "pointer": "/Renamed", "value": {"same": "text"}},
        {"op": "put", "pointer": f"/Other-{MARK}", "value": MARK},
    ]
    assert send(agent, "POST", "/api/transactions", {"operations": both}).status_code == 200
    rename = [
        {"op": "delete", "pointer": "/Renamed"},
        {"op": "put", "pointer": f"/New-{MARK}", "value": {"same": "text"}},
    ]
    assert send(agent, "POST", "/api/transactions", {"operations": rename}).status_code == 200
    put(agent, "Big", {"own": "small", **{f"{MARK}-{n}": MARK * 100 for n in range(200)}})
    put(agent, "Big", {"own": "smaller", **{f"{MARK}-{n}": MARK * 99 for n in range(200)}})
    assert send(agent, "POST", "/api/checkpoints", {"name": f"kept-{MARK}", "why": MARK}).status_code == 201
    put(agent, "Open/note", "changed")
    restored = send(agent, "POST", "/api/state/restore", {"checkpoint": f"kept-{MARK}", "keys": ["Open"]})
    assert restored.status_code == 200
    undone = Revision.objects.latest("seq").seq
    assert send(agent, "POST", "/api/undo", {"revision": undone}).status_code == 200
    assert send(agent, "POST", "/api/conversations", {"session_id": "talk"}).status_code == 201


ADDRESSES = ["Open", "Mixed", "Mixed/deep", "Lists/items/0", "Gone", "Part"]
POINTERS = ["", "/Mixed", "/Mixed/seen", "/Lists/items/0", "/Part", "/deep"]
VALUES = {
    "pointer": POINTERS,
    "node": POINTERS,
    "open": ["/Mixed", "/Mixed/deep"],
    "key": ["Mixed", "Lists", "Nothing"],
    "at": ["0", "7", "12", "15", "18", "HEAD"],
    "from": ["3", "9", "17"],
    "to": ["4", "16", "HEAD"],
    "since": ["2", "10"],
    "until": ["9", "HEAD"],
    "level": ["1", "2", "3"],
    "stimuli": ["realtime"],
    "view": ["tree"],
    "depth": ["9"],
    "after": ["Mixed", "Open", "seen"],
    "envelope": ["1"],
    "path": ["$", "$..*", "$.Mixed.*", "$[?@..*]", "$['Lists']", "$..items[0]", "$[?length(@) > 1]"],
    "limit": ["1", "3"],
    "was": ["true"],
    "brief": ["true"],
    "by": ["author"],
    "actor": ["key:default"],
    "source": ["restore", "undo", "api"],
    "kind": ["state", "conversation"],
    "q": ["hidden", "shown"],
    "key_prefix": ["M"],
}
TOGETHER = {"view", "was", "brief", "limit"}  # that are tried with each of the others
GETS = [(path, one["get"]) for path, one in api.get_openapi_schema()["paths"].items() if "get" in one]


def addresses(path):
    """The addresses of a call, with each of the places and keys in it."""
    names = {"session_id": "talk", "name": "kept", "receipt": "r", "message_id": "1", "number": "1"}
    for address in ADDRESSES if "{address}" in path or "{any:address}" in path else [""]:
        filled = re.sub(r"{(?:\w+:)?address}", address, path)
        yield re.sub(r"{(?:\w+:)?(\w+)}", lambda found: names[found[1]], filled)


def queries(operation):
    """The parameters of a call: each with all its values, and some by two."""
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"} & VALUES.keys()
    needed = [("path", path) for path in VALUES["path"]] if "path" in known else [None]
    for always in needed:
        yield [always] if always else []
        for first in sorted(known - {"path"}):
            for value in VALUES[first]:
                yield [one for one in [always, (first, value)] if one]
        for first, second in combinations(sorted(known - {"path"}), 2) if not always else ():
            if {first, second} & TOGETHER:
                value = VALUES[first][len(VALUES[first]) // 2]
                yield [(first, value), (second, VALUES[second][-1])]


def told(response):
    """All that an answer says, with what its cursors stand for."""
    assert not response.streaming
    cursors = re.findall(r"cursor=([\w-]+)", response.get("Link", ""))
    hidden = b"".join(urlsafe_b64decode(one + "=" * (-len(one) % 4)) for one in cursors)
    return response.content + repr(response.headers).encode() + hidden


def ask_all(client, follow=True):
    """The answers to all reading calls, each with its address; and what the Links lead to."""
    head = str(Revision.objects.latest("seq").seq)
    for path, operation in GETS:
        for address in addresses(path):
            for query in queries(operation):
                parameters = "&".join(f"{name}={value}" for name, value in query).replace("HEAD", head)
                asked = f"{address}?{parameters}".replace("[?", "%5B%3F").replace(" ", "%20")
                for _ in range(2):
                    response = client.get(asked)
                    yield asked, response
                    link = re.match("<(.*)>", response.get("Link", ""))
                    if not follow or not link:
                        break
                    asked = link[1]


def test_no_answer_tells_a_key_with_limits_of_what_lies_elsewhere(memory, limited):
    count, shown = 0, 0
    for asked, response in ask_all(limited):
        count += 1
        shown += response.status_code == 200
        assert response.status_code in (200, 400, 403, 404, 422), (asked, response.content)
        assert MARK.encode() not in told(response), (asked, re.findall(".{80}s3cr3t.{60}", told(response).decode()))

    assert count > 800
    assert shown > 300


def test_the_owner_of_all_is_told(memory, agent):
    """Or else the test above would pass whatever was shown."""
    found = {
        re.sub("/(Open|Mixed|Lists|Gone|Part).*", "", asked.partition("?")[0])
        for asked, response in ask_all(agent, follow=False)
        if MARK.encode() in told(response)
    }

    calls = ["state", "query", "history", "diff", "blame", "deleted", "changes", "checkpoints", "search", "context"]
    assert {f"/api/{name}" for name in calls} <= found


@pytest.mark.parametrize("call", ["state", "history", "blame", "deleted"])
def test_what_is_elsewhere_is_not_there_in_the_words_of_what_does_not_exist(memory, limited, call):
    pairs = [
        (f"Secret-{MARK}", "Secret-qqqqqq"),
        (f"Gone-{MARK}", "Gone-qqqqqq"),
        (f"Mixed/{MARK}", "Mixed/qqqqqq"),
        (f"Mixed/{MARK}/0", "Mixed/qqqqqq/0"),
        (f"Mixed/deep/{MARK}", "Mixed/deep/qqqqqq"),
        ("Lists/items/0", "Lists/things/0"),
        ("Lists", "Lilts"),
    ]
    queries = ["", "?level=2", "?view=tree", "?envelope=1", "?at=9", "?was=true", "?by=author", "?brief=true"]
    for there, nowhere in pairs:
        for query in queries:
            one, other = (limited.get(f"/api/{call}/{address}{query}") for address in (there, nowhere))
            same = other.content.decode()
            for mine, yours in zip(nowhere.split("/"), there.split("/"), strict=True):
                same = same.replace(mine, yours)

            assert one.status_code == other.status_code in (200, 404, 422), (there, query)
            assert one.content.decode() == same, (there, query)
            assert {**one.headers, "Content-Length": 0} == {**other.headers, "Content-Length": 0}
