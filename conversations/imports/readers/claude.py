"""Conversations as Claude exports them: messages, which may name the ones they answer; projects and memories."""

from typing import Any

from conversations.imports.blocks import read_blocks, show_text
from conversations.imports.messages import (
    ChatReading,
    ImportedState,
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

ROOT = "00000000-0000-4000-8000-000000000000"  # what first messages answer


def _claims(value: dict[str, Any]) -> bool:
    talk = value.get("chat_messages")
    return isinstance(talk, list) and (
        "uuid" in value or "name" in value or any("sender" in read_object(one) for one in talk)
    )


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    chat = start_chat(value, reading, ("uuid",), "created_at", "Claude")
    chat.title = show_text(value.get("name"))
    chat.metadata = {name: value[name] for name in ("summary", "model", "project", "project_uuid") if value.get(name)}
    talk = value["chat_messages"]
    rows = [_message(number, read_object(raw)) for number, raw in enumerate(talk)]
    if not any(row.parent for row in rows):
        for row in rows:
            row.parent = None
    return [settle(chat, rows, reading, show_text(value.get("current_leaf_message_uuid")))]


def _message(number: int, raw: dict[str, Any]) -> SourceMessage:
    """A message. What an attachment was found to say is kept as a paste, each of a name for itself."""
    found = read_blocks([one for one in read_list(raw.get("content")) if one])
    if not found.texts and raw.get("text") and not (found.parts and "not supported" in show_text(raw["text"])):
        found.texts = [show_text(raw["text"])]
    files = [read_object(one) for name in ("attachments", "files", "files_v2") for one in read_list(raw.get(name))]
    pastes = [
        {"name": show_text(one.get("file_name")), "text": show_text(one["extracted_content"])}
        for one in files
        if one.get("extracted_content")
    ]
    names = [show_text(one.get("file_name") or one.get("file_uuid")) for one in files]
    found.attachments += [name for name in names if name]
    parent = show_text(raw.get("parent_message_uuid"))
    ref = show_text(raw.get("uuid")) or f"message-{number}"
    more = present(pastes=pastes, model=raw.get("model"))
    return make_message(
        ref, raw.get("sender"), found, raw.get("created_at"), "" if parent == ROOT else parent, more,
        "thinking" if found.has_thoughts and not found.text and len(found.parts) == 1 else "",
    )  # fmt: skip


def _is_memory(value: dict[str, Any]) -> bool:
    return "conversations_memory" in value or ("project_memories" in value and "account_uuid" in value)


def _read_memory(value: dict[str, Any], reading: ChatReading) -> Read:
    rest = {name: one for name, one in value.items() if name != "account_uuid"}
    return [ImportedState("claude.memories", rest)]


def _is_project(value: dict[str, Any]) -> bool:
    return "uuid" in value and "name" in value and ("prompt_template" in value or isinstance(value.get("docs"), list))


def _read_project(value: dict[str, Any], reading: ChatReading) -> Read:
    """A project: what it is told, and its documents."""
    kept = pick(value, "uuid", "name", "description", "prompt_template", "created_at", "updated_at", "docs")
    return [ImportedState(f"claude.projects.{show_text(value['name'] or value['uuid'])}", kept)]


READER = Reader("Claude", _claims, _read, is_service=True)
MEMORY = Reader("memories of Claude", _is_memory, _read_memory, is_service=True)
PROJECT = Reader("projects of Claude", _is_project, _read_project, is_service=True)
