"""Conversations as ChatGPT exports them: a tree of messages, of which one leaf is current."""

from collections.abc import Mapping
from typing import Any

from conversations.imports.blocks import Content, read_blocks, show_text
from conversations.imports.messages import (
    ChatReading,
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

OF_TREE = ("current_node", "conversation_id", "create_time", "update_time", "moderation_results")
HIDDEN = {  # kinds of content that are not part of what was said
    "thoughts": "thinking",
    "reasoning_recap": "thinking",
    "user_editable_context": "profile",
    "model_editable_context": "profile",
}
QUOTES = {"tether_quote", "sonic_webpage"}
TEXTS = ("text", "result", "output_str", "content", "summary")  # where a kind may have its words
KEPT = ("citations", "content_references", "search_result_groups", "canvas", "aggregate_result", "voice_mode_message")


def _claims(value: dict[str, Any]) -> bool:
    """A tree whose messages have authors, or one without messages that says of itself what only ChatGPT does."""
    nodes = value.get("mapping")
    if not isinstance(nodes, dict):
        return False
    told = (message for node in nodes.values() if (message := read_object(node).get("message")))
    first = next((one for one in told if isinstance(one, dict)), None)
    marks = sum(name in value for name in OF_TREE)
    return marks > 0 and ("author" in first or "content" in first) if first else marks > 0


def _read(value: dict[str, Any], reading: ChatReading) -> Read:
    chat = start_chat(value, reading, ("conversation_id", "id"), "create_time", "ChatGPT")
    chat.title = show_text(value.get("title"))
    chat.archived = value.get("is_archived") if isinstance(value.get("is_archived"), bool) else None
    names = ("default_model_slug", "gizmo_id", "gizmo_type", "conversation_template_id", "is_starred", "async_status")
    chat.metadata = {name: one for name, one in pick(value, *names).items() if one}
    nodes = {str(ref): node for ref, node in value["mapping"].items() if isinstance(node, dict)}
    rows = [_message(ref, node) for ref, node in nodes.items()]
    return [settle(chat, rows, reading, show_text(value.get("current_node")))]


def _message(ref: str, node: Mapping[str, Any]) -> SourceMessage:
    message = node.get("message")
    parent = show_text(node.get("parent"))
    if not isinstance(message, dict) or not message:
        return SourceMessage(ref, "system", "", None, "", parent, is_empty=True, is_node=True)
    author, content = read_object(message.get("author")), message.get("content")
    about = read_object(message.get("metadata"))
    found = _content(content)
    if about.get("attachments"):
        _name_files(found, about)
    kind = show_text(read_object(content).get("content_type"))
    more = {name: about[name] for name in KEPT if about.get(name)}
    if about.get("model_slug"):
        more["model"] = about["model_slug"]
    if kind not in ("text", "multimodal_text", ""):
        more |= _about_kind(kind, read_object(content))
    if message.get("recipient") not in ("all", None):
        more["recipient"] = message["recipient"]
    if author.get("name"):
        more["name"] = author["name"]
    is_hidden = about.get("is_visually_hidden_from_conversation") is True
    hidden = HIDDEN.get(kind) or ("hidden" if is_hidden else "")
    return make_message(ref, author.get("role") or "system", found, message.get("create_time"), parent, more, hidden)


def _about_kind(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """What a content is that is no plain text, and where a quote is from."""
    quote = pick(content, "url", "title", "domain") if kind in QUOTES else {}
    language = content.get("language") if kind == "code" else None
    return present(content_type=kind, language=language, quotes=[quote] if quote else None)


def _name_files(found: Content, about: Mapping[str, Any]) -> None:
    """The names of files, for the pointers to them."""
    told = map(read_object, read_list(about["attachments"]))
    files = {show_text(one.get("id")): show_text(one.get("name")) for one in told}
    found.attachments = [files.get(name) or name for name in found.attachments]
    found.attachments += [name for name in files.values() if name]


def _content(content: Any) -> Content:
    """What a message says, by the kind of its content."""
    if not isinstance(content, dict):
        return read_blocks(content)
    kind = show_text(content.get("content_type"))
    if isinstance(content.get("parts"), list):
        found = read_blocks(content["parts"])
        rest = {name: one for name, one in content.items() if name not in ("content_type", "parts")}
        if not found.texts and not found.parts and any(rest.values()):
            found.parts.append({"type": kind} | rest)
        return found
    if kind == "thoughts" and isinstance(content.get("thoughts"), list):
        texts = [_joined(one, "summary", "content") for one in content["thoughts"]]
        return Content([text for text in texts if text])
    if kind == "user_editable_context":
        return _rest(content, "user_profile", "user_instructions")
    if kind == "model_editable_context":
        return _rest(content, "model_set_context")
    if kind == "tether_browsing_display":
        return _rest(content, "summary", "result")
    name = next((name for name in TEXTS if isinstance(content.get(name), str) and content[name]), "")
    return _rest(content, name) if name else _rest(content)


def _joined(one: Any, *names: str) -> str:
    if not isinstance(one, dict):
        return show_text(one)
    found = [show_text(one.get(name)) for name in names]
    return "\n".join(text for text in found if text)


def _rest(content: Mapping[str, Any], *names: str) -> Content:
    """The texts of these names; what else says something is kept as a part."""
    text = _joined(content, *names)
    found = Content([text] if text else [])
    of_none = ("content_type", "language", "response_format_name", "source_analysis_msg_id", "tether_id", *names)
    if show_text(content.get("content_type")) in QUOTES:
        of_none += ("url", "title", "domain")
    rest = {name: one for name, one in content.items() if name not in of_none and one not in (None, "", [], {}, False)}
    if rest:
        read_blocks({"type": content.get("content_type") or "content"} | rest, found)
    return found


READER = Reader("ChatGPT", _claims, _read, is_service=True)
