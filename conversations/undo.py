"""Taking back what was done to conversations and messages: traits are set back, and what was added is deleted.

A trait is a field, or whether the thing is there at all. It can be set back while it is as the undone change left it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from access.rights import Right
from conversations import log
from conversations.models import Conversation, Message
from conversations.order import find_answers, settle_messages
from conversations.search import index
from conversations.users import belongs_to
from conversations.versions import exchange_texts
from state import registry, store
from state.history.audit import REDACTED
from state.jsondoc.text import NOTHING
from state.models import Change
from state.registry import Conflict, UndoRequest
from state.revisions import Recorder
from state.undo import CannotUndo

THERE = "there"  # whether it is kept, among the names of fields
CHUNK = 500  # rows in one statement
Traits = dict[str, Any]
Row = Conversation | Message


@dataclass(frozen=True, slots=True)
class TalkUndo:
    """What traits the rows of one conversation are to have, by primary key; `seen` is the head it was planned at."""

    kind: str
    key: str
    seen: int
    rows: Mapping[int, Row]
    new: Mapping[int, Traits]

    @property
    def forward(self) -> dict[str, Any]:
        return _payload(self.kind, self.rows, self.new)

    @property
    def inverse(self) -> dict[str, Any]:
        return _payload(self.kind, self.rows, {pk: _traits(self.rows[pk], traits) for pk, traits in self.new.items()})


def register_kinds() -> None:
    """Make the kinds of this app known to the history."""
    rights = Right.READ_CONVERSATIONS, Right.WRITE_CONVERSATIONS
    kind = registry.Kind(_is_current, _write, _undo, *rights, belongs_to=belongs_to)
    for name in ("conversation", "message"):
        registry.register(name, kind)


def _is_current(planned: Sequence[TalkUndo], recorder: Recorder) -> bool:
    return not log.has_changed([one.key for one in planned], min(one.seen for one in planned))


# Planning


def _undo(undoing: UndoRequest) -> tuple[TalkUndo, list[Conflict]]:
    """What takes the changes of one conversation, or of its messages, back, or where it cannot. Raises CannotUndo."""
    seen, kind = store.head(), undoing.changes[0].kind
    for change in undoing.changes:
        if change.forward == REDACTED or "purge" in change.forward:
            raise CannotUndo(f"the conversation {undoing.key!r} was purged, which is final")
    rows = _rows(kind, undoing)
    later = _set_later(kind, undoing)
    new: dict[int, Traits] = {}
    conflicts: list[Conflict] = []
    for change in undoing.changes:
        for pk, trait, after, before in _steps(change, rows):
            row = rows[pk]
            now = new.get(pk, {}).get(trait, _traits(row, [trait])[trait])
            by = _in_the_way(row, trait, now, after, before, later)
            if by is not None and undoing.prefer is None:
                there = NOTHING if trait == THERE and not now else now
                pointer = f"/{trait}" if kind == "conversation" else f"/{pk}/{trait}"
                conflicts.append(Conflict(kind, undoing.key, pointer, after, there, before, by, change.revision_id))
            elif by is None or undoing.prefer == "mine":
                new.setdefault(pk, {})[trait] = before
    if kind == "conversation":
        conflicts += _still_used(new, undoing)
    changed = {pk: _differing(rows[pk], traits) for pk, traits in new.items()}
    return TalkUndo(kind, undoing.key, seen, rows, {pk: traits for pk, traits in changed.items() if traits}), conflicts


def _rows(kind: str, undoing: UndoRequest) -> dict[int, Row]:
    if kind == "conversation":
        return {row.pk: row for row in Conversation.objects.filter(session_id=undoing.key)}
    ids = {int(pk) for change in undoing.changes for pk in _touched(change)}
    rows: dict[int, Row] = {}
    for some in _chunks(sorted(ids)):
        rows |= Message.objects.defer("message").in_bulk(some)
    return rows


def _touched(change: Change) -> Iterator[int | str]:
    for payload in ("add", "remove", "set"):
        yield from change.forward.get(payload, ())


def _steps(change: Change, rows: Mapping[int, Row]) -> Iterator[tuple[int, str, Any, Any]]:
    """Row, trait, what the change made of it, and what it was before."""
    forward, inverse = change.forward, change.inverse
    if change.kind == "conversation":
        [pk] = rows
        sets = {pk: (forward.get("set", {}), inverse.get("set", {}))}
        added, removed = ([pk] if name in forward else [] for name in ("add", "remove"))
    else:
        sets = {int(pk): (fields, inverse["set"][pk]) for pk, fields in forward.get("set", {}).items()}
        added, removed = forward.get("add", []), forward.get("remove", [])
    for pk, (after, before) in sets.items():
        yield from ((pk, name, value, before[name]) for name, value in after.items())
    yield from ((pk, THERE, True, False) for pk in added)
    yield from ((pk, THERE, False, True) for pk in removed)


def _set_later(kind: str, undoing: UndoRequest) -> dict[int | str, int]:
    """The last revision that set fields of each message, or of the conversation under its key, and is not undone."""
    first = undoing.changes[-1].revision_id
    changes = Change.objects.filter(kind=kind, key=undoing.key, revision__gt=first).exclude(
        revision__in=undoing.revisions
    )
    found: dict[int | str, int] = {}
    for seq, forward in changes.order_by("id").values_list("revision_id", "forward"):
        names = forward.get("set", {})
        found.update({int(pk): seq for pk in names} if kind == "message" else {undoing.key: seq} if names else {})
    return found


def _in_the_way(row: Row, trait: str, now: Any, after: Any, before: Any, later: Mapping[int | str, int]) -> int | None:
    """The later change that keeps a trait from being set back; None if nothing does."""
    by = later.get(row.session_id if isinstance(row, Conversation) else row.pk)
    if trait == THERE:
        return by if after and now else None  # it goes only if nobody has worked on it since
    return None if log.is_same(now, after) or log.is_same(now, before) else by or row.revision


def _still_used(new: Mapping[int, Traits], undoing: UndoRequest) -> list[Conflict]:
    """A conversation that is to go must not take messages with it that somebody else has added since it was there.

    Messages that are older lay in it while it was deleted, and do so again.
    """
    going = [pk for pk, traits in new.items() if traits.get(THERE) is False]
    if not going or undoing.prefer == "mine":
        return []
    ours: set[int] = set()
    for change in Change.objects.filter(kind="message", key=undoing.key, revision__in=undoing.revisions):
        ours.update(change.forward.get("add", ()))
    seq = undoing.changes[-1].revision_id
    kept = Message.objects.filter(conversation__in=going, deleted_revision=None, revision__gt=seq)
    others = [revision for pk, revision in kept.values_list("pk", "revision") if pk not in ours]
    if others and undoing.prefer == "theirs":
        new[going[0]].pop(THERE)
        return []
    return [Conflict("conversation", undoing.key, f"/{THERE}", True, True, NOTHING, max(others), seq)] if others else []


def _traits(row: Row, names: Mapping[str, Any] | Sequence[str]) -> Traits:
    return {name: row.deleted_revision is None if name == THERE else log.dump_field(row, name) for name in names}


def _differing(row: Row, traits: Traits) -> Traits:
    return {name: value for name, value in traits.items() if not log.is_same(_traits(row, [name])[name], value)}


# Writing


def _payload(kind: str, rows: Mapping[int, Row], new: Mapping[int, Traits]) -> dict[str, Any]:
    """What history keeps: ids of messages, or a whole conversation, added and removed; and fields that were set."""
    there: dict[bool, list[int]] = {True: [], False: []}
    fields: dict[str, Traits] = {}
    for pk, traits in new.items():
        if THERE in traits:
            there[traits[THERE]].append(pk)
        if own := {name: value for name, value in traits.items() if name != THERE}:
            fields[str(pk)] = own
    if kind == "message":
        parts: Traits = {"add": there[True], "remove": there[False], "set": fields}
    else:
        kept = log.dump_fields(next(iter(rows.values())), log.FIELDS) if rows else {}
        own = next(iter(fields.values()), {})
        parts = {"add": there[True] and kept, "remove": bool(there[False]), "set": own}
    return {name: value for name, value in parts.items() if value}


def _write(planned: Sequence[TalkUndo], recorder: Recorder) -> None:
    for one in planned:
        forward, inverse = one.forward, one.inverse
        rows: Any = Conversation.objects if one.kind == "conversation" else Message.objects
        for is_there, deleted in ((True, None), (False, recorder.seq)):
            ids = [pk for pk, traits in one.new.items() if traits.get(THERE) is is_there]
            for some in _chunks(ids):
                rows.filter(pk__in=some).update(deleted_revision=deleted, revision=recorder.seq)
        for pk, traits in one.new.items():
            fields = {name: _value(name, value) for name, value in traits.items() if name != THERE}
            if fields:
                if "earlier_id" in fields:
                    exchange_texts(pk, log.dump_field(one.rows[pk], "earlier_id"), fields["earlier_id"])
                row = one.rows[pk]
                if isinstance(row, Message) and "metadata" in fields:
                    index.replace(pk, row.message, row.metadata, fields["metadata"])
                rows.filter(pk=pk).update(**fields, revision=recorder.seq)
                for name, value in fields.items():
                    setattr(one.rows[pk], name, value)
        if one.kind == "message":
            retimed = [pk for pk, traits in one.new.items() if traits.keys() & {"timestamp", "parent_id"}]
            settle_messages([*retimed, *find_answers([pk for pk, traits in one.new.items() if THERE in traits])])
        recorder.record(one.kind, one.key, forward, inverse, _hash(one, forward))


def _value(name: str, stored: Any) -> Any:
    """The value of a field, from what history keeps of it."""
    is_time = name in ("started", "timestamp") and stored is not None
    return datetime.fromisoformat(stored) if is_time else stored


def _hash(planned: TalkUndo, forward: Mapping[str, Any]) -> str:
    """Of what is there now, as `log` has it where it adds or sets; "" where all of it went."""
    if planned.kind == "conversation":
        row = next(iter(planned.rows.values()))
        return "" if "remove" in forward else log.hash_value(log.dump_fields(row, log.FIELDS))
    texts = [
        log.list_hashed(one) for some in _chunks(forward.get("add", [])) for one in Message.objects.filter(pk__in=some)
    ]
    parts = [part for part in (texts, forward.get("set")) if part]
    return log.hash_value(parts[0] if len(parts) == 1 else parts) if parts else ""


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
