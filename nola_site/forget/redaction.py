"""What a redaction makes of texts, values and patches. Nothing here reads or writes.

Of a text each place where it stands goes, and what is around it stays: a message of many pages is not lost for one
number in it. Since leaf by leaf the same is done to a document and to the patches that led to it, the past replays to
what it was, redacted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from state.errors import Unprocessable
from state.jsondoc.pointer import format_pointer, parse_pointer
from state.jsondoc.text import JSONValue, dump_json

MARK = "[redacted]"
LEAST = 4  # characters
FIELDS = {  # of what the history keeps of these kinds, what people and programs have written
    "conversation": {"title", "channel", "source", "started_text", "metadata"},
    "message": {"stimuli_type", "metadata"},
}


class BadText(Unprocessable):
    """A text that cannot be forgotten."""


class Redaction:
    """Texts that are to be forgotten. `number` makes names that were redacted differ from those of another time."""

    def __init__(self, texts: Iterable[str], number: int = 0) -> None:
        self.originals = tuple(texts)
        found = {spelling for text in self.originals for spelling in list_spellings(text)}
        self.spellings = sorted(found, key=lambda one: (-len(one), one))
        self.numbers = [one for one in self.spellings if one[-1:].isdigit() and set(one) <= set("-+.eE0123456789")]
        self.number = number

    def is_in(self, text: str) -> bool:
        """Whether one of them stands in a text."""
        return any(one in text for one in self.spellings)

    def text(self, text: str) -> str:
        """A text without them."""
        if not self.is_in(text):
            return text
        for one in self.spellings:
            text = text.replace(one, MARK)
        return MARK if self.is_in(text) else text  # what is around a mark may make one anew

    def name(self, name: str) -> str:
        """The name of a key, a member or a conversation: numbered, so that no two become one."""
        text = self.text(name)
        if text == name:
            return name
        numbered = f"{text} {self.number}"
        return f"{text} {'-'.join(str(self.number))}" if self.is_in(numbered) else numbered

    def value(self, value: Any) -> Any:
        """A JSON value without them: in texts, in names, and in numbers that are written so."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.name(name): self.value(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        is_number = self.numbers and isinstance(value, int | float) and not isinstance(value, bool)
        return MARK if is_number and any(one in dump_json(value) for one in self.numbers) else value

    def names(self, value: Any) -> Any:
        """A value of which only the names are anybody's, such as the blame of a document."""
        if isinstance(value, dict):
            return {self.name(name): self.names(one) for name, one in value.items()}
        return [self.names(one) for one in value] if isinstance(value, list) else value

    def texts(self, value: Any) -> Any:
        """A value of which names and numbers are the program's own."""
        if isinstance(value, dict):
            return {name: self.texts(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.texts(one) for one in value]
        return self.text(value) if isinstance(value, str) else value

    def pointer(self, pointer: str) -> str:
        """A JSON pointer."""
        return format_pointer([self.name(token) for token in parse_pointer(pointer)]) if pointer else pointer

    def payload(self, kind: str, payload: Any) -> Any:
        """What the history has of a change of that kind, there or back."""
        if kind == "state" and isinstance(payload, list):
            return [{name: self._part(name, one) for name, one in op.items()} for op in payload]
        if kind not in FIELDS or not isinstance(payload, dict):
            return payload
        if kind == "conversation":
            return {part: self._fields(kind, fields) for part, fields in payload.items()}
        sets = {pk: self._fields(kind, fields) for pk, fields in payload.get("set", {}).items()}
        return {part: sets if part == "set" else ids for part, ids in payload.items()}

    def _part(self, name: str, part: Any) -> Any:
        return self.value(part) if name == "value" else self.pointer(part) if name in ("path", "from") else part

    def _fields(self, kind: str, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {name: self.value(one) if name in FIELDS[kind] else one for name, one in fields.items()}


def check_text(text: str) -> str:
    """The text, if it can be forgotten. Raises BadText."""
    if len(text) < LEAST:
        raise BadText(f"a text of {len(text)} characters is in too much to be forgotten; it takes {LEAST} at least")
    if text in MARK or MARK in text:
        raise BadText(f"{text!r} is a part of the mark that stands for what was forgotten")
    return text


def list_spellings(text: str) -> Iterator[str]:
    """The text, and how it is spelt in JSON, also in JSON that is a text in other JSON."""
    yield text
    for _ in range(2):
        escaped = json.dumps(text)[1:-1]
        upper = "".join(f"\\u{ord(one):04X}" if len(one) == 1 and ord(one) > 126 else one for one in _units(text))
        plain = json.dumps(text, ensure_ascii=False)[1:-1]
        for one in (escaped, upper, plain):
            yield from {one, one.replace("/", "\\/")}
        text = escaped


def _units(text: str) -> Iterator[str]:
    """Characters, escaped as JSON has to, and those beyond 16 bits as their two halves."""
    for one in text:
        if ord(one) > 0xFFFF:
            high, low = divmod(ord(one) - 0x10000, 0x400)
            yield from (chr(0xD800 + high), chr(0xDC00 + low))
        else:
            yield one if ord(one) > 126 else json.dumps(one)[1:-1]


def list_texts(value: JSONValue) -> Iterator[str]:
    """The texts and numbers in a value that are long enough to be forgotten by themselves."""
    if isinstance(value, dict):
        for one in value.values():
            yield from list_texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from list_texts(one)
    elif not isinstance(value, bool) and value is not None:
        text = value if isinstance(value, str) else dump_json(value)
        if len(text) >= LEAST and text not in MARK and MARK not in text:
            yield text


def show_masked(texts: Sequence[str]) -> str:
    """A text for a preview: how it begins and ends, if it is long, never all of it."""
    if len(texts) != 1:
        return f"{len(texts)} texts"
    [text] = texts
    return f"{text[:2]}…{text[-2:]} ({len(text)} characters)" if len(text) >= 12 else f"{len(text)} characters"


def count_names(redaction: Redaction, value: Any) -> int:
    """How many names in a value hold what is to be forgotten."""
    if isinstance(value, Mapping):
        return sum(redaction.is_in(name) + count_names(redaction, one) for name, one in value.items())
    return sum(count_names(redaction, one) for one in value) if isinstance(value, list) else 0
