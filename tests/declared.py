"""The API reference is true: every answer that a test gets under /api is compared with what is declared for its call.

The test that saw what is not declared fails. It reads the OpenAPI document alone, as a client does.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.test import Client

from tests.server import Server

ANY = {  # headers that any answer may have; they are the web's, not the call's
    "cache-control", "connection", "content-language", "content-length", "content-security-policy", "content-type",
    "cross-origin-opener-policy", "date", "referrer-policy", "server", "set-cookie", "transfer-encoding", "vary",
    "x-content-type-options", "x-frame-options",
}  # fmt: skip
PAGES = ("/api/docs", "/api/openapi.json")
SEEN = {"answers": 0}

undeclared: list[str] = []
ask_client, ask_server = Client.request, Server.request


@cache
def reference() -> dict[str, Any]:
    from nola_site.api import api  # not before Django is set up

    return api.get_openapi_schema(path_prefix="/api/")


@cache
def templates() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The paths, the most literal ones first: `/context/receipts` is not a receipt."""

    def pattern(path: str) -> re.Pattern[str]:
        spelt = re.sub(r"\\{(\w+)\\}", lambda name: ".+" if name[1] == "address" else "[^/]+", re.escape(path))
        return re.compile(spelt, re.DOTALL)

    paths = sorted(reference()["paths"].items(), key=lambda one: (one[0].count("{"), -len(one[0])))
    return [(pattern(path), calls) for path, calls in paths]


def find_calls(method: str, path: str) -> dict[str, Any] | None:
    """The calls of an address: of the paths that fit, the first that has the method, else the first one."""
    fitting = [calls for pattern, calls in templates() if pattern.fullmatch(path)]
    return next((calls for calls in fitting if method in calls), fitting[0] if fitting else None)


def problems(method: str, path: str, status: int, headers: dict[str, str]) -> Iterator[str]:
    """What of an answer the reference does not say; the names of `headers` are in lower case."""
    method = "get" if method == "HEAD" else method.lower()
    path = path.partition("?")[0].rstrip("/")
    if not path.startswith("/api/") or path in PAGES:
        return
    calls = find_calls(method, path)
    if calls is None or method not in calls:
        if status not in (400, 404, 405, 413, 503):
            yield "no such call is declared"
        return
    SEEN["answers"] += 1
    declared = calls[method]["responses"].get(str(status))
    if declared is None:
        yield "this status is not declared"
        return
    if "$ref" in declared:
        declared = reference()["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    media_type = headers.get("content-type", "").partition(";")[0]
    if "content" in declared and media_type not in declared["content"]:
        yield f"the media type {media_type!r} is not declared"
    names = {name.lower() for name in declared.get("headers", {})}
    for name in headers.keys() - names - ANY:
        yield f"the header {name!r} is not declared"


def note(method: str, path: str, status: int, headers: dict[str, str]) -> None:
    undeclared.extend(f"{method} {path} {status}: {one}" for one in problems(method, path, status, headers))


def request_by_client(self: Client, **environ: Any) -> Any:
    response = ask_client(self, **environ)
    headers = {name.lower(): value for name, value in response.headers.items()}
    note(environ["REQUEST_METHOD"], environ["PATH_INFO"], response.status_code, headers)
    return response


def request_to_server(
    self: Server, method: str, path: str, body: bytes | None = None, key: str | None = "", **more: Any
) -> Any:
    given = {} if key == "" else {"key": key}
    status, answer, headers = ask_server(self, method, path, body, **given, **more)
    note(method, path, status, headers)
    return status, answer, headers


def pytest_configure() -> None:
    Client.request = request_by_client
    Server.request = request_to_server


@pytest.fixture(autouse=True)
def nothing_undeclared() -> Iterator[None]:
    undeclared.clear()
    yield
    assert undeclared == []
