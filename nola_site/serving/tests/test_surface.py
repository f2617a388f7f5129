"""What whoever comes by gets to see, on the wire: headers on every answer, and a plain word for what is no HTTP."""

import contextlib
import itertools
import json
import re
import socket
import threading
import time
from collections import Counter

import pytest

from nola_site.serving import protocol
from tests.server import GUNICORN, KEY, PASSWORD, Server, manage, running

pytestmark = pytest.mark.process

AUTH = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n"
GUARDS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.fixture(scope="module")
def wsgi(tmp_path_factory):
    with running(tmp_path_factory.mktemp("wsgi") / "data", *GUNICORN) as server:
        yield server


def read(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, body


def send(server: Server, method: str, path: str, *headers: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    lines = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", *headers, "Connection: close"))
    return read(server.raw(lines.encode() + b"\r\n" + body))


def post(server: Server, path: str, headers: list[str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """As `send`, for an answer that may take its time."""
    with contextlib.closing(server.connect()) as connection:
        connection.request("POST", path, body, dict(line.split(": ", 1) for line in headers))
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def check_guards(headers: dict[str, str]) -> None:
    assert {name: headers.get(name) for name in GUARDS} == GUARDS
    assert "script-src 'self'" in headers["content-security-policy"].split("; ")


ANSWERS = [
    ("GET", "/healthz", "Host: localhost", 200),
    ("GET", "/readyz", "Host: localhost", 200),
    ("GET", "/static/nola/tokens.css", "Host: localhost", 200),
    ("GET", "/static/nola/nothing.css", "Host: localhost", 404),
    ("GET", "/nothing", "Host: localhost", 404),
    ("GET", "/", "Host: localhost", 302),
    ("GET", "/admin/", "Host: localhost", 302),
    ("GET", "/api/docs", "Host: localhost", 200),
    ("GET", "/api/nothing", "Host: localhost", 404),
    ("GET", "/api/nothing", AUTH.strip(), 404),
    ("GET", "/api/state", "Host: localhost", 401),
    ("GET", "/api/state/Identity/name", AUTH.strip(), 200),
    ("GET", "/api/state", AUTH.strip(), 200),
    ("POST", "/api/state/Identity", AUTH.strip(), 405),
    ("GET", "/healthz", "Host: evil.example", 200),
    ("GET", "/readyz", "Host: evil.example", 400),
    ("GET", "/api/state", "Host: evil.example", 400),
    ("PUT", "/api/state/X", AUTH + "Content-Length: 99999999999999999999999", 400),
    ("PUT", "/api/state/X", AUTH + "Content-Length: -1", 400),
    ("GET", "/" + "x" * 9000, "Host: localhost", 414),
    ("GET", "/healthz", "X: " + "x" * 9000, 431),
    ("G T", "/healthz", "Host: localhost", 400),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), ANSWERS, ids=lambda one: str(one)[:40])
def test_every_answer_has_the_headers_that_guard_a_browser(server, method, path, headers, status):
    found, answered, _ = send(server, method, path, headers)

    assert found == status
    check_guards(answered)


def test_only_pages_of_the_theme_may_evaluate(server):
    _, headers, page = send(server, "GET", "/admin/login/", "Host: localhost")

    assert "script-src 'self' 'unsafe-eval'" in headers["content-security-policy"].split("; ")
    assert headers["x-frame-options"] == "DENY"
    assert not re.search(rb"<script(?![^>]*\bsrc=)", page)
    assert not re.search(rb"<[a-z]+[^>]* on[a-z]+=", page)


def test_a_browser_keeps_no_answer_and_a_key_gets_what_it_always_did(server):
    assert send(server, "GET", "/api/state", "Host: localhost")[1]["cache-control"] == "no-store"
    assert "no-store" in send(server, "GET", "/admin/login/", "Host: localhost")[1]["cache-control"]
    assert "cache-control" not in send(server, "GET", "/api/state", AUTH.strip())[1]
    assert "cache-control" not in send(server, "GET", "/api/state/Identity/name", AUTH.strip())[1]


# What is no HTTP


LENGTHS = ["-1", "+1", "1x", "0x10", "", "1, 2", "9" * 20, "1" + "0" * 30, "9" * 5000, "1\r\nContent-Length: 2"]


@pytest.mark.parametrize("length", LENGTHS, ids=lambda text: repr(text[:12]))
def test_an_absurd_length_is_answered_with_400(server, length):
    head = f"PUT /api/state/Absurd HTTP/1.1\r\n{AUTH}Content-Length: {length}\r\n\r\n"

    status, headers, body = read(server.raw(head.encode() + b"1"))

    assert (status, headers["content-type"], headers["connection"]) == (400, "application/problem+json", "close")
    assert json.loads(body)["detail"]
    assert server.request("GET", "/api/state/Absurd")[0] == 404


@pytest.mark.parametrize("which", ["server", "wsgi"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
def test_a_body_that_came_compressed_is_refused_by_name(request, which, encoding):
    server = request.getfixturevalue(which)

    status, headers, body = send(
        server, "PUT", "/api/state/Packed", AUTH + f"Content-Encoding: {encoding}", "Content-Length: 3", body=b"123"
    )

    assert (status, headers["content-type"]) == (415, "application/problem+json")
    assert f"Content-Encoding: {encoding}" in json.loads(body)["detail"]
    check_guards(headers)
    assert server.request("GET", "/api/state/Packed")[0] == 404


def test_identity_is_no_compression(server):
    plain = "Content-Encoding: identity"

    assert send(server, "PUT", "/api/state/Plain", AUTH + plain, "Content-Length: 1", body=b"1")[0] in (200, 201)


# Time


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """A server that waits for a request head for two seconds."""
    code = (
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'nola_site.settings'; django.setup();"
        " from nola_site.serving import protocol; protocol.SECONDS = 2;"
        " from django.core.management import call_command; call_command('serve')"
    )
    with running(tmp_path_factory.mktemp("impatient") / "data", "-c", code, fresh=True) as server:
        yield server


def drip(connection: socket.socket, ended: threading.Event) -> None:
    """Send one byte of a header now and then, as one does who means to hold a connection for ever."""
    while not ended.wait(0.1):
        try:
            connection.sendall(b"x")
        except OSError:
            return


@pytest.mark.parametrize("first", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"], ids=["first", "second"])
def test_a_head_that_never_ends_is_let_go(impatient, first):
    ended = threading.Event()
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as connection:
        if first:
            connection.sendall(first)
            assert b"200" in connection.recv(65536)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        dripping = threading.Thread(target=drip, args=(connection, ended))
        dripping.start()
        try:
            status, headers, _ = read(connection.recv(65536))
        finally:
            ended.set()
            dripping.join()

    assert (status, headers["connection"]) == (408, "close")
    check_guards(headers)


@pytest.mark.heavy
def test_one_who_says_nothing_is_let_go_and_one_who_has_spoken_is_not(impatient):
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as silent:
        assert b" 408 " in silent.recv(65536)
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as kept:
        for _ in range(2):
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in kept.recv(65536)
            time.sleep(2.5)  # longer than a head may take: it has not begun


def test_a_slow_body_may_take_longer_than_a_head(impatient):
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as connection:
        connection.sendall(f"PUT /api/state/Slow HTTP/1.1\r\n{AUTH}Content-Length: 4\r\n\r\n12".encode())
        time.sleep(2.5)
        connection.sendall(b"34")
        assert b" 201 " in connection.recv(65536)


def test_a_head_has_as_long_as_a_body():
    assert protocol.SECONDS == 20


# The log


def test_wrong_hosts_are_one_line_without_a_traceback(tmp_path):
    with running(tmp_path / "data", NOLA_WORKERS="1") as server:
        for number in range(20):
            assert send(server, "GET", "/readyz", f"Host: evil{number}.example")[0] == 400
        output = server.output()

    assert output.count(".example") == 2  # the name, twice in one line
    assert "NOLA_ALLOWED_HOSTS" in output
    assert "Traceback" not in output


# The image


def test_djangos_own_check_of_a_deployment_finds_nothing(tmp_path):
    result = manage(
        tmp_path / "data", "check", "--deploy", "--fail-level", "DEBUG", NOLA_PUBLIC_URL="https://nola.example.org"
    )

    assert (result.returncode, result.stderr) == (0, "")


def test_behind_https_a_browser_is_told_to_stay_there(tmp_path):
    with running(tmp_path / "data", NOLA_PUBLIC_URL="https://nola.example.org") as server:
        host = "Host: nola.example.org"
        _, by_proxy, _ = send(server, "GET", "/admin/login/", host, "X-Forwarded-Proto: https")
        _, direct, _ = send(server, "GET", "/admin/login/", "Host: localhost")

    assert by_proxy["strict-transport-security"] == "max-age=2592000"
    assert "secure" in by_proxy["set-cookie"].lower()
    assert "strict-transport-security" not in direct


# Signing in


def test_thirty_sign_ins_at_once_hold_up_no_writer_and_not_the_owner(tmp_path):
    public = "https://nola.example.org"
    with running(tmp_path / "data", NOLA_THREADS="4", NOLA_PUBLIC_URL=public) as server:
        proxied = ["Host: nola.example.org", f"Origin: {public}", "X-Forwarded-Proto: https"]
        _, headers, page = send(server, "GET", "/admin/login/", *proxied)
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1].decode()
        form = ["Content-Type: application/x-www-form-urlencoded", f"Cookie: {headers['set-cookie'].partition(';')[0]}"]
        ended, statuses, addresses = threading.Event(), Counter(), itertools.count(1)

        def sign_in(name: str, password: str) -> tuple[int, dict[str, str], bytes]:
            """From an address that nobody has come from yet, so that no wait spares the server the work."""
            body = f"csrfmiddlewaretoken={token}&username={name}&password={password}".encode()
            address = "X-Forwarded-For: 10.{}.0.{}".format(*divmod(next(addresses), 250))
            sent = [*proxied, *form, address]
            return post(server, "/admin/login/", sent, body)

        def guess(number: int) -> None:
            while not ended.is_set():
                status, headers, _ = sign_in(f"name{number}-{next(addresses)}", "wrong")
                statuses[status] += 1
                assert status == 200 or headers["retry-after"]
                ended.wait(0 if status == 200 else 0.2)  # they come back sooner than they are asked to

        guessers = [threading.Thread(target=guess, args=(number,)) for number in range(30)]
        for guesser in guessers:
            guesser.start()
        try:
            while not statuses[200] and any(guesser.is_alive() for guesser in guessers):
                time.sleep(0.05)
            written = [server.request("PUT", f"/api/state/W{number}", b"1")[0] for number in range(30)]
            read = [server.request("GET", "/api/state/Identity/name")[0] for _ in range(30)]
            owner = next(status for status in iter(lambda: sign_in("admin", PASSWORD)[0], None) if status != 503)
        finally:
            ended.set()
            for guesser in guessers:
                guesser.join()

        assert (written, read, owner) == ([201] * 30, [200] * 30, 302)
        assert {*statuses} <= {200, 503}
