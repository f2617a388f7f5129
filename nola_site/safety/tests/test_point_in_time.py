"""A PostgreSQL is taken back to a point in time, with the very settings that docs/safety.md tells."""

import json
import os
import re
import shutil
import subprocess
import time

import pytest

from tests.postgres import find_tools, running_cluster
from tests.server import ROOT, running

pytestmark = [
    pytest.mark.process,
    pytest.mark.heavy,
    pytest.mark.skipif(find_tools() is None, reason="NO POSTGRESQL IS INSTALLED (apt install postgresql)"),
]
TOLD = (ROOT / "docs" / "safety.md").read_text()


@pytest.fixture
def kept(tmp_path):
    """A folder that the server may write to, with the log in it."""
    folder = tmp_path / "mnt"
    (folder / "wal").mkdir(parents=True)
    if os.getuid() == 0:
        for one in (folder, folder / "wal"):
            shutil.chown(one, "postgres")
        for parent in list(folder.parents)[:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder


def test_all_up_to_the_moment_is_there_and_the_memory_goes_on_above_what_is_gone(kept, tmp_path):
    data = tmp_path / "data"
    (data / "db").mkdir(parents=True)
    settings = [one.replace("/mnt", str(kept)) for one in re.findall(r'psql -c "(ALTER SYSTEM .*)"', TOLD)]
    lines = [one.replace("/mnt", str(kept)) for one in re.findall(r'echo "(.*)" >> postgresql.auto.conf', TOLD)]
    assert (len(settings), len(lines)) == (2, 3)
    with running_cluster() as cluster:
        for setting in (*settings, "CREATE DATABASE nola"):
            cluster.execute(setting)
        cluster.stop()
        cluster.start()
        with running(data, DATABASE_URL=cluster.url("nola")) as server:
            write(server, "Before")
            cluster.run("pg_basebackup", "--pgdata", f"{kept}/base", "--checkpoint=fast", "-h", f"{cluster.folder}",
                        "-U", "nola")  # fmt: skip
            write(server, "Since")
            [(moment,)] = cluster.execute("SELECT clock_timestamp()")
            last = write(server, "Wrong")
            server.stop()
        cluster.stop()  # which archives what is left of the log
        shutil.rmtree(cluster.folder / "data")
        copy = ["cp", "-a", f"{kept}/base", f"{cluster.folder}/data"]
        subprocess.run(copy, check=True)
        with (cluster.folder / "data" / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{re.sub(r'2026-01-31 .*00', str(moment), line)}\n" for line in lines)
        signal = cluster.folder / "data" / "recovery.signal"
        signal.touch()
        shutil.chown(signal, (cluster.folder / "data").stat().st_uid)
        cluster.start()
        until = time.monotonic() + 60
        while cluster.execute("SELECT pg_is_in_recovery()") != [(False,)]:
            assert time.monotonic() < until, "it does not come to an end of what it takes in"
            time.sleep(0.1)
        with running(data, DATABASE_URL=cluster.url("nola")) as server:
            found = {name: server.request("GET", f"/api/state/{name}")[0] for name in ("Before", "Since", "Wrong")}
            gone, _, _ = server.request("GET", f"/api/state?at={last}")
            ready = json.loads(server.request("GET", "/readyz")[1])

    assert found == {"Before": 200, "Since": 200, "Wrong": 404}
    assert gone == 410
    assert ready["revision"] == last + 1
    assert f"goes on at revision {last + 1}" in ready["recovered"]["text"]


def write(server, name):
    status, _, headers = server.request("PUT", f"/api/state/{name}", b"1")
    assert status == 201
    return int(headers["nola-revision"])
