"""Conversations as Nola exports them itself, and those of its predecessor."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conversations.drafts import SPEAKERS, STATUSES, NewMessage
from conversations.imports.legacy_chat_files import IMPORTED, Chat, NotAChat, identify_message, read_turns, replace_nul
from conversations.imports.messages import (
    LOST,
    ChatReading,
    Read,
    Reader,
    name_session,
    read_object,
    read_text,
    settle_parents,
)
from conversations.imports.times import parse_time
from state.jsondoc.budget import spend_work
from state.jsondoc.text import JSONValue, dump_json
from state.report import Report, Unit


def _claims(value: dict[str, Any]) -> bool:
    return isinstance(value.get("messages"), list) and "started_text" in value and "session_id" in value


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    chat = Chat(name_session(value.get("session_id"), reading), reading.file)
    chat.title, chat.channel, chat.source = (read_text(value.get(name)) for name in ("title", "channel", "source"))
    chat.archived = value.get("archived") is True
    chat.metadata = read_object(value.get("metadata"))
    chat.started, _ = parse_time(value.get("started"))
    chat.started_text = read_text(value.get("started_text"))
    names: dict[str, str] = {}  # by id; only what is wrong in the file gives one to two messages
    answered: dict[str, JSONValue] = {}
    taken: set[str] = set()
    repeats: Counter[tuple[str, str, str]] = Counter()
    for raw in map(read_object, value["messages"]):
        one = _nola_message(raw, taken)
        base = (one.speaker, one.timestamp_text or one.timestamp.isoformat(), one.message)
        is_imported = (one.client_id or "").startswith(IMPORTED)
        name = one.client_id or "" if is_imported else identify_message(*base, repeats[base])
        repeats[base] += not is_imported
        names[dump_json(raw.get("id"))] = name
        answered[name] = raw.get("parent")
        chat.messages[name] = replace(one, ref=name)
    parents = {name: "" if one is None else names.get(dump_json(one), LOST) for name, one in answered.items()}
    for name, parent in settle_parents(parents, chat.session_id, reading).items():
        chat.messages[name] = replace(chat.messages[name], parent=parent)
    chat.leaf = _leaf(value.get("current_leaf"), names, chat, reading)
    return [chat]


def _leaf(given: JSONValue, names: Mapping[str, str], chat: Chat, reading: ChatReading) -> str:
    """The name of the message that ends the branch in use: if it is not in the file, the last, as Nola reads it."""
    if given is None or dump_json(given) in names:
        return names.get(dump_json(given), "")
    text = f"the current leaf of {chat.session_id} is not in the file; its last message is taken instead"
    reading.note(Unit.CONVERSATIONS, text)
    return max(reversed(chat.messages), key=lambda name: chat.messages[name].timestamp, default="")


def _nola_message(raw: dict[str, Any], taken: set[str]) -> NewMessage:
    spend_work()
    time, _ = parse_time(raw.get("timestamp"))
    if time is None or not isinstance(raw.get("message"), str) or raw.get("speaker") not in SPEAKERS:
        raise NotAChat(
            f"message {raw.get('id')!r} of an export of Nola has no speaker, text or time; nothing of it is read"
        )
    client_id = raw.get("client_id")
    if not isinstance(client_id, str) or client_id in taken:
        client_id = None
    else:
        taken.add(client_id)
    level = raw.get("context_level")
    return NewMessage(
        speaker=raw["speaker"],
        message=replace_nul(raw["message"]),
        timestamp=time,
        timestamp_text=read_text(raw.get("timestamp_text")),
        user_id=read_text(raw.get("user_id")) or "user",
        context_level=level if level in (1, 2, 3) else None,
        stimuli_type=read_text(raw.get("stimuli_type")),
        status=raw["status"] if raw.get("status") in STATUSES else "ok",
        client_id=client_id,
        metadata=read_object(raw.get("metadata")),
    )


def _has_turns(value: dict[str, Any]) -> bool:
    turns = value.get("turns")
    return isinstance(turns, list) and (
        "session_id" in value or any({"user", "assistant"} & one.keys() for one in turns if isinstance(one, dict))
    )


def _read_turns(value: dict[str, Any], reading: ChatReading) -> Read:
    report = Report()
    chat = read_turns(reading.file, value, report, default=reading.stem)
    for one in report.findings:
        if one.text:
            reading.note(one.unit, one.text, one.count, one.category)
    return [chat]


READER = Reader("Nola", _claims, _read, is_service=True)
PREDECESSOR = Reader("the predecessor", _has_turns, _read_turns)
