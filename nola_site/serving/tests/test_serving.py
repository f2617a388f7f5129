"""What the one port promises, on the wire: whole bodies only, kept connections, and no way to make it stop."""

import json
import re
import select
import socket

import pytest

from tests.server import GUNICORN, KEY, Server, running

pytestmark = pytest.mark.process

AUTH = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n".encode()


def put(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    framing = f"Content-Length: {len(body) if length is None else length}\r\n"
    extra = "".join(f"{header}\r\n" for header in headers)
    return f"PUT /api/state/{path} HTTP/1.1\r\n".encode() + AUTH + framing.encode() + extra.encode() + b"\r\n" + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + AUTH + b"\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.fixture(scope="module")
def wsgi(tmp_path_factory):
    with running(tmp_path_factory.mktemp("wsgi") / "data", *GUNICORN) as server:
        yield server


@pytest.fixture(params=["asgi", "wsgi"])
def either(request) -> Server:
    return request.getfixturevalue("server" if request.param == "asgi" else "wsgi")


def test_a_body_that_ends_before_its_length_is_not_stored(either):
    either.request("PUT", "/api/state/Cut", b"1")

    answer = either.raw(put("Cut", b"123", length=5), close_after_sending=True)

    assert 200 not in statuses(answer)
    assert either.request("GET", "/api/state/Cut")[1] == b"1"


def test_a_chunked_body_is_stored_whole(either):
    head = b"PUT /api/state/Chunked HTTP/1.1\r\n" + AUTH + b"Transfer-Encoding: chunked\r\n\r\n"

    answer = either.raw(head + b"3\r\n[1,\r\n" + b"2\r\n2]\r\n" + b"0\r\n\r\n")

    assert statuses(answer) == [201]
    assert either.request("GET", "/api/state/Chunked")[1] == b"[1,2]"


def test_a_body_over_the_limit_is_refused(either):
    status, body, headers = either.request("PUT", "/api/state/Large", b'"' + b"x" * (16 * 1024 * 1024) + b'"')

    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert "NOLA_MAX_BODY_MB" in json.loads(body)["detail"]
    assert either.request("GET", "/api/state/Large")[0] == 404


def test_a_document_of_15_mb_is_stored_and_read(either):
    document = b'"' + b"x" * (15 * 1024 * 1024) + b'"'

    assert either.request("PUT", "/api/state/Big", document)[0] in (200, 201)
    assert either.request("GET", "/api/state/Big")[1] == document
    assert either.request("DELETE", "/api/state/Big")[0] == 204


@pytest.mark.parametrize("path", ["a%2Fb", "a%2fb", "Identity/a%2Fb"])
def test_an_encoded_slash_is_refused_with_the_two_ways_out(either, path):
    status, body, _ = either.request("GET", f"/api/state/{path}")

    assert status == 400
    assert "write ~1 for a slash inside a name, or use ?pointer=" in json.loads(body)["detail"]


def test_a_path_that_is_not_utf8_is_refused(either):
    assert either.request("GET", "/api/state/%FF")[0] == 400


def test_names_with_every_kind_of_character_are_reached_by_path_and_by_pointer(either):
    assert either.request("PUT", "/api/state/Names/a~1b/%20%C3%A9%F0%9F%98%80/%2525/%3F%23;=+", b"7")[0] == 201

    assert json.loads(either.request("GET", "/api/state/Names")[1]) == {"a/b": {" é😀": {"%25": {"?#;=+": 7}}}}
    pointer = "/a~1b/%20%C3%A9%F0%9F%98%80/%2525/%3F%23;=%2B"
    assert either.request("GET", f"/api/state/Names?pointer={pointer}")[1] == b"7"
    assert either.request("DELETE", "/api/state/Names")[0] == 204


def test_slow_uploads_hold_nobody_up(server):
    slow = []
    for number in range(40):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        connection.sendall(put(f"Slow{number}", b"[1,", length=1000))
        slow.append(connection)
    try:
        assert server.request("GET", "/api/state/Identity/name")[1] == b'"Nola"'
        assert server.request("GET", "/healthz", key=None)[0] == 200
        # answered while all uploads were still pending, not after they had timed out
        assert select.select(slow, [], [], 0)[0] == []
    finally:
        for connection in slow:
            connection.close()


def test_every_error_is_a_problem_document(server):
    for method, path, expected in [
        ("GET", "/api/nope", 404),
        ("POST", "/api/state/Identity", 405),
        ("PUT", "/api/state/Identity", 400),
        ("GET", "/api/state?nope=1", 422),
    ]:
        status, body, headers = server.request(method, path)
        assert (status, headers["content-type"]) == (expected, "application/problem+json")
        assert {"status", "title", "detail"} <= set(json.loads(body))


def test_docs_work_offline(server):
    _, page, headers = server.request("GET", "/api/docs", key=None)
    assert b"//" not in re.sub(rb"<!--.*?-->", b"", page).replace(b"http://127.0.0.1", b"")
    for asset in re.findall(rb'<(?:link|script|img)[^>]* (?:src|href)="([^"]+)"', page):
        assert server.request("GET", asset.decode(), key=None)[0] == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    paths = json.loads(server.request("GET", "/api/openapi.json", key=None)[1])["paths"]
    assert "/api/state/{address}" in paths
