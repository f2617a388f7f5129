"""The benchmarks work: on a tiny run, which measures nothing."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from tests.bench import databases, growth, large, load, mixed, on_postgres, servers, targets
from tests.bench.peers import report, side_by_side
from tests.bench.raw_postgres import raw_postgres
from tests.bench.raw_sqlite import raw_sqlite
from tests.bench.servers import Target, repeat
from tests.bench.table import Spread, Table, spread
from tests.postgres import find_tools
from tests.server import KEY, ROOT, Server, environment, manage

TINY = targets.Effort(rounds=1, seconds=0.01, mixed=20)


class Answers(BaseHTTPRequestHandler):
    """Says ok, or what the path asks for; its body is large enough to come in parts."""

    protocol_version = "HTTP/1.1"
    seen: list[str] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        body = b"" if self.path == "/304" else b"x" * 2_000_000
        self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
        self.send_header("Content-Length", "9" if self.path == "/304" else str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    """Waits for the threads it has begun, and says nothing of clients that go away."""

    daemon_threads = False

    def handle_error(self, *ignored: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Answers.seen = []
    with Quiet(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def nola(server: Server) -> Target:
    return Target(server.port, (server.process.pid,), f"Bearer {KEY}")


def test_just_as_many_requests_are_sent_as_asked_for(port):
    found = load.drive(port, [os.getpid()], [repeat(load.request("GET", "/"))] * 3, count=10)

    assert found.requests == len(found.latencies) == len(Answers.seen) == 10


def test_an_answer_without_a_body_is_complete(port):
    found = load.drive(port, [os.getpid()], [repeat(load.request("GET", "/304"))], count=3, expected=(304,))

    assert found.requests == 3


def test_a_wrong_answer_stops_the_run_and_says_which(port):
    with pytest.raises(load.WrongAnswer, match="GET /503: the server answered 503"):
        load.drive(port, [os.getpid()], [repeat(load.request("GET", "/503"))], count=3)


def test_what_fails_beside_us_is_left_out_and_noted(port):
    cases = [
        load.Case(path, lambda seconds, path=path: load.drive(port, [], [repeat(load.request("GET", path))], count=1))
        for path in ("/", "/503")
    ]
    failed: dict[str, str] = {}

    found = load.interleave(cases, rounds=2, seconds=0, failed=failed)

    assert {name: len(loads) for name, loads in found.items()} == {"/": 2}
    assert "answered 503" in failed["/503"]


@pytest.mark.process
def test_the_cpu_of_processes_that_have_ended_counts():
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()

        assert load.cpu_seconds(process.pid) >= 0.3


def test_a_number_is_in_no_other_request():
    requests = load.numbered(load.request("PUT", "/", load.NUMBER))

    assert len({next(requests) for _ in range(5)}) == 5


def test_a_target_says_whether_it_is_met(capsys):
    rows = targets.Targets()

    rows.hold("light", [3, 1, 2], "ms", 2)
    rows.hold("heavy", [3, 6, 9], "ms", 2, [1, 2, 3], "nothing")
    rows.hold("fast", [3, 6, 9], "/s", 2, [1, 2, 3], "nothing", at_least=True)

    assert rows.table.rows == [
        ("light", "2.00 (1.00-3.00) ms", "at most 2.00 ms", "2.00", "yes"),
        ("heavy", "6.00 (3.00-9.00) ms", "at most 2.00 x nothing", "3.00", "NO"),
        ("fast", "6.00 (3.00-9.00) /s", "at least 2.00 x nothing", "3.00", "yes"),
    ]
    assert "| heavy | 6.00 (3.00-9.00) ms | at most 2.00 x nothing | 3.00 | NO |" in rows.table.markdown()
    assert "heavy" in capsys.readouterr().out


def test_reads_and_writes_can_be_measured(server):
    target, rows = nola(server), targets.Targets()
    targets.fill(target)

    targets.reads(rows, TINY, target, target, target, target, target)
    targets.cold_reads(rows, TINY, target)
    targets.writes(rows, TINY, target, None)

    assert len(rows.table.rows) > 15


def test_mixed_requests_are_all_answered(server):
    target = nola(server)
    mixed.fill(target)

    found = load.drive(target.port, target.pids, [mixed.requests(target, 1)], count=26, expected=mixed.STATUSES)

    assert found.requests == 26
    assert all(size > 1 for size in targets.worker_memory(target))


# On PostgreSQL

needs_postgres = pytest.mark.skipif(find_tools() is None, reason="POSTGRESQL IS NOT INSTALLED: apt install postgresql")


@pytest.fixture(scope="module")
def cluster():
    with databases.on_postgres() as cluster:
        yield cluster


@needs_postgres
@pytest.mark.process
def test_pgbench_commits_what_a_write_of_ours_has(cluster):
    with raw_postgres(1, 2) as raw, psycopg.connect(raw.database) as database:
        before = database.execute("SELECT last_seq FROM state_meta").fetchone()[0]
        database.commit()
        done = raw.put(2, 1).requests

        rows = database.execute(
            "SELECT c.key, count(DISTINCT r.seq) FROM state_change c JOIN state_revision r ON r.seq = c.revision"
            " WHERE r.seq > %s GROUP BY c.key ORDER BY c.key", [before],
        ).fetchall()  # fmt: skip
        assert [key for key, _ in rows] == ["Doc0", "Doc1"]
        assert sum(count for _, count in rows) == done
        assert database.execute("SELECT last_seq FROM state_meta").fetchone()[0] == before + done


@pytest.mark.heavy
@needs_postgres
@pytest.mark.process
def test_what_it_costs_on_postgresql_can_be_measured(cluster, capsys):
    with databases.new() as settings, servers.nola(**settings) as (target, data):
        rows = targets.Targets("On PostgreSQL")
        targets.fill(target)

        on_postgres.get(rows, TINY, target)
        on_postgres.feed(rows, 1, data, settings, target)
        on_postgres.append(rows, TINY, target, 10_000)

    assert len(rows.table.rows) == 10
    assert databases.find_pids()


@pytest.mark.heavy
@needs_postgres
@pytest.mark.process
def test_a_large_store_can_be_filled_in_and_measured(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "SECONDS", 0.01)
    with databases.new() as settings:
        with servers.nola(tmp_path / "data", **settings):
            pass
        large.grow(settings["DATABASE_URL"], tmp_path / "data", 0, 2000)

        found = large.measure_calls(tmp_path / "data", settings, 2000)

        assert all(one.median > 0 for one in found.values())
        assert "conversation_history: 2,0" in large.tell_sizes(settings["DATABASE_URL"])


def test_a_database_of_its_own_is_the_file_where_there_is_no_cluster(monkeypatch):
    monkeypatch.setattr(databases, "clusters", [])

    with databases.new() as settings:
        assert settings == {}


# Beside its peers


def loads(*rates: int) -> list[load.Load]:
    return [load.Load(rate, 1.0, [1.0], 0.1) for rate in rates]


def test_every_operation_of_nola_can_be_measured(server):
    group = side_by_side.Group(1, 2, (), messages=10)
    peer = side_by_side.filled(side_by_side.Peer(nola(server), side_by_side.NOLA), group)

    for operation in (*side_by_side.FOUR, side_by_side.UNCHANGED, side_by_side.APPEND, side_by_side.SEARCH):
        assert side_by_side.make(peer, operation, 2)(0.01).requests


def test_what_a_peer_does_not_have_is_left_out():
    peer = side_by_side.Peer(Target(1, ()), side_by_side.EMPTY)

    assert side_by_side.make(peer, side_by_side.GET, 1)
    assert side_by_side.make(peer, side_by_side.PUT, 1) is side_by_side.make(peer, side_by_side.UNCHANGED, 1) is None


def test_a_peer_that_is_faster_in_every_round_is_marked_and_explained():
    ours, faster, torn = loads(9, 10, 11), loads(12, 14, 16), loads(10, 20, 30)
    table = Table("Side by side", "operation")

    side_by_side.explain(table, [("GET key", {"Nola": ours, "TinyDB": faster, "Kinto": torn, "JSON files": loads(1)})])

    assert side_by_side.show_rate(faster, ours) == "**14.0 ±14%**"
    assert side_by_side.show_rate(torn, ours) == "20.0 ±50%"
    assert table.notes[1:] == ["TinyDB, where it is faster: " + side_by_side.WHY["TinyDB"][0]]


def test_raw_sqlite_commits_what_a_write_of_ours_has(tmp_path):
    with raw_sqlite(1) as raw:
        assert raw.drive("put", 0).requests == 1
        assert raw.drive("get", 0).requests == 1
        assert raw.database.execute("SELECT count(*) FROM change JOIN revision ON revision = seq").fetchone() == (1,)


def test_the_page_has_the_machine_and_all_tables(tmp_path):
    table = Table("Side by side", "operation", "Nola")
    table.add("GET key", "1,000")
    table.note("A note.")

    report.write(tmp_path / "benchmarks.md", [("Peers", [table])])

    page = (tmp_path / "benchmarks.md").read_text()
    assert "cores, " in page
    assert "\n\n## Peers\n\n| operation | Nola |\n| --- | --- |\n| GET key | 1,000 |\n\nA note.\n" in page


# As it grows


def test_what_is_worse_than_linear_is_marked():
    counts = (10, 100, 1000)

    assert growth.describe(counts, [spread([1]), spread([1]), spread([1])]) == "n^0.0"
    assert growth.describe(counts, [spread([1]), spread([10]), spread([100])]) == "n^1.0"
    assert growth.describe(counts, [spread([1]), spread([1]), spread([20])]) == "n^0.7 WORSE THAN LINEAR"
    assert growth.describe(counts, [Spread(1, 1, 2), Spread(15, 12, 30), Spread(200, 100, 300)]) == "n^1.2"


def test_costs_can_be_measured_while_they_grow(server, monkeypatch):
    monkeypatch.setattr(growth, "SECONDS", 0.01)
    target = nola(server)
    target.ask(next(growth.batches(target, 0)))

    found = growth.costs(target, GET_of_all=("GET", "/api/state"), PUT=("PUT", "/api/state/Grown", load.NUMBER))

    assert all(one.median > 0 for one in found.values())


@pytest.mark.process
def test_a_history_that_was_filled_in_is_sound(tmp_path):
    command = [sys.executable, "-m", "tests.bench.fill", str(tmp_path / "data"), "600"]
    subprocess.run(command, cwd=ROOT, env=environment(tmp_path / "data", 8000), check=True)

    doctor = manage(tmp_path / "data", "doctor")

    assert "revision 602" in doctor.stdout
    assert doctor.returncode == 0
