"""Conversations as Claude exports them: a list of messages, which may name the ones they answer."""

from typing import Any

from conversations.imports.legacy_chat_files import Chat, moment
from conversations.imports.messages import Reading, Told, chat_of, members, settle, settle_tree, tell, text_of
from state.report import Category, Unit


def read(value: dict[str, Any], reading: Reading) -> Chat:
    chat = chat_of(value, reading, ("uuid",), "created_at", "Claude")
    chat.title = text_of(value.get("name"))
    chat.metadata = {name: value[name] for name in ("summary", "model") if value.get(name)}
    told = {one.ref: one for number, raw in enumerate(value["chat_messages"]) if (one := _message(number, raw))}
    left_out = len(value["chat_messages"]) - len(told)
    if left_out:
        reading.note(Unit.MESSAGES, "empty messages of Claude, without a word in them", left_out, Category.SKIPPED)
    for one in told.values():
        one.parent = one.parent if one.parent in told else ""
    if any(one.parent for one in told.values()):
        leaf = text_of(value.get("current_leaf_message_uuid"))
        settle_tree(chat, told, leaf if leaf in told else next(reversed(told)), reading)
    else:
        settle(chat, list(told.values()), reading)
    return chat


def _message(number: int, raw: Any) -> Told | None:
    """A message; None if there is nothing in it. What an attachment was found to say is kept in the metadata."""
    message = members(raw)
    content = [one for one in message.get("content") or [] if isinstance(one, dict)]
    texts = [text_of(one.get("text")) for one in content if one.get("type") == "text" and one.get("text")]
    text = "\n".join(texts) or text_of(message.get("text"))
    others = [one for one in content if one.get("type") != "text"]
    files = [members(one) for name in ("attachments", "files", "files_v2") for one in message.get(name) or []]
    names = dict.fromkeys(text_of(one.get("file_name")) for one in files)
    if not text.strip() and not names and not others:
        return None
    metadata = {
        "attachments": [name for name in names if name],
        "extracted": {text_of(one.get("file_name")): found for one in files if (found := one.get("extracted_content"))},
        "parts": others,
    }
    time, time_text = moment(message.get("created_at"))
    ref, parent = text_of(message.get("uuid")) or f"message-{number}", text_of(message.get("parent_message_uuid"))
    return tell(ref, message.get("sender"), text, time, time_text, parent, metadata)
