"""Chats of SillyTavern: a line about the chat, then a line a message; other answers that were thrown are its swipes."""

from typing import Any

from conversations.imports.blocks import Content, show_text
from conversations.imports.legacy_chat_files import Chat
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    SourceMessage,
    make_message,
    make_ref,
    name_session,
    present,
    read_list,
    read_object,
    settle,
)
from conversations.imports.times import parse_time

OF_CHAT = ("chat_metadata", "user_name", "character_name")


def _claims(value: dict[str, Any]) -> bool:
    is_message = "mes" in value and bool({"is_user", "name", "send_date"} & value.keys())
    return is_message or ("chat_metadata" in value and "mes" not in value) or all(name in value for name in OF_CHAT[1:])


def _read(lines: list[tuple[int, dict[str, Any]]], reading: ChatReading) -> Read:
    about = next((one for _, one in lines if "mes" not in one), {})
    who = show_text(about.get("character_name"))
    name = reading.stem if who.casefold() in reading.stem.casefold() else f"{who} - {reading.stem}"
    chat = Chat(name_session(name, reading), reading.file, source="SillyTavern", channel="sillytavern")
    chat.title = who
    chat.started, chat.started_text = parse_time(about.get("create_date"))
    chat.metadata = present(user_name=about.get("user_name"), chat_metadata=about.get("chat_metadata"))
    rows: list[SourceMessage] = []
    parent, leaf = "", ""
    for number, one in lines:
        if "mes" in one:
            some = _versions(number, one, parent)
            rows += some
            parent = leaf = some[-1].ref
    has_swipes = len({row.parent for row in rows}) < len(rows)
    for row in rows if not has_swipes else ():
        row.parent = None
    return [settle(chat, rows, reading, leaf)]


def _versions(number: int, one: dict[str, Any], parent: str) -> list[SourceMessage]:
    """The message of a line, after the other answers that were given in its place."""
    swipes = read_list(one.get("swipes"))
    chosen = one.get("swipe_id")
    about = read_list(one.get("swipe_info"))
    rows = []
    for place, text in enumerate(swipes):
        is_shown = place == chosen if isinstance(chosen, int) else text == one.get("mes")
        if not is_shown and isinstance(text, str):
            info = read_object(about[place]) if place < len(about) else {}
            told = {**one, "extra": info.get("extra") or {}, "send_date": info.get("send_date") or one.get("send_date")}
            rows.append(_message((number, place), told, text, parent))
    return [*rows, _message((number,), one, one.get("mes"), parent)]


def _message(place: tuple[int | str, ...], one: dict[str, Any], text: Any, parent: str) -> SourceMessage:
    extra = read_object(one.get("extra"))
    found = Content([text] if isinstance(text, str) and text else [])
    if extra.get("reasoning"):
        found.parts.append({"type": "thinking", "thinking": show_text(extra["reasoning"])})
    for name in ("image", "file", "video"):
        if value := extra.get(name):
            told = show_text(value.get("name") if isinstance(value, dict) else value)
            found.files += told.startswith("data:")
            found.attachments.append(name if told.startswith("data:") else told)
    kept = {name: value for name, value in extra.items() if name not in ("reasoning", "image", "file", "video")}
    hidden = "hidden" if one.get("is_system") is True else ""
    role = "user" if one.get("is_user") is True else "assistant"
    more = present(name=one.get("name"), extra=kept, title=one.get("title"))
    ref = make_ref(*place, one.get("name"), one.get("send_date"))
    return make_message(ref, role, found, one.get("send_date"), parent, more, hidden)


READER = Reader("SillyTavern", _claims, _read, gathers=True)
