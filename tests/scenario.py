"""What the pictures of the docs show: a person, her agent `planner`, and what both have written, always the same."""

import json
from urllib.parse import quote

from playwright.sync_api import Page

from tests.server import KEY, Server, manage

PLANNER = "nola_planner-key-for-pictures-only"
MAKE_KEY = (
    "from access.models import *; ApiKey.objects.create("
    f"name='planner', prefix='nola_plan', sha256=hash_key('{PLANNER}'), scopes='read write')"
)
BEFORE = [  # key, method, address, value, reason; then a checkpoint is taken
    ("", "PUT", "state/Identity/owner/name", "Ada", ""),
    ("", "PUT", "state/Identity/owner/time_zone", "Europe/London", ""),
    ("planner", "PUT", "state/Preferences", {"theme": {"accent": "violet"}, "reply_length": "short"}, "She said so"),
    ("planner", "PUT", "state/Context/tasks/0", {"title": "Plan the reading group", "done": False}, ""),
    (
        "planner",
        "POST",
        "conversations/reading-group/messages",
        [
            {"speaker": "user", "message": "Which book shall we begin with?"},
            {"speaker": "assistant", "message": "A short one. Three of you have little time in December."},
        ],
        "",
    ),
    (
        "",
        "POST",
        "checkpoints",
        {"name": "before-the-trip", "why": "before the trip to Porto", "conversations": True},
        "",
    ),
]
AFTER = [
    ("planner", "PUT", "state/Preferences/reply_length", "as long as it takes, but never more than a page", ""),
    ("planner", "PUT", "state/Preferences/topics", ["old maps", "rivers", "trains"], "Learned while planning the trip"),
    ("planner", "PUT", "state/Context/tasks/0/due", "2026-12-01", "The group has agreed on a day"),
    ("", "PUT", "state/Trips", {"porto": {"days": 3, "by": "train"}}, ""),
    ("planner", "DELETE", "conversations/reading-group", None, "Done with it"),
    ("planner", "PUT", "state/Preferences/greeting", "none at all", ""),
    ("planner", "DELETE", "state/Preferences/greeting", None, "She prefers one after all"),
]


def play(server: Server) -> None:
    """Fill a new memory."""
    made = manage(server.data, "shell", "-c", MAKE_KEY)
    assert made.returncode == 0, made.stderr
    for who, method, address, value, reason in [*BEFORE, *AFTER]:
        write(server, who, method, address, value, reason)


def write(server: Server, who: str, method: str, address: str, value: object = None, reason: str = "") -> None:
    """One call to the API, by the agent planner or with the default key."""
    headers = {"Authorization": f"Bearer {PLANNER if who == 'planner' else KEY}"}
    if reason:
        headers["Nola-Reason"] = quote(reason)
    connection = server.connect()
    body = None if value is None else json.dumps(value).encode()
    connection.request(method, f"/api/{address}", body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status < 300, answer


def as_person(page: Page, address: str, value: object, reason: str = "") -> None:
    """A write with the session of the person who is signed in."""
    headers = {"Nola-Reason": quote(reason)} if reason else {}
    page.evaluate(
        "([path, body, headers]) => import('/static/nola/lib/api.js').then(({call}) =>"
        " call('PUT', path, {body, headers, type: 'application/json'}))",
        [f"/api/state/{address}", json.dumps(value), headers],
    )
