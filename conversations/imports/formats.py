"""Conversations as other programs export them, as plain data: ChatGPT, Claude, Nola itself, and lines of messages.

Pure reading: nothing here writes. A message is known again by the id that its source gave it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from conversations.drafts import SPEAKERS, STATUSES, NewMessage
from conversations.imports.chatgpt import read_chatgpt
from conversations.imports.claude import read_claude
from conversations.imports.legacy_chat_files import (
    IMPORTED,
    Chat,
    NotAChat,
    identify_message,
    parse_time,
    read_turns,
    replace_nul,
)
from conversations.imports.messages import (
    LOST,
    ChatReading,
    SourceMessage,
    make_message,
    name_session,
    read_content,
    read_object,
    read_text,
    settle_messages,
    settle_parents,
    start_chat,
)
from state.jsondoc.budget import spend_work
from state.jsondoc.text import JSONValue, dump_json
from state.report import Unit

SESSION = ("session_id", "conversation_id", "convo_id", "thread_id", "session")
SPEAKER = ("speaker", "role", "sender", "author")
TEXT = ("message", "content", "text")
TIME = ("timestamp", "created_at", "create_time", "time", "date")


class ExportSource(NamedTuple):
    """A program's export: how it is told from others, and how a conversation of it is read."""

    name: str
    fits: Callable[[dict[str, Any]], bool]
    read: Callable[[dict[str, Any], ChatReading], Chat]


def read_chat(value: JSONValue, reading: ChatReading) -> tuple[str, Chat]:
    """The name of the source and the conversation, or the piece of one, that a value is. Raises NotAChat."""
    if isinstance(value, dict):
        for source in SOURCES:
            if source.fits(value):
                return source.name, source.read(value, reading)
    raise NotAChat("no conversation of ChatGPT, Claude or Nola, and no message with a role and a text")


# Nola's own export


def _nola(value: dict[str, Any], reading: ChatReading) -> Chat:
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
    return chat


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


# The predecessor's, and lines


def _turns(value: dict[str, Any], reading: ChatReading) -> Chat:
    return read_turns(reading.file, value, reading.report)


def _whole(value: dict[str, Any], reading: ChatReading) -> Chat:
    """A conversation as a list of messages with roles, such as training data has it."""
    rest = dict(value)
    messages = [one for one in rest.pop("messages") if isinstance(one, dict)]
    chat = start_chat(rest, reading, SESSION, "started", reading.file.name)
    chat.title = read_text(rest.pop("title", ""))
    chat.metadata = {name: one for name, one in rest.items() if name not in (*SESSION, "started")}
    settle_messages(chat, [_line(one, chat.session_id, number) for number, one in enumerate(messages)], reading)
    return chat


def _one_message(value: dict[str, Any], reading: ChatReading) -> Chat:
    """A line that is one message."""
    chat = start_chat(value, reading, SESSION, "", reading.file.name, default=reading.file.stem)
    rest = {name: one for name, one in value.items() if name not in SESSION}
    settle_messages(chat, [_line(rest, chat.session_id, reading.number)], reading)
    return chat


def _line(value: dict[str, Any], session_id: str, number: int) -> SourceMessage:
    rest = dict(value)
    speaker, text, time = (_taken(rest, names) for names in (SPEAKER, TEXT, TIME))
    if isinstance(text, list):
        text, files = read_content({"parts": text})
        rest |= {"attachments": files} if files else {}
    said = text if isinstance(text, str) else dump_json(text)
    moment_of, time_text = parse_time(time)
    given = rest.pop("id", None)
    place = given if given is not None else "" if time_text else number
    base = dump_json([session_id, place, read_text(speaker), time_text, said])
    ref = hashlib.sha256(base.encode()).hexdigest()[:32]
    return make_message(
        ref, speaker, said, moment_of, time_text, "", rest | ({"id": given} if given is not None else {})
    )


def _taken(rest: dict[str, Any], names: tuple[str, ...]) -> Any:
    name = next((name for name in names if name in rest), "")
    return rest.pop(name, None)


def _has(value: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(value.get(name) is not None for name in names)


SOURCES = (
    ExportSource("ChatGPT", lambda value: isinstance(value.get("mapping"), dict), read_chatgpt),
    ExportSource("Claude", lambda value: isinstance(value.get("chat_messages"), list), read_claude),
    ExportSource("the predecessor", lambda value: isinstance(value.get("turns"), list), _turns),
    ExportSource("Nola", lambda value: isinstance(value.get("messages"), list) and "started_text" in value, _nola),
    ExportSource("lists of messages", lambda value: isinstance(value.get("messages"), list), _whole),
    ExportSource("lines of messages", lambda value: _has(value, SPEAKER) and _has(value, TEXT), _one_message),
)
