"""Conversations as Claude exports them: a list of messages, which may name the ones they answer."""

from typing import Any

from conversations.imports.legacy_chat_files import Chat, parse_time
from conversations.imports.messages import (
    ChatReading,
    SourceMessage,
    find_kept,
    make_message,
    read_object,
    read_text,
    settle_messages,
    settle_tree,
    start_chat,
)
from state.report import Category, Unit

ROOT = "00000000-0000-4000-8000-000000000000"  # what first messages answer


def read_claude(value: dict[str, Any], reading: ChatReading) -> Chat:
    chat = start_chat(value, reading, ("uuid",), "created_at", "Claude")
    chat.title = read_text(value.get("name"))
    chat.metadata = {name: value[name] for name in ("summary", "model") if value.get(name)}
    told = {one.ref: one for number, raw in enumerate(value["chat_messages"]) if (one := _message(number, raw))}
    left_out = len(value["chat_messages"]) - len(told)
    if left_out:
        reading.note(Unit.MESSAGES, "empty messages of Claude, without a word in them", left_out, Category.SKIPPED)
    answered = dict(_link(number, raw) for number, raw in enumerate(value["chat_messages"]))
    for one in told.values():
        one.parent = find_kept(one.parent, answered, told)
    if any(one.parent for one in told.values()):
        leaf = read_text(value.get("current_leaf_message_uuid"))
        settle_tree(chat, told, leaf if leaf in told else next(reversed(told)), reading)
    else:
        settle_messages(chat, list(told.values()), reading)
    return chat


def _link(number: int, raw: Any) -> tuple[str, str]:
    """The id of a message, and that of the one it answers: "" for the root of all, which is no message."""
    message = read_object(raw)
    parent = read_text(message.get("parent_message_uuid"))
    return read_text(message.get("uuid")) or f"message-{number}", "" if parent == ROOT else parent


def _message(number: int, raw: Any) -> SourceMessage | None:
    """A message; None if there is nothing in it. What an attachment was found to say is kept in the metadata."""
    message = read_object(raw)
    content = [one for one in message.get("content") or [] if isinstance(one, dict)]
    texts = [read_text(one.get("text")) for one in content if one.get("type") == "text" and one.get("text")]
    text = "\n".join(texts) or read_text(message.get("text"))
    others = [one for one in content if one.get("type") != "text"]
    files = [read_object(one) for name in ("attachments", "files", "files_v2") for one in message.get(name) or []]
    names = dict.fromkeys(read_text(one.get("file_name")) for one in files)
    if not text.strip() and not names and not others:
        return None
    metadata = {
        "attachments": [name for name in names if name],
        "extracted": {
            read_text(one.get("file_name")): found for one in files if (found := one.get("extracted_content"))
        },
        "parts": others,
    }
    time, time_text = parse_time(message.get("created_at"))
    ref, parent = _link(number, message)
    return make_message(ref, message.get("sender"), text, time, time_text, parent, metadata)
