"""Conversations of ShareGPT, as data sets have them: turns with `from` and `value`."""

from typing import Any

from conversations.imports.blocks import read_blocks, show_text
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    make_message,
    make_ref,
    read_list,
    settle,
    start_chat,
)

PLACES = ("conversations", "conversation", "items", "turns", "dialogue")
OF_TURN = ("from", "role", "user", "value", "content", "text", "timestamp")


def _claims(value: dict[str, Any]) -> bool:
    return bool(_place(value))


def _place(value: dict[str, Any]) -> str:
    """The member that holds the turns."""
    for name in PLACES:
        turns = [one for one in read_list(value.get(name)) if isinstance(one, dict)]
        if turns and all(("from" in one or "role" in one) and ("value" in one or "content" in one) for one in turns):
            return name
    return ""


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    place = _place(value)
    chat = start_chat(value, reading, ("id", "conversation_id"), "created_at", reading.file.name)
    chat.title = show_text(value.get("title"))
    chat.metadata = {name: one for name, one in value.items() if name not in (place, "id", "title", "system")}
    rows = []
    if isinstance(system := value.get("system"), str) and system:
        rows.append(make_message(make_ref(chat.session_id, "system"), "system", system, None))
    for number, raw in enumerate(value[place]):
        one = raw if isinstance(raw, dict) else {"value": raw}
        role = one.get("from", one.get("role"))
        content = read_blocks(one.get("value", one.get("content", one.get("text"))))
        more = {name: one[name] for name in one if name not in OF_TURN}
        row = make_message(make_ref(chat.session_id, number), role, content, one.get("timestamp"), None, more)
        row.place = f"{place}/{number}"
        rows.append(row)
    return [settle(chat, rows, reading)]


READER = Reader("ShareGPT", _claims, _read)
