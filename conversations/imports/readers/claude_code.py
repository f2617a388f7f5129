"""Sessions of Claude Code: lines of a tree of messages, with calls of tools, summaries and events between them."""

from typing import Any

from conversations.imports.blocks import read_blocks, show_text
from conversations.imports.legacy_chat_files import Chat
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    SourceMessage,
    make_message,
    name_session,
    pick,
    present,
    read_object,
    settle,
)

SAID = {"user", "assistant", "system", "attachment"}
EVENTS = {
    "summary", "file-history-snapshot", "queue-operation", "progress", "custom-title", "ai-title", "last-prompt", "tag",
    "agent-name", "pr-link", "mode", "permission-mode", "saved_hook_context",
}  # fmt: skip
STREAMED = {"user", "assistant", "system", "result", "stream_event"}
TITLES = {"custom-title": "customTitle", "ai-title": "aiTitle", "summary": "summary"}  # the best first
ENVELOPES = (
    "<command-name>",
    "<command-message>",
    "<local-command-stdout>",
    "<system-reminder>",
    "Caveat: The messages",
)
KEPT = (
    "agentId", "isSidechain", "cwd", "gitBranch", "version", "subtype", "level", "isCompactSummary",
    "isApiErrorMessage",
)  # fmt: skip


def _claims(value: dict[str, Any]) -> bool:
    kind = show_text(value.get("type"))
    if "session_id" in value and kind in STREAMED:  # as it prints a session, and not as it keeps it
        return isinstance(value.get("message"), dict) or "subtype" in value
    if kind in SAID:
        return "uuid" in value and ("sessionId" in value or "parentUuid" in value)
    return kind in EVENTS and bool(
        {"sessionId", "leafUuid", "snapshot", "messageId", "operation", "summary", "parentUuid"} & value.keys()
    )


def _read(lines: list[tuple[int, dict[str, Any]]], reading: ChatReading) -> Read:
    """A conversation for each session in the file, and for each helper that it started."""
    talks: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {}
    titles: dict[str, str] = {}
    others: dict[str, list[str]] = {}
    for number, one in lines:
        kind = show_text(one.get("type"))
        session = show_text(one.get("sessionId") or one.get("session_id"))
        if kind in SAID and ("message" in one or "uuid" in one) and one.get("subtype") != "init":
            agent = show_text(one.get("agentId") or one.get("parent_tool_use_id"))
            talks.setdefault((session, agent), []).append((number, one))
        else:
            if kind in TITLES:
                titles.setdefault(kind, show_text(one.get(TITLES[kind])))
            others.setdefault(kind or "no type", []).append(f"line {number}")
    links = {show_text(one.get("uuid")): show_text(one.get("parentUuid")) for _, one in lines if one.get("uuid")}
    for kind, places in others.items():
        if kind not in TITLES:
            reading.leave_out(f"lines about the session, no messages: {kind}", places)
    title = next((titles[kind] for kind in TITLES if titles.get(kind)), "")
    return [_chat(session, agent, talk, links, title, reading) for (session, agent), talk in talks.items()]


def _chat(
    session: str,
    agent: str,
    talk: list[tuple[int, dict[str, Any]]],
    links: dict[str, str],
    title: str,
    reading: ChatReading,
) -> Chat:
    name = "/".join(part for part in (session or reading.stem, agent) if part)
    chat = Chat(name_session(name, reading), reading.file, source="Claude Code", channel="claude-code")
    chat.title = title
    first = talk[0][1]
    chat.metadata = present(**{key: first.get(key) for key in ("cwd", "gitBranch", "version")})
    there = {show_text(one.get("uuid")) for _, one in talk}
    is_tree = any("parentUuid" in one for _, one in talk)
    rows = [_message(number, one, _parent(one, links, there) if is_tree else None, first) for number, one in talk]
    return settle(chat, rows, reading, rows[-1].ref)


def _parent(one: dict[str, Any], links: dict[str, str], there: set[str]) -> str:
    """The message before: over lines that are none, and, where a talk was summed up, the one before the summary."""
    ref = show_text(one.get("parentUuid")) or show_text(one.get("logicalParentUuid"))
    seen: set[str] = set()
    while ref and ref not in there and ref in links and ref not in seen:
        seen.add(ref)
        ref = links[ref]
    return "" if ref in seen or (ref and ref not in there and one.get("isSidechain") is True) else ref


def _message(number: int, one: dict[str, Any], parent: str | None, first: dict[str, Any]) -> SourceMessage:
    message = read_object(one.get("message"))
    found = read_blocks(message.get("content", one.get("content", one.get("attachment"))))
    kind = show_text(one.get("type"))
    is_told = one.get("isMeta") is True or kind in ("system", "attachment") or one.get("isCompactSummary") is True
    if kind == "user" and found.text.lstrip().startswith(ENVELOPES):
        is_told = True
    hidden = "hidden" if is_told else ""
    if (
        found.has_thoughts
        and not found.text
        and all(read_object(part).get("type") not in ("tool_use",) for part in found.parts)
    ):
        hidden = "thinking"
    kept = {name: value for name, value in pick(one, *KEPT).items() if value != first.get(name) or name in KEPT[5:]}
    more = kept | pick(message, "model", "stop_reason") | present(usage=message.get("usage"))
    role = message.get("role") or ("system" if kind in ("system", "attachment") else kind)
    ref = one.get("uuid") or f"line-{number}"
    return make_message(ref, role, found, one.get("timestamp"), parent, more, hidden)


READER = Reader("Claude Code", _claims, _read, gathers=True, is_service=True)
