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
PAST = """
import json
from datetime import timedelta
from dataclasses import asdict
from django.conf import settings
from django.utils import timezone
from access.models import Visit
from nola_site.safety import growth
growth.remove_growth()
growth.weigh_changes()
found, today = growth.read_growth(), timezone.localdate()
for ago in range(1, 30):
    busy = 1 + (ago * 7) % 5 - (ago % 7 in (1, 2))
    writes = {"key:planner": 4 * busy, "key:librarian": 3 * (ago % 4), "user:admin": ago % 3, "key:mail": ago % 5}
    made = growth.GrowthDay(size=900 * busy + 40 * ago, said=1500 * (ago % 4))
    made.writes = {actor: [count, 0, count] for actor, count in writes.items() if count}
    found.size, found.said = found.size + made.size, found.said + made.said
    found.days[str(today - timedelta(days=ago))] = made
found.first_day = min(found.days)
(settings.NOLA_DB_DIR / "growth").write_text(json.dumps(asdict(found)))
asked = {"Preferences": 212, "": 164, "Context": 97, "Identity": 88, "Trips": 21}
(settings.NOLA_DB_DIR / "reads").write_text(json.dumps({"days": {str(today): asked}}))
Visit.objects.update(before=9, before_at=timezone.now() - timedelta(hours=14))
"""
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


def live_on(server: Server) -> None:
    """As if it had gone on so for weeks, and the person who is signed in had been away: what the overview tells."""
    made = manage(server.data, "shell", "-c", PAST)
    assert made.returncode == 0, made.stderr


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
