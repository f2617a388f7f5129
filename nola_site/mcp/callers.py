"""Who calls, and as whom history names them: an API key, or whoever runs the command."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from access import rates
from access.actors import cli_actor
from access.models import ApiKey
from access.rights import Grant, NotAllowed, Right, grant_key
from state import store
from state.revisions import Author, Source


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who came in: the actor, what it may do, and what says that it writes too fast."""

    actor: str
    grant: Grant
    check_rate: Callable[[], None] = lambda: None

    def make_author(self, client: str, reason: str = "", source: Source = Source.MCP, **info: Any) -> Author:
        """The author of a revision that this caller makes through a client."""
        return Author(self.actor, source, reason, info | ({"client": client} if client else {}))


def find_by_name(name: str) -> Caller:
    """The API key of a name, as it is now. Raises NotAllowed."""
    holds = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    row = ApiKey.objects.filter(holds, name=name, revoked_at=None).first()
    if row is None:
        raise NotAllowed(f"there is no API key {name!r}, or it has been revoked or has expired; see ./nola apikey list")
    actor = f"key:{row.name}"
    return Caller(actor, grant_key(row.name, row.scopes, row.places, row.user_id), lambda: _count.check(actor))


def find_user() -> Caller:
    """Whoever runs the command, and so owns the file."""
    return Caller(cli_actor(), Grant("The command line", "API keys", frozenset(Right)))


class _Count:
    """What has been counted of the writes in the history: the server does so while it watches, here when it matters."""

    def __init__(self) -> None:
        self.head: int | None = None

    def check(self, actor: str) -> None:
        """Raises TooManyWrites."""
        head = store.head()
        if self.head is not None:
            rates.note(self.head, head)
        self.head = head
        rates.check(actor)


_count = _Count()
