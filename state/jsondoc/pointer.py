"""Pointers (RFC 6901) and edits inside stored JSON text, by splicing: siblings are neither parsed nor copied apart.

Documents here are bytes: compact UTF-8 as `dump_json` writes it. The offsets rely on that.
"""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

import msgspec

from state.jsondoc.budget import spend_work
from state.jsondoc.errors import InTheWay, Malformed, NotThere

Tokens = tuple[str, ...]

RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # ASCII that is written as it is
LARGE = 4096  # bytes from where one member of an object is looked for without listing them all
LONGEST = 255  # characters of a name for which what finds it is kept
KEPT = 512  # names


class BadPointer(Malformed):
    """Not an RFC 6901 pointer, or not a token of one."""


class Missing(NotThere):
    """Nothing is stored at that address."""


class Blocked(InTheWay, ValueError):
    """A value cannot be put there: the way leads through a scalar, or to an index past the end."""


class Place(NamedTuple):
    """Where a member or item stands in its document: byte offsets of all of it, and of its value."""

    start: int
    value: int
    end: int
    position: int
    size: int

    @property
    def is_last(self) -> bool:
        return self.position == self.size - 1


def parse_pointer(pointer: str) -> Tokens:
    """The tokens of a pointer. Raises BadPointer."""
    if pointer == "":
        return ()
    if not pointer.startswith("/"):
        raise BadPointer(f"the pointer {pointer!r} does not start with /")
    tokens = pointer[1:].split("/")
    return tuple(map(unescape_token, tokens) if "~" in pointer else tokens)


def format_pointer(tokens: Sequence[str]) -> str:
    """The pointer of tokens: ("a/b", "0") is /a~1b/0."""
    return "".join("/" + escape_token(token) for token in tokens)


def escape_token(name: str) -> str:
    """A name as a token."""
    return name.replace("~", "~0").replace("/", "~1")


def unescape_token(token: str) -> str:
    """One token as the name it stands for. Raises BadPointer for a ~ that is neither ~0 nor ~1."""
    if "~" in token.replace("~0", "").replace("~1", ""):
        raise BadPointer(f"in {token!r} a ~ is not followed by 0 or 1; write ~0 for ~ and ~1 for /")
    return token.replace("~1", "/").replace("~0", "~")


def parse_index(token: str) -> int | None:
    """The array index a token stands for, or None: digits without leading zeros (RFC 6901 §4)."""
    if token.isascii() and token.isdigit() and (token == "0" or token[0] != "0") and len(token) < 19:
        return int(token)
    return None


def get_node(data: bytes, tokens: Sequence[str]) -> bytes:
    """The text of the node at `tokens`. Raises Missing."""
    level: bytes | msgspec.Raw = data
    for token in tokens:
        level = _child(level, token)
    return bytes(level)


def _child(level: bytes | msgspec.Raw, token: str) -> bytes | msgspec.Raw:
    """The text of a member or item. Raises Missing."""
    if _is_large_object(memoryview(level), token):
        found: msgspec.Raw = _member(token).decode(level).value
        if not found:
            raise Missing(f"there is no member {token!r}")
        return found
    text = bytes(level)
    start, end = _span(text, [token])
    return text[start:end]


def _is_large_object(level: memoryview, token: str) -> bool:
    plain = len(token) <= LONGEST and '"' not in token and "\\" not in token and token.isprintable()
    return plain and len(level) > LARGE and level[0] == ord("{")


@lru_cache(KEPT)
def _member(name: str) -> Any:
    """A decoder that skips all members of an object but one."""
    fields = [("value", msgspec.Raw, msgspec.Raw())]
    return msgspec.json.Decoder(msgspec.defstruct("Member", fields, rename={"value": name}))


def find_nearest(data: bytes, tokens: Sequence[str]) -> tuple[int, int, int]:
    """How many of the tokens lead to a stored node, and the byte offsets of the last such node."""
    start, end = 0, len(data)
    for known, token in enumerate(tokens):
        try:
            start, end = find_child(data, start, end, token)
        except (Missing, Blocked):
            return known, start, end
    return len(tokens), start, end


def put_node(data: bytes, tokens: Sequence[str], value: bytes, position: int | None = None) -> bytes:
    """The document with `value` at `tokens`, whose parent exists: replaced, or added as member or as next item.

    A new member goes to the end, or to `position` among the members. Raises Missing and Blocked.
    """
    known, start, end = find_nearest(data, tokens)
    if known == len(tokens):
        return splice_bytes(data, start, end, value)
    if known < len(tokens) - 1:
        raise Missing(f"there is no {tokens[known]!r}")
    return add_child(data, start, end, tokens[-1], value, position)


def splice_bytes(data: bytes, start: int, end: int, value: bytes) -> bytes:
    """The document with other bytes in place of those from `start` to `end`."""
    view = memoryview(data)
    return b"".join((view[:start], value, view[end:]))


def insert_item(data: bytes, tokens: Sequence[str], value: bytes) -> bytes:
    """The document with `value` as a new array item before the one at `tokens`, or at the end of the array."""
    start, end = _span(data, tokens[:-1])
    try:
        place = _find(data, start, end, tokens[-1])
    except Missing:
        return add_child(data, start, end, tokens[-1], value)
    return splice_bytes(data, place.start, place.start, value + b",")


def add_child(data: bytes, start: int, end: int, token: str, value: bytes, position: int | None = None) -> bytes:
    """The document with a new member, or next item, in the container at these offsets. Raises Blocked."""
    if data[start] not in b"[{":
        raise Blocked(f"{token!r} is below a value that has no members")
    if data[start] == ord("["):
        size = len(RAW_ARRAY.decode(memoryview(data)[start:end]))
        number = parse_index(token)
        if number is None:
            raise Blocked(f"{token!r} is not an index, and the value above it is an array")
        if number != size:
            raise Blocked(f"index {token} is past the end: the array has {size} items")
        entry = value
    else:
        entry = encode_basestring(token).encode() + b":" + value
        names = list(RAW_OBJECT.decode(memoryview(data)[start:end])) if position is not None else []
        if position is not None and position < len(names):
            before = _find(data, start, end, names[position]).start
            return splice_bytes(data, before, before, entry + b",")
    comma = b"" if end - start == 2 else b","
    return splice_bytes(data, end - 1, end - 1, comma + entry)


def remove_node(data: bytes, tokens: Sequence[str]) -> tuple[bytes, Place]:
    """The document without the node at `tokens` (not the root), and where the node stood. Raises Missing."""
    place = locate_node(data, tokens)
    start, end = place.start, place.end
    if not place.is_last:
        end += 1  # the comma behind
    elif place.position:
        start -= 1  # the comma before
    return splice_bytes(data, start, end, b""), place


def locate_node(data: bytes, tokens: Sequence[str]) -> Place:
    """Where the node at `tokens` (not the root) stands. Raises Missing."""
    start, end = _span(data, tokens[:-1])
    try:
        return _find(data, start, end, tokens[-1])
    except Blocked as error:
        raise Missing(str(error)) from None


def count_children(data: bytes, tokens: Sequence[str]) -> int:
    """How many items or members the array or object at `tokens` has. Raises Missing and Blocked."""
    start, end = _span(data, tokens)
    if data[start] not in b"[{":
        raise Blocked("the value above has no members")
    level = memoryview(data)[start:end]
    return len(RAW_ARRAY.decode(level) if data[start] == ord("[") else RAW_OBJECT.decode(level))


def is_array(data: bytes, tokens: Sequence[str]) -> bool:
    """Whether the node at `tokens` is an array. Raises Missing."""
    start, _ = _span(data, tokens)
    return data[start] == ord("[")


def _span(data: bytes, tokens: Sequence[str]) -> tuple[int, int]:
    start, end = 0, len(data)
    for token in tokens:
        try:
            start, end = find_child(data, start, end, token)
        except Blocked as error:
            raise Missing(str(error)) from None
    return start, end


def find_child(data: bytes, start: int, end: int, token: str) -> tuple[int, int]:
    """The byte offsets of the value of a member or item of the container in data[start:end].

    Raises Missing, or Blocked where it is none.
    """
    level = memoryview(data)[start:end]
    if _is_large_object(level, token):
        value = _member(token).decode(level).value
        if not value:
            raise Missing(f"there is no member {token!r}")
        label = encode_basestring(token).encode() + b":"
        text = label + memoryview(value)[:LARGE]
        at = data.find(text, start, end)
        if data.find(text, at + 1, end) < 0:  # else the same stands deeper inside too, and must be told apart
            return at + len(label), at + len(label) + len(value)
    place = _find(data, start, end, token)
    return place.value, place.end


def _find(data: bytes, start: int, end: int, token: str) -> Place:
    """The member or item `token` of the container in data[start:end]. Raises Missing, or Blocked for a scalar."""
    spend_work()  # a step through all of them
    level = memoryview(data)[start:end]
    if data[start] == ord("{"):
        members = RAW_OBJECT.decode(level)
        if token not in members:
            raise Missing(f"there is no member {token!r}")
        names, values = list(members), list(members.values())
        position = names.index(token)
        before = start + 1 + _label_bytes(names[:position]) + sum(map(len, values[:position])) + position
        value = before + _label_bytes([token])
    elif data[start] == ord("["):
        values = RAW_ARRAY.decode(level)
        number = parse_index(token)
        if number is None:
            raise Blocked(f"{token!r} is not an index, and the value above it is an array")
        if number >= len(values):
            raise Missing(f"index {token} is past the end: the array has {len(values)} items")
        position = number
        before = value = start + 1 + sum(map(len, values[:position])) + position
    else:
        raise Blocked(f"{token!r} is below a value that has no members")
    return Place(before, value, value + len(values[position]), position, len(values))


def _label_bytes(names: list[str]) -> int:
    """How many bytes the names take with their quotes and colons."""
    joined = "".join(names)
    if _PLAIN.fullmatch(joined):
        return len(joined) + 3 * len(names)
    return sum(measure_labels(names))


def measure_labels(names: Collection[str]) -> list[int]:
    """How many bytes each of the names takes with its quotes and colon."""
    if _PLAIN.fullmatch("".join(names)):
        return [len(name) + 3 for name in names]
    return [len(encode_basestring(name).encode()) + 1 for name in names]
