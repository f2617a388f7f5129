"""One port for everything: `/healthz` and request bodies natively, Django behind them in a fixed pool of threads."""

import os
from typing import Any

from a2wsgi import WSGIMiddleware
from a2wsgi.asgi_typing import Receive, Scope, Send
from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
django = get_wsgi_application()

from nola_site import bodies, problems  # noqa: E402 - they need Django set up


def with_raw_path(environ: Any, start_response: Any) -> Any:
    """Give Django the path as it was sent: %2F must not turn into a slash on the way."""
    environ["RAW_URI"] = environ["asgi.scope"]["raw_path"].decode("latin-1")
    response = django(environ, start_response)
    if environ["REQUEST_METHOD"] == "HEAD":
        response.close()
        return []
    return response


pool = WSGIMiddleware(with_raw_path, workers=settings.NOLA_THREADS)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return await pool(scope, receive, send)
    if scope["path"] == "/healthz":
        return await answer(send, 200, "application/json", '{"status": "ok"}')
    try:
        body = await bodies.read(receive)
    except bodies.CutOff:
        return None
    except bodies.Unreadable as error:
        document = problems.document(error.status, error.detail)
        return await answer(send, error.status, problems.MEDIA_TYPE, document, close=True)

    async def replay() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    await pool(bodies.complete(scope, body), replay, send)


async def answer(send: Send, status: int, media_type: str, text: str, close: bool = False) -> None:
    body = text.encode()
    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
