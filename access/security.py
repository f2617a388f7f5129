"""The security log: who came in or tried to, which keys were made and revoked, what was refused and what is gone.

Rows are only ever added. Each is a line of JSON in the server's log too.
"""

import json
import logging
from enum import StrEnum

from access.models import SecurityEvent

MOST_DETAIL = 500  # characters
log = logging.getLogger("nola.security")


class Event(StrEnum):
    """What can have happened."""

    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    KEY_MADE = "key made"
    KEY_CHANGED = "key changed"
    KEY_REVOKED = "key revoked"
    KEY_ROTATED = "key rotated"
    REFUSED = "refused"
    PURGED = "purged"
    RESTORED = "restored"
    FORGOTTEN = "forgotten"


def record_event(event: Event, actor: str, detail: str = "", address: str = "") -> None:
    """Add a row. `actor` is as in the history (user:ada, key:planner, cli:ada), `address` the network address, if any.

    Never a secret in `detail`.
    """
    SecurityEvent.objects.create(event=event, actor=actor, detail=detail[:MOST_DETAIL], address=address)
    said = {"event": event, "actor": actor, "detail": detail[:MOST_DETAIL], "address": address}
    log.info(json.dumps({name: text for name, text in said.items() if text}, ensure_ascii=False))
