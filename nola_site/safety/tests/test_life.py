"""A server's life: the first run, later runs, sudden deaths, and what it refuses to start with."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.server import PASSWORD, ROOT, Server, environment, free_port, manage, running

pytestmark = pytest.mark.process


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def test_the_first_run_makes_everything_and_says_so_once(data):
    with running(data, fresh=True, NOLA_API_KEY="", NOLA_ADMIN_PASSWORD="") as server:
        first = server.output()
        key = (data / "db" / "api-key").read_text().strip()
        password = (data / "db" / "admin-password").read_text().strip()
        assert f"http://127.0.0.1:{server.port}" in first
        for shown in ["admin user      admin", f"admin password  {password}", f"API key         {key}"]:
            assert first.count(shown) == 1
        state = json.loads(server.request("GET", "/api/state", key=key)[1])
        assert list(state) == ["Context", "Identity", "Persona"]
        server.stop()
        server.start()

        assert server.output().count(password) == server.output().count(key) == 1
        assert server.request("GET", "/api/state", key=key)[2]["nola-revision"] == "1"
    for name in ["secret-key", "admin-password", "api-key"]:
        assert (data / "db" / name).stat().st_mode & 0o777 == 0o600
    assert (data / "db").stat().st_mode & 0o777 == 0o700


def test_a_secret_from_the_settings_holds_and_is_written_nowhere(data):
    with running(data, fresh=True) as server:
        assert server.request("GET", "/api/state")[0] == 200
        server.stop()
    with running(data, fresh=True, NOLA_API_KEY="nola_another-key-for-tests") as server:
        assert server.request("GET", "/api/state")[0] == 401
        assert server.request("GET", "/api/state", key="nola_another-key-for-tests")[0] == 200
        assert PASSWORD not in server.output()
    assert not (data / "db" / "api-key").exists()
    assert not (data / "db" / "admin-password").exists()


def test_an_empty_key_file_opens_nothing(data):
    (data / "db").mkdir(parents=True)
    (data / "db" / "api-key").touch()
    (data / "db" / "secret-key").touch()

    with running(data, fresh=True, NOLA_API_KEY="") as server:
        assert server.request("GET", "/api/state", key="")[0] == 401
        assert server.request("GET", "/api/state", key=(data / "db" / "api-key").read_text().strip())[0] == 200
        assert "its database is gone" in server.output()


def test_the_password_file_goes_once_the_password_changes(data):
    with running(data, fresh=True, NOLA_ADMIN_PASSWORD=""):
        pass
    assert (data / "db" / "admin-password").exists()

    change = (
        "from django.contrib.auth.models import User as U; u = U.objects.get(); u.set_password('new-one-123'); u.save()"
    )
    manage(data, "shell", "-c", change, NOLA_ADMIN_PASSWORD="")

    assert not (data / "db" / "admin-password").exists()


def test_everything_is_there_after_a_sudden_death(data):
    with running(data) as server:
        for number in range(20):
            assert server.request("PUT", f"/api/state/Log/{number}", b'"written"')[0] == 201
        server.kill()
        server.start()

        assert len(json.loads(server.request("GET", "/api/state/Log")[1])) == 20
        assert server.request("DELETE", "/api/state/Identity")[0] == 204
        server.kill()
        server.start()

        status, _, headers = server.request("GET", "/api/state")
        assert (status, headers["nola-revision"]) == (200, "22")
        assert server.request("GET", "/api/state/Identity")[0] == 404


def test_a_server_whose_master_alone_was_killed_can_be_started_again_at_once(data):
    with running(data) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()

        server.start()

        assert server.request("GET", "/api/state/Identity/name")[1] == b'"Nola"'


def test_acknowledged_writes_survive_a_kill_under_load(data):
    with running(data) as server:
        for round_number in range(3):
            writers = [writer(server, f"{round_number}-{number}") for number in range(4)]
            for number in range(4):
                while server.request("GET", f"/api/state/Load{round_number}-{number}")[0] != 200:
                    assert writers[number].poll() is None
                    time.sleep(0.1)
            time.sleep(0.5)
            server.kill()
            acknowledged = [int(process.communicate()[0].split()[-1]) for process in writers]
            server.start()

            for number, last in enumerate(acknowledged):
                stored = json.loads(server.request("GET", f"/api/state/Load{round_number}-{number}")[1])
                assert last > 0
                assert stored["n"] in (last, last + 1)  # the one in flight may have made it
        head = int(server.request("GET", "/api/state")[2]["nola-revision"])
    code = "from state.models import Revision as R; print(R.objects.count(), R.objects.order_by('seq').last().seq)"
    assert manage(data, "shell", "-v", "0", "-c", code).stdout.split() == [str(head), str(head)]


def writer(server: Server, name: str) -> subprocess.Popen:
    """A process that counts a leaf up until the server dies, and prints the last number that was acknowledged."""
    code = f"""
import http.client, sys
from tests.server import KEY
done = 0
try:
    connection = http.client.HTTPConnection("127.0.0.1", {server.port}, timeout=20)
    while True:
        connection.request("PUT", "/api/state/Load{name}/n", str(done + 1), {{"Authorization": "Bearer " + KEY}})
        response = connection.getresponse()
        response.read()
        if response.status not in (200, 201):
            sys.exit(f"status {{response.status}}")
        done += 1
except (OSError, http.client.HTTPException):
    print(done)
"""
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_writers_in_several_processes_lose_nothing(data):
    with running(data) as server:
        code = """
import http.client, sys
from tests.server import KEY
port, name = int(sys.argv[1]), sys.argv[2]
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
for number in range(40):
    connection.request("PUT", f"/api/state/Shared/{name}/{number}", "1", {"Authorization": "Bearer " + KEY})
    response = connection.getresponse()
    response.read()
    assert response.status == 201, response.status
"""
        command = [sys.executable, "-c", code, str(server.port)]
        writers = [subprocess.Popen([*command, f"w{number}"], cwd=ROOT) for number in range(6)]
        assert [process.wait(timeout=120) for process in writers] == [0] * 6

        shared = json.loads(server.request("GET", "/api/state/Shared")[1])
        assert {name: len(members) for name, members in shared.items()} == {f"w{number}": 40 for number in range(6)}


@pytest.mark.sqlite
def test_a_second_server_on_the_directory_stops_with_the_pid_of_the_first(data):
    with running(data) as server:
        second = manage(data, "serve", port=free_port(), fresh=True)

        assert second.returncode == 1
        assert f"another server (pid {server.process.pid}) is using {data}" in second.stderr
        assert server.request("GET", "/api/state")[0] == 200


def test_a_port_in_use_is_named_with_the_way_out(data):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = manage(data, "serve", port=port, fresh=True)

    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in result.stderr
    assert "set NOLA_PORT" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOLA_PORT", "eighty"),
        ("NOLA_PORT", "70000"),
        ("NOLA_WORKERS", "0"),
        ("NOLA_THREADS", "1"),
        ("NOLA_MAX_BODY_MB", "-1"),
        ("NOLA_STREAMS", "0"),
        ("NOLA_STREAMS_PER_KEY", "many"),
        ("NOLA_WRITES_PER_MINUTE", "-5"),
        ("NOLA_TIME_ZONE", "Mars/Olympus"),
        ("NOLA_PUBLIC_URL", "nola.example"),
        ("NOLA_API_KEY", "short"),
        ("NOLA_DATA_DIR", __file__),
        ("NOLA_HOST", "not an address"),
        ("NOLA_PUBLIC_URL", "https://user:pass@nola.example"),
        ("NOLA_PUBLIC_URL", "https://nola.example:99999"),
        ("NOLA_DATADIR", "/tmp"),
    ],
)
def test_a_wrong_setting_stops_the_start_by_its_name(data, name, value):
    env = environment(data, free_port(), **{name: value})
    result = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=30
    )

    assert result.returncode == 1
    assert name in result.stderr
    assert "Traceback" not in result.stderr
    assert not (data / "db" / "nola.sqlite3").exists()


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path):
    if os.geteuid() == 0:
        folder = "/proc/nola"  # nothing else is read-only for root
    else:
        folder = str(tmp_path / "locked" / "data")
        (tmp_path / "locked").mkdir(mode=0o500)

    result = manage(tmp_path, "serve", fresh=True, NOLA_DATA_DIR=folder)

    assert result.returncode == 1
    assert f"the data directory {folder} cannot be written" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.sqlite
def test_a_damaged_database_is_left_as_it_is(data):
    (data / "db").mkdir(parents=True)
    (data / "db" / "nola.sqlite3").write_bytes(b"this is not a database" * 100)

    result = manage(data, "serve", fresh=True)

    assert result.returncode == 1
    assert "nola.sqlite3 is not a SQLite database. It was left as it is" in result.stderr
    assert "Traceback" not in result.stderr
    assert (data / "db" / "nola.sqlite3").read_bytes() == b"this is not a database" * 100


def test_sigterm_ends_the_server_soon(data):
    with running(data, fresh=True) as server:
        server.request("HEAD", "/api/state")
        assert server.stop() == 0
        assert not re.search("Traceback|ERROR|WARNING", server.output())
