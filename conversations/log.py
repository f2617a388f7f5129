"""The one way to write conversations: rows and history in one transaction, in revisions of a bounded size.

A message's change holds its id, and tags that were set, never its text; the text is in the table alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conversations.models import Conversation, Message
from state import chain, jsontext, revisions, turns
from state.jsontext import JSONValue
from state.models import Change, StoreMeta
from state.revisions import Author, Recorder

MOST_ROWS = 1000  # in one revision
ROW_CHARACTERS = 4096  # a longer text counts as more than one row
FIELDS = ("title", "channel", "source", "started", "started_text", "archived", "metadata")
MESSAGE_FIELDS = ("context_level", "stimuli_type", "status", "metadata", "timestamp")  # that can be set later


class AlreadyThere(Exception):
    """A conversation has that session id."""


class NotFound(LookupError):
    """No conversation has that session id."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be written."""

    speaker: str
    message: str
    timestamp: datetime
    timestamp_text: str = ""
    user_id: str = "user"
    context_level: int | None = None
    stimuli_type: str = ""
    status: str = "ok"
    client_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewConversation:
    """A conversation to be written."""

    session_id: str
    title: str = ""
    channel: str = ""
    source: str = ""
    started: datetime | None = None
    started_text: str = ""
    archived: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Writing:
    """What is to be written of one conversation: it itself if it is new, fields to set, messages to add.

    Messages that are restored, or whose fields are set, are left alone if they changed since they were read.
    """

    conversation: Conversation | NewConversation
    fields: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[NewMessage] = ()
    restored: Sequence[Message] = ()
    updates: Sequence[tuple[Message, Mapping[str, Any]]] = ()
    revive: bool = False  # it was deleted, and is to be back

    @property
    def has_own(self) -> bool:
        """Whether the conversation itself changes, and not its messages alone."""
        return bool(self.fields) or self.revive or isinstance(self.conversation, NewConversation)

    @property
    def is_idle(self) -> bool:
        return not (self.has_own or self.messages or self.restored or self.updates)

    @property
    def row(self) -> Conversation:
        assert isinstance(self.conversation, Conversation)  # _create has put it there
        return self.conversation


@dataclass(frozen=True, slots=True)
class Part:
    """As much of a writing as one revision takes. The first one also creates the row or sets the fields."""

    of: Writing
    is_first: bool = False
    messages: Sequence[NewMessage] = ()
    restored: Sequence[Message] = ()
    updates: Sequence[tuple[Message, Mapping[str, Any]]] = ()

    @property
    def rows(self) -> int:
        return self.is_first + sum(map(weight, self.messages)) + len(self.restored) + len(self.updates)


def create(new: NewConversation, author: Author, messages: Sequence[NewMessage] = ()) -> Conversation:
    """A new conversation, with its first messages. Raises AlreadyThere."""
    with turns.writing():
        if Conversation.objects.filter(session_id=new.session_id).exists():
            raise AlreadyThere(f"there is a conversation {new.session_id!r} already")
        writing = Writing(new, messages=messages)
        write([writing], author)
    return writing.row


def append(session_id: str, messages: Sequence[NewMessage], author: Author) -> None:
    """Add messages to a conversation. Raises NotFound."""
    with turns.writing():
        write([Writing(_locked(session_id), messages=messages)], author)


def change(session_id: str, fields: Mapping[str, Any], author: Author) -> None:
    """Set fields of a conversation: its title, for one. Setting what is there makes no revision. Raises NotFound."""
    with turns.writing():
        row = _locked(session_id)
        new = {name: value for name, value in fields.items() if not same(getattr(row, name), value)}
        write([Writing(row, fields=new)], author)


def write(writings: Iterable[Writing], author: Author) -> None:
    """Write all of it in one transaction, as revisions of at most MOST_ROWS rows. Nothing to write: no revision."""
    with turns.writing():
        for batch in portions(writings):
            write_portion(batch, author)


def write_portion(parts: Sequence[Part], author: Author) -> bool:
    """Write one portion as one revision, and say whether there was anything to do."""
    with revisions.revision(author) as recorder:
        _create(parts, recorder)
        _revive(parts, recorder)
        _set(parts, recorder)
        _add(parts, recorder)
        _restore(parts, recorder)
        _update(parts, recorder)
    return bool(recorder.changes)


def same(one: Any, other: Any) -> bool:
    """Whether two values of a field are equal as stored: 1 is not true, and the order of members counts."""
    return jsontext.dump(_stored(one)) == jsontext.dump(_stored(other))


def weight(new: NewMessage) -> int:
    """How many rows a message counts for."""
    return 1 + len(new.message) // ROW_CHARACTERS


def portions(writings: Iterable[Writing]) -> Iterator[list[Part]]:
    """The parts of the writings, as many at a time as one revision takes."""
    portion: list[Part] = []
    room = MOST_ROWS
    for part in (part for writing in writings for part in _parts(writing)):
        if part.rows > room and portion:
            yield portion
            portion, room = [], MOST_ROWS
        portion.append(part)
        room -= part.rows
    if portion:
        yield portion


def _parts(writing: Writing) -> Iterator[Part]:
    step = MOST_ROWS - 1  # one row is the conversation's own
    is_first = writing.has_own
    slices = list(_slices(writing.messages))
    if is_first and not slices:
        yield Part(writing, is_first)
    for messages in slices:
        yield Part(writing, is_first, messages)
        is_first = False
    for start in range(0, len(writing.restored), step):
        yield Part(writing, restored=writing.restored[start : start + step])
    for start in range(0, len(writing.updates), step):
        yield Part(writing, updates=writing.updates[start : start + step])


def _slices(messages: Sequence[NewMessage]) -> Iterator[list[NewMessage]]:
    part: list[NewMessage] = []
    room = MOST_ROWS - 1
    for one in messages:
        if part and weight(one) > room:
            yield part
            part, room = [], MOST_ROWS - 1
        part.append(one)
        room -= weight(one)
    if part:
        yield part


def _create(parts: Sequence[Part], recorder: Recorder) -> None:
    new = [part.of for part in parts if part.is_first and isinstance(part.of.conversation, NewConversation)]
    rows = [_new_row(writing.conversation, recorder) for writing in new]
    if rows:
        Conversation.objects.bulk_create(rows)
    for writing, row in zip(new, rows, strict=True):
        writing.conversation = row
        fields = _stored_fields(row, FIELDS)
        recorder.record("conversation", row.session_id, {"add": fields}, {"remove": True}, digest(fields))


def _new_row(new: Conversation | NewConversation, recorder: Recorder) -> Conversation:
    values = {name: getattr(new, name) for name in FIELDS}
    return Conversation(session_id=new.session_id, revision=recorder.seq, **values)


def _revive(parts: Sequence[Part], recorder: Recorder) -> None:
    for row in (part.of.row for part in parts if part.is_first and part.of.revive):
        row.deleted_revision, row.revision = None, recorder.seq
        row.save(update_fields=["deleted_revision", "revision"])
        fields = _stored_fields(row, FIELDS)
        recorder.record("conversation", row.session_id, {"add": fields}, {"remove": True}, digest(fields))


def _set(parts: Sequence[Part], recorder: Recorder) -> None:
    rows = []
    for part in parts:
        if not part.is_first or not part.of.fields:
            continue
        row, names = part.of.row, list(part.of.fields)
        before = _stored_fields(row, names)
        for name, value in part.of.fields.items():
            setattr(row, name, value)
        row.revision = recorder.seq
        result = digest(_stored_fields(row, FIELDS))
        recorder.record("conversation", row.session_id, {"set": _stored_fields(row, names)}, {"set": before}, result)
        rows.append(row)
    if rows:
        Conversation.objects.bulk_update(rows, [*FIELDS, "revision"])


def _add(parts: Sequence[Part], recorder: Recorder) -> None:
    with_messages = [part for part in parts if part.messages]
    rows = [[_new_message(one, part.of.row, recorder) for one in part.messages] for part in with_messages]
    Message.objects.bulk_create([row for some in rows for row in some])
    for part, some in zip(with_messages, rows, strict=True):
        _record_messages(part.of.row, some, recorder)


def _new_message(new: NewMessage, conversation: Conversation, recorder: Recorder) -> Message:
    values = {name: getattr(new, name) for name in NewMessage.__slots__}
    return Message(conversation=conversation, revision=recorder.seq, **values)


def _restore(parts: Sequence[Part], recorder: Recorder) -> None:
    """Take back that messages were deleted."""
    for part in parts:
        messages = _unchanged(part.restored)
        if messages:
            ids = [message.pk for message in messages]
            Message.objects.filter(pk__in=ids).update(deleted_revision=None, revision=recorder.seq)
            _record_messages(part.of.row, messages, recorder)


def _update(parts: Sequence[Part], recorder: Recorder) -> None:
    """Set fields of messages, never the text."""
    for part in parts:
        kept = {message.pk for message in _unchanged([message for message, _ in part.updates])}
        updates = [(message, fields) for message, fields in part.updates if message.pk in kept]
        if not updates:
            continue
        before: dict[str, JSONValue] = {str(message.pk): _stored_fields(message, fields) for message, fields in updates}
        for message, fields in updates:
            for name, value in {**fields, "revision": recorder.seq}.items():
                setattr(message, name, value)
        Message.objects.bulk_update([message for message, _ in updates], [*MESSAGE_FIELDS, "revision"])
        after: dict[str, JSONValue] = {str(message.pk): _stored_fields(message, fields) for message, fields in updates}
        recorder.record("message", part.of.row.session_id, {"set": after}, {"set": before}, digest(after))


def _unchanged(messages: Sequence[Message]) -> list[Message]:
    """Those that nobody has changed since they were read."""
    read = {message.pk: message.revision for message in messages}
    now = dict(Message.objects.filter(pk__in=read).values_list("pk", "revision")) if read else {}
    return [message for message in messages if now.get(message.pk) == message.revision]


def _record_messages(conversation: Conversation, messages: Sequence[Message], recorder: Recorder) -> None:
    ids: list[JSONValue] = [message.pk for message in messages]
    result = digest([told(one) for one in messages])
    recorder.record("message", conversation.session_id, {"add": ids}, {"remove": ids}, result)


def told(one: Message) -> list[JSONValue]:
    """What the hash of an added message covers."""
    return [one.pk, one.speaker, one.message, one.timestamp_text or one.timestamp.isoformat()]


def _locked(session_id: str) -> Conversation:
    row = Conversation.objects.select_for_update().filter(session_id=session_id).first()
    if row is None:
        raise NotFound(f"there is no conversation {session_id!r}")
    if row.deleted_revision is not None:
        raise NotFound(
            f"the conversation {session_id!r} was deleted in revision {row.deleted_revision}; undo that first"
        )
    return row


def moved(names: Sequence[str], seen: int) -> bool:
    """Whether one of these conversations was changed after a revision. Holds the write lock from here on."""
    head = StoreMeta.objects.select_for_update().values_list("last_seq", flat=True).first() or 0
    kinds = ["conversation", "message"]
    return head > seen and Change.objects.filter(revision__gt=seen, kind__in=kinds, key__in=names).exists()


def _stored_fields(row: Conversation | Message, names: Iterable[str]) -> dict[str, Any]:
    return {name: _stored(getattr(row, name)) for name in names}


def _stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def digest(value: Any) -> str:
    """The SHA-256 of a value's JSON text, as the result hash of a change has it."""
    return chain.hash_of(jsontext.dump(value))
