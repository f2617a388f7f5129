"""A PostgreSQL that goes away, fills up or is locked under a running server: nothing half done, and it comes back."""

import contextlib
import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE

import pytest

from tests.postgres import Cluster
from tests.server import KEY, ROOT, WRITERS, Server, environment, running, started

AWAY = "The database cannot be reached just now; nothing was changed. Try again"
NAP = (  # whoever is kept waits while there is a row in naps
    "CREATE TABLE naps (n int)",
    "CREATE FUNCTION take_nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF EXISTS (SELECT 1 FROM naps) THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END $$",
)
WHILE_WRITING = "CREATE TRIGGER nap BEFORE INSERT ON state_revision FOR EACH ROW EXECUTE FUNCTION take_nap()"
WHILE_KEEPING = (
    "CREATE CONSTRAINT TRIGGER nap AFTER INSERT ON state_revision DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION take_nap()"
)
PAGE = b"GET /admin/ HTTP/1.1\r\nHost: localhost\r\nCookie: nola_session=%b\r\nConnection: close\r\n\r\n" % (b"s" * 32)
NAPPING = "SELECT pid FROM pg_stat_activity WHERE datname = 'nola' AND wait_event = 'PgSleep'"

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def memory(cluster: Cluster, tmp_path_factory):
    """A server on a database "nola" of the cluster."""
    cluster.execute("CREATE DATABASE nola")
    data = tmp_path_factory.mktemp("data")
    with running(data, NOLA_ADMIN_PASSWORD="", NOLA_THREADS="4", DATABASE_URL=cluster.url("nola")) as server:
        yield server


def put(server: Server, key: str, value: object, idempotency: str = "") -> tuple[int, dict, dict[str, str]]:
    """Status, problem and headers of one write."""
    connection = server.connect()
    headers = {"Authorization": f"Bearer {KEY}"} | ({"Idempotency-Key": idempotency} if idempotency else {})
    with contextlib.closing(connection):
        connection.request("PUT", f"/api/state/{key}", json.dumps(value).encode(), headers)
        response = connection.getresponse()
        told = json.loads(response.read())
        sent = {name.lower(): text for name, text in response.getheaders()}
        return response.status, told if isinstance(told, dict) else {}, sent


def wait_for(look, seconds: float = 30):
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def count_revisions(cluster: Cluster, key: str) -> int:
    [(count,)] = cluster.execute(f"SELECT count(*) FROM state_change WHERE key = '{key}'", database="nola")
    return count


def wait_for_more(made: dict) -> None:
    begun = len(made)
    wait_for(lambda: len(made) > begun + 20)


def in_use(server: Server) -> None:
    """Open a connection to the database in each thread."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: server.request("GET", f"/api/changes?limit={1 + number}"), range(40)))


def test_a_database_that_is_away_is_said_at_once_and_comes_back_by_itself(memory, cluster):
    put(memory, "Task", 1)
    in_use(memory)
    cluster.stop()

    began = time.monotonic()
    read, written = memory.request("GET", "/api/state/Task"), put(memory, "Task", 2)
    healthy, ready = memory.request("GET", "/healthz", key=None), memory.request("GET", "/readyz", key=None)
    page = memory.raw(PAGE)
    took = time.monotonic() - began
    cluster.start()
    after = [memory.request("GET", "/api/state/Task") for _ in range(30)] + [put(memory, "Task", 3) for _ in range(30)]

    assert (read[0], json.loads(read[1])["detail"], read[2]["retry-after"]) == (503, AWAY, "2")
    assert (written[0], written[1]["detail"], written[2]["retry-after"]) == (503, AWAY, "2")
    assert healthy[0] == 200
    assert (ready[0], json.loads(ready[1])) == (503, {"status": "failing", "database": "it cannot be reached"})
    assert page.startswith(b"HTTP/1.1 503") and b"This cannot be shown now" in page
    assert took < 20
    assert {answer[0] for answer in after} == {200}


def test_a_server_opens_no_more_connections_than_the_docs_say(memory, cluster):
    workers, threads = 2, 4
    in_use(memory)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(memory, "Task", number), range(40)))

    [(opened,)] = cluster.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = 'nola'")

    assert "`NOLA_WORKERS` × (`NOLA_THREADS` + 5) + 2" in (ROOT / "docs" / "running.md").read_text()
    assert workers + 1 < opened <= workers * (threads + 5) + 2


def test_a_database_that_hangs_does_not_hold_up_what_needs_none(memory, cluster):
    put(memory, "Task", 1)
    in_use(memory)
    postmaster = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    backends = [pid for (pid,) in cluster.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'nola'")]

    with ThreadPoolExecutor(1) as pool:
        try:
            for pid in (postmaster, *backends):
                os.kill(pid, signal.SIGSTOP)
            read = pool.submit(memory.request, "GET", "/api/state/Task")
            healthy = [memory.request("GET", "/healthz", key=None)[0] for _ in range(5)]
            is_waiting = not read.done()
        finally:
            for pid in (*backends, postmaster):
                os.kill(pid, signal.SIGCONT)
        assert read.result(30)[:2] == (200, b"1")

    assert healthy == [200] * 5 and is_waiting


def test_a_restart_between_requests_is_noticed_by_nobody(memory, cluster):
    put(memory, "Task", 1)
    in_use(memory)
    cluster.stop("immediate")
    cluster.start()

    with ThreadPoolExecutor(8) as pool:
        reads = list(pool.map(lambda number: memory.request("GET", f"/api/changes?limit={1 + number}")[0], range(40)))
        writes = list(pool.map(lambda number: put(memory, "Task", number)[0], range(1000, 1040)))
        tools = list(pool.map(lambda number: call_tool(memory, number), range(20)))

    assert set(reads) == {200}
    assert set(writes) == {200}
    assert set(tools) == {False}


def test_a_server_on_standard_input_gets_its_connection_back(memory, cluster):
    put(memory, "Task", 1)
    env = environment(memory.data, 8000, DATABASE_URL=cluster.url("nola"))
    with started("manage.py", "mcp", env=env, stdin=PIPE, stdout=PIPE, text=True) as process:

        def ask(number: int) -> dict:
            process.stdin.write(format_call(number) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())["result"]

        before = ask(1)
        cluster.stop("immediate")
        away = ask(2)
        cluster.start()
        after = ask(3)
        cluster.stop("immediate")
        cluster.start()
        again = ask(4)
        process.stdin.close()

    assert before["isError"] is False and before["structuredContent"] == after["structuredContent"]
    assert (away["isError"], away["structuredContent"]["error"]) == (True, AWAY)
    assert again["structuredContent"] == before["structuredContent"]


def format_call(number: int) -> str:
    asked = {"name": "read", "arguments": {"pointer": "/Task"}}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": asked})


def call_tool(server: Server, number: int) -> bool:
    """Whether a tool has failed."""
    body = format_call(number)
    connection = server.connect()
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        connection.request("POST", "/mcp", body.encode(), headers | {"Accept": "application/json, text/event-stream"})
        return json.loads(connection.getresponse().read())["result"]["isError"]


@contextlib.contextmanager
def napping(cluster: Cluster, trigger: str):
    cluster.execute(*NAP, trigger, database="nola")
    try:
        yield
    finally:
        cluster.execute("DROP TRIGGER nap ON state_revision", "DROP FUNCTION take_nap", "DROP TABLE naps",
                        database="nola")  # fmt: skip


def cut_off(cluster: Cluster, send):
    """The answer to a request whose connection is ended while it naps."""
    cluster.execute("INSERT INTO naps VALUES (1)", database="nola")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(send)
        [(pid,)] = wait_for(lambda: cluster.execute(NAPPING))
        cluster.execute("DELETE FROM naps", database="nola")
        cluster.execute(f"SELECT pg_terminate_backend({pid})")
        return answer.result(30)


def test_a_write_that_is_cut_off_before_it_was_to_be_kept_is_made_on_another_connection(memory, cluster):
    in_use(memory)  # else the one second try may go to a connection that a restart before this has ended
    with napping(cluster, WHILE_WRITING):
        status, _, _ = cut_off(cluster, lambda: put(memory, "Cut", {"n": 1}))

    assert status == 201
    assert count_revisions(cluster, "Cut") == 1


def test_a_write_that_is_cut_off_while_it_is_kept_says_so_and_can_be_sent_again(memory, cluster):
    with napping(cluster, WHILE_KEEPING):
        status, told, headers = cut_off(cluster, lambda: put(memory, "Unsure", {"n": 1}, "once"))
    again, _, _ = put(memory, "Unsure", {"n": 1}, "once")

    assert (status, headers["retry-after"]) == (503, "2")
    assert "it may or may not have been made" in told["detail"] and "Idempotency-Key" in told["detail"]
    assert again == 201
    assert count_revisions(cluster, "Unsure") == 1


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_write_that_another_was_preferred_to_is_made_again(memory, cluster, code):
    in_use(memory)
    cluster.execute(
        "CREATE SEQUENCE tries",  # it counts on, whatever is taken back
        "CREATE FUNCTION cross_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('tries') < 2 THEN"
        f" RAISE EXCEPTION 'another was preferred' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER crossed BEFORE INSERT ON state_change FOR EACH ROW EXECUTE FUNCTION cross_once()",
        database="nola",
    )
    try:
        status, _, _ = put(memory, f"Crossed{code}", 1)
    finally:
        cluster.execute("DROP TRIGGER crossed ON state_change", "DROP FUNCTION cross_once", "DROP SEQUENCE tries",
                        database="nola")  # fmt: skip

    assert (status, count_revisions(cluster, f"Crossed{code}")) == (201, 1)


def test_a_disk_that_is_full_changes_nothing(memory, cluster):
    full = (
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER fill BEFORE INSERT ON state_change FOR EACH ROW EXECUTE FUNCTION fill()",
    )
    cluster.execute(*full, database="nola")
    status, told, headers = put(memory, "Full", 1)
    missing = memory.request("GET", "/api/state/Full")[0]
    cluster.execute("DROP TRIGGER fill ON state_change", "DROP FUNCTION fill", database="nola")

    assert (status, headers["retry-after"]) == (507, "60")
    assert told["detail"] == "The disk is full; nothing was changed. Free some space and try again"
    assert missing == 404
    assert put(memory, "Full", 1)[0] == 201
    assert count_revisions(cluster, "Full") == 1


def test_a_database_that_is_set_to_be_read_still_answers_reads(memory, cluster):
    put(memory, "Task", 1)
    cluster.execute("ALTER DATABASE nola SET default_transaction_read_only = on")
    end_connections(cluster)

    refused, read = put(memory, "Task", 2), memory.request("GET", "/api/state/Task")
    cluster.execute("ALTER DATABASE nola RESET default_transaction_read_only")
    end_connections(cluster)

    assert (refused[0], refused[1]["detail"]) == (503, "The database is read-only here; nothing was changed")
    assert refused[2]["retry-after"] == "60"
    assert read[:2] == (200, b"1")
    assert put(memory, "Task", 2)[0] == 200


def end_connections(cluster: Cluster) -> None:
    cluster.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'nola'")


def test_a_server_that_takes_no_connection_any_more(memory, cluster):
    put(memory, "Task", 1)
    cluster.execute("ALTER DATABASE nola ALLOW_CONNECTIONS false")
    end_connections(cluster)

    refused = put(memory, "Task", 2)
    cluster.execute("ALTER DATABASE nola ALLOW_CONNECTIONS true")

    assert (refused[0], refused[1]["detail"], refused[2]["retry-after"]) == (503, AWAY, "2")
    assert put(memory, "Task", 2)[0] == 200


@pytest.mark.heavy
def test_a_lock_that_somebody_holds_for_long_keeps_writers_for_five_seconds_and_readers_not(memory, cluster):
    import psycopg

    put(memory, "Task", 1)
    with psycopg.connect(cluster.url("nola")) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({WRITERS})")
        began = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            writes = [pool.submit(put, memory, "Task", number) for number in (2, 3)]
            reads = [memory.request("GET", "/api/state/Task")[:2] for _ in range(20)]
            is_waiting = not any(write.done() for write in writes)
            answers = [write.result() for write in writes]
        took = time.monotonic() - began
        other.rollback()

    assert reads == [(200, b"1")] * 20 and is_waiting
    for status, told, headers in answers:
        assert (status, headers["retry-after"]) == (503, "1")
        assert told["detail"] == "The database is busy with another write; nothing was changed. Try again"
    assert 4 < took < 15
    assert put(memory, "Task", 2)[0] == 200


def test_what_was_acknowledged_is_there_once_though_the_database_was_restarted_under_load(memory, cluster):
    made: dict[str, int] = {}
    stop = threading.Event()

    def write(writer: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"Load{writer}-{number}"
            until = time.monotonic() + 60
            while (status := put(memory, name, number, name)[0]) != 201:
                assert status == 503 and time.monotonic() < until, status
                time.sleep(0.05)
            made[name] = number

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, writer) for writer in range(4)]
        for mode in ("fast", "immediate"):
            wait_for_more(made)
            cluster.stop(mode)
            cluster.start()
        wait_for_more(made)
        stop.set()
        for writer in writers:
            writer.result(90)

    found = cluster.execute(
        "SELECT key, count(*) FROM state_change WHERE key LIKE 'Load%' GROUP BY key", database="nola"
    )
    assert dict(found) == dict.fromkeys(made, 1)
