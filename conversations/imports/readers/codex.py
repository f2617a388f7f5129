"""Sessions of Codex: lines of a rollout, each an item of a response, an event, or something about the session."""

from typing import Any

from conversations.imports.blocks import show_text
from conversations.imports.legacy_chat_files import Chat
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    SourceMessage,
    make_message,
    make_ref,
    name_session,
    pick,
    present,
    read_list,
    read_object,
    settle,
)
from conversations.imports.readers.openai import is_item, read_item
from conversations.imports.times import parse_time

TYPES = {"session_meta", "response_item", "event_msg", "turn_context", "compacted", "state"}
ENVELOPES = (  # how what the program tells the model begins
    "<environment_context>", "<user_instructions>", "<permissions", "# AGENTS.md instructions", "<INSTRUCTIONS>",
    "<turn_aborted>", "<skill>", "<collaboration_mode>",
)  # fmt: skip
SAID = {"user_message": "user", "agent_message": "assistant"}
THOUGHT = ("agent_reasoning", "agent_reasoning_raw_content")


def _claims(value: dict[str, Any]) -> bool:
    if show_text(value.get("type")) in TYPES and isinstance(value.get("payload"), dict):
        return True
    is_old = "instructions" in value and "timestamp" in value and "id" in value and "role" not in value
    is_whole = isinstance(value.get("items"), list) and isinstance(value.get("session"), dict)
    return is_old or is_whole or value.get("record_type") == "state"


def _read(lines: list[tuple[int, dict[str, Any]]], reading: ChatReading) -> Read:
    lines = [pair for number, one in lines for pair in _spread(number, one)]
    about: dict[str, Any] = {}
    rows: list[SourceMessage] = []
    events: list[SourceMessage] = []
    others: dict[str, list[str]] = {}
    for number, one in lines:
        kind, payload = show_text(one.get("type")), read_object(one.get("payload"))
        if kind == "session_meta" or ("instructions" in one and "role" not in one):
            about = {**(payload or one), **about}
        elif kind == "turn_context":
            about.setdefault("model", payload.get("model"))
        elif (item := payload if kind == "response_item" else one) and is_item(item):
            rows.append(_message(item, number, one.get("timestamp")))
        elif kind == "event_msg" and show_text(payload.get("type")) in (*SAID, *THOUGHT):
            events.append(_event(payload, number, one.get("timestamp")))
        elif kind == "compacted":
            text = show_text(payload.get("message"))
            rows.append(
                make_message(make_ref(number, "compacted"), "system", text, one.get("timestamp"), None, {}, "hidden")
            )
        else:
            told = show_text(payload.get("type")) or kind or show_text(one.get("record_type")) or "no type"
            others.setdefault(told, []).append(f"line {number}")
    said = {row.text for row in rows}
    repeated = [row for row in events if row.text in said]
    rows += [row for row in events if row.text not in said]
    if repeated:
        others["events that repeat a message"] = [row.ref for row in repeated]
    for told, places in others.items():
        reading.leave_out(f"lines about the session, no messages: {told}", places)
    chat = Chat(name_session(about.get("id") or reading.stem, reading), reading.file, source="Codex", channel="codex")
    chat.started, chat.started_text = parse_time(about.get("timestamp"))
    chat.metadata = present(**{name: about.get(name) for name in ("cwd", "model", "cli_version", "git", "originator")})
    rows.sort(key=lambda row: int(row.ref.split(":")[0]))
    return [settle(chat, rows, reading)]


def _spread(number: int, one: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The items of a whole session in one value, as older versions wrote it, as lines."""
    if "type" not in one and isinstance(one.get("items"), list):
        told = {"type": "session_meta", "payload": read_object(one.get("session"))}
        return [
            (number, told),
            *((number + place, item) for place, item in enumerate(map(read_object, one["items"]), 1)),
        ]
    return [(number, one)]


def _message(item: dict[str, Any], number: int, time: Any) -> SourceMessage:
    row = read_item(item, f"{number}:{show_text(item.get('call_id') or item.get('id'))}".rstrip(":"), time)
    if row.speaker in ("user", "system") and (row.text.lstrip().startswith(ENVELOPES) or row.metadata.get("role")):
        row.metadata["hidden"] = "hidden"  # what the program tells the model
    elif row.speaker == "system":
        row.metadata["hidden"] = "hidden"
    return row


def _event(payload: dict[str, Any], number: int, time: Any) -> SourceMessage:
    kind = payload["type"]
    text = show_text(payload.get("message") or payload.get("text"))
    images = [f"image {place}" for place, _ in enumerate(read_list(payload.get("images")), 1)]
    return make_message(
        f"{number}", SAID.get(kind, "assistant"), text, time, None, present(attachments=images),
        "" if kind in SAID else "thinking",
    )  # fmt: skip


def _is_prompt(value: dict[str, Any]) -> bool:
    return value.keys() == {"session_id", "ts", "text"}


def _read_prompt(value: dict[str, Any], reading: ChatReading) -> Read:
    """A line of the history of prompts."""
    chat = Chat(name_session(value["session_id"], reading), reading.file, source="Codex", channel="codex")
    ref = make_ref(value["ts"], value["text"])
    return [settle(chat, [make_message(ref, "user", show_text(value["text"]), value["ts"], None, pick({}))], reading)]


READERS = (
    Reader("Codex", _claims, _read, gathers=True, is_service=True, goes_on=is_item),
    Reader("prompts of Codex", _is_prompt, _read_prompt),
)
