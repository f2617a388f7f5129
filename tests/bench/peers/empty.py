"""The least that a server can answer: what the framework's floor costs."""

from collections.abc import Awaitable, Callable
from typing import Any

BODY = b"{}"
HEADERS = {"Content-Type": "application/json", "Content-Length": str(len(BODY))}


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", list(HEADERS.items()))
    return [BODY]


async def asgi(scope: dict[str, Any], receive: Callable, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    if scope["type"] == "http":
        headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})
