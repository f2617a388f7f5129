"""Two servers on one database: whatever one of them does, counts or ends holds at the other."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from nola_site.serving.tests.streams import Stream
from tests.server import KEY, PASSWORD, Server, free_port, manage
from tests.servers import any_cluster, closing_all, make_database, make_servers, running_servers

pytestmark = pytest.mark.process

LONG_AGO = {"at": "2020-01-01T00:00:00+00:00", "seq": 0}


@pytest.fixture(scope="module")
def cluster():
    with any_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def pair(cluster, tmp_path_factory):
    """Two servers that tests share which leave them as they are."""
    with running_servers(tmp_path_factory.mktemp("pair"), cluster) as servers:
        yield servers


def wait_for(condition, seconds=30):
    """A generous end for what comes within a few seconds; never a measure of speed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def try_to_sign_in(server: Server, password: str, client: httpx.Client | None = None) -> httpx.Response:
    client = client or httpx.Client(timeout=30)
    address = f"http://127.0.0.1:{server.port}/admin/login/"
    client.get(address)
    form = {"username": "admin", "password": password, "csrfmiddlewaretoken": client.cookies["nola_csrf"]}
    return client.post(address, data=form, headers={"Referer": address})


def sign_in(server: Server) -> httpx.Client:
    """A browser that is signed in at a server; its cookies go along to all ports."""
    client = httpx.Client(timeout=30)
    assert try_to_sign_in(server, PASSWORD, client).status_code == 302
    return client


def post(client: httpx.Client, server: Server, path: str, **sent) -> httpx.Response:
    address = f"http://127.0.0.1:{server.port}{path}"
    return client.post(address, headers={"X-CSRFToken": client.cookies["nola_csrf"], "Referer": address}, **sent)


# Reading and writing


def test_what_one_has_written_the_other_reads_at_once(pair):
    one, other = pair
    for number in range(20):
        revision = one.request("PUT", "/api/state/Ping", str(number).encode())[2]["nola-revision"]

        status, body, headers = other.request("GET", "/api/state/Ping")
        assert (status, body, headers["nola-revision"]) == (200, str(number).encode(), revision)
        context = other.request("GET", "/api/context?key=Ping")[2]  # kept there since the last write
        assert context["nola-revision"] == revision
        one, other = other, one


def test_a_write_that_is_sent_to_both_is_done_once(pair):
    def append(server):
        client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30)
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "twice"}
        return client.patch(
            "/api/state/Twice",
            json=[{"op": "add", "path": "/-", "value": 1}],
            headers={**headers, "Content-Type": "application/json-patch+json"},
        )

    pair[0].request("PUT", "/api/state/Twice", b"[]")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(append, [*pair] * 4))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["nola-revision"] for answer in answers}) == 1
    assert pair[0].request("GET", "/api/state/Twice")[1] == b"[1]"


def test_a_stream_goes_on_at_the_other_server(pair):
    one, other = pair
    with Stream(one) as stream:
        stream.next()
        first = int(one.request("PUT", "/api/state/Stream", b"1")[2]["nola-revision"])
        other.request("PUT", "/api/state/Stream", b"2")
        event = stream.next()
        assert event.data["revision"] == first
    with Stream(other, cursor=event.id) as stream:
        one.request("PUT", "/api/state/Stream", b"3")
        assert stream.revisions(2) == [first + 1, first + 2]


def test_an_undo_at_one_is_seen_in_a_browser_at_the_other(pair):
    one, other = pair
    client = sign_in(one)
    made = one.request("PUT", "/api/state/Mistake", b"1")[2]["nola-revision"]
    address = f"http://127.0.0.1:{other.port}/api/changes"
    with client.stream("GET", address, headers={"Accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()
        next(line for line in lines if line == "event: hello")

        assert post(client, one, "/api/undo", json={"revision": int(made)}).status_code == 200

        event = json.loads(next(line for line in lines if line.startswith('data: {"revision"')).removeprefix("data: "))
    assert (event["actor"], event["source"]) == ("user:admin", "undo")
    assert [change["key"] for change in event["changes"]] == ["Mistake"]


def test_a_server_takes_no_more_connections_than_it_says(pair):
    def ask(number):
        return pair[number % 2].request("GET", f"/api/query?path=$.k{number}")[0]  # an answer that is not kept

    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(ask, range(400))) <= {200, 503}

    with psycopg.connect(pair[0].settings["DATABASE_URL"]) as connection:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ours = connection.execute(statement).fetchone()[0] - 1
    assert 20 < ours <= 2 * (2 * (8 + 5) + 1)  # as docs/running.md has it


# Who comes in


def test_who_signs_in_at_one_is_signed_in_at_the_other(pair):
    client = sign_in(pair[0])

    page = client.get(f"http://127.0.0.1:{pair[1].port}/admin/")

    assert (page.status_code, page.url.path) == (200, "/admin/")
    written = post(
        client, pair[1], "/api/transactions", json={"operations": [{"op": "put", "pointer": "/By", "value": 1}]}
    )
    assert written.status_code in (200, 201)


def test_files_come_in_over_both_and_are_imported(pair):
    one, other = pair
    client = sign_in(one)
    talk = b'{"role": "user", "content": "Good morning"}\n{"role": "assistant", "content": "Good morning, Ada"}\n'
    files = [{"name": "morning.jsonl", "size": len(talk)}]
    place = post(client, one, "/admin/conversations/import/new", json={"files": files}).json()["href"]

    def wait_until(stage):
        wait_for(lambda: client.get(f"http://127.0.0.1:{one.port}{place}state").json()["stage"] == stage)

    for server, at, piece in [(other, 0, talk[:40]), (one, 40, talk[40:])]:
        assert post(client, server, f"{place}files/0?at={at}", content=piece).json() == {"size": at + len(piece)}
    assert post(client, other, f"{place}look").status_code == 200
    wait_until("ready")
    assert post(client, other, f"{place}import", json={"files": [0]}).status_code == 200
    wait_until("done")

    talks = json.loads(other.request("GET", "/api/conversations")[1])["conversations"]
    assert [talk["messages"] for talk in talks] == [2]


def test_a_key_that_is_revoked_ends_its_stream(pair):
    one, other = pair
    url = one.settings["DATABASE_URL"]
    key = manage(one.data, "apikey", "create", "guest", DATABASE_URL=url).stdout.strip()
    with Stream(other, key=key, timeout=60) as stream:
        stream.next()

        assert manage(one.data, "apikey", "revoke", "guest", DATABASE_URL=url).returncode == 0

        assert [event.kind for event in stream if event.kind != "message"][-1:] == ["bye"]
    assert other.request("GET", "/api/state", key=key)[0] == 401


def test_wrong_passwords_at_both_make_wait_at_both(cluster, tmp_path):
    with running_servers(tmp_path, cluster) as pair:
        answers = [try_to_sign_in(pair[number % 2], "wrong").status_code for number in range(6)]

        assert answers == [200] * 5 + [429]
        assert try_to_sign_in(pair[0], "wrong").status_code == 429


def test_a_key_that_writes_too_fast_over_both_is_slowed_down_at_both(cluster, tmp_path):
    with running_servers(tmp_path, cluster, NOLA_WRITES_PER_MINUTE="1") as pair:  # ten at once
        for number in range(12):
            pair[number % 2].request("PUT", "/api/state/Fast", str(number).encode())

        for server in pair:
            wait_for(lambda server=server: server.request("PUT", "/api/state/Fast", b'"more"')[0] == 429)


def test_streams_are_bounded_at_each_server(cluster, tmp_path):
    with running_servers(tmp_path, cluster, NOLA_STREAMS_PER_KEY="1") as (one, other):
        streams = [Stream(server) for server in (one, other, one, other)]

        assert [stream.status for stream in streams] == [200, 200, 503, 503]
        for stream in streams:
            stream.connection.close()


# What they do by themselves


def test_what_is_due_is_made_by_one_and_by_the_other_once_that_is_gone(cluster, tmp_path):
    def make_due():
        (data / "db" / "schedule").write_text(json.dumps({"checkpoint": {**LONG_AGO, "seq": next(seqs)}}))

    def kept():
        return sorted((data / "checkpoints").glob("auto-*-scheduled*"))

    seqs = iter((0, -1, -2))
    with running_servers(tmp_path, cluster, NOLA_BACKUP_HOURS="0") as pair:
        data = pair[0].data
        make_due()
        wait_for(kept)
        time.sleep(5)  # two more rounds: nothing has changed, so nothing more is made
        assert len(kept()) == 1
        for number, (dies, stays) in enumerate([pair, pair[::-1]], start=2):
            dies.kill()
            stays.request("PUT", "/api/state/Due", str(number).encode())
            make_due()
            wait_for(lambda number=number: len(kept()) == number)
            dies.start()


# Starting


def test_servers_that_start_at_once_on_a_new_database_make_it_once(cluster, tmp_path):
    with closing_all(make_servers(tmp_path, make_database(cluster), 3, NOLA_API_KEY="")) as servers:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(Server.start, servers))
        key = (servers[0].data / "db" / "api-key").read_text().strip()

        found = {server.request("GET", "/api/state", key=key)[1:2] for server in servers}
        head = servers[0].request("GET", "/api/state", key=key)[2]["nola-revision"]

    assert (len(found), head) == (1, "1")


@pytest.mark.parametrize(("name", "given"), [("elsewhere", {}), ("data", {"NOLA_SECRET_KEY": "another"})])
def test_a_server_with_another_key_is_refused(pair, name, given):
    url = pair[0].settings["DATABASE_URL"]

    refused = manage(pair[0].data.with_name(name), "serve", port=free_port(), DATABASE_URL=url, **given)

    assert refused.returncode == 1
    assert "another server that uses this database signs with another key" in refused.stderr
    assert "NOLA_SECRET_KEY" in refused.stderr


def test_a_server_with_another_data_directory_is_refused_until_the_first_is_gone(cluster, tmp_path):
    url, key = make_database(cluster), {"NOLA_SECRET_KEY": "one for all of them"}
    servers = make_servers(tmp_path, url, 1, **key) + make_servers(tmp_path / "moved", url, 1, **key)
    with closing_all(servers) as (one, moved):
        one.start()

        refused = manage(moved.data, "serve", port=free_port(), DATABASE_URL=url, **key)

        assert refused.returncode == 1
        assert "another server that uses this database has another data directory" in refused.stderr
        one.kill()
        moved.start()
        assert moved.request("GET", "/api/state")[0] == 200
