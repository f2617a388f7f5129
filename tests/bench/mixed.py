"""Requests of all kinds, as an agent at work sends them: for the memory that a worker comes to."""

from itertools import cycle

from tests.bench.load import NUMBER, Requests, document, numbers
from tests.bench.servers import Target

KEYS = 20
STATUSES = (200, 201)


def fill(target: Target) -> None:
    for number in range(KEYS):
        target.ask(target.request("PUT", f"/api/state/Mixed{number}", document(18)))
    target.ask(target.request("PUT", "/api/state/Large", document(1000)))


def requests(target: Target, client: int) -> Requests:
    """Endless; of ten, about seven read."""
    head = target.ask(target.request("GET", "/api/state/Mixed0"))[0].headers["Nola-Revision"]
    key, value, session = f"/api/state/Mixed{client % KEYS}", NUMBER, f"talk-{client}"
    message = b'{"speaker": "user", "message": "a word or two about number ' + NUMBER + b'"}'
    round_of = [
        ("GET", key, None),
        ("GET", f"{key}/k00070/n", None),
        ("PUT", f"{key}/k00070/n", value),
        ("GET", f"{key}/k00011", None),
        ("GET", "/api/state/Identity?level=2", None),
        ("POST", f"/api/conversations/{session}/messages", message),
        ("GET", f"/api/conversations/{session}/messages?limit=20&order=newest", None),
        ("GET", "/api/context?budget=2000", None),
        ("GET", f"{key}?at={head}", None),
        ("PATCH", f"{key}/k00012", b'{"n": ' + NUMBER + b"}"),
        ("GET", "/api/search?q=word", None),
        ("GET", f"/api/history{key.removeprefix('/api/state')}?limit=20", None),
        ("GET", "/api/state/Large/k00500/n", None),
    ]
    sent = [
        target.request(
            method, path, body, **({"Content_Type": "application/merge-patch+json"} if method == "PATCH" else {})
        )
        for method, path, body in round_of
    ]
    return (one.replace(NUMBER, b"%d" % next(numbers)) for one in cycle(sent))
