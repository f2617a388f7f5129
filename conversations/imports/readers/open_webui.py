"""Conversations as open-webui exports them: a tree of messages in `chat.history`; all of them, or a single one."""

from typing import Any

from conversations.imports.blocks import read_blocks, show_text
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    SourceMessage,
    make_message,
    pick,
    present,
    read_list,
    read_object,
    settle,
    start_chat,
)
from conversations.read import TAGS

KEPT = (
    "model", "models", "modelName", "done", "error", "sources", "citations", "statusHistory", "annotation", "usage",
    "info", "feedbackId", "merged", "code_executions", "embeds", "output",
)  # fmt: skip


def _claims(value: dict[str, Any]) -> bool:
    chat = read_object(value.get("chat")) or value
    history = read_object(chat.get("history"))
    if isinstance(history.get("messages"), dict):
        return "currentId" in history or any("childrenIds" in read_object(one) for one in history["messages"].values())
    return "chat" in value and isinstance(chat.get("messages"), list) and "models" in chat


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    inner = read_object(value.get("chat")) or value
    about = {**inner, **{name: one for name, one in value.items() if one not in (None, "")}}
    chat = start_chat(
        about, reading, ("id", "chat_id"), "created_at" if about.get("created_at") else "timestamp", "open-webui"
    )
    chat.title = show_text(value.get("title") or inner.get("title"))
    chat.archived = value.get("archived") if isinstance(value.get("archived"), bool) else None
    tags = read_list(inner.get("tags")) or read_list(read_object(value.get("meta")).get("tags"))
    names = [show_text(one.get("name") if isinstance(one, dict) else one) for one in tags]
    chat.metadata = present(**{TAGS: names}, models=inner.get("models"), folder_id=value.get("folder_id"),
                            system=inner.get("system") or read_object(inner.get("params")).get("system"))  # fmt: skip
    chat.metadata |= {"pinned": True} if value.get("pinned") else {}
    history = read_object(inner.get("history"))
    if isinstance(history.get("messages"), dict):
        rows = [_message(str(ref), read_object(one), is_tree=True) for ref, one in history["messages"].items()]
    else:
        listed = map(read_object, read_list(inner.get("messages")))
        rows = [_message(f"message-{number}", one, is_tree=False) for number, one in enumerate(listed)]
    return [settle(chat, rows, reading, show_text(history.get("currentId")))]


def _message(ref: str, one: dict[str, Any], *, is_tree: bool) -> SourceMessage:
    found = read_blocks(one.get("content"))
    for file in map(read_object, read_list(one.get("files"))):
        name = show_text(file.get("name") or read_object(file.get("file")).get("filename") or file.get("id"))
        found.attachments += [name] if name else []
        if file.get("type") == "image" and not name:
            found.attachments.append("image")
            found.files += show_text(file.get("url")).startswith("data:")
    parent = show_text(one.get("parentId")) if is_tree else None
    return make_message(one.get("id") or ref, one.get("role"), found, one.get("timestamp"), parent, pick(one, *KEPT))


READER = Reader("open-webui", _claims, _read, is_service=True)
