"""docker-compose.scale.yml and its load balancer: what they name is there, and the balancer does what they are for."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import psycopg
import pytest
from django.urls import resolve

from nola_site.serving.sse import HEARTBEAT
from nola_site.serving.tests.streams import Stream
from state.api.changes import MAX_WAIT
from tests.server import KEY, ROOT, TAKEN, free_port
from tests.servers import any_cluster, running_servers

COMPOSE = (ROOT / "docker-compose.scale.yml").read_text()
CONFIG = (ROOT / "haproxy.cfg").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = set(
    re.findall(r"^  (\w+):$", COMPOSE.partition("\nservices:\n")[2].partition("\nvolumes:")[0], re.MULTILINE)
)
SERVERS = re.findall(r"^    server (\w+) (\w+):(\d+)$", CONFIG, re.MULTILINE)


# What is named


def test_each_setting_reaches_the_servers():
    alone = (ROOT / "docker-compose.yml").read_text()

    passed = re.findall(r"^ +(NOLA_\w+): (.*)$", COMPOSE, re.MULTILINE)

    assert passed == re.findall(r"^ +(NOLA_\w+): (.*)$", alone, re.MULTILINE)
    assert re.search(
        r"^    DATABASE_URL: postgres://nola:\S*@postgres:5432/nola$",
        COMPOSE.replace("${POSTGRES_PASSWORD:?Choose a password of letters and digits}", ""),
        re.MULTILINE,
    )


def test_the_balancer_knows_the_servers_by_their_names_and_port():
    assert {"postgres", "balancer", *(name for name, _, _ in SERVERS)} == SERVICES
    assert [host for _, host, _ in SERVERS] == [name for name, _, _ in SERVERS]
    assert {f"EXPOSE {port}" for *_, port in SERVERS} == {*re.findall(r"EXPOSE \d+", DOCKERFILE)}
    assert "./haproxy.cfg:" in COMPOSE
    assert "bind :8000\n" in CONFIG and "NOLA_PORT:-8000}:8000" in COMPOSE


def test_the_balancer_asks_what_is_answered_and_waits_longer_than_a_reader():
    (path,) = re.findall(r"http-check send meth GET uri (\S+)", CONFIG)

    assert resolve(path)
    for side in ("client", "server"):
        assert int(re.search(rf"timeout {side} (\d+)s", CONFIG)[1]) > max(MAX_WAIT, HEARTBEAT)


def test_the_image_takes_what_the_servers_need():
    given = dict(re.findall(r"^      (REQUIREMENTS): (\S+)$", COMPOSE, re.MULTILINE))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    for name, value in given.items():
        assert f"ARG {name}=requirements.txt" in DOCKERFILE and f'--requirement "${name}"' in DOCKERFILE
        assert (ROOT / value).exists() and f"!{value}" in ignored and value in DOCKERFILE
    assert given
    assert "- nola_data:/app/data/" in COMPOSE and "NOLA_DATA_DIR=/app/data" in DOCKERFILE


# What it does


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """Two servers, and the balancer of the configuration before them."""
    if shutil.which("haproxy") is None:
        pytest.skip("NO BALANCER: install haproxy (apt install haproxy) to run the tests of docker-compose.scale.yml")
    folder = tmp_path_factory.mktemp("balancer")
    public = {"NOLA_PUBLIC_URL": "https://nola.example.org", "NOLA_MAX_BODY_MB": "2"}
    with any_cluster() as cluster, running_servers(folder, cluster, **public) as servers:
        port = free_port()
        config = CONFIG.replace("bind :8000", f"bind 127.0.0.1:{port}")
        for (name, host, inner), server in zip(SERVERS, servers, strict=True):
            config = config.replace(f"server {name} {host}:{inner}", f"server {name} 127.0.0.1:{server.port}")
        (folder / "haproxy.cfg").write_text(config)
        process = subprocess.Popen(["haproxy", "-db", "-f", folder / "haproxy.cfg"], stdout=subprocess.DEVNULL)
        try:
            site = SimpleNamespace(servers=servers, port=port)
            wait_for(lambda: ask(site, "GET", "/readyz").status_code == 200)
            yield site
        finally:
            process.kill()
            process.wait()
            TAKEN.pop(port).close()


def wait_for(condition, seconds=30):
    """A generous end for what comes within a few seconds; never a measure of speed."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if condition():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask(site: SimpleNamespace, method: str, path: str, **sent) -> httpx.Response:
    headers = {"Authorization": f"Bearer {KEY}", **sent.pop("headers", {})}
    return httpx.request(method, f"http://127.0.0.1:{site.port}{path}", headers=headers, timeout=60, **sent)


@pytest.mark.process
def test_a_stream_and_a_wait_come_through_as_they_are_said(site):
    ask(site, "PUT", "/api/state/Said", json=0)
    with Stream(site) as stream:
        assert stream.next().kind == "hello"
        for number in range(1, 4):
            made = int(ask(site, "PUT", "/api/state/Said", json=number).headers["nola-revision"])
            assert stream.next().data["revision"] == made  # the stream is still open

    pages = []
    waiting = threading.Thread(
        target=lambda: pages.append(ask(site, "GET", f"/api/changes?since={made}&wait=50").json())
    )
    waiting.start()
    while waiting.is_alive():
        ask(site, "PUT", "/api/state/Said", json=time.time_ns())
        waiting.join(0.2)
    assert pages[0]["revisions"][0]["revision"] == made + 1


@pytest.mark.process
def test_large_bodies_and_answers_pass_and_larger_ones_are_refused_by_nola(site):
    text = json.dumps("x" * (2 * 1024 * 1024 - 2)).encode()

    assert ask(site, "PUT", "/api/state/Large", content=text).status_code == 201
    assert ask(site, "GET", "/api/state/Large").content == text
    refused = ask(site, "PUT", "/api/state/Large", content=text + b" ")
    assert (refused.status_code, "NOLA_MAX_BODY_MB" in refused.text) == (413, True)


@pytest.mark.process
def test_what_a_client_says_of_its_way_here_is_not_believed(site):
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    straight = httpx.get(f"http://127.0.0.1:{site.servers[0].port}/admin/login/", headers=said)
    through = ask(site, "GET", "/admin/login/", headers=said)
    ask(site, "GET", "/api/state", headers={**said, "Authorization": "Bearer nola_wrong"})

    assert "strict-transport-security" in straight.headers
    assert "strict-transport-security" not in through.headers
    with psycopg.connect(site.servers[0].settings["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT DISTINCT address FROM security_log").fetchall() == [("127.0.0.1",)]


@pytest.mark.process
def test_a_server_that_dies_costs_no_more_than_what_it_was_answering(site):
    answers = []
    dies, stays = site.servers
    dies.kill()
    for number in range(30):
        answers.append(ask(site, "PUT", "/api/state/Dying", json=number))
    wait_for(lambda: "nola-revision" in ask(site, "GET", "/api/state").headers)
    dies.start()

    assert {answer.status_code for answer in answers} <= {200, 201, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    assert answers[-1].status_code == 200
    assert stays.request("GET", "/api/state/Dying")[1] == b"29"


@pytest.mark.heavy
@pytest.mark.process
def test_no_server_is_said_as_nola_says_it(site):
    for server in site.servers:
        os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: ask(site, "GET", "/api/state").status_code == 503, seconds=60)
        answer = ask(site, "GET", "/api/state")
    finally:
        for server in site.servers:
            os.killpg(server.process.pid, signal.SIGCONT)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.headers["retry-after"]) == (503, "5")
    wait_for(lambda: ask(site, "GET", "/api/state").status_code == 200)
