"""The last changes in words: who did what, for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from django.db import connection

from access.actors import name_actor, user_actor
from conversations.names import name_sessions
from state.jsondoc.pointer import escape_token, parse_pointer
from state.models import Revision

EVENTS, PARTS = 10, 3  # that are told, and how many things of each
LONGEST = 2000  # characters of a patch that is read to be told
SHOWN = 40  # characters of a value
FIND = (
    "SELECT c.revision, c.kind, c.key, CASE WHEN length(c.forward) <= %s THEN c.forward END, few.count FROM ("
    " SELECT id, row_number() OVER (PARTITION BY revision ORDER BY id) AS place,"
    " count(*) OVER (PARTITION BY revision) AS count FROM state_change WHERE revision IN ({marks}) {only}) few"
    " JOIN state_change c ON c.id = few.id WHERE few.place <= %s ORDER BY c.id"
)


def read_events(user: Any) -> list[dict[str, Any]] | None:
    """The last revisions as this person may see them; None for somebody who may see none."""
    if not user.has_perms(("state.view_stateentry", "state.view_revision")):
        return None
    rows = list(Revision.objects.values("seq", "at", "actor", "source", "reason")[:EVENTS])
    if not rows:
        return []
    me = user_actor(user)
    everything = user.has_perm("conversations.view_conversation")
    changes = _changes([row["seq"] for row in rows], everything)
    names = name_sessions(key for some in changes.values() for kind, key, *_ in some if kind != "state")
    told = [
        row | {"who": name_actor(row["actor"], me), "what": list(_what(changes.get(row["seq"], []), names))}
        for row in rows
    ]
    return [one for one in told if one["what"] or everything]


def _changes(revisions: Sequence[int], everything: bool) -> dict[int, list[Any]]:
    marks, only = ",".join(["%s"] * len(revisions)), "" if everything else "AND kind = 'state'"
    found: dict[int, list[Any]] = {}
    with connection.cursor() as cursor:
        cursor.execute(FIND.format(marks=marks, only=only), [LONGEST, *revisions, PARTS])
        for revision, *change in cursor.fetchall():
            found.setdefault(revision, []).append(change)
    return found


def _what(changes: Sequence[Any], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What happened: a verb, what it was done to, and a value or a number."""
    for kind, key, forward, _ in changes:
        if kind == "redaction":
            yield {"kind": kind, "key": key, "verb": "forgot a value", "place": "", "rest": ""}
            continue
        patch = None if forward is None else json.loads(forward)
        if kind == "state":
            yield {"kind": kind, "key": key} | _key(key, patch)
        else:
            yield {"kind": kind, "key": names.get(key, key)} | _talk(kind, patch)
    more = changes[0][3] - len(changes) if changes else 0
    if more:
        yield {"verb": f"and {more:,} more", "place": "", "rest": ""}


def _key(key: str, ops: Any) -> dict[str, str]:
    if not isinstance(ops, list) or len(ops) != 1:
        count = f" in {len(ops)} places" if ops else ""
        return {"verb": "changed", "place": key, "rest": count}
    [op] = ops
    place = " › ".join([key, *parse_pointer(op["path"])])
    verbs = {"add": "added", "remove": "removed", "replace": "set", "move": "moved"}
    rest = f" to {_short(op['value'])}" if op["op"] == "replace" else ""
    return {"verb": verbs.get(op["op"], "changed"), "place": place, "rest": rest, "pointer": _pointer(key, op)}


def _pointer(key: str, op: Any) -> str:
    return "" if op["op"] == "remove" and not op["path"] else quote(f"/{escape_token(key)}{op['path']}", safe="/~")


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{len(value)} item{'' if len(value) == 1 else 's'}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _talk(kind: str, patch: Any) -> dict[str, str]:
    """What happened to a conversation, or to messages of one."""
    verbs = {"add": "began", "remove": "deleted", "set": "changed", "purge": "erased"}
    name = next((one for one in verbs if isinstance(patch, dict) and one in patch), "set")
    if kind == "conversation":
        return {"verb": f"{verbs[name]} the conversation", "place": "", "rest": ""}
    count = len(patch[name]) if isinstance(patch, dict) and name in patch else 0
    verb = {"add": "added", "remove": "deleted"}.get(name, "changed")
    number = "a message" if count == 1 else f"{count:,} messages" if count else "messages"
    return {"verb": f"{verb} {number} in", "place": "", "rest": ""}
