"""One database, the live one or a backup, without what is to be forgotten: what holds it, and the rewriting of that.

What is done stands in a revision of its own, whose change of the kind `redaction` has the hashes of what is left: the
chain covers that from then on. It begins a new epoch, since whoever has read this store has read what it held.
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.contrib.sessions.backends.db import SessionStore
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from conversations.audit import HASHED, hash_message
from conversations.search import index
from nola_site.forget import history, places
from nola_site.forget.history import RedactedHistory, match_columns, portions
from nola_site.forget.node import PastNode
from nola_site.forget.redaction import Redaction, count_names
from state import chain
from state.address import Address
from state.clock import format_time
from state.database.sql import fetch_rows, stream_rows
from state.entries import recount_totals
from state.jsondoc.text import dump_json
from state.jsondoc.trees.moves import diff_values
from state.models import Revision, new_epoch
from state.revisions import Author


class RedactedRow(NamedTuple):
    """A row of a table: what tells it apart, what its columns held and are to hold."""

    key: Any
    old: dict[str, Any]
    new: dict[str, Any]


@dataclass
class DatabasePlan:
    """What is to be rewritten in one database. `left` says in words what holds it and stays."""

    database: BaseDatabaseWrapper
    redaction: Redaction
    node: PastNode | None = None
    rows: dict[str, list[RedactedRow]] = field(default_factory=dict)
    history: RedactedHistory = field(default_factory=RedactedHistory)
    gone: dict[str, list[Any]] = field(default_factory=dict)  # keys of rows that go
    affected: set[int] = field(default_factory=set)  # messages whose hashes go
    names: int = 0  # of keys and members
    left: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """How many rows hold it, by what they are."""
        found = Counter({table: len(rows) for table, rows in [*self.rows.items(), *self.gone.items()] if rows})
        found["state_change"] = self.history.count
        return Counter({places.NAMES[table]: count for table, count in found.items() if count})

    @property
    def holds_it(self) -> bool:
        return bool(self.counts)


def next_number(database: BaseDatabaseWrapper) -> int:
    """The revision in which something would be forgotten now."""
    return 1 + max((seq for (seq,) in fetch_rows(database, "SELECT last_seq FROM state_meta")), default=0)


def plan_database(
    database: BaseDatabaseWrapper, texts: Sequence[str], address: Address | None, everywhere: bool, number: int
) -> DatabasePlan:
    """What holds the texts, or the node at an address; `everywhere`: and what the node ever was, wherever it stands."""
    node = PastNode(database, address) if address else None
    values = sorted(node.values) if node else []
    plan = DatabasePlan(database, Redaction([*texts, *(values if everywhere else [])], number), node)
    plan.history = history.plan_history(database, plan.redaction, node.rewritten if node else {})
    tables = set(database.introspection.table_names())
    for table in places.COLUMNS.keys() & tables:
        redaction = Redaction([*texts, *values], number) if table in places.SHOWN else plan.redaction
        plan.rows[table] = sorted(_plan_rows(database, table, redaction), key=attrgetter("key"))
    if node:
        _plan_head(plan, node)
    for table, columns in places.GOES.items():
        if table in tables and plan.redaction.spellings:
            where, found = match_columns(database, columns, plan.redaction)
            rows = fetch_rows(database, f"SELECT id, {', '.join(columns)} FROM {table} WHERE {where}", found)
            plan.gone[table] = [row[0] for row in rows if any(map(plan.redaction.is_in, row[1:]))]
    plan.gone["django_session"] = list(_plan_sessions(database, plan.redaction))
    messages = {row.key: row.old["session"] for row in plan.rows.get("conversation_history", [])}
    _add_keys(plan)
    plan.affected = history.clear_hashes(database, plan.redaction, plan.history, messages)
    plan.names = sum(
        count_names(plan.redaction, json.loads(row.old["value_json"])) + plan.redaction.is_in(row.key)
        for row in plan.rows["state_storage"]
    )
    if plan.redaction.spellings:
        people = sum(any(map(plan.redaction.is_in, row)) for row in stream_rows(database, places.PEOPLE))
        if people:
            plan.left.append(f"{people} accounts have it in their names: change these under People")
    return plan


def _add_keys(plan: DatabasePlan) -> None:
    """The hashes of all that was done to a key or a conversation go with what it held."""
    plan.history.keys.update(("state", row.key) for row in plan.rows["state_storage"])
    plan.history.keys.update(("conversation", row.old["session_id"]) for row in plan.rows.get("conversation", []))


def _plan_rows(database: BaseDatabaseWrapper, table: str, redaction: Redaction) -> Iterator[RedactedRow]:
    if not redaction.spellings:
        return
    with database.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        there = {column[0] for column in cursor.description}
    columns = [name for name in places.COLUMNS[table] if name in there]  # older releases have fewer
    more = ", (SELECT session_id FROM conversation c WHERE c.id = conversation_id)" if "client_id" in columns else ""
    key = places.KEYS.get(table, "id")
    where, values = match_columns(database, [name for name in columns if name not in places.PACKED], redaction)
    if places.PACKED.intersection(columns):
        where, values = "1 = 1", []
    query = f"SELECT {key}, {', '.join(columns)}{more} FROM {table} WHERE {where}"
    for number, *kept in stream_rows(database, query, values):
        old = dict(zip(columns, kept, strict=False))
        new = {name: places.COLUMNS[table][name](redaction, one) for name, one in old.items() if one is not None}
        changed = {name: one for name, one in new.items() if one != old[name]}
        hashed, of = places.HASHES.get(table, ("", ""))
        if of in changed:
            changed[hashed] = hashlib.sha256(changed[of].encode()).hexdigest()
        if changed:
            yield RedactedRow(number, old | {"session": kept[-1]}, changed)


def _plan_head(plan: DatabasePlan, node: PastNode) -> None:
    """What the key is to be without the node, and without texts."""
    rows = plan.rows["state_storage"]
    before = fetch_rows(plan.database, "SELECT value_json FROM state_storage WHERE key_name = %s", [node.address.key])
    if node.head is None or not before:
        return
    [(text,)] = before
    new = dump_json(plan.redaction.value(json.loads(node.head)))
    found = next((row for row in rows if row.key == node.address.key), None)
    if found:
        found.new["value_json"] = new
    elif new != text or node.rewritten:
        rows.append(RedactedRow(node.address.key, {"value_json": text}, {"value_json": new}))


def _plan_sessions(database: BaseDatabaseWrapper, redaction: Redaction) -> Iterator[str]:
    """Browser sessions in which a message about it is still to be shown."""
    if redaction.spellings and "django_session" in database.introspection.table_names():
        for key, data in stream_rows(database, "SELECT session_key, session_data FROM django_session"):
            if redaction.is_in(json.dumps(SessionStore().decode(data), ensure_ascii=False, default=str)):
                yield key


# Writing


class _Clock(NamedTuple):
    seq: int
    at: datetime
    chain: str


def apply_plan(plan: DatabasePlan, author: Author) -> int:
    """Rewrite all of it, in the transaction that is open. Returns the revision that says so."""
    database = plan.database
    clock = _read_clock(database)
    seq = clock.seq + 1
    at = max(timezone.now(), clock.at)
    for table in plan.rows.keys() - {"state_storage", "state_revision"}:
        _update(database, table, plan.rows[table])
    left = {
        "changes": {str(one.number): one.digest for one in plan.history.changes.values()},
        "revisions": _link_revisions(database, plan.rows["state_revision"]),
        "messages": _hash_messages(database, plan.affected),
    }
    changes = [("redaction", "", dump_json({name: found for name, found in left.items() if found}), "{}", "")]
    changes += (_head_change(plan, row) for row in plan.rows["state_storage"])
    said = replace(author, actor=plan.redaction.text(author.actor), reason=plan.redaction.text(author.reason))
    _insert_revision(database, _Clock(seq, at, clock.chain), said, changes)
    _update(database, "state_revision", plan.rows["state_revision"])
    history.write_history(database, plan.history, seq)
    stamp = {"revision": seq, "updated_at": database.ops.adapt_datetimefield_value(at)}
    _update(database, "state_storage", [row._replace(new=row.new | stamp) for row in plan.rows["state_storage"]])
    _remove_rows(database, plan)
    if "keys" in _columns(database, "state_meta"):
        recount_totals(database)
    return seq


def _columns(database: BaseDatabaseWrapper, table: str) -> set[str]:
    with database.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        return {column[0] for column in cursor.description}


def _update(database: BaseDatabaseWrapper, table: str, rows: Sequence[RedactedRow]) -> None:
    key = places.KEYS.get(table, "id")
    with database.cursor() as cursor:
        for row in rows:
            sets = ", ".join(f"{name} = %s" for name in row.new)
            cursor.execute(f"UPDATE {table} SET {sets} WHERE {key} = %s", [*row.new.values(), row.key])


def replace_words(plan: DatabasePlan) -> None:
    """Index the messages of the live database anew that were rewritten."""
    rows = [row for row in plan.rows.get("conversation_history", []) if row.new.keys() & {"message", "metadata"}]
    old = [(row.key, row.old["message"], json.loads(row.old["metadata"])) for row in rows]
    both = [row.old | row.new for row in rows]
    index.remove(old)
    index.add([(row.key, one["message"], json.loads(one["metadata"])) for row, one in zip(rows, both, strict=True)])


def _head_change(plan: DatabasePlan, row: RedactedRow) -> tuple[str, str, str, str, str]:
    """What a key has become: leaves that are set to the mark, which a copy may follow; nothing where names are."""
    text = row.new.get("value_json", row.old["value_json"])
    ops, _ = diff_values(json.loads(row.old["value_json"]), json.loads(text))
    forward = ops if all(op["op"] == "replace" for op in ops) else []
    key = row.new.get("key_name", row.key)
    return "state", key, dump_json(forward), dump_json(forward[::-1]), chain.hash_text(text)


def _link_revisions(database: BaseDatabaseWrapper, rows: Sequence[RedactedRow]) -> dict[str, str]:
    """The links that revisions would have with what is left of who wrote them and why."""
    found = {}
    for row in rows:
        seq = row.key
        [(at, source)] = fetch_rows(database, "SELECT at, source FROM state_revision WHERE seq = %s", [seq])
        before = fetch_rows(
            database, "SELECT chain FROM state_revision WHERE seq < %s ORDER BY seq DESC LIMIT 1", [seq]
        )
        digests = fetch_rows(database, "SELECT digest FROM state_change WHERE revision = %s ORDER BY id", [seq])
        now = row.old | row.new
        revision = Revision(
            seq=seq,
            at=datetime.fromisoformat(format_time(at)),
            actor=now["actor"],
            source=source,
            reason=now["reason"],
            info=json.loads(now["info"]),
        )
        previous = next((link for (link,) in before), "")
        found[str(seq)] = chain.link_revision(previous, revision, [digest for (digest,) in digests])
    return found


def _hash_messages(database: BaseDatabaseWrapper, ids: set[int]) -> dict[str, str]:
    found = {}
    for some in portions(sorted(ids)):
        marks = ", ".join(["%s"] * len(some))
        for row in fetch_rows(database, f"{HASHED} WHERE id IN ({marks})", some):
            found[str(row[0])] = hash_message(*row)
    return found


def _read_clock(database: BaseDatabaseWrapper) -> _Clock:
    [(seq, at, link)] = fetch_rows(database, "SELECT last_seq, last_at, last_chain FROM state_meta")
    return _Clock(seq, datetime.fromisoformat(format_time(at)), link)


def _insert_revision(
    database: BaseDatabaseWrapper, made: _Clock, author: Author, changes: Sequence[tuple[str, str, str, str, str]]
) -> None:
    """As `state.revisions` does it, in a database that may be a file beside the live one."""
    found = []
    for kind, key, forward, inverse, result in changes:
        salt = secrets.token_urlsafe(16)
        digest = chain.digest_change(salt, kind, key, forward, inverse, result)
        found.append((made.seq, kind, key, forward, inverse, result, salt, digest))
    row = Revision(
        seq=made.seq,
        at=made.at,
        actor=author.actor,
        source=author.source.value,
        reason=author.reason,
        info=dict(author.info),
    )
    row.chain = chain.link_revision(made.chain, row, [one[-1] for one in found])
    at = database.ops.adapt_datetimefield_value(made.at)
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO state_revision (seq, at, actor, source, reason, info, chain)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [row.seq, at, row.actor, row.source, row.reason, dump_json(row.info), row.chain],
        )
        cursor.executemany(
            "INSERT INTO state_change (revision, kind, key, forward, inverse, result_hash, salt, digest)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            found,
        )
        cursor.execute(
            "UPDATE state_meta SET epoch = %s, last_seq = %s, last_at = %s, last_chain = %s",
            [new_epoch(), made.seq, at, row.chain],
        )


def _remove_rows(database: BaseDatabaseWrapper, plan: DatabasePlan) -> None:
    """What is not rewritten, but goes: notes of a day, sessions, and snapshots, which are a cache."""
    tables = database.introspection.table_names()
    with database.cursor() as cursor:
        for table, keys in plan.gone.items():
            name = "session_key" if table == "django_session" else "id"
            cursor.executemany(f"DELETE FROM {table} WHERE {name} = %s", [(key,) for key in keys])
        if "state_idempotency" in tables:  # their hashes are over requests, any of which may have held it
            cursor.execute("DELETE FROM state_idempotency")
        if "state_snapshot" in tables:
            keys = [(key,) for kind, key in plan.history.keys if kind == "state"]
            cursor.executemany("DELETE FROM state_snapshot WHERE key = %s", keys)
