"""What is new for somebody since they were here last: who changed what, and how much was said."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.urls import reverse

from access.actors import ActorName, name_actor, user_actor
from access.rights import grant_person
from access.visits import LastVisit, note_visit
from nola_site.doors import opens
from state.history.sight import see_by
from state.jsondoc.names import show_name

SCAN = 2_000  # changes that are looked at; where there are more, the newest
NAMED, TOLD = 3, 6  # keys of an actor, and actors, that are named
FIND = (
    "SELECT c.revision, c.kind, c.key, r.actor,"
    " CASE WHEN c.kind = 'message' THEN c.forward WHEN c.kind = 'conversation' THEN substr(c.forward, 1, 6) END"
    " FROM state_change c JOIN state_revision r ON r.seq = c.revision"
    " WHERE c.revision > %s AND c.revision <= %s ORDER BY c.revision DESC, c.id DESC LIMIT %s"
)
ADDED = '{"add"'  # how a change begins by which something came


@dataclass
class NewsOfActor:
    """What one actor has done since."""

    who: ActorName
    link: str
    revisions: set[int] = field(default_factory=set)
    keys: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many changes they made."""
        return len(self.revisions)

    @property
    def named(self) -> list[str]:
        """The keys that they changed most."""
        return [show_name(key) for key, _ in self.keys.most_common(NAMED)]

    @property
    def unnamed(self) -> int:
        """How many other keys they changed."""
        return len(self.keys) - NAMED if len(self.keys) > NAMED else 0


@dataclass
class News:
    """What is new since a visit, by others and by oneself; `is_more`: there is more than was looked at."""

    since: LastVisit
    link: str
    others: list[NewsOfActor]
    own: int
    messages: int
    conversations: int
    begun: int
    is_more: bool

    @property
    def told(self) -> list[NewsOfActor]:
        """Those who changed most."""
        return self.others[:TOLD]

    @property
    def untold(self) -> int:
        """How many others there are."""
        return len(self.others) - len(self.told)


def read_news(user: Any, head: int) -> News | None:
    """Note that a person is here, and tell what is new up to a revision. None in the first visit, or without a right.

    It costs the same however much is new.
    """
    if not opens("activity", user):
        return None
    since = note_visit(user, head)
    return None if since is None else _read_since(user, since, head)


def _read_since(user: Any, since: LastVisit, head: int) -> News:
    kinds = see_by(grant_person(user)).kinds
    with connection.cursor() as cursor:
        cursor.execute(FIND, [since.revision, head, SCAN + 1])
        rows = cursor.fetchall()
    seen = [row for row in rows[:SCAN] if row[1] in kinds]
    by: dict[str, NewsOfActor] = {}
    for revision, kind, key, actor, _ in seen:
        if actor not in by:
            by[actor] = NewsOfActor(name_actor(actor, user_actor(user)), _link(since, actor=actor))
        by[actor].revisions.add(revision)
        if kind == "state":
            by[actor].keys[key] += 1
    own = by.pop(f"user:{user.get_username()}", None)
    others = sorted(by.values(), key=lambda one: (-one.count, one.who.name))
    talks = [row for row in seen if row[1] in ("conversation", "message")]
    return News(
        since,
        _link(since),
        others,
        own.count if own else 0,
        sum(_count_added(forward) for _, kind, _, _, forward in talks if kind == "message"),
        len({key for _, _, key, _, _ in talks}),
        len({key for _, kind, key, _, forward in talks if kind == "conversation" and forward == ADDED}),
        len(rows) > SCAN,
    )


def _count_added(forward: str) -> int:
    patch = json.loads(forward) if forward.startswith(ADDED) else {}
    added: Sequence[Any] = patch.get("add", ())
    return len(added)


def _link(since: LastVisit, **more: str) -> str:
    """To the page of all that happened, with just that."""
    return f"{reverse('activity')}#{urlencode({**more, 'when': 'visit', 'after': since.revision})}"
