"""The content of a message as services have it: a text, or a list of blocks. What is no text is kept as a part.

Pure reading. Blocks are told by their `type`; one of a type that nobody has heard of is kept as it came.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conversations.imports.legacy_chat_files import replace_nul
from state.jsondoc.text import dump_json

TEXTS = {"text", "input_text", "output_text", "summary_text", "refusal", "audio_transcription", "transcript"}
THOUGHTS = {"thinking", "redacted_thinking", "reasoning", "reasoning_content", "think", "thoughts"}
CALLS = {"tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "function_call", "custom_tool_call"}
RESULTS = {"tool_result", "mcp_tool_result", "function_call_output", "custom_tool_call_output", "tool_return"}
OF_TEXT = {"type", "text", "content_type", "start_timestamp", "stop_timestamp", "flags", "cache_control", "refusal"}
OF_CALL = {"type", "id", "tool_use_id", "call_id", "tool_call_id"}
NAMES = ("file_name", "filename", "file_id", "asset_pointer", "name", "title", "url")
MOST_BASE64 = 1000  # characters that are kept of a file inside a message
_FILE = re.compile("image|file|audio|video|document|asset|media")
_POINTER = re.compile(r"[\w-]+://\S+")
_BASE64 = re.compile(r"(?:data:[\w.+/-]*(?:;[\w=.-]+)*;base64,)?[A-Za-z0-9+/_=\r\n-]+")


@dataclass(slots=True)
class Content:
    """What a message says, and what else it holds. `is_result`: it holds what tools gave back, and nothing else."""

    texts: list[str] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)  # the texts of what tools gave back
    call_ids: list[str] = field(default_factory=list)  # the calls that these answer
    citations: list[Any] = field(default_factory=list)
    files: int = 0  # whose bytes were left out
    has_thoughts: bool = False
    has_calls: bool = False

    @property
    def is_result(self) -> bool:
        return bool(self.call_ids) and not self.texts and not self.has_calls

    @property
    def text(self) -> str:
        return "\n".join(self.texts or (self.results if self.is_result else ()))

    def metadata(self) -> dict[str, Any]:
        """What is to be kept besides the text; no member says nothing."""
        if not (self.parts or self.attachments or self.citations or self.call_ids):
            return {}
        parts = [kept for one in self.parts if (kept := self._without_text(one))]
        found = {"attachments": list(dict.fromkeys(self.attachments)), "parts": parts, "citations": self.citations}
        members = {name: value for name, value in found.items() if value}
        return members | ({"tool_call_id": self.call_ids[0]} if self.is_result and len(self.call_ids) == 1 else {})

    def _without_text(self, part: Any) -> Any:
        """A part; of a result that is the message itself, what its text and call do not say."""
        if not (self.is_result and isinstance(part, dict) and part.get("type") in RESULTS):
            return part
        rest = {name: value for name, value in part.items() if name != "text" or value not in self.results}
        return rest if rest.keys() - OF_CALL or len(self.call_ids) > 1 else None


def read_blocks(value: Any, into: Content | None = None) -> Content:
    """The content of a message: a text, blocks, or whatever it is."""
    if isinstance(value, str) and into is None:
        return Content([value] if value else [])
    found = Content() if into is None else into
    for one in value if isinstance(value, list) else [value]:
        _read_block(one, found)
    return found


def _read_block(one: Any, found: Content) -> None:
    if isinstance(one, str):
        found.texts += [one] if one else []
    elif isinstance(one, dict):
        kind = _kind_of(one)
        if kind in RESULTS:
            _read_result(one, found)
        elif kind in THOUGHTS or kind in CALLS or one.get("thought") is True:
            found.has_thoughts |= kind in THOUGHTS or one.get("thought") is True
            found.has_calls |= kind in CALLS
            found.parts.append(_kept(one, found))
        elif (text := _text_of(one, kind)) is not None:
            found.texts += [text] if text else []
            _keep_rest(one, found)
        else:
            _keep_part(one, found)
    elif one is not None:
        found.parts.append(one)


def _kind_of(one: dict[str, Any]) -> str:
    return next((one[name] for name in ("type", "content_type") if isinstance(one.get(name), str) and one[name]), "")


def _text_of(one: dict[str, Any], kind: str) -> str | None:
    """The words of a block that is nothing but words, None for any other."""
    text = one.get("refusal") if kind == "refusal" else one.get("text", one.get("value"))
    if isinstance(text, dict) and isinstance(text.get("value"), str):  # an Assistants thread
        text = text["value"]
    if isinstance(text, str) and (kind in TEXTS or not kind or kind == "voice_note"):
        return text
    return None


def _keep_rest(one: dict[str, Any], found: Content) -> None:
    """What else a block of text has: its quotes, and members that say something."""
    inner = one["text"] if isinstance(one.get("text"), dict) else {}
    for name in ("citations", "annotations"):
        cited = one.get(name) or inner.get(name)
        found.citations += cited if isinstance(cited, list) else []
    known = OF_TEXT | {"citations", "annotations", "value"}
    rest = {name: value for name, value in one.items() if name not in known and value not in (None, "", [], {})}
    if rest.keys() - {"id", "index", "direction", "decoding_id", "logprobs", "status", "alternatives"}:
        found.parts.append(_kept({"type": _kind_of(one) or "text"} | rest, found))


def _read_result(one: dict[str, Any], found: Content) -> None:
    """What a tool gave back: its text, and as a part what else there is of it."""
    ids = (one.get(name) for name in ("tool_use_id", "call_id", "tool_call_id", "id"))
    found.call_ids.append(next((given for given in ids if isinstance(given, str)), ""))
    name = next((name for name in ("content", "output", "tool_return") if name in one), "content")
    inner = read_blocks(one.get(name))
    text = inner.text
    found.results += [text] if text else []
    rest: dict[str, Any] = {key: value for key, value in one.items() if key != name}
    if inner.parts or inner.attachments or isinstance(one.get(name), dict):
        rest[name] = one[name]
    elif text:
        rest["text"] = text
    found.attachments += inner.attachments
    found.parts.append(_kept(rest, found))


def _keep_part(one: dict[str, Any], found: Content) -> None:
    """A block that is no text: a file, by name, or something that is kept as it is."""
    if _FILE.search(_kind_of(one)) or one.keys() & set(NAMES[:4]):
        found.attachments += map(name_file, _list_names(one))
    found.parts.append(_kept(one, found))


def _list_names(value: Any) -> Iterator[str]:
    """The names of the files that a block tells of, or what else points to them."""
    if isinstance(value, dict):
        name = next((value[key] for key in NAMES if isinstance(value.get(key), str) and value[key]), "")
        yield from [name] if name and not name.startswith("data:") else []
        for one in value.values():
            yield from _list_names(one)
    elif isinstance(value, list):
        for one in value:
            yield from [one] if isinstance(one, str) and _POINTER.match(one) else _list_names(one)


def name_file(pointer: str) -> str:
    """The name of a file from what points to it: the end, without its scheme."""
    return str(
        replace_nul(
            pointer.split("://", 1)[1] if _POINTER.match(pointer) and not pointer.startswith("http") else pointer
        )
    )


def _kept(value: Any, found: Content) -> Any:
    """A part as it came, without the bytes of files, which are counted."""

    def drop(text: str) -> str:
        found.files += 1
        return f"({len(text):,} characters of a file, left out)"

    return drop_files(value, drop)


def drop_files(value: Any, drop: Callable[[str], str]) -> Any:
    """A copy without long texts in base64, as files inside messages are, and without NUL."""
    if isinstance(value, str):
        is_file = len(value) > MOST_BASE64 and (value.startswith("data:") or " " not in value[:MOST_BASE64])
        return drop(value) if is_file and _BASE64.fullmatch(value) else replace_nul(value)
    if isinstance(value, list):
        return [drop_files(one, drop) for one in value]
    if isinstance(value, dict):
        return {str(replace_nul(name)): drop_files(one, drop) for name, one in value.items()}
    return value


def show_text(value: Any) -> str:
    """A value as text: a text as it is, anything else as JSON; nothing for null."""
    return str(replace_nul(value)) if isinstance(value, str) else "" if value is None else dump_json(value)
