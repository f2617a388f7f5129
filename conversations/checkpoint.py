"""Conversations in checkpoints: their rows, and bringing back what of them is missing. Nothing is removed or edited."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from access.rights import Right
from conversations import log
from conversations.drafts import STORED, ConversationWrite, NewConversation, NewMessage
from conversations.models import Conversation, Message
from conversations.order import find_last
from state.checkpoints.files import forget_rows
from state.checkpoints.rows import PARTS, CheckpointPart
from state.clock import format_time
from state.database.sql import stream_rows
from state.jsondoc.text import dump_json, parse_json
from state.revisions import Author

CONVERSATION, MESSAGE = "conversations.conversation", "conversations.message"
FIELDS = ("session_id", *log.FIELDS)
MESSAGE_FIELDS = STORED
LINKS = {
    "conversation_id": "conversation",
    "parent_id": "parent",
    "current_leaf_id": "current_leaf",
}  # columns to names
TIMES = ("started", "timestamp")
DOCUMENTS = ("metadata",)
AT_ONCE = 500  # conversations in one query
Row = Mapping[str, Any]


def register_rows() -> None:
    """Let checkpoints have conversations."""
    models = frozenset({CONVERSATION, MESSAGE})
    rights = Right.READ_CONVERSATIONS, Right.WRITE_CONVERSATIONS
    PARTS["conversations"] = CheckpointPart(models, dump_rows, check_rows, restore_rows, *rights)


# Out


def dump_rows(connection: BaseDatabaseWrapper, names: Sequence[str] | None = None) -> Iterator[str]:
    """What is kept, not what was deleted, as compact rows of a fixture: conversations first, then messages.

    `names` are the session ids of those that are wanted, None for all.
    """
    if names is None:
        yield from _conversations(connection)
        yield from _messages(connection)
        return
    some = [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
    for few in some:
        yield from _conversations(connection, few)
    for few in some:
        yield from _messages(connection, few)


def _conversations(connection: BaseDatabaseWrapper, names: Sequence[str] = ()) -> Iterator[str]:
    where = f"FROM conversation WHERE {_wanted(names)} ORDER BY id"
    return _rows(connection, CONVERSATION, (*FIELDS, "current_leaf_id"), where, names)


def _messages(connection: BaseDatabaseWrapper, names: Sequence[str] = ()) -> Iterator[str]:
    of_kept = f"conversation_id IN (SELECT id FROM conversation WHERE {_wanted(names)})"
    columns = ("conversation_id", "parent_id", *MESSAGE_FIELDS)
    where = f"FROM conversation_history WHERE deleted_revision IS NULL AND {of_kept} ORDER BY id"
    return _rows(connection, MESSAGE, columns, where, names)


def _wanted(names: Sequence[str]) -> str:
    places = ", ".join(["%s"] * len(names))
    return "deleted_revision IS NULL" + (f" AND session_id IN ({places})" if names else "")


def _rows(
    connection: BaseDatabaseWrapper, model: str, columns: Sequence[str], rest: str, names: Sequence[str]
) -> Iterator[str]:
    for number, *values in stream_rows(connection, f"SELECT id, {', '.join(columns)} {rest}", names):
        fields = {LINKS.get(name, name): _plain(name, value) for name, value in zip(columns, values, strict=True)}
        yield dump_json({"model": model, "pk": number, "fields": fields})


def _plain(name: str, value: Any) -> Any:
    if name in DOCUMENTS:
        return parse_json(value).value
    if name in TIMES and value is not None:
        return format_time(value)
    return bool(value) if name == "archived" else value


def forget_conversation(session_id: str) -> None:
    """Take a conversation out of the checkpoints that deletions have left."""
    gone: set[Any] = set()

    def is_gone(row: Row) -> bool:
        if row["model"].lower() == CONVERSATION and row["fields"]["session_id"] == session_id:
            gone.add(row["pk"])
        return row["pk"] in gone if row["model"].lower() == CONVERSATION else row["fields"]["conversation"] in gone

    forget_rows("conversations", is_gone)


# In


def check_rows(found: Sequence[Row]) -> None:
    """Raises ValueError for a row that cannot be restored."""
    conversations = {row["pk"] for row in found if row["model"].lower() == CONVERSATION}
    for row in found:
        fields = row["fields"]
        is_conversation = row["model"].lower() == CONVERSATION
        names = (*FIELDS, "current_leaf") if is_conversation else ("conversation", "parent", *MESSAGE_FIELDS)
        if set(fields) != set(names):
            raise ValueError(f"row {row['pk']} of {row['model']} has other fields than {', '.join(names)}")
        if "conversation" in fields and fields["conversation"] not in conversations:
            raise ValueError(f"message {row['pk']} belongs to no conversation of this file")
        for name in TIMES:
            if fields.get(name) is not None:
                datetime.fromisoformat(fields[name])


def restore_rows(found: Sequence[Row], author: Author | None) -> dict[str, int]:
    """Bring back conversations and messages that are missing or deleted; without an author only say how many.

    All of it in one transaction, in as many revisions as `log.write` makes.
    """
    messages: dict[Any, list[Row]] = defaultdict(list)
    for row in found:
        if row["model"].lower() == MESSAGE:
            messages[row["fields"]["conversation"]].append({**row["fields"], "ref": row["pk"]})
    conversations = [row for row in found if row["model"].lower() == CONVERSATION]
    writings = [_writing(row["fields"], messages[row["pk"]]) for row in conversations]
    writings = [writing for writing in writings if not writing.is_idle]
    counts = {
        "conversations": sum(one.revive or isinstance(one.conversation, NewConversation) for one in writings),
        "messages": sum(len(one.messages) + len(one.restored) + _with_it(one) for one in writings),
    }
    if author and writings:
        log.write(writings, author)
    return counts


def _with_it(writing: ConversationWrite) -> int:
    """How many messages come back with a conversation, because they were deleted with it and not by themselves."""
    if not writing.revive or not isinstance(writing.conversation, Conversation):
        return 0
    return writing.conversation.messages.filter(deleted_revision=None).count()


def _writing(fields: Row, messages: Sequence[Row]) -> ConversationWrite:
    """What brings one conversation back to at least what the checkpoint has of it."""
    new = [_message(one) for one in messages]
    leaf = str(fields["current_leaf"] or "")
    if leaf and new and leaf not in {one.ref for one in new}:  # deleted: the last message is read in its place
        leaf = find_last(new)
    row = Conversation.objects.filter(session_id=fields["session_id"]).first()
    if row is None:
        return ConversationWrite(NewConversation(**_values(fields, FIELDS)), messages=new, leaf=leaf)
    here: dict[Any, list[Message]] = defaultdict(list)
    for message in row.messages.order_by("-deleted_revision", "-id"):
        here[_identity(message)].append(message)
    missing, restored = [], []
    refs: dict[str, int] = {}
    for one in new:
        same = here[_identity(one)]
        old = same.pop() if same else None
        if old is None:
            missing.append(one)
            continue
        refs[one.ref] = old.pk
        if old.deleted_revision is not None:
            restored.append(old)
    is_back = row.deleted_revision is not None
    return ConversationWrite(
        row, messages=missing, restored=restored, revive=is_back, refs=refs, leaf=leaf if missing else ""
    )


def _message(fields: Row) -> NewMessage:
    """A message, known by the number that it had."""
    parent = "" if fields["parent"] is None else str(fields["parent"])
    return NewMessage(**_values(fields, MESSAGE_FIELDS), ref=str(fields["ref"]), parent=parent)


def _identity(one: Message | NewMessage) -> tuple[Any, ...]:
    if one.client_id is not None:
        return (one.client_id,)  # whatever a newer export has made of its text
    return one.speaker, one.timestamp.astimezone(UTC), one.message


def _values(fields: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: _value(name, fields[name]) for name in names}


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in TIMES and value is not None else value
