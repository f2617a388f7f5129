"""Standard input and output: nothing but messages, an answer to every line, an end with whoever started it."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.utils import timezone

from access.models import ApiKey
from nola_site.mcp.offer import NOLA
from nola_site.mcp.stdio import StdioServer
from nola_site.mcp.tests.talking import META
from nola_site.safety import reads
from state.models import Change, Revision
from tests.server import ROOT, environment, lay, running, started

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tester", "version": "3"}}


def line(method, id_=None, **params):
    head = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(head if id_ is None else head | {"id": id_}).encode() + b"\n"


def tool(id_, name, **arguments):
    return line("tools/call", id_, name=name, arguments=arguments)


class Output(io.BytesIO):
    @property
    def messages(self):
        return [json.loads(one) for one in self.getvalue().splitlines()]


@pytest.fixture
def serve(db, monkeypatch):
    """What is answered to some lines, in this process."""
    monkeypatch.setattr("nola_site.mcp.stdio.explain_missing", lambda: "")
    monkeypatch.setattr("nola_site.mcp.stdio.identify_database", lambda: (0, 0))
    monkeypatch.setattr(threading.Thread, "start", lambda self: self.run())  # all is read before the first answer

    def run(*lines, key=None):
        output = Output()
        server = StdioServer(NOLA, key, io.BytesIO(b"".join(lines)), output)
        server.read.maxsize = 0
        server.serve()
        return output.messages

    return run


def test_each_line_has_its_answer_in_turn(serve):
    answers = serve(
        line("initialize", 1, **HELLO), line("notifications/initialized"), line("ping", "two"), tool(3, "read")
    )

    assert [one["id"] for one in answers] == [1, "two", 3]
    assert answers[2]["result"]["structuredContent"] == {"value": {}, "revision": 0}


@pytest.mark.parametrize(
    "broken",
    [
        b"{bad",
        b"\xff",
        b"nonsense",
        b"[]",
        b"7",
        b'{"id":1}',
        b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
        b"[" * 5000,
    ],
)
def test_a_line_that_is_no_message_has_an_answer_too(serve, broken):
    answers = serve(broken + b"\n", line("ping", 2))

    assert "error" in answers[0]
    assert answers[1] == {"jsonrpc": "2.0", "id": 2, "result": {}}


def test_a_last_line_without_an_end_is_answered(serve):
    assert [one["id"] for one in serve(line("ping", 1).rstrip())] == [1]


def test_empty_lines_are_nothing(serve):
    assert serve(b"\n", b"  \n", b"\r\n") == []


def test_a_line_that_is_too_long_is_answered_and_the_next_one_read(serve, monkeypatch):
    monkeypatch.setattr("nola_site.mcp.stdio.MOST_MB", 1)

    answers = serve(tool(1, "write", pointer="/A", value="x" * (1 << 21)), line("ping", 2))

    assert "the line has more than 1,048,576 bytes" in answers[0]["result"]["content"][0]["text"]
    assert [one["id"] for one in answers] == [1, 2]


def test_a_request_that_is_cancelled_before_its_turn_is_not_done(serve):
    answers = serve(
        tool(1, "write", pointer="/A", value=1),
        tool(2, "write", pointer="/B", value=1),
        line("notifications/cancelled", requestId=2),
        tool(2, "write", pointer="/C", value=1),
    )

    assert [one["id"] for one in answers] == [1, 2]
    assert [*Change.objects.order_by("id").values_list("key", flat=True)] == ["A", "C"]


def test_both_sorts_of_revision_are_spoken_on_one_wire(serve):
    old, new = serve(line("tools/list", 1), line("tools/list", 2, _meta=META))

    assert "resultType" not in old["result"]
    assert new["result"]["resultType"] == "complete"


def test_what_was_asked_for_is_counted_at_the_end(serve, settings, tmp_path, monkeypatch):
    settings.NOLA_DB_DIR = tmp_path
    monkeypatch.setattr(reads, "_counts", {})  # other tests have been counted in it
    serve(tool(1, "read"), tool(2, "context"))

    assert reads.read_counts(timezone.localdate()) == {reads.WHOLE: 2}


def test_whoever_runs_it_writes_as_themselves_with_the_client_beside_it(serve, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "ada")

    serve(line("initialize", 1, **HELLO), tool(2, "write", pointer="/A", value=1, reason="because"))

    row = Revision.objects.get()
    assert (row.actor, row.source, row.reason, row.info) == ("cli:ada", "mcp", "because", {"client": "tester 3"})


def test_a_key_is_come_in_as_by_its_name(serve, make_key):
    make_key("nola_some-key-000000000000", "planner", ("read",))

    read, write = serve(tool(1, "read"), tool(2, "write", pointer="/A", value=1), key="planner")

    assert not read["result"]["isError"]
    assert "The API key 'planner' may neither write the state" in write["result"]["content"][0]["text"]


@pytest.mark.parametrize("name", ["nobody", "planner"])
def test_a_key_that_is_none_or_was_revoked_opens_nothing(serve, make_key, name):
    make_key("nola_some-key-000000000000", "planner")
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")

    [read] = serve(tool(1, "read"), key=name)

    assert f"there is no API key {name!r}" in read["result"]["content"][0]["text"]


def test_a_listener_hears_of_what_changes(serve, monkeypatch):
    output = Output()
    server = StdioServer(NOLA, None, io.BytesIO(), output)
    wanted = {"resourceSubscriptions": ["nola://state/A"], "resourcesListChanged": True}
    server._answer(line("subscriptions/listen", "s", _meta=META, notifications=wanted))
    for number, pointer in enumerate(["/A", "/A/b", "/B"]):
        server._answer(tool(number, "write", pointer=pointer, value={}))
        server.listeners.look()
    server._answer(line("notifications/cancelled", requestId="s"))
    server._answer(tool(9, "write", pointer="/A", value=2))
    server.listeners.look()

    told = [one for one in output.messages if "method" in one]
    assert told[0]["params"]["notifications"] == wanted
    assert [one["method"].removeprefix("notifications/resources/") for one in told[1:]] == [
        "updated", "list_changed", "updated", "list_changed",
    ]  # fmt: skip
    assert {one["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] for one in told} == {"s"}
    assert told[1]["params"]["uri"] == "nola://state/A"


def test_a_listener_whose_key_is_revoked_hears_the_end(serve, make_key):
    make_key("nola_some-key-000000000000", "planner")
    output = Output()
    server = StdioServer(NOLA, "planner", io.BytesIO(), output)
    wanted = {"resourceSubscriptions": ["nola://state/A"]}
    server._answer(line("subscriptions/listen", "s", _meta=META, notifications=wanted))
    server._answer(tool(1, "write", pointer="/A", value=1))
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")

    server.listeners.look()

    last = output.messages[-1]
    assert (last["id"], last["result"]["resultType"]) == ("s", "complete")
    assert not any(one.get("method") == "notifications/resources/updated" for one in output.messages)


# Processes of its own


def start(data, *arguments, fresh=False, **streams):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    env = environment(data, 8000)
    env.pop("NOLA_DATA_DIR")  # as clients start it
    return started("manage.py", "mcp", "--data", str(data), *arguments, env=env, fresh=fresh, **pipes)


@pytest.fixture
def data(tmp_path):
    lay(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.process
def test_nothing_but_messages_goes_out_and_it_ends_with_its_input(data):
    with start(data, fresh=True) as process:
        output, errors = process.communicate(
            line("initialize", 1, **HELLO) + tool(2, "read", pointer="/Identity/name"), timeout=60
        )

    answers = [json.loads(one) for one in output.splitlines()]
    assert [one["id"] for one in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["value"] == "Nola"
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.process
def test_the_first_answer_needs_no_django():
    """What takes long is not imported for it: the promise of a quick start, without a clock."""
    script = (
        "import sys; from nola_site.mcp import stdio\n"
        "import io\n"
        "out = io.BytesIO()\n"
        "server = stdio.StdioServer(stdio.NOLA, None, io.BytesIO(), out)\n"
        f"server._answer({line('initialize', 1, **HELLO)!r}); server._answer({line('tools/list', 2)!r})\n"
        "assert len(out.getvalue().splitlines()) == 2\n"
        "slow = {'django.db', 'django.conf', 'ninja', 'pydantic', 'asyncio'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.process
def test_the_tools_need_neither_the_api_nor_the_pages(data):
    script = (
        "import django, sys; django.setup(); from nola_site.mcp import memory\n"
        "heavy = {'ninja', 'pydantic', 'nola_site.urls', 'nola_site.api', 'unfold.admin'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    env = environment(data, 8000, DJANGO_SETTINGS_MODULE="nola_site.settings")

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.sqlite
@pytest.mark.process
def test_where_there_is_no_memory_it_says_so_on_both_ways(tmp_path):
    with start(tmp_path / "nothing") as process:
        output, errors = process.communicate(line("initialize", 1, **HELLO) + tool(2, "read"), timeout=60)

    hello, read = (json.loads(one) for one in output.splitlines())
    assert "result" in hello
    assert read["result"]["isError"]
    assert f"there is no memory in {tmp_path / 'nothing'}" in read["result"]["content"][0]["text"]
    assert errors.decode().count("\n") == 1
    assert errors.decode().startswith("nola: there is no memory in ")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.sqlite
@pytest.mark.process
def test_where_the_database_was_replaced_nothing_is_written_and_it_ends(data):
    database = data / "db" / "nola.sqlite3"
    with start(data) as process:
        process.stdin.write(tool(1, "write", pointer="/A", value=1))
        process.stdin.flush()
        assert not json.loads(process.stdout.readline())["result"]["isError"]
        shutil.copyfile(database, data / "other")
        os.replace(data / "other", database)
        output, _ = process.communicate(tool(2, "write", pointer="/B", value=1) + tool(3, "read"), timeout=60)

    [answer] = output.splitlines()
    assert json.loads(answer)["result"]["isError"]
    assert "the database was replaced" in answer.decode()


@pytest.mark.process
def test_it_ends_when_who_started_it_is_gone(data, tmp_path):
    """Its input stays open, as if somebody else held the other end."""
    read_end, write_end = os.pipe()
    os.write(write_end, line("initialize", 1, **HELLO))
    script = f"""if True:
        import subprocess, sys
        command = [sys.executable, "manage.py", "mcp", "--data", {str(data)!r}]
        child = subprocess.Popen(command, stdin={read_end}, stdout=subprocess.PIPE)
        child.stdout.readline()
        print(child.pid)
    """
    command = [sys.executable, "-c", script]
    parent = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, pass_fds=[read_end], timeout=60, check=True)
    try:
        wait_until(lambda: not is_running(int(parent.stdout)))
    finally:
        os.close(write_end)
        os.close(read_end)


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid):
    try:
        state = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]  # noqa: SIM115
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.process
def test_two_processes_and_the_server_keep_every_write(data):
    with running(data) as server, start(data) as one, start(data) as two:
        for name, process in (("one", one), ("two", two)):
            writes = (tool(number, "write", pointer=f"/Both/{name}{number}", value=number) for number in range(20))
            process.stdin.write(b"".join(writes))
            process.stdin.flush()
        for number in range(20):
            assert server.request("PUT", f"/api/state/Both/three{number}", b"1")[0] == 201
        answers = [
            json.loads(answer) for process in (one, two) for answer in process.communicate(timeout=60)[0].splitlines()
        ]

        assert len(answers) == 40
        assert not any(answer["result"]["isError"] for answer in answers)
        assert len(json.loads(server.request("GET", "/api/state/Both")[1])) == 60
        assert one.returncode == two.returncode == 0


@pytest.mark.process
def test_a_client_killed_in_the_middle_of_a_write_leaves_all_of_it_or_nothing(data):
    operations = [{"op": "add", "pointer": f"/K{number}", "value": "x" * 1000} for number in range(100)]
    with running(data) as server:
        for _ in range(3):
            before = int(server.request("GET", "/api/state")[2]["nola-revision"])
            with start(data) as process:
                process.stdin.write(line("initialize", 1, **HELLO))
                process.stdin.flush()
                process.stdout.readline()
                writes = [
                    tool(number, "edit", operations=[{**one, "value": number} for one in operations])
                    for number in range(50)
                ]
                process.stdin.write(b"".join(writes))
                process.stdin.flush()
                wait_until(lambda: int(server.request("GET", "/api/state")[2]["nola-revision"]) > before)  # noqa: B023
                os.kill(process.pid, signal.SIGKILL)
                process.communicate(timeout=60)
            state = json.loads(server.request("GET", "/api/state")[1])
            assert len({state[f"K{number}"] for number in range(100)}) == 1
        assert server.request("PUT", "/api/state/After", b"1")[0] == 201
