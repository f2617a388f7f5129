"""Conversations as LibreChat exports them: a list of messages, or a tree of them by `children`."""

from collections.abc import Iterator
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

ROOT = "00000000-0000-0000-0000-000000000000"
ROOTS = (ROOT, "00000000-0000-4000-8000-000000000000")  # what first messages answer
KEPT = ("model", "endpoint", "finish_reason", "error", "unfinished", "plugin", "plugins", "feedback", "iconURL")


def _claims(value: dict[str, Any]) -> bool:
    talk = _talk(value)
    marks = sum(name in value for name in ("conversationId", "exportAt", "endpoint", "recursive", "branches"))
    told = [read_object(one) for one in talk[:20]]
    is_ours = any("messageId" in one or "isCreatedByUser" in one for one in told)
    return (marks >= 1 and is_ours) or (marks >= 3 and not told)


def _talk(value: dict[str, Any]) -> list[Any]:
    return read_list(value.get("messages")) or read_list(value.get("messagesTree"))


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    chat = start_chat(value, reading, ("conversationId",), "createdAt", "LibreChat")
    chat.title = show_text(value.get("title"))
    chat.metadata = present(endpoint=value.get("endpoint"), options=value.get("options"), preset=value.get("preset"))
    rows = [_message(one, parent, number) for number, (one, parent) in enumerate(_walk(_talk(value)))]
    if not any(row.parent for row in rows):
        for row in rows:
            row.parent = None
    return [settle(chat, rows, reading, rows[-1].ref if rows else "")]


def _walk(talk: list[Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The messages of a list or tree, each with the id of the one it stands below; those before stand first."""
    stack = [(read_object(one), "") for one in reversed(talk)]
    while stack:
        one, above = stack.pop()
        yield one, above
        stack += [
            (read_object(kid), show_text(one.get("messageId"))) for kid in reversed(read_list(one.get("children")))
        ]


def _message(one: dict[str, Any], above: str, number: int) -> SourceMessage:
    found = Content()
    for block in read_list(one.get("content")):
        _read_block(block, found)
    if not found.texts:
        read_blocks(one.get("text"), found)
    for file in map(read_object, [*read_list(one.get("files")), *read_list(one.get("attachments"))]):
        name = show_text(file.get("filename") or file.get("name") or file.get("file_id"))
        found.attachments += [name] if name else []
    is_mine = one.get("isCreatedByUser")
    sender = show_text(one.get("sender"))
    role = (
        ("user" if is_mine else "assistant")
        if isinstance(is_mine, bool)
        else "user"
        if sender == "User"
        else "assistant"
    )
    said = show_text(one.get("parentMessageId"))
    more = pick(one, *KEPT) | present(name=sender if sender != "User" else None, language=one.get("lang"))
    more = {name: value for name, value in more.items() if value not in (False, "", [], {})}
    ref = show_text(one.get("messageId")) or f"message-{number}"
    time = one.get("createdAt") or one.get("updatedAt")
    return make_message(ref, role, found, time, above or ("" if said in ROOTS else said), more)


def _read_block(block: Any, found: Content) -> None:
    """A block, of which the words of thoughts and of tools lie one level deeper than elsewhere."""
    one = read_object(block)
    inner = one.get("tool_call")
    if one.get("type") == "tool_call" and isinstance(inner, dict):
        found.parts.append({"type": "tool_call"} | {name: value for name, value in inner.items() if name != "type"})
    elif one.get("type") == "error":
        found.parts.append(one)
    else:
        read_blocks(block, found)


READER = Reader("LibreChat", _claims, _read, is_service=True)
