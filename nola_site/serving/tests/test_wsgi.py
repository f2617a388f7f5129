"""What stands around Django under a WSGI server, without one."""

import io
import json

import pytest

from nola_site.serving import bodies, hub
from nola_site.serving.wsgi import WsgiSite


@pytest.fixture
def site(monkeypatch):
    """One around an application that gives back what it was sent, and whose watch over the database does nothing."""
    monkeypatch.setattr(hub.Hub, "start", lambda self: None)
    monkeypatch.setattr(bodies, "read_limit", lambda: 10)

    def echo(environ, start_response):
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(), environ["CONTENT_LENGTH"].encode()]

    return WsgiSite(echo)


def ask(site, body, **environ):
    started = []
    answer = site(
        {"wsgi.input": io.BytesIO(body), **environ}, lambda status, headers: started.append((status, dict(headers)))
    )
    return *started[0], list(answer)


def test_a_body_has_its_length_whether_it_came_with_one_or_in_chunks(site):
    assert ask(site, b"[1, 2]", CONTENT_LENGTH="6") == ("200 OK", {}, [b"[1, 2]", b"6"])
    assert ask(site, b"[1, 2]", HTTP_TRANSFER_ENCODING="chunked") == ("200 OK", {}, [b"[1, 2]", b"6"])
    assert ask(site, b"ignored") == ("200 OK", {}, [b"", b"0"])


@pytest.mark.parametrize(("body", "length", "status"), [(b"123", "5", 400), (b"x" * 11, "11", 413)])
def test_a_body_that_is_cut_off_or_too_large_is_refused(site, body, length, status):
    found, headers, answer = ask(site, body, CONTENT_LENGTH=length)

    assert (int(found[:3]), headers["Connection"]) == (status, "close")
    assert json.loads(b"".join(answer))["status"] == status


def test_once_the_database_was_replaced_nothing_is_answered_any_more(site, monkeypatch):
    ended = []
    monkeypatch.setattr(hub, "halt_process", ended.append)

    site.halt("the database was replaced")

    status, headers, answer = ask(site, b"1", CONTENT_LENGTH="1")
    assert (status, headers["Retry-After"]) == ("503 Service Unavailable", "60")
    assert json.loads(b"".join(answer))["detail"] == "the database was replaced"
    assert ended == ["the database was replaced"]
