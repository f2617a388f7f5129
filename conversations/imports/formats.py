"""What a value of a file is: the reader that claims it, or what it looks like where none does.

Readers are asked in this order, those with the most marks first. Each claims by several, never by one alone.
"""

from typing import Any

from conversations.imports.messages import Reader
from conversations.imports.readers import (
    chatgpt,
    claude,
    claude_code,
    codex,
    deepseek,
    gemini,
    letta,
    librechat,
    lists,
    memory,
    nola,
    open_webui,
    openai,
    sharegpt,
    silly_tavern,
)
from state.jsondoc.text import JSONValue

READERS: tuple[Reader, ...] = (
    nola.READER,
    deepseek.READER,
    chatgpt.READER,
    claude.READER,
    claude.MEMORY,
    claude.PROJECT,
    open_webui.READER,
    librechat.READER,
    letta.READER,
    claude_code.READER,
    codex.READERS[0],
    silly_tavern.READER,
    memory.READER,
    *gemini.READERS,
    nola.PREDECESSOR,
    *openai.READERS,
    codex.READERS[1],
    sharegpt.READER,
    lists.READER,
    lists.LINES,
)
MARKS = frozenset({  # all but a line of a message has one of these members
    "mapping", "chat_messages", "conversations_memory", "project_memories", "prompt_template", "docs", "chat",
    "history", "messages", "messagesTree", "agents", "core_memory", "type", "record_type", "instructions", "items",
    "session", "mes", "chat_metadata", "character_name", "entities", "header", "products", "chunkedPrompt", "contents",
    "turns", "choices", "output", "object", "thread", "thread_id", "data", "custom_id", "ts", "conversations",
    "conversation", "dialogue",
})  # fmt: skip
WRAPPERS = ("conversations", "chats", "data", "items")  # members that may hold what is to be read

IS_BESIDE = "import conversations.json"
KNOWN: tuple[tuple[str, frozenset[str], str], ...] = (  # what files of others look like that Nola does not read
    ("an export of Telegram", frozenset({"text_entities"}), ""),
    ("an export of Telegram", frozenset({"personal_information", "chats"}), ""),
    ("a message of Slack", frozenset({"ts", "user", "text"}), ""),
    ("an export of Discord", frozenset({"guild", "channel", "messages"}), ""),
    ("an export of Grok", frozenset({"responses", "conversation"}), ""),
    ("Claude's account data", frozenset({"uuid", "full_name", "email_address"}), ""),
    ("ChatGPT's account data", frozenset({"id", "email", "chatgpt_plus_user"}), ""),
    ("ChatGPT's list of shared conversations", frozenset({"conversation_id", "is_anonymous"}), IS_BESIDE),
    ("ChatGPT's feedback", frozenset({"rating", "conversation_id"}), IS_BESIDE),
    ("an activity of Google", frozenset({"header", "title", "time"}), "only those of Gemini are read"),
    ("prompts of Claude Code", frozenset({"display", "pastedContents"}), "import the sessions under projects/"),
    ("pairs of prompt and completion", frozenset({"prompt", "completion"}), ""),
    ("instructions with outputs", frozenset({"instruction", "output"}), ""),
)  # fmt: skip
WAY_OUT = "turn it into JSON lines with role and content, which docs/chats.md describes"


def find_reader(value: JSONValue) -> Reader | None:
    """The reader that claims a value, if any does."""
    if not isinstance(value, dict):
        return None
    if MARKS.isdisjoint(value):  # of all files lines of messages are the longest
        return lists.LINES if lists.LINES.claims(value) else None
    return next((reader for reader in READERS if reader.claims(value)), None)


def spread(value: JSONValue) -> tuple[list[Any], list[str]] | None:
    """The values that an unclaimed value holds, such as arrays in an array, and the names of what it holds besides;
    None for one that holds none.
    """
    if isinstance(value, list):
        is_talk = bool(value) and all(map(lists.is_message, value))
        return ([{"messages": value}] if is_talk else value), []
    if isinstance(value, dict):
        for name in WRAPPERS:
            inner = value.get(name)
            if isinstance(inner, list) and inner and any(find_reader(one) for one in inner):
                return inner, [other for other in value if other != name and value[other] not in (None, "", [], {})]
    return None


def explain_unknown(value: JSONValue) -> str:
    """What a value that no reader claims looks like, and what to try."""
    if not isinstance(value, dict):
        kind = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
        return f"no conversation and no message: it is {kind}"
    names = value.keys()
    inner = value.get("messages")
    some = inner[:3] if isinstance(inner, list) else []
    for one in (value, *(one for one in some if isinstance(one, dict))):
        for what, marks, hint in KNOWN:
            if marks <= one.keys():
                return f"it looks like {what}, which Nola does not read; {hint or WAY_OUT}"
    if isinstance(value.get("mapping"), dict):
        return f"it has a `mapping` as ChatGPT's conversations do, but messages unlike theirs and DeepSeek's; {WAY_OUT}"
    shown = ", ".join(f"`{name}`" if len(name) < 40 else f"`{name[:37]}...`" for name in list(names)[:6])
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    has = f"an object with {shown}{more}" if names else "an empty object"
    return f"no conversation and no message that Nola knows, but {has}; {WAY_OUT}"
