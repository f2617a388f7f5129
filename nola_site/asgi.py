"""One port for everything: `/healthz` and request bodies natively, Django behind them in a fixed pool of threads."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
django = get_wsgi_application()

from nola_site import bodies, bridge  # noqa: E402 - they need Django set up
from nola_site.bridge import Answer, Receive, Scope, Send  # noqa: E402

pool = bridge.Bridge(django, settings.NOLA_THREADS)
HEALTHY = Answer(200, [(b"content-type", b"application/json"), (b"content-length", b"16")], b'{"status": "ok"}')


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1000})
    if scope["type"] != "http":
        return
    if scope["path"] == "/healthz":
        return await pool.send(HEALTHY, send)
    try:
        body = await bodies.read(receive)
    except bodies.CutOff:
        return
    except bodies.Unreadable as error:
        return await pool.send(bridge.refusal(error.status, error.detail, close=True), send)
    await pool(bridge.environ_of(scope, body), send)
