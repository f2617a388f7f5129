"""Conversations as ChatGPT exports them: a tree of messages, of which one leaf is current."""

from collections.abc import Mapping
from typing import Any

from conversations.imports.legacy_chat_files import Chat, parse_time
from conversations.imports.messages import (
    ChatReading,
    SourceMessage,
    find_kept,
    make_message,
    read_content,
    read_object,
    read_text,
    settle_tree,
    start_chat,
)
from state.jsondoc.budget import spend_work
from state.report import Category, Unit


def read_chatgpt(value: dict[str, Any], reading: ChatReading) -> Chat:
    chat = start_chat(value, reading, ("conversation_id", "id"), "create_time", "ChatGPT")
    chat.title = read_text(value.get("title"))
    chat.archived = value.get("is_archived") if isinstance(value.get("is_archived"), bool) else None
    chat.metadata = {name: value[name] for name in ("default_model_slug", "gizmo_id") if value.get(name)}
    mapping = value["mapping"]
    nodes = {str(ref): node for ref, node in mapping.items() if isinstance(node, dict)}
    told = {ref: one for ref, node in nodes.items() if (one := _node(ref, node))}
    answered = {ref: read_text(node.get("parent")) for ref, node in nodes.items()}
    for one in told.values():
        spend_work()
        one.parent = find_kept(one.parent, answered, told)
    left_out = sum(bool(node.get("message")) for node in nodes.values()) - len(told)
    if left_out:
        reading.note(Unit.MESSAGES, "empty messages of ChatGPT, without a word in them", left_out, Category.SKIPPED)
    leaf = find_kept(read_text(value.get("current_node")), answered, told)
    settle_tree(chat, told, leaf if leaf in told else next(reversed(told), ""), reading)
    return chat


def _node(ref: str, node: Mapping[str, Any]) -> SourceMessage | None:
    """The message of a node; None if it has none, or no word in it."""
    spend_work()
    message = node.get("message")
    if not isinstance(message, dict):
        return None
    author, content = read_object(message.get("author")), read_object(message.get("content"))
    more = read_object(message.get("metadata"))
    text, files = read_content(content)
    files += [read_text(one.get("name")) for one in more.get("attachments") or [] if isinstance(one, dict)]
    if not text.strip() and not files:
        return None
    kind = content.get("content_type")
    metadata = {
        "model": more.get("model_slug"),
        "content_type": kind if kind not in ("text", "multimodal_text") else None,
        "recipient": message.get("recipient") if message.get("recipient") != "all" else None,
        "name": author.get("name"),
        "hidden": more.get("is_visually_hidden_from_conversation"),
        "attachments": [name for name in dict.fromkeys(files) if name],
    }
    time, time_text = parse_time(message.get("create_time"))
    return make_message(ref, author.get("role"), text, time, time_text, read_text(node.get("parent")), metadata)
