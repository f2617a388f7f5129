"""Are conversations and messages what the history says of them? On the live database or on any file."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from conversations import log
from conversations.models import Message
from conversations.order import find_place
from state.clock import format_time
from state.database.sql import stream_rows
from state.history.audit import is_same_hash, read_redactions
from state.jsondoc.text import dump_json

ALTERED = {"timestamp", "earlier_id"}
CHANGES = (
    "SELECT revision, key, forward, result_hash FROM state_change"
    " WHERE kind = '{kind}' AND forward <> '\"[redacted]\"' ORDER BY revision, id"
)
WRONG_USER = """
    SELECT count(*), min(c.session_id) FROM conversation c JOIN (
        SELECT conversation_id, CASE WHEN min(user_id) = max(user_id) THEN min(user_id) ELSE '' END AS user_id
        FROM conversation_history GROUP BY conversation_id
    ) m ON m.conversation_id = c.id WHERE c.user_id IS NULL OR c.user_id <> m.user_id
"""


def find_flaws(connection: BaseDatabaseWrapper, progress: Callable[[str], None]) -> Iterator[str]:
    """The first messages, and the conversations, that are not what their changes wrote."""
    if "conversation_history" in connection.introspection.table_names():
        yield from find_message_flaws(connection, progress)
        yield from find_conversation_flaws(connection)
        yield from find_order_flaws(connection)
        yield from find_user_flaws(connection)


def find_message_flaws(connection: BaseDatabaseWrapper, progress: Callable[[str], None]) -> Iterator[str]:
    """The first portion of messages whose text, speaker or time has not the hash that was written with it."""
    known: set[int] = set()
    altered = _altered(connection)
    for revision, session, forward, result in stream_rows(connection, CHANGES.format(kind="message")):
        change = json.loads(forward)
        known.update(change.get("add", []))
        ids = [] if "set" in change else change.get("add", [])
        progress(f"checking {len(known):,} messages")
        if (
            ids
            and result  # else a redaction has cleared it
            and not altered.intersection(ids)
            and not any(is_same_hash(result, one) for one in _hashes(connection, ids))
        ):
            yield f"messages that revision {revision} added to {session!r} are not as they were written"
            return
    left = read_redactions(connection)["messages"]
    for number, *said in stream_rows(connection, HASHED):
        if number not in known:
            yield f"message {number} is stored, and the history knows nothing of it"
            return
        if str(number) in left and number not in altered and left[str(number)] != hash_message(number, *said):
            yield f"message {number} is not what a redaction has left of it"
            return


HASHED = "SELECT id, speaker, message, timestamp_text, timestamp FROM conversation_history"


def hash_message(number: int, speaker: str, message: str, time_text: str, time: Any) -> str:
    """The hash of a message from which something was redacted."""
    return log.hash_value([number, speaker, message, time_text or format_time(time)])


def _altered(connection: BaseDatabaseWrapper) -> set[int]:
    """Messages whose time or text was set later, so that the hash they were added with does not tell of it any more."""
    found: set[int] = set()
    for _, _, forward, _ in stream_rows(connection, CHANGES.format(kind="message")):
        if '"timestamp":' in forward or '"earlier_id":' in forward:
            change = json.loads(forward)
            found.update(int(pk) for pk, fields in change.get("set", {}).items() if fields.keys() & ALTERED)
    return found


def _hashes(connection: BaseDatabaseWrapper, ids: list[int]) -> set[str]:
    """The hash of messages, with times that have no text of their own spelt in UTC or as the pages show them."""
    rows: dict[int, Any] = {}
    with connection.cursor() as cursor:
        marks = ", ".join(["%s"] * len(ids))
        cursor.execute(
            f"SELECT id, speaker, message, timestamp_text, timestamp FROM conversation_history WHERE id IN ({marks})",
            ids,
        )
        rows = {row[0]: row for row in cursor.fetchall()}
    found = [rows[number] for number in ids if number in rows]
    return {log.hash_value([[*row[:3], row[3] or _spelt(row[4], zone)] for row in found]) for zone in _zones()}


def _zones() -> list[tzinfo]:
    return [UTC, timezone.get_default_timezone()]


def _spelt(time: Any, zone: tzinfo) -> str:
    return datetime.fromisoformat(format_time(time)).astimezone(zone).isoformat()


def find_conversation_flaws(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """The conversations, ten at most, whose fields are not those that their changes set."""
    columns = ", ".join(log.FIELDS)
    made: dict[str, dict[str, Any]] = {}
    for _, session, forward, _ in stream_rows(connection, CHANGES.format(kind="conversation")):
        change = json.loads(forward)
        made.setdefault(session, {}).update(change.get("add") or change.get("set") or {})
    found = 0
    for session, *values in stream_rows(connection, f"SELECT session_id, {columns} FROM conversation ORDER BY id"):
        now = dict(zip(log.FIELDS, values, strict=True))
        wrong = [
            name for name in log.FIELDS if name in made.get(session, {}) and not _same(now[name], made[session][name])
        ]
        if session not in made:
            yield f"the conversation {session!r} is stored, and the history knows nothing of it"
        elif wrong:
            yield f"{wrong[0]} of the conversation {session!r} is not what the history says"
        found += bool(wrong)
        if found >= 10:
            return


def find_order_flaws(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """Whether messages stand elsewhere than they should; a file of a release before has no places."""
    table = Message._meta.db_table
    if not _has_column(connection, table, "place"):
        return
    statement = (
        "SELECT m.id, m.timestamp, m.parent_id, m.place, p.place, p.deleted_revision"
        f" FROM {table} m LEFT JOIN {table} p ON p.id = m.parent_id"
    )
    count = 0
    for pk, time, parent, place, above, deleted in stream_rows(connection, statement):
        has_parent = parent not in (None, pk) and deleted is None
        moment = datetime.fromisoformat(format_time(time))
        count += place != find_place(moment, above if has_parent else None)
    if count:
        yield f"{count} messages stand elsewhere than their times and what they answer say"


def find_user_flaws(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """Whether conversations are kept for another user than their messages say; a file of a release before says none."""
    if not _has_column(connection, "conversation", "user_id"):
        return
    for count, session in stream_rows(connection, WRONG_USER):
        if count:
            yield f"{count} conversations, {session!r} for one, are kept for another user than their messages say"


def _has_column(connection: BaseDatabaseWrapper, table: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        return name in {one[0] for one in cursor.description}


def _same(stored: Any, written: Any) -> bool:
    if isinstance(written, str) and not isinstance(stored, str):
        return stored is not None and datetime.fromisoformat(format_time(stored)) == datetime.fromisoformat(written)
    if isinstance(written, dict | list):
        return dump_json(written) == stored
    return bool(stored == written)
