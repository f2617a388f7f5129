"""The one way to write conversations: rows and history in one transaction, in revisions of a bounded size.

A message's change holds its id, never its text; the text is in the table alone.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from conversations.models import Conversation, Message
from state import jsontext, revisions
from state.jsontext import JSONValue
from state.revisions import Author, Recorder

MOST_ROWS = 1000  # in one revision
FIELDS = ("title", "channel", "source", "started", "started_text", "archived", "metadata")


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
    """What is to be written of one conversation: it itself if it is new, fields to set, messages to add."""

    conversation: Conversation | NewConversation
    fields: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[NewMessage] = ()
    restored: Sequence[Message] = ()


def create(new: NewConversation, author: Author, messages: Sequence[NewMessage] = ()) -> Conversation:
    """A new conversation, with its first messages. Raises AlreadyThere."""
    with transaction.atomic():
        if Conversation.objects.filter(session_id=new.session_id).exists():
            raise AlreadyThere(f"there is a conversation {new.session_id!r} already")
        writing = Writing(new, messages=messages)
        write([writing], author)
    return _row(writing)


def append(session_id: str, messages: Sequence[NewMessage], author: Author) -> None:
    """Add messages to a conversation. Raises NotFound."""
    with transaction.atomic():
        write([Writing(_locked(session_id), messages=messages)], author)


def change(session_id: str, fields: Mapping[str, Any], author: Author) -> None:
    """Set fields of a conversation: its title, for one. Setting what is there makes no revision. Raises NotFound."""
    with transaction.atomic():
        row = _locked(session_id)
        new = {name: value for name, value in fields.items() if not same(getattr(row, name), value)}
        write([Writing(row, fields=new)], author)


def write(writings: Iterable[Writing], author: Author) -> None:
    """Write all of it in one transaction, as revisions of at most MOST_ROWS rows. Nothing to write: no revision."""
    with transaction.atomic():
        for part in _parts(writings):
            with revisions.revision(author) as recorder:
                _create(part, recorder)
                _set(part, recorder)
                _add(part, recorder)
                _restore(part, recorder)


def same(one: Any, other: Any) -> bool:
    """Whether two values of a field are equal as stored: 1 is not true, and the order of members counts."""
    return jsontext.dump(_stored(one)) == jsontext.dump(_stored(other))


@dataclass(slots=True)
class _Part:
    """As much of a writing as one revision takes. The first part also creates the row and sets the fields."""

    writing: Writing
    is_first: bool
    messages: Sequence[NewMessage]
    restored: Sequence[Message]


def _parts(writings: Iterable[Writing]) -> Iterator[list[_Part]]:
    batch: list[_Part] = []
    room = MOST_ROWS
    for writing in writings:
        for part in _sliced(writing):
            rows = 1 + len(part.messages) + len(part.restored)
            if rows > room and batch:
                yield batch
                batch, room = [], MOST_ROWS
            batch.append(part)
            room -= rows
    if batch:
        yield batch


def _sliced(writing: Writing) -> Iterator[_Part]:
    step = MOST_ROWS - 1  # one row is the conversation's own
    rows = max(len(writing.messages), 1)
    for start in range(0, rows, step):
        yield _Part(writing, start == 0, writing.messages[start : start + step], ())
    for start in range(0, len(writing.restored), step):
        yield _Part(writing, False, (), writing.restored[start : start + step])


def _create(parts: Sequence[_Part], recorder: Recorder) -> None:
    new = [part.writing for part in parts if part.is_first and isinstance(part.writing.conversation, NewConversation)]
    rows = [_new_row(writing.conversation, recorder) for writing in new]
    if rows:
        Conversation.objects.bulk_create(rows)
    for writing, row in zip(new, rows, strict=True):
        writing.conversation = row
        fields = _stored_fields(row, FIELDS)
        recorder.record("conversation", row.session_id, {"add": fields}, {"remove": True}, _hash(fields))


def _new_row(new: Conversation | NewConversation, recorder: Recorder) -> Conversation:
    values = {name: getattr(new, name) for name in FIELDS}
    return Conversation(session_id=new.session_id, revision=recorder.seq, **values)


def _set(parts: Sequence[_Part], recorder: Recorder) -> None:
    rows = []
    for part in parts:
        if not part.is_first or not part.writing.fields:
            continue
        row, names = _row(part.writing), list(part.writing.fields)
        before = _stored_fields(row, names)
        for name, value in part.writing.fields.items():
            setattr(row, name, value)
        row.revision = recorder.seq
        result = _hash(_stored_fields(row, FIELDS))
        recorder.record("conversation", row.session_id, {"set": _stored_fields(row, names)}, {"set": before}, result)
        rows.append(row)
    if rows:
        Conversation.objects.bulk_update(rows, [*FIELDS, "revision"])


def _add(parts: Sequence[_Part], recorder: Recorder) -> None:
    with_messages = [part for part in parts if part.messages]
    rows = [[_new_message(one, _row(part.writing), recorder) for one in part.messages] for part in with_messages]
    Message.objects.bulk_create([row for some in rows for row in some])
    for part, some in zip(with_messages, rows, strict=True):
        _record_messages(_row(part.writing), some, recorder)


def _new_message(new: NewMessage, conversation: Conversation, recorder: Recorder) -> Message:
    values = {name: getattr(new, name) for name in NewMessage.__slots__}
    return Message(conversation=conversation, revision=recorder.seq, **values)


def _restore(parts: Sequence[_Part], recorder: Recorder) -> None:
    """Take back that messages were deleted."""
    for part in parts:
        if part.restored:
            ids = [message.pk for message in part.restored]
            Message.objects.filter(pk__in=ids).update(deleted_revision=None, revision=recorder.seq)
            _record_messages(_row(part.writing), part.restored, recorder)


def _record_messages(conversation: Conversation, messages: Sequence[Message], recorder: Recorder) -> None:
    ids: list[JSONValue] = [message.pk for message in messages]
    texts = [[one.pk, one.speaker, one.message, one.timestamp_text or one.timestamp.isoformat()] for one in messages]
    recorder.record("message", conversation.session_id, {"add": ids}, {"remove": ids}, _hash(texts))


def _locked(session_id: str) -> Conversation:
    row = Conversation.objects.select_for_update().filter(session_id=session_id).first()
    if row is None:
        raise NotFound(f"there is no conversation {session_id!r}")
    return row


def _row(writing: Writing) -> Conversation:
    assert isinstance(writing.conversation, Conversation)  # _create has put it there
    return writing.conversation


def _stored_fields(row: Conversation, names: Iterable[str]) -> dict[str, Any]:
    return {name: _stored(getattr(row, name)) for name in names}


def _stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _hash(value: Any) -> str:
    return hashlib.sha256(jsontext.dump(value).encode()).hexdigest()
