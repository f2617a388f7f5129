import json
from urllib.parse import quote

import pytest

from nola_site.api import api
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.revisions import Author, Source

READS = sorted(path for path, calls in api.get_openapi_schema(path_prefix="/api/")["paths"].items() if "get" in calls)
JSON = "application/json"
ODD = 'a\nb/c \u2028\r\t"?#~'


@pytest.fixture
def filled(agent):
    agent.put("/api/state/K", '{"a": [1, 2]}', content_type="application/json")
    agent.delete("/api/state/K/a/0")
    agent.post("/api/conversations", {"session_id": "S", "messages": [{"speaker": "user", "message": "hello"}]}, JSON)
    agent.post("/api/checkpoints", {"name": "kept"}, content_type="application/json")
    store.put(Address("K"), make_document(1), Author("key:default", Source.API, suggests=True))
    return agent


QUERY = {"/api/query": "?path=$.K", "/api/search": "?q=hello", "/api/blame": "?pointer=/K"}
NAMES = {"{address}": "K", "{name}": "kept", "{session_id}": "S", "{receipt}": "none", "{number}": "1"}


@pytest.mark.parametrize("path", READS)
def test_head_is_answered_as_get_is_without_a_body(filled, path):
    url = path
    for name, value in NAMES.items():
        url = url.replace(name, value)
    if "{message_id}" in url:
        messages = filled.get("/api/conversations/S/messages").json()["messages"]
        url = url.replace("{message_id}", str(messages[0]["id"]))
    url += QUERY.get(path, "")

    get, head = filled.get(url), filled.head(url)

    assert "{" not in url
    assert head.status_code == get.status_code
    assert get.status_code == 200 or path == "/api/context/{receipt}"
    assert b"".join(head) == b""
    assert head.headers.get("ETag") == get.headers.get("ETag")


@pytest.mark.parametrize("name", [ODD, "\n", "new\nline", "\x01", "a\x85b", "😀\n"])
def test_a_path_leads_to_a_name_of_any_characters(agent, name):
    segment = quote(name.replace("~", "~0").replace("/", "~1"), safe="~")

    agent.put("/api/state/Odd", json.dumps({name: {"x": 1}}), content_type=JSON)
    agent.put(f"/api/state/{segment}", '"key"', content_type=JSON)

    assert agent.get(f"/api/state/Odd/{segment}").json() == {"x": 1}
    assert agent.get(f"/api/state/{segment}").json() == "key"
    assert agent.get(f"/api/history/{segment}").status_code == 200
    assert agent.get(f"/api/blame/Odd/{segment}").status_code == 200
    assert agent.delete(f"/api/state/{segment}").status_code == 204
    assert agent.get(f"/api/state/{segment}").status_code == 404
