"""What a message holds besides its text: pastes, calls of tools and what they gave, thoughts, quotes, pictures.

They lie in its metadata as they came. Here is how they are named and read: by search, pages, exports and prompts. The
page has the same in `static/conversations/talk/parts.js`. The index of the search must be made anew, by a migration,
whenever `read_whole` changes: it is told the words to forget them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from state.jsondoc.text import dump_json

MEMBERS = (
    "pastes", "extracted", "thinking", "reasoning", "reasoning_content", "tool_calls", "function_call", "parts",
    "quotes", "citations", "attachments",
)  # fmt: skip
_MEMBERS = frozenset(MEMBERS)
HIDDEN = "hidden"  # the member that says that a message is folded, and why
THINKING = "Thinking"  # a kind
KINDS = {
    "tool_use": "Tool call", "server_tool_use": "Tool call", "mcp_tool_use": "Tool call", "tool_call": "Tool call",
    "function_call": "Tool call", "custom_tool_call": "Tool call", "function": "Tool call",
    "tool_result": "Tool result", "mcp_tool_result": "Tool result", "function_call_output": "Tool result",
    "custom_tool_call_output": "Tool result", "thinking": THINKING, "redacted_thinking": THINKING,
    "reasoning": THINKING, "reasoning_content": THINKING, "think": THINKING, "thoughts": THINKING,
    "image_asset_pointer": "Image", "image_url": "Image", "input_image": "Image", "audio_asset_pointer": "Voice clip",
    "input_audio": "Voice clip", "real_time_user_audio_video_asset_pointer": "Voice clip",
}  # fmt: skip
OF_MEMBER = {
    "pastes": "Paste", "extracted": "Paste", "thinking": THINKING, "reasoning": THINKING,
    "reasoning_content": THINKING, "tool_calls": "Tool call", "function_call": "Tool call", "quotes": "Quote",
    "citations": "Source",
}  # fmt: skip
NAMES = ("name", "title", "file_name", "filename", "url")
INNER = ("function", "tool_call", "metadata")  # where the name or the words may be instead
WORDS = (
    "text", "content", "thinking", "think", "reasoning", "code", "summary", "input", "arguments", "args", "output",
    "result", "url",
)  # fmt: skip


class Part(NamedTuple):
    """One of them: what it is, what it is called, and its words."""

    kind: str
    name: str
    text: str

    @property
    def title(self) -> str:
        return f"{self.kind}: {self.name}" if self.name else self.kind


def list_parts(metadata: Mapping[str, Any]) -> Iterator[Part]:
    """The parts in the metadata of a message. Names of attachments are none: they have no words."""
    for member in MEMBERS[:-1]:
        value = metadata.get(member)
        if member == "extracted" and isinstance(value, dict):  # as earlier imports kept pastes
            value = [{"name": name, "text": text} for name, text in value.items()]
        for one in value if isinstance(value, list) else [value]:
            if one not in (None, "", {}, []):
                yield _part(member, one)


def _part(member: str, one: Any) -> Part:
    if not isinstance(one, dict):
        return Part(OF_MEMBER.get(member, "Part"), "", show_words(one))
    spelt = next((one[name] for name in ("type", "content_type") if isinstance(one.get(name), str)), "")
    kind = KINDS.get(spelt) or OF_MEMBER.get(member) or (spelt.replace("_", " ").capitalize() or "Part")
    places = [one, *(one[name] for name in INNER if isinstance(one.get(name), dict))]
    name = next((place[key] for place in places for key in NAMES if place.get(key) and type(place[key]) is str), "")
    words = [place[key] for place in places for key in WORDS if place.get(key) not in (None, "", [], {})]
    if not words:
        rest = {key: value for key, value in one.items() if key not in ("type", "content_type", "id", *NAMES)}
        words = [rest] if rest else []
    return Part(kind, name, "\n".join(map(show_words, words)))


def show_words(value: Any) -> str:
    """A text as it is; of a list of blocks of text, their texts; anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) and _words_of(one) for one in value):
        return "\n".join(_words_of(one) for one in value)
    return dump_json(value)


def _words_of(block: Mapping[str, Any]) -> str:
    return next((block[key] for key in ("text", "content") if type(block.get(key)) is str), "")


def read_whole(message: str, metadata: Mapping[str, Any]) -> str:
    """All words of a message, also of its parts: what the search looks through."""
    if _MEMBERS.isdisjoint(metadata):
        return message
    members = [metadata[name] for name in MEMBERS if name in metadata]
    return "\n".join([message, *_list_texts(members)])


def _list_texts(value: Any) -> Iterator[str]:
    """All the texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _list_texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _list_texts(one)
