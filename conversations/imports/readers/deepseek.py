"""Conversations as DeepSeek exports them: a tree as ChatGPT has it, of messages in fragments or with a plain text."""

from collections.abc import Mapping
from typing import Any

from conversations.imports.blocks import Content, read_blocks, show_text
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

SPOKEN = {"REQUEST": "user", "RESPONSE": "assistant", "THINK": "assistant", "SEARCH": "assistant"}
OTHER = {"user": "assistant", "assistant": "user"}


def _claims(value: dict[str, Any]) -> bool:
    """Its chats, or their messages, have the time at which they were inserted, and no author."""
    nodes = value.get("mapping")
    if not isinstance(nodes, dict):
        return False
    told = [one for node in nodes.values() if isinstance(one := read_object(node).get("message"), dict)]
    is_ours = ("fragments" in one or "inserted_at" in one or "reasoning_content" in one for one in told)
    return any(is_ours) if told else "inserted_at" in value


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    chat = start_chat(value, reading, ("id", "conversation_id"), "inserted_at", "DeepSeek")
    chat.title = show_text(value.get("title"))
    nodes = {str(ref): node for ref, node in value["mapping"].items() if isinstance(node, dict)}
    speakers: dict[str, str] = {}
    rows = [_message(ref, node, nodes, speakers) for ref, node in nodes.items()]
    return [settle(chat, rows, reading, show_text(value.get("current_node")) or next(reversed(nodes), ""))]


def _message(
    ref: str, node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]], speakers: dict[str, str]
) -> SourceMessage:
    message = read_object(node.get("message"))
    found = Content()
    for one in read_list(message.get("fragments")):
        _read_fragment(read_object(one), found)
    read_blocks(message.get("content"), found)
    found.attachments += [
        show_text(one.get("file_name") or one.get("name") or one.get("id"))
        for one in map(read_object, read_list(message.get("files")))
    ]
    more = pick(message, "model") | present(
        search_results=message.get("search_results"), reasoning_content=message.get("reasoning_content")
    )
    row = make_message(
        ref, _speaker(ref, nodes, speakers), found, message.get("inserted_at"), show_text(node.get("parent")), more
    )
    row.is_empty &= not more.get("search_results")
    row.is_node = not message
    return row


def _read_fragment(one: dict[str, Any], found: Content) -> None:
    """A piece of a message: words that were said, or else a part."""
    kind = show_text(one.get("type")).upper()
    text = one.get("content")
    if kind in ("REQUEST", "RESPONSE", "") and isinstance(text, str):
        found.texts += [text] if text else []
    elif kind == "THINK":
        found.parts.append({**one, "type": "thinking"})
    else:
        found.parts.append({**one, "type": kind.lower() or "fragment"})


def _speaker(ref: str, nodes: Mapping[str, Mapping[str, Any]], speakers: dict[str, str]) -> str:
    """Who speaks: as the message or its fragments say, else the other one than in the message before."""
    path: list[str] = []
    while ref not in speakers:
        message = read_object(read_object(nodes.get(ref)).get("message"))
        kinds = [show_text(read_object(one).get("type")).upper() for one in read_list(message.get("fragments"))]
        said = next((SPOKEN[kind] for kind in kinds if kind in SPOKEN), "")
        role = show_text(message.get("role")).lower()
        parent = show_text(read_object(nodes.get(ref)).get("parent"))
        if role or said:
            speakers[ref] = role or said
        elif not message or ref in path or parent not in nodes:
            speakers[ref] = "assistant" if not message else "user"  # before the first message nobody has spoken
        else:
            path.append(ref)
            ref = parent
    for one in reversed(path):
        speakers[one] = OTHER.get(speakers[show_text(nodes[one].get("parent"))], "user")
        ref = one
    return speakers[ref]


READER = Reader("DeepSeek", _claims, _read, is_service=True)
