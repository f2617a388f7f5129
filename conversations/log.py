"""The one way to write conversations: rows and history in one transaction, in revisions of a bounded size.

A message's change holds its id, and tags that were set, never its text; the text is in the table alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from conversations.drafts import STORED, ConversationWrite, NewConversation, NewMessage, WritePart, split_into_portions
from conversations.models import Conversation, Message
from conversations.order import EPOCH, find_answers, find_places, settle_messages
from conversations.search import index
from conversations.users import find_user, is_of, note_user
from conversations.versions import replace_texts
from state import chain, revisions, store
from state.database.sql import to_column
from state.errors import Gone, InTheWay, NotThere
from state.jsondoc.budget import spend_work
from state.jsondoc.text import JSONValue, dump_json
from state.models import Change, StoreMeta
from state.revisions import Author, Recorder
from state.store import Written
from state.write_lock import write_transaction

FIELDS = ("title", "channel", "source", "started", "started_text", "archived", "metadata")
COLUMNS = [field.attname for field in Message._meta.concrete_fields if not field.primary_key]
VALUES = f"({', '.join(['%s'] * len(COLUMNS))})"
INSERT = f"INSERT INTO conversation_history ({', '.join(COLUMNS)}) VALUES {{}} RETURNING id"
AT_ONCE = 100  # rows in one statement
MESSAGE_FIELDS = ("context_level", "stimuli_type", "status", "metadata", "timestamp")  # that can be set later


class SessionIdTaken(InTheWay):
    """A conversation has that session id."""


class UnknownTalk(NotThere):
    """No conversation has that session id, or none of its messages has that id."""


class DeletedTalk(Gone, UnknownTalk):
    """The conversation, or the message, was deleted, and can be brought back."""


def create(new: NewConversation, author: Author, messages: Sequence[NewMessage] = ()) -> Conversation:
    """A new conversation, with its first messages. Raises SessionIdTaken."""
    with write_transaction():
        check_free(new.session_id)
        writing = ConversationWrite(new, messages=messages)
        write([writing], author)
    return writing.row


def check_free(session_id: str, user_id: str = "") -> None:
    """Raises SessionIdTaken if a conversation has that session id, also a deleted one."""
    there = Conversation.objects.select_for_update().filter(session_id=session_id).first()
    if there:
        check_known(there, user_id)
        deleted = "" if there.deleted_revision is None else f", deleted in revision {there.deleted_revision}"
        raise SessionIdTaken(f"there is a conversation {session_id!r} already{deleted}")


def check_known(there: Conversation | None, user_id: str) -> None:
    """Raises SessionIdTaken if there is a conversation that somebody limited to a user id must not know of."""
    if there is not None and not is_of(there, user_id):
        raise SessionIdTaken(f"the session id {there.session_id!r} is taken; choose another one")


def append(session_id: str, messages: Sequence[NewMessage], author: Author) -> None:
    """Add messages to a conversation. Raises UnknownTalk."""
    with write_transaction():
        write([ConversationWrite(lock_conversation(session_id), messages=messages)], author)


def change(session_id: str, fields: Mapping[str, Any], author: Author, user_id: str = "") -> Written:
    """Set fields of a conversation: its title, for one. Setting what is there makes no revision. Raises UnknownTalk."""
    return change_all([session_id], fields, author, user_id)


def change_all(session_ids: Sequence[str], fields: Mapping[str, Any], author: Author, user_id: str = "") -> Written:
    """The same fields of several conversations, all or none. Raises UnknownTalk."""
    with write_transaction():
        rows = [lock_conversation(session_id, user_id) for session_id in session_ids]
        return write([ConversationWrite(row, fields=_new(row, fields)) for row in rows], author)


def change_message(session_id: str, pk: int, fields: Mapping[str, Any], author: Author, user_id: str = "") -> Written:
    """Set fields of a message, as MESSAGE_FIELDS has them; its text and author stay. Raises UnknownTalk."""
    with write_transaction():
        row = lock_conversation(session_id, user_id)
        [message] = find_messages(row, [pk])
        new = _new(message, fields)
        return write([ConversationWrite(row, updates=[(message, new)] if new else [])], author)


def find_messages(row: Conversation, ids: Sequence[int]) -> list[Message]:
    """Messages of a conversation by their ids. Raises UnknownTalk and DeletedTalk."""
    found = {one.pk: one for one in row.messages.filter(pk__in=ids)}
    for pk in ids:
        if pk not in found:
            raise UnknownTalk(f"there is no message {pk} in the conversation {row.session_id!r}")
        if (seq := found[pk].deleted_revision) is not None:
            raise DeletedTalk(f"message {pk} was deleted in revision {seq}; undo that revision first")
    return [found[pk] for pk in ids]


def write(writings: Iterable[ConversationWrite], author: Author) -> Written:
    """Write all of it in one transaction, as revisions of at most MOST_ROWS rows. Nothing to write: no revision.

    A claim to do it once is kept in the same transaction.
    """
    with write_transaction():
        changes = [change for batch in split_into_portions(writings) for change in write_portion(batch, author)]
        written = Written(changes[-1].revision_id if changes else store.head(), changes)
        if author.claim:
            author.claim.keep(written)
    return written


def write_portion(parts: Sequence[WritePart], author: Author, made: list[Message] | None = None) -> list[Change]:
    """Write one portion as one revision; the changes it made, none if there was nothing to do.

    The rows of new messages are put into `made`.
    """
    spend_work()
    with revisions.open_revision(author) as recorder:
        _create(parts, recorder)
        _revive(parts, recorder)
        _set(parts, recorder)
        added = _add(parts, recorder)
        _restore(parts, recorder)
        _update(parts, recorder)
        _point(parts, recorder)
    if made is not None:
        made += added
    return recorder.changes


def _new(row: Conversation | Message, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the fields that differ from what is there."""
    return {name: value for name, value in fields.items() if not is_same(getattr(row, name), value)}


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of a field are equal as stored: 1 is not true, and the order of members counts."""
    return dump_json(_stored(one)) == dump_json(_stored(other))


def _create(parts: Sequence[WritePart], recorder: Recorder) -> None:
    new = [part.of for part in parts if part.is_first and isinstance(part.of.conversation, NewConversation)]
    rows = [_new_row(writing, recorder) for writing in new]
    if rows:
        Conversation.objects.bulk_create(rows)
    for writing, row in zip(new, rows, strict=True):
        writing.conversation = row
        fields = dump_fields(row, FIELDS)
        recorder.record("conversation", row.session_id, {"add": fields}, {"remove": True}, hash_value(fields))


def _new_row(writing: ConversationWrite, recorder: Recorder) -> Conversation:
    new = writing.conversation
    values = {name: getattr(new, name) for name in FIELDS} | {"user_id": find_user(writing.messages, new.user_id)}
    return Conversation(session_id=new.session_id, revision=recorder.seq, **values)


def _revive(parts: Sequence[WritePart], recorder: Recorder) -> None:
    for row in (part.of.row for part in parts if part.is_first and part.of.revive):
        row.deleted_revision, row.revision = None, recorder.seq
        row.save(update_fields=["deleted_revision", "revision"])
        fields = dump_fields(row, FIELDS)
        recorder.record("conversation", row.session_id, {"add": fields}, {"remove": True}, hash_value(fields))


def _set(parts: Sequence[WritePart], recorder: Recorder) -> None:
    rows = []
    for part in parts:
        if not part.is_first or not part.of.fields:
            continue
        row, names = part.of.row, list(part.of.fields)
        before = dump_fields(row, names)
        for name, value in part.of.fields.items():
            setattr(row, name, value)
        row.revision = recorder.seq
        result = hash_value(dump_fields(row, FIELDS))
        recorder.record("conversation", row.session_id, {"set": dump_fields(row, names)}, {"set": before}, result)
        rows.append(row)
    if rows:
        changed = {name for part in parts for name in part.of.fields}
        Conversation.objects.bulk_update(rows, [*sorted(changed), "revision"])


def _add(parts: Sequence[WritePart], recorder: Recorder) -> list[Message]:
    with_messages = [part for part in parts if part.messages]
    rows = _new_messages(with_messages, recorder)
    made = [row for some in rows for row in some]
    _insert(made)
    index.add((row.pk, row.message, row.metadata) for row in made)
    for part, some in zip(with_messages, rows, strict=True):
        _link(part, some)
        note_user(part.of.row, some)
        _record_messages(part.of.row, some, recorder)
    return made


def _insert(rows: Sequence[Message]) -> None:
    """Insert messages, which get their ids. Plain, since the ORM takes longer for it than for all the rest."""
    with connection.cursor() as cursor:
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            values = [_to_column(getattr(row, name)) for row in some for name in COLUMNS]
            cursor.execute(INSERT.format(", ".join([VALUES] * len(some))), values)
            for row, (pk,) in zip(some, cursor.fetchall(), strict=True):
                row.pk = pk


def _to_column(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_column(value)
    return dump_json(value) if isinstance(value, dict | list) else value


def _new_messages(parts: Sequence[WritePart], recorder: Recorder) -> list[list[Message]]:
    """The rows of new messages by part, each with its place."""
    places = _places(parts)
    return [
        [
            Message(
                conversation=part.of.row,
                revision=recorder.seq,
                place=places[_name(part, number)],
                **{name: getattr(new, name) for name in STORED},
            )
            for number, new in enumerate(part.messages)
        ]
        for part in parts
    ]


def _places(parts: Sequence[WritePart]) -> dict[Any, int]:
    """Where new messages are to stand, which answer each other or messages that are there."""
    messages: dict[Any, tuple[datetime, Any]] = {}
    parents: dict[Any, int] = {}
    for part in parts:
        for number, new in enumerate(part.messages):
            parent = (id(part.of), new.parent) if new.parent else None
            messages[_name(part, number)] = (new.timestamp or EPOCH, parent)  # the database refuses one without a time
            if parent and new.parent in part.of.refs:
                parents[parent] = part.of.refs[new.parent]
    above = dict(
        Message.objects.filter(pk__in=set(parents.values()), deleted_revision=None).values_list("pk", "place")
        if parents
        else ()
    )
    return find_places(messages, {name: above[pk] for name, pk in parents.items() if pk in above})


def _name(part: WritePart, number: int) -> tuple[int, Any]:
    """What tells a new message from others: its ref, in its writing."""
    return id(part.of), part.messages[number].ref or (id(part), number)


def _link(part: WritePart, rows: Sequence[Message]) -> None:
    """Note which ids the new messages got, and give those that name their parent its id.

    One whose parent is not kept begins the talk, as it is read then: it gets its own.
    """
    refs = part.of.refs
    refs.update((new.ref, row.pk) for new, row in zip(part.messages, rows, strict=True) if new.ref)
    pairs = []
    for new, row in zip(part.messages, rows, strict=True):
        if new.parent:
            row.parent_id = refs.get(new.parent, row.pk)
            pairs.append((row.parent_id, row.pk))
    if pairs:
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE conversation_history SET parent_id = %s WHERE id = %s", pairs)


def _point(parts: Sequence[WritePart], recorder: Recorder) -> None:
    """Set which leaf of a branched conversation is the current one, once that message has an id."""
    for writing in {id(part.of): part.of for part in parts}.values():
        pk, row = writing.new_leaf, writing.row
        if pk is None:
            continue
        before = dump_fields(row, ["current_leaf_id"])
        row.current_leaf_id, row.revision = pk, recorder.seq
        row.save(update_fields=["current_leaf", "revision"])
        result = hash_value(dump_fields(row, FIELDS))
        recorder.record("conversation", row.session_id, {"set": {"current_leaf_id": pk}}, {"set": before}, result)


def _restore(parts: Sequence[WritePart], recorder: Recorder) -> None:
    """Take back that messages were deleted."""
    for part in parts:
        messages = _unchanged(part.restored)
        if messages:
            ids = [message.pk for message in messages]
            Message.objects.filter(pk__in=ids).update(deleted_revision=None, revision=recorder.seq)
            settle_messages(find_answers(ids))
            _record_messages(part.of.row, messages, recorder)


def _update(parts: Sequence[WritePart], recorder: Recorder) -> None:
    """Set fields of messages; the text only where a newer export completes it."""
    for part in parts:
        kept = {message.pk for message in _unchanged([message for message, _ in part.updates])}
        updates = [(message, dict(fields)) for message, fields in part.updates if message.pk in kept]
        if not updates:
            continue
        for _, fields in updates:
            if "parent" in fields:  # a ref
                fields["parent_id"] = part.of.refs[fields.pop("parent")]
        texts = [(message, fields.pop("message")) for message, fields in updates if "message" in fields]
        earlier = replace_texts(texts, recorder) if texts else {}
        for message, fields in updates:
            fields |= {"earlier_id": earlier[message.pk]} if message.pk in earlier else {}
        before: dict[str, JSONValue] = {str(message.pk): dump_fields(message, fields) for message, fields in updates}
        for message, fields in updates:
            if "metadata" in fields:
                index.replace(message.pk, message.message, message.metadata, fields["metadata"])
            for name, value in {**fields, "revision": recorder.seq}.items():
                setattr(message, name, value)
        names = {name for _, fields in updates for name in fields}
        Message.objects.bulk_update([message for message, _ in updates], [*sorted(names), "revision"])
        settle_messages(message.pk for message, fields in updates if fields.keys() & {"timestamp", "parent_id"})
        after: dict[str, JSONValue] = {str(message.pk): dump_fields(message, fields) for message, fields in updates}
        forward: dict[str, JSONValue] = {"set": after}
        inverse: dict[str, JSONValue] = {"set": before}
        if earlier:
            ids: list[JSONValue] = [*earlier.values()]
            forward, inverse = {"add": ids, **forward}, {"remove": ids, **inverse}
        recorder.record("message", part.of.row.session_id, forward, inverse, hash_value(after))


def _unchanged(messages: Sequence[Message]) -> list[Message]:
    """Those that nobody has changed since they were read."""
    read = {message.pk: message.revision for message in messages}
    now = dict(Message.objects.filter(pk__in=read).values_list("pk", "revision")) if read else {}
    return [message for message in messages if now.get(message.pk) == message.revision]


def _record_messages(conversation: Conversation, messages: Sequence[Message], recorder: Recorder) -> None:
    ids: list[JSONValue] = [message.pk for message in messages]
    result = hash_value([list_hashed(one) for one in messages])
    recorder.record("message", conversation.session_id, {"add": ids}, {"remove": ids}, result)


def list_hashed(one: Message) -> list[JSONValue]:
    """What the hash of an added message covers."""
    return [one.pk, one.speaker, one.message, one.timestamp_text or one.timestamp.isoformat()]


def lock_conversation(session_id: str, user_id: str = "") -> Conversation:
    """A conversation to be written to. Raises UnknownTalk and DeletedTalk."""
    return check_there(find_row(session_id), session_id, user_id)


def find_row(session_id: str) -> Conversation | None:
    """The row of a conversation, also of a deleted one, locked for the rest of the transaction."""
    rows = Conversation.objects.raw("SELECT * FROM conversation WHERE session_id = %s", [session_id])
    return next(iter(rows), None)


def check_there(row: Conversation | None, session_id: str, user_id: str = "") -> Conversation:
    """The row that was looked for, if there is one and it was not deleted. Raises UnknownTalk and DeletedTalk."""
    if row is None or not is_of(row, user_id):
        raise UnknownTalk(f"there is no conversation {session_id!r}")
    if row.deleted_revision is not None:
        raise DeletedTalk(
            f"the conversation {session_id!r} was deleted in revision {row.deleted_revision}; undo that first"
        )
    return row


def has_changed(names: Sequence[str], seen: int) -> bool:
    """Whether one of these conversations was changed after a revision. Holds the write lock from here on."""
    head = StoreMeta.objects.select_for_update().values_list("last_seq", flat=True).first() or 0
    kinds = ["conversation", "message"]
    return head > seen and Change.objects.filter(revision__gt=seen, kind__in=kinds, key__in=names).exists()


def dump_fields(row: Conversation | Message, names: Iterable[str]) -> dict[str, Any]:
    """Fields as the history keeps them."""
    return {name: dump_field(row, name) for name in names}


def dump_field(row: Conversation | Message, name: str) -> Any:
    return _stored(getattr(row, name))


def _stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def hash_value(value: Any) -> str:
    """The SHA-256 of a value's JSON text, as the result hash of a change has it."""
    return chain.hash_text(dump_json(value))
