"""Lists of messages with roles, as programs send them to models and data sets have them, and lines of messages."""

from typing import Any

from conversations.imports.blocks import Content, read_blocks, show_text
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    SourceMessage,
    make_message,
    make_ref,
    name_results,
    read_list,
    read_object,
    settle,
    settle_messages,
    start_chat,
)
from state.jsondoc.text import dump_json

SESSION = ("session_id", "conversation_id", "convo_id", "thread_id", "session")
SPEAKER = ("speaker", "role", "sender", "author")
TEXT = ("message", "content", "text")
TIME = ("timestamp", "created_at", "create_time", "time", "date")
INSTEAD = ("tool_calls", "function_call", "refusal", "audio", "parts")  # what a message without a text may have


def is_message(value: Any) -> bool:
    """Whether a value says who spoke, and what: a text, blocks, or what stands for one."""
    return isinstance(value, dict) and _has(value, SPEAKER) and (
        any(name in value for name in TEXT) or _has(value, INSTEAD)
    )  # fmt: skip


def _has(value: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(value.get(name) is not None for name in names)


def _claims(value: dict[str, Any]) -> bool:
    talk = value.get("messages")
    if not isinstance(talk, list) or value.keys() >= {"guild", "channel"}:  # Discord's, where people talk
        return False
    return any(map(is_message, talk)) if talk else _has(value, (*SESSION, "title", "id", "model"))


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    """A conversation as a list of messages; a `system` beside it, as Anthropic has it, is its first."""
    rest = {name: one for name, one in value.items() if name != "messages"}
    chat = start_chat(rest, reading, SESSION, "started", reading.file.name)
    chat.title = show_text(rest.pop("title", ""))
    rows = []
    if isinstance(system := rest.get("system"), str | list) and system:
        rows.append(make_message(make_ref(chat.session_id, "system"), "system", read_blocks(rest.pop("system")), None))
    chat.metadata = {name: one for name, one in rest.items() if name not in (*SESSION, "started")}
    for number, one in enumerate(value["messages"]):
        if is_message(one):
            rows.append(read_message(one, chat.session_id, number))
            rows[-1].place = f"messages/{number}"
        else:
            reading.leave_out("no message: there is no role and no text in it", [f"messages/{number}"])
    return [settle(chat, rows, reading)]


def _read_line(value: dict[str, Any], reading: ChatReading) -> Read:
    """A line that is one message."""
    chat = start_chat(value, reading, SESSION, "", reading.file.name, default=reading.stem)
    rest = {name: one for name, one in value.items() if name not in SESSION}
    row = read_message(rest, chat.session_id, reading.number)
    row.place = f"{reading.number}"
    if row.is_empty:
        return [settle(chat, [row], reading)]
    if row.metadata:
        name_results([row], reading)
    settle_messages(chat, [row], reading)
    return [chat]


def read_message(value: dict[str, Any], session_id: str, number: int | str) -> SourceMessage:
    """A message with all its members: those that say nothing of it themselves are kept as they are."""
    rest = dict(value)
    role, said, time = (_take(rest, names) for names in (SPEAKER, TEXT, TIME))
    if isinstance(role, dict):  # as in the messages of ChatGPT
        rest["author"], role = role, role.get("role") or role.get("name")
    content = _content(said, rest)
    given = rest.get("id")
    row = make_message("", role, content, time, None, {})
    place = given if given is not None else "" if row.time_text else number
    base = said if isinstance(said, str) else content.text if isinstance(said, list) else dump_json(said)
    row.ref = make_ref(session_id, place, show_text(role), row.time_text, base)
    row.metadata = {**rest, **row.metadata}
    row.is_empty &= not rest.keys() - {"id", "index", "type"}
    return row


def _content(said: Any, rest: dict[str, Any]) -> Content:
    if isinstance(said, dict) and isinstance(said.get("parts"), list):
        return read_blocks(said["parts"])
    if said in (None, "", []):
        if isinstance(rest.get("refusal"), str):
            return Content([rest["refusal"]])
        if isinstance(transcript := read_object(rest.get("audio")).get("transcript"), str):
            return Content([transcript])
        parts = rest.pop("parts") if read_list(rest.get("parts")) else None  # as Gemini has it
        return read_blocks(parts)
    if isinstance(said, str | list | dict):
        return read_blocks(said)
    return Content([dump_json(said)])


def _take(rest: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first member of these names that says something, taken out."""
    there = [name for name in names if name in rest]
    name = next((name for name in there if rest[name] is not None), there[0] if there else "")
    return rest.pop(name, None)


def make_chat(
    value: dict[str, Any], reading: ChatReading, session: Any, title: str, rows: list[SourceMessage], started: str = ""
) -> Read:
    """A conversation named by the session it says, with the rest of its members as metadata."""
    chat = start_chat({"session": session, **value}, reading, ("session",), started, reading.file.name)
    chat.title = title
    return [settle(chat, rows, reading)]


READER = Reader("lists of messages", _claims, _read)
LINES = Reader("lines of messages", is_message, _read_line)
