"""Conversations as other programs export them, as plain data: ChatGPT, Claude, Nola itself, and lines of messages.

Pure reading: nothing here writes. A message is known again by the id that its source gave it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from conversations.api.schemas import SPEAKERS, STATUSES
from conversations.drafts import NewMessage
from conversations.imports import chatgpt, claude
from conversations.imports import legacy_chat_files as legacy
from conversations.imports.legacy_chat_files import IMPORTED, Chat, NotAChat, identity, moment, without_nul
from conversations.imports.messages import (
    Reading,
    Told,
    chat_of,
    members,
    parts,
    session_id_of,
    settle,
    tell,
    text_of,
)
from state.jsondoc.text import JSONValue, dump_json

SESSION = ("session_id", "conversation_id", "convo_id", "thread_id", "session")
SPEAKER = ("speaker", "role", "sender", "author")
TEXT = ("message", "content", "text")
TIME = ("timestamp", "created_at", "create_time", "time", "date")


class Source(NamedTuple):
    """A program's export: how it is told from others, and how a conversation of it is read."""

    name: str
    fits: Callable[[dict[str, Any]], bool]
    read: Callable[[dict[str, Any], Reading], Chat]


def read(value: JSONValue, reading: Reading) -> tuple[str, Chat]:
    """The name of the source and the conversation, or the piece of one, that a value is. Raises NotAChat."""
    if isinstance(value, dict):
        for source in SOURCES:
            if source.fits(value):
                return source.name, source.read(value, reading)
    raise NotAChat("no conversation of ChatGPT, Claude or Nola, and no message with a role and a text")


# Nola's own export


def _nola(value: dict[str, Any], reading: Reading) -> Chat:
    chat = Chat(session_id_of(value.get("session_id"), reading), reading.file)
    chat.title, chat.channel, chat.source = (text_of(value.get(name)) for name in ("title", "channel", "source"))
    chat.archived = value.get("archived") is True
    chat.metadata = members(value.get("metadata"))
    chat.started, _ = moment(value.get("started"))
    chat.started_text = text_of(value.get("started_text"))
    names: dict[Any, str] = {}
    taken: set[str] = set()
    repeats: Counter[tuple[str, str, str]] = Counter()
    for raw in value["messages"]:
        one = _nola_message(members(raw), taken)
        base = (one.speaker, one.timestamp_text or one.timestamp.isoformat(), one.message)
        is_imported = (one.client_id or "").startswith(IMPORTED)
        name = one.client_id or "" if is_imported else identity(*base, repeats[base])
        repeats[base] += not is_imported
        names[members(raw).get("id")] = name
        chat.messages[name] = replace(one, ref=name, parent=names.get(members(raw).get("parent"), ""))
    chat.leaf = names.get(value.get("current_leaf"), "")
    return chat


def _nola_message(raw: dict[str, Any], taken: set[str]) -> NewMessage:
    time, _ = moment(raw.get("timestamp"))
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
        message=without_nul(raw["message"]),
        timestamp=time,
        timestamp_text=text_of(raw.get("timestamp_text")),
        user_id=text_of(raw.get("user_id")) or "user",
        context_level=level if level in (1, 2, 3) else None,
        stimuli_type=text_of(raw.get("stimuli_type")),
        status=raw["status"] if raw.get("status") in STATUSES else "ok",
        client_id=client_id,
        metadata=members(raw.get("metadata")),
    )


# The predecessor's, and lines


def _turns(value: dict[str, Any], reading: Reading) -> Chat:
    return legacy.from_turns(reading.file, value, reading.report)


def _whole(value: dict[str, Any], reading: Reading) -> Chat:
    """A conversation as a list of messages with roles, such as training data has it."""
    rest = dict(value)
    messages = [one for one in rest.pop("messages") if isinstance(one, dict)]
    chat = chat_of(rest, reading, SESSION, "started", reading.file.name)
    chat.title = text_of(rest.pop("title", ""))
    chat.metadata = {name: one for name, one in rest.items() if name not in (*SESSION, "started")}
    settle(chat, [_line(one, chat.session_id, number) for number, one in enumerate(messages)], reading)
    return chat


def _one_message(value: dict[str, Any], reading: Reading) -> Chat:
    """A line that is one message."""
    chat = chat_of(value, reading, SESSION, "", reading.file.name, default=reading.file.stem)
    rest = {name: one for name, one in value.items() if name not in SESSION}
    settle(chat, [_line(rest, chat.session_id, reading.number)], reading)
    return chat


def _line(value: dict[str, Any], session_id: str, number: int) -> Told:
    rest = dict(value)
    speaker, text, time = (_taken(rest, names) for names in (SPEAKER, TEXT, TIME))
    if isinstance(text, list):
        text, files = parts({"parts": text})
        rest |= {"attachments": files} if files else {}
    said = text if isinstance(text, str) else dump_json(text)
    moment_of, time_text = moment(time)
    given = rest.pop("id", None)
    place = given if given is not None else "" if time_text else number
    base = dump_json([session_id, place, text_of(speaker), time_text, said])
    ref = hashlib.sha256(base.encode()).hexdigest()[:32]
    return tell(ref, speaker, said, moment_of, time_text, "", rest | ({"id": given} if given is not None else {}))


def _taken(rest: dict[str, Any], names: tuple[str, ...]) -> Any:
    name = next((name for name in names if name in rest), "")
    return rest.pop(name, None)


def _has(value: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(value.get(name) is not None for name in names)


SOURCES = (
    Source("ChatGPT", lambda value: isinstance(value.get("mapping"), dict), chatgpt.read),
    Source("Claude", lambda value: isinstance(value.get("chat_messages"), list), claude.read),
    Source("the predecessor", lambda value: isinstance(value.get("turns"), list), _turns),
    Source("Nola", lambda value: isinstance(value.get("messages"), list) and "started_text" in value, _nola),
    Source("lists of messages", lambda value: isinstance(value.get("messages"), list), _whole),
    Source("lines of messages", lambda value: _has(value, SPEAKER) and _has(value, TEXT), _one_message),
)
