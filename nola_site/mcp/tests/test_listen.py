"""`subscriptions/listen` over HTTP, from the change feed of a real server."""

import json

import pytest

from nola_site.mcp.tests.talking import META, STATELESS, ask_stateless
from tests.server import KEY, manage, running

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def listen(server, key=KEY, id_="s", **wanted):
    """A stream, as a connection and its response."""
    connection = server.connect()
    params = {"_meta": META, "notifications": wanted}
    headers = {
        "Authorization": f"Bearer {key}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Mcp-Protocol-Version": STATELESS,
        "Mcp-Method": "subscriptions/listen",
    }
    body = {"jsonrpc": "2.0", "id": id_, "method": "subscriptions/listen", "params": params}
    connection.request("POST", "/mcp", json.dumps(body), headers)
    return connection, connection.getresponse()


def messages(response):
    """The messages of a stream that is read to its end."""
    return [
        json.loads(line.removeprefix(b"data: ")) for line in response.read().split(b"\n") if line.startswith(b"data: ")
    ]


@pytest.mark.process
def test_a_listener_hears_of_its_keys_alone_and_the_end_when_the_key_is_revoked(server):
    key = manage(server.data, "apikey", "create", "listener").stdout.strip()
    connection, response = listen(
        server, key, resourceSubscriptions=["nola://state/Heard", "x:y"], resourcesListChanged=True
    )
    server.request("PUT", "/api/state/Other/a", b"1")
    server.request("PUT", "/api/state/Heard", b"{}")
    server.request("PUT", "/api/state/Heard/a", b"1")
    server.request("POST", "/api/conversations/Heard/messages", b'{"speaker":"user","message":"hi"}')
    assert manage(server.data, "apikey", "revoke", "listener").returncode == 0
    server.request("PUT", "/api/state/Unheard", b"1")

    told = messages(response)
    connection.close()

    assert (response.status, response.getheader("Content-Type")) == (200, "text/event-stream")
    first, *between, last = told
    agreed = {"resourceSubscriptions": ["nola://state/Heard"], "resourcesListChanged": True}
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["notifications"] == agreed
    heard = [one["params"].get("uri") or "list" for one in between]
    assert heard[:4] == ["list", "nola://state/Heard", "list", "nola://state/Heard"]
    assert {one["params"]["_meta"][SUBSCRIPTION] for one in [first, *between]} == {"s"}
    assert last == {"jsonrpc": "2.0", "id": "s", "result": {"resultType": "complete", "_meta": {SUBSCRIPTION: "s"}}}


@pytest.mark.process
def test_a_server_that_stops_says_so(tmp_path):
    with running(tmp_path / "data") as server:
        connection, response = listen(server, id_=7)
        server.stop()

        first, last = messages(response)
        connection.close()

    assert first["params"]["notifications"] == {}
    assert last["id"] == 7


@pytest.mark.django_db
def test_where_no_stream_can_be_kept_it_is_an_error(agent):
    error = ask_stateless(agent, "subscriptions/listen", {"notifications": {}}).json()["error"]

    assert "streams are not served here" in error["message"]


@pytest.mark.django_db
@pytest.mark.parametrize("wanted", [{"resourceSubscriptions": "x"}, {"resourceSubscriptions": [1]}])
def test_what_is_no_filter_is_refused(agent, wanted, monkeypatch):
    monkeypatch.setattr("nola_site.mcp.http.LIVE", "REQUEST_METHOD")  # something is there

    error = ask_stateless(agent, "subscriptions/listen", {"notifications": wanted}).json()["error"]

    assert error["code"] == -32602
