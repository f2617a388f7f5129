"""JSON text, as it comes in (strict, RFC 8259) and as it is stored (compact, in the given order)."""

import json
import math
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn, Union

from state.jsondoc.encoding import explain_encoding
from state.jsondoc.errors import Malformed, Oversized
from state.jsondoc.pointer import format_pointer

JSONValue = Union[None, bool, int, float, str, list["JSONValue"], dict[str, "JSONValue"]]  # noqa: UP007 - recursive


class Nothing(Enum):
    """That there is no value, where null would be one: no document, no node, nothing that shows at a level."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING

MAX_DEPTH = 100
MAX_NODES = 1_000_000  # values of one document, at all depths: each takes memory and time whatever its size
MAX_SECONDS = 1.0  # for finding the place of what is refused
BOM = b"\xef\xbb\xbf"


class NotAcceptable(Malformed):
    """A text that is not acceptable JSON. `line` and `column` count from 1, `pointer` is RFC 6901."""

    def __init__(self, reason: str, line: int, column: int, pointer: str | None = None) -> None:
        inside = f", inside {_short(pointer)}" if pointer else ""
        super().__init__(f"line {line}, column {column}{inside}: {reason}")
        self.reason, self.line, self.column, self.pointer = reason, line, column, pointer

    @property
    def members(self) -> dict[str, Any]:
        return {"line": self.line, "column": self.column, "pointer": self.pointer}


class TooManyNodes(Oversized):
    """A text that holds more values than a document may have."""


class Document(NamedTuple):
    """One JSON value: as Python data and as the text that is stored."""

    value: JSONValue
    text: str


class NotPlain(ValueError):
    """A value that may not be acceptable: `parse_json` tells."""


class _Refused(ValueError):
    """Raised inside the decoder, which does not know the place; `_refuse` finds it."""


def parse_bounded(raw: bytes, max_depth: int = MAX_DEPTH) -> Document:
    """Parse what a client sends. Raises TooManyNodes before anything is made of it, and as `parse_json` does."""
    if has_many_nodes(raw) and (nodes := count_nodes(raw)) > MAX_NODES:
        raise TooManyNodes(explain_nodes("the body has", nodes))
    return parse_json(raw, max_depth)


def parse_json(raw: bytes | str, max_depth: int = MAX_DEPTH) -> Document:
    """Parse JSON strictly. Raises NotAcceptable with the place; accepts what RFC 8259 allows and a double can hold."""
    text = decode_json(raw) if isinstance(raw, bytes) else raw
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _refuse(text, max_depth, error.pos, _plain(error.msg))
    except (ValueError, RecursionError):
        _refuse(text, max_depth)
    if text.count("[") + text.count("{") > max_depth and measure_depth(value) > max_depth:
        _refuse(text, max_depth)
    stored = dump_json(value)
    try:
        stored.encode()
    except UnicodeEncodeError:
        _refuse(text, max_depth)
    return Document(value, stored)


def decode_at(text: str, start: int) -> tuple[JSONValue, int]:
    """The value that begins at a place in a longer text, and where it ends. Raises JSONDecodeError where it goes wrong,
    and NotPlain where `parse_json` is to say what is not acceptable in it.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):
        raise NotPlain from None
    is_deep = text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH and measure_depth(value) > MAX_DEPTH
    if is_deep:
        raise NotPlain
    if text.find("\\ud", start, end) >= 0 or text.find("\\uD", start, end) >= 0:  # perhaps half of a surrogate pair
        try:
            dump_json(value).encode()
        except UnicodeEncodeError:
            raise NotPlain from None
    return value, end


def make_document(value: JSONValue) -> Document:
    """The document of a Python value that came from `parse_json` or from the database."""
    return Document(value, dump_json(value))


def dump_json(value: Any) -> str:
    """The stored text of a value: compact, member order kept. Raises ValueError for NaN and Infinity."""
    return _ENCODER.encode(value)


def format_json(value: JSONValue) -> str:
    """The same value, indented for people."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)


def explain_nodes(subject: str, nodes: int) -> str:
    """That a text has too many values, and the way out."""
    return f"{subject} {nodes:,} values at all depths; the limit is {MAX_NODES:,}. Divide it"


def has_many_nodes(data: bytes) -> bool:
    """Whether a JSON text could hold more than MAX_NODES values: by its length, or by its marks, in texts too."""
    return len(data) >= 2 * MAX_NODES and sum(map(data.count, (b",", b"[", b"{"))) >= MAX_NODES


def count_nodes(data: bytes) -> int:
    """How many values a JSON text holds, at all depths, itself included. No value is made."""
    marks = _leave_marks(data)
    filled = sum(map(marks.count, (b"[", b"{"))) - sum(map(marks.count, (b"[]", b"{}")))
    return 1 + filled + marks.count(b",")


def _leave_marks(data: bytes) -> bytes:
    """What of a JSON text stands outside of strings and is no white space, with a quote in place of each string."""
    bare = data.replace(rb"\\", b"").replace(rb"\"", b"")
    marks: list[bytes] = []
    inside = 0
    for start in range(0, len(bare), _PIECE):
        parts = bare[start : start + _PIECE].split(b'"')
        marks += [b'"'.join(parts[inside::2]), b'"']  # a piece that ends in a string, or between two
        inside = (inside + len(parts) - 1) % 2
        if not inside:
            marks.pop()
    return b"".join(marks).translate(None, b" \t\n\r")


def measure_depth(value: JSONValue) -> int:
    """How deep arrays and objects nest: 0 for a scalar, 1 for {}."""
    levels = 0
    containers = [value] if isinstance(value, list | dict) else []
    while containers:
        levels += 1
        containers = [
            child
            for node in containers
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, list | dict)
        ]
    return levels


def count_bytes(text: str) -> int:
    """How many bytes of UTF-8 a text takes."""
    return len(text) if text.isascii() else len(text.encode())


def json_type(text: str) -> str:
    """The type of a stored value, by its first character: object, array, text, number, true/false or null."""
    names = {"{": "object", "[": "array", '"': "text", "t": "true/false", "f": "true/false", "n": "null"}
    return names.get(text[:1], "number")


def decode_json(raw: bytes) -> str:
    """The text of JSON as it comes. Raises NotAcceptable where it is not UTF-8."""
    if raw.startswith(BOM):
        raise NotAcceptable("starts with a byte order mark; send UTF-8 without one", 1, 1)
    if other := explain_encoding(raw):
        raise NotAcceptable(f"it is {other}", 1, 1)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line, column = _place(before, len(before))
        reason = f"not UTF-8: byte 0x{raw[error.start]:02x}"
        raise NotAcceptable(reason, line, column) from None


def _members(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused
    return members


def _float(literal: str) -> float:
    number = float(literal)
    if _number_problem(literal, number):
        raise _Refused
    return number


def _constant(literal: str) -> NoReturn:
    raise _Refused(literal)


def _number_problem(literal: str, number: float) -> str | None:
    if math.isinf(number):
        return f"{_short(literal)} is too large for a double"
    if (len(literal) > 16 or "e" in literal or "E" in literal) and not _SHORT_FLOAT.fullmatch(literal):
        exponent = re.search(r"[eE][+-]?0*(\d+)$", literal)
        if exponent and len(exponent[1]) > 6:  # a zero, or far below what a double holds
            exact = not number and not re.search("[1-9]", literal[: exponent.start()])
        else:
            exact = Decimal(literal) == Decimal(repr(number))
        if not exact:
            return f"{_short(literal)} has more digits than a double holds; send it as a string"
    return None


UNPLACED = (
    "somewhere in it, too far in to name the place, is NaN, Infinity, a number that a double cannot hold, a name twice"
    " in one object, half a surrogate pair, or too deep a nesting"
)

_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_float, parse_constant=_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False)


_PIECE = 1 << 20  # bytes

# up to 15 digits and an exponent well inside the range: always exact enough to come back
_SHORT_FLOAT = re.compile(r"-?\d{1,7}(?:\.\d{1,8})?[eE][+-]?\d{1,2}")


# What follows runs only for a refused text: it finds the place and names it.

_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
        (?P<string>"(?:[^"\\]++|\\.)*+")
      | (?P<constant>NaN|-?Infinity)
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>true|false|null)
      | (?P<mark>[\[\]{}:,])
    )""",
    re.VERBOSE | re.DOTALL,
)


class _Level:
    """An open array or object: which member or item the scan is in."""

    def __init__(self, mark: str) -> None:
        self.is_object = mark == "{"
        self.expects_name = self.is_object
        self.names: set[str] = set()
        self.token = "" if self.is_object else "0"

    def step(self) -> None:
        if self.is_object:
            self.expects_name = True
        else:
            self.token = str(int(self.token) + 1)


def _refuse(text: str, max_depth: int, syntax_error: int | None = None, message: str = "") -> NoReturn:
    """Raise NotAcceptable for the first thing wrong in `text`, a syntax error at that position at the latest."""
    levels: list[_Level] = []
    scanned, found = 0, False
    position, reason = (len(text) if syntax_error is None else syntax_error), message
    for token in _tokens(text):
        start = token.start(token.lastgroup or 0)
        if start >= position:
            break
        problem = _problem(token, levels, max_depth)
        if problem:
            position, reason, found = start, problem, True
            break
        _follow(token, levels)
        scanned = token.end()
    if not reason:
        raise NotAcceptable(UNPLACED, 1, 1)
    line, column = _place(text, position)
    ahead = None if found else _TOKEN.match(text, scanned)
    if ahead and ahead.start(ahead.lastgroup or 0) < position:  # the scan ran out of time before it came there
        raise NotAcceptable(reason, line, column)
    # the path stops at the member whose name is still to come
    path = [level.token for level in levels if level.token or not level.expects_name]
    raise NotAcceptable(reason, line, column, format_pointer(path).encode(errors="replace").decode())


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """The tokens of the text, as far as a second goes: a refusal must not cost more than an acceptance."""
    position, until = 0, time.monotonic() + MAX_SECONDS
    while (token := _TOKEN.match(text, position)) and time.monotonic() < until:
        yield token
        position = token.end()


def _problem(token: re.Match[str], levels: list[_Level], max_depth: int) -> str | None:
    """What is wrong with this token beyond syntax, if anything."""
    literal = token[token.lastgroup or 0]
    match token.lastgroup:
        case "constant":
            return f"{literal} is not JSON; send null or a string"
        case "number" if re.search(r"[.eE]", literal):
            return _number_problem(literal, float(literal))
        case "number" if len(literal.lstrip("-")) > 4300:
            return "an integer of more than 4300 digits; send it as a string"
        case "mark" if literal in "[{" and len(levels) >= max_depth:
            return f"nested deeper than {max_depth} levels"
        case "string":
            return _string_problem(literal, levels)
    return None


def _string_problem(literal: str, levels: list[_Level]) -> str | None:
    try:
        string: str = json.loads(literal)
        string.encode()
    except UnicodeEncodeError as error:
        return f"\\u{ord(string[error.start]):04x} is half of a surrogate pair and not a character"
    except ValueError:
        return None  # a syntax error, which the decoder has named
    if levels and levels[-1].expects_name and string in levels[-1].names:
        return f"the name {_short(literal)} stands twice in one object"
    return None


def _follow(token: re.Match[str], levels: list[_Level]) -> None:
    literal = token[token.lastgroup or 0]
    if token.lastgroup == "string" and levels and levels[-1].expects_name:
        level = levels[-1]
        level.token = json.loads(literal, strict=False)
        level.names.add(level.token)
        level.expects_name = False
    elif literal in ("[", "{"):
        levels.append(_Level(literal))
    elif literal in ("]", "}") and levels:
        levels.pop()
    elif literal == "," and levels:
        levels[-1].step()


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def _plain(message: str) -> str:
    """The decoder's message, as a sentence of ours."""
    plain = {
        "Expecting value": "a value is missing or not JSON",
        "Extra data": "more text follows after the end of the value",
        "Expecting ',' delimiter": "a comma or the closing bracket is missing",
        "Expecting ':' delimiter": "a colon is missing after the name",
        "Expecting property name enclosed in double quotes": "a name in double quotes is missing (or a comma too many)",
        "Illegal trailing comma before end of object": "a comma too many before }",
        "Illegal trailing comma before end of array": "a comma too many before ]",
        "Unterminated string starting at": "a string is not closed",
        "Invalid control character at": "a line break or control character inside a string; write it as \\n or \\u00..",
    }
    return plain.get(message, message[:1].lower() + message[1:])


def _short(literal: str) -> str:
    return literal if len(literal) <= 40 else literal[:37] + "..."
