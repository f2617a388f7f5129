"""Agents as Letta exports them, in `.af` files old and new: blocks of memory, which are state, and messages."""

import json
from typing import Any

from conversations.imports.blocks import Content, read_blocks, show_text
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

SPEAKING = "send_message"  # the tool by which older agents speak; what they write otherwise are thoughts
KEPT = (
    "model", "name", "tool_call_id", "tool_returns", "step_id", "run_id", "otid", "group_id", "sender_id",
    "batch_item_id", "approvals", "denial_reason", "approve",
)  # fmt: skip
ABOUT = ("description", "system", "agent_type", "llm_config", "embedding_config", "metadata", "metadata_", "tags")


def _claims(value: dict[str, Any]) -> bool:
    if isinstance(value.get("agents"), list):
        told = [read_object(one) for one in value["agents"]]
        marks = {"blocks", "groups", "tools", "sources", "mcp_servers"} & value.keys()
        return len(marks) > 1 or any("in_context_message_ids" in one or "block_ids" in one for one in told)
    is_agent = isinstance(value.get("core_memory"), list) and isinstance(value.get("messages"), list)
    return is_agent and bool({"agent_type", "in_context_message_indices", "llm_config", "tools"} & value.keys())


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    if "core_memory" in value:
        return _read_agent(value, read_list(value["core_memory"]), reading, has_siblings=False)
    blocks = {show_text(one.get("id")): one for one in map(read_object, read_list(value.get("blocks")))}
    agents = [read_object(one) for one in value["agents"]]
    found: Read = []
    used: set[str] = set()
    for agent in agents:
        ids = [show_text(one) for one in read_list(agent.get("block_ids"))]
        used.update(ids)
        own = [blocks[one] for one in ids if one in blocks]
        found += _read_agent(agent, own, reading, has_siblings=len(agents) > 1)
    if shared := [one for ref, one in blocks.items() if ref not in used]:
        found.append(ImportedState("letta.blocks", _blocks(shared)))
    rest = {name: len(one) for name in ("tools", "files", "sources", "groups", "mcp_servers", "skills")
            if isinstance(one := value.get(name), list) and one}  # fmt: skip
    for name, count in rest.items():
        reading.leave_out(f"{name} of an agent, which are no talk and no memory", count=count)
    return found


def _read_agent(agent: dict[str, Any], blocks: list[Any], reading: ChatReading, *, has_siblings: bool) -> Read:
    """The messages of an agent as a conversation, and its blocks as state."""
    name = show_text(agent.get("name")) or reading.stem
    default = f"{reading.stem}-{name}" if has_siblings else reading.stem
    chat = start_chat({}, reading, (), "", "Letta", default=f"letta-{default}")
    chat.title = name
    chat.metadata = {key: one for key, one in pick(agent, *ABOUT).items() if one not in ("", [], {})}
    rows: list[SourceMessage] = []
    for number, one in enumerate(map(read_object, read_list(agent.get("messages")))):
        rows.append(_message(number, one))
    settle(chat, rows, reading)
    state = [ImportedState(f"letta.{name}", _blocks(blocks))] if blocks else []
    if "core_memory" in agent and (tools := read_list(agent.get("tools"))):
        reading.leave_out("tools of an agent, which are no talk and no memory", count=len(tools))
    return [chat, *state]


def _blocks(blocks: list[Any]) -> dict[str, Any]:
    """Blocks by their labels; of two with one label both."""
    found: dict[str, Any] = {}
    for one in map(read_object, blocks):
        label = show_text(one.get("label")) or show_text(one.get("id")) or "block"
        rest = {name: value for name, value in one.items() if name not in ("label", "id") and value is not None}
        number = 1
        name = label
        while name in found:
            number += 1
            name = f"{label}~{number}"
        found[name] = rest
    return found


def _message(number: int, one: dict[str, Any]) -> SourceMessage:
    found = read_blocks(one.get("content", one.get("text")))
    role = show_text(one.get("role"))
    hidden = "hidden" if role in ("system", "approval") else ""
    calls = [read_object(call) for call in read_list(one.get("tool_calls"))]
    said = [text for call in calls if (text := _spoken(call))]
    if said:
        thoughts = [{"type": "thinking", "thinking": text} for text in found.texts if text]
        found = Content(said, [*thoughts, *found.parts], found.attachments)
    elif role == "user" and found.texts:
        found.texts, hidden = _unpack(found.texts)
    kept = {name: value for name, value in pick(one, *KEPT).items() if value not in ("", [], {})}
    more = kept | present(tool_calls=calls)
    return make_message(
        one.get("id") or f"message-{number}", role, found, one.get("created_at") or one.get("date"), None, more, hidden
    )


def _spoken(call: dict[str, Any]) -> str:
    """What an agent says by the tool it has for it."""
    function = read_object(call.get("function"))
    if function.get("name") != SPEAKING:
        return ""
    try:
        arguments = json.loads(function["arguments"]) if isinstance(function.get("arguments"), str) else {}
    except ValueError:
        return ""
    return show_text(read_object(arguments or function.get("arguments")).get("message"))


def _unpack(texts: list[str]) -> tuple[list[str], str]:
    """What a person said, out of the envelope that older agents get it in; their own events are hidden."""
    try:
        envelope = json.loads(texts[0]) if len(texts) == 1 else None
    except ValueError:
        return texts, ""
    if isinstance(envelope, dict) and isinstance(envelope.get("type"), str):
        if envelope["type"] == "user_message" and isinstance(envelope.get("message"), str):
            return [envelope["message"]], ""
        return texts, "hidden"
    return texts, ""


READER = Reader("Letta", _claims, _read)
