"""Values of a large JSON file, one at a time: of arrays, JSON lines, objects with `conversations`, one after another.

Memory is bounded by the largest value, not by the file. All of a file is read or told with its place: what follows a
value is the next one, and after one that cannot be read it goes on at the next line that begins one.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from state.jsondoc.budget import spend_work
from state.jsondoc.encoding import explain_encoding
from state.jsondoc.text import (
    MAX_NODES,
    JSONValue,
    NotAcceptable,
    NotPlain,
    count_nodes,
    decode_at,
    dump_json,
    explain_nodes,
    has_many_nodes,
    parse_json,
)

CHUNK = 1 << 20
MOST = 256 << 20  # characters of one value
NEAR_END = 12  # an error so near to the end of what was read may be gone with more of it
AROUND = 40  # characters behind an error that are looked at
HALF = re.compile("[\ud800-\udfff]")
WRAPPER = re.compile(r'\{(?:\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[-\d.]+|true|false|null)\s*,)*\s*"conversations"\s*:\s*\[')
OF_WRAPPER = {"nola", "version", "exported", "conversations"}  # members of an export of Nola
OTHERS = {  # how other files begin
    b"<": "a web page, not JSON; ask the service for its export as JSON",
    b"\x1f\x8b": "packed with gzip; unpack it first",
    b"7z\xbc\xaf": "packed with 7-Zip; unpack it first, and import the folder",
    b"rar!": "packed with RAR; unpack it first, and import the folder",
    b"%pdf": "a PDF, not JSON; ask the service for its export as JSON",
    b"sqlite format 3": "a SQLite database, not JSON; let the program that wrote it export the chats",
}
_LINE = re.compile(r"\n(?=[{\[])")
_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = json.JSONDecoder()
_FIRST = "neither a JSON array or object, nor JSON lines, nor a zip file"
_LATER = "no JSON object or array"


@dataclass(frozen=True, slots=True)
class StreamItem:
    """A value and its number, from 1; or what is wrong there. `halves`: lone surrogates that were replaced by �.

    `left_out` names members of the object around the values; there is no value then.
    """

    number: int
    value: JSONValue = None
    problem: str = ""
    halves: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Raw:
    """The text of a value and the place where it begins; the value itself, if it is acceptable as it stands."""

    text: str
    line: int
    column: int
    value: JSONValue = None
    is_plain: bool = False


class BrokenStream(ValueError):
    """The text goes wrong here."""


class EndOfReading(BrokenStream):
    """The text goes wrong here, and what follows cannot be read."""


def read_items(stream: BinaryIO, *, bounded: bool = False) -> Iterator[StreamItem]:
    """The values of a file, in order, and the problems between them: nothing is passed over in silence.

    `bounded`: one of more values inside than a document may have is a problem. Raises TooCostly.
    """
    text = _Text(stream, bounded)
    number = 0
    try:
        for found in text.values():
            number += 1
            spend_work()
            if isinstance(found, _Raw):
                problem = text.has_too_much(found.text)
                yield StreamItem(number, problem=problem) if problem else parse_item(number, found)
            elif isinstance(found, tuple):
                number -= 1
                yield StreamItem(number, left_out=found)
            else:
                yield StreamItem(number, problem=found)
    except EndOfReading as error:
        yield StreamItem(number + 1, problem=str(error))


def parse_item(number: int, raw: _Raw) -> StreamItem:
    """One value, parsed strictly, except that half surrogate pairs, as some exports have them, are replaced."""
    if raw.is_plain:
        return StreamItem(number, raw.value)
    try:
        return StreamItem(number, parse_json(raw.text).value)
    except NotAcceptable as error:
        if "surrogate" not in error.reason:
            return StreamItem(number, problem=_placed(error, raw))
    try:
        cleaned, count = _whole(json.loads(raw.text))
        return StreamItem(number, parse_json(dump_json(cleaned)).value, halves=count)
    except RecursionError:
        return StreamItem(number, problem="nested too deeply")
    except ValueError as error:
        return StreamItem(number, problem=str(error))


def _placed(error: NotAcceptable, raw: _Raw) -> str:
    """What is wrong with a value, with the place in the file."""
    line = raw.line + error.line - 1
    column = error.column + (raw.column - 1 if error.line == 1 else 0)
    return str(NotAcceptable(error.reason, line, column, error.pointer))


def _whole(value: JSONValue) -> tuple[JSONValue, int]:
    if isinstance(value, str):
        return HALF.subn("\ufffd", value)
    if isinstance(value, list):
        parts = [_whole(one) for one in value]
        return [one for one, _ in parts], sum(count for _, count in parts)
    if isinstance(value, dict):
        members = [(_whole(name), _whole(one)) for name, one in value.items()]
        return {str(name): one for (name, _), (one, _) in members}, sum(a + b for (_, a), (_, b) in members)
    return value, 0


def _recognize(raw: bytes) -> str:
    """What a file is that holds no JSON, by how it begins, and what to try."""
    start = raw[:64].lstrip().lower()
    return next((text for head, text in OTHERS.items() if start.startswith(head)), "")


class _Text:
    """The text of a file, as much of it as is needed."""

    def __init__(self, stream: BinaryIO, bounded: bool) -> None:
        self.stream, self.bounded = stream, bounded
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.is_start, self.is_end = "", 0, True, False
        self.fault = ""  # what ends the reading behind `text`, if it is not the end of the file
        self.line, self.column, self.placed = 1, 1, 0  # of the character of `text` that was placed last

    def more(self, size: int = CHUNK) -> None:
        """Read on, up to where it is not UTF-8. Raises EndOfReading where it is something else from the beginning."""
        spend_work()
        raw = self.stream.read(size)
        self.is_end = not raw
        if self.is_start and (other := explain_encoding(raw) or _recognize(raw)):
            raise EndOfReading(f"it is {other}")
        self.is_start = False
        try:
            new = self.decoder.decode(raw, final=self.is_end)
        except UnicodeDecodeError as error:
            new, self.is_end = error.object[: error.start].decode("utf-8-sig"), True
            self.fault = f"not UTF-8: byte 0x{error.object[error.start]:02x}; save the file as UTF-8"
        self.place(self.at)
        self.text, self.at, self.placed = self.text[self.at :] + new, 0, self.placed - self.at
        if self.fault:
            self.fault = f"{self.tell(self.fault, len(self.text))}; what follows is not read"

    def place(self, position: int) -> tuple[int, int]:
        """The line and column of a position in `text` that does not lie before the place where the reading is."""
        start = self.placed
        lines = self.text.count("\n", start, position)
        column = position - self.text.rfind("\n", start, position) if lines else self.column + position - start
        if position <= self.at:
            self.line, self.column, self.placed = self.line + lines, column, position
            return self.line, self.column
        return self.line + lines, column

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]  # it always matches
            if self.at < len(self.text) or self.is_end:
                return self.text[self.at : self.at + 1]
            self.more()

    def values(self) -> Iterator[_Raw | tuple[str, ...] | str]:
        """The texts of all values, the names of members around them, and what is wrong. Raises EndOfReading."""
        if not self.peek():
            raise EndOfReading(self.fault or "the file is empty")
        is_first = True
        while mark := self.peek():
            if mark == "[":
                self.at += 1
                yield from self.items()
            elif mark == "{" and (wrapper := self.find_wrapper()):
                yield from self.wrapped(wrapper)
            else:
                try:
                    if mark == "," and not is_first:
                        self.at += 1
                        mark = self.peek()
                    if mark not in ("{", "["):
                        near = self.text[self.at : self.at + 20]
                        raise BrokenStream(self.tell(f"{_FIRST if is_first else _LATER}: {near!r}"))
                    if mark == "{":
                        yield self.value()
                except BrokenStream as error:
                    yield self.pass_over(error)
            is_first = False
        if self.fault:
            raise EndOfReading(self.fault)

    def items(self) -> Iterator[_Raw | str]:
        """The texts of an array's items; its opening bracket is passed."""
        is_first = True
        while (mark := self.peek()) != "]":
            try:
                if not mark:
                    raise EndOfReading(self.fault or self.tell("the file ends in the middle: it was cut off"))
                if not is_first:
                    if mark != ",":
                        near = self.text[self.at : self.at + 20]
                        raise BrokenStream(self.tell(f"a comma is missing between two items, before {near!r}"))
                    comma = self.tell("a comma after the last item; delete it")
                    self.at += 1
                    if self.peek() == "]":
                        yield comma
                        break
                is_first = False
                yield self.value()
            except EndOfReading:
                raise
            except BrokenStream as error:
                yield self.pass_over(error)
                is_first = True
                if self.is_end and self.at >= len(self.text):
                    return
        self.at += 1

    def wrapped(self, wrapper: re.Match[str]) -> Iterator[_Raw | tuple[str, ...] | str]:
        """The texts of the items in an object that holds conversations, and the names of what else is in it."""
        names = list(json.loads(wrapper[0] + "]}"))
        self.at += wrapper.end() - wrapper.start()
        yield from self.items()
        try:
            while (mark := self.peek()) == ",":
                self.at += 1
                if self.peek() != '"':
                    raise BrokenStream(self.tell("a comma after the last member; delete it"))
                names.append(json.loads(self.value().text))
                if self.peek() != ":":
                    raise BrokenStream(self.tell("a colon is missing after the name"))
                self.at += 1
                self.peek()
                self.value()
            if mark != "}":
                raise BrokenStream(
                    self.tell("a comma or the closing brace is missing")
                    if mark
                    else self.tell("the file ends in the middle: it was cut off")
                )
            self.at += 1
        except BrokenStream as error:
            yield self.pass_over(error)
        if left := tuple(name for name in names if name not in OF_WRAPPER):
            yield left

    def find_wrapper(self) -> re.Match[str] | None:
        """The beginning of an object that holds conversations; of one that is itself a list of messages, nothing."""
        while len(self.text) - self.at < 65536 and not self.is_end:
            self.more()
        found = WRAPPER.match(self.text, self.at, self.at + 65536)
        if found is None:
            return None
        try:
            start = _SPACE.match(self.text, found.end()).end()  # type: ignore[union-attr]
            first, _ = _PLAIN.raw_decode(self.text, start)
        except (ValueError, RecursionError):
            return found
        is_message = isinstance(first, dict) and bool({"from", "role", "value", "content"} & first.keys())
        return None if is_message else found

    def value(self) -> _Raw:
        """The text of the next value. Raises BrokenStream."""
        while True:
            try:
                value, end = self.decode()
            except json.JSONDecodeError as error:
                is_near = error.msg.startswith("Unterminated string") or error.pos >= len(self.text) - NEAR_END
                if self.fault and is_near:
                    raise EndOfReading(self.fault) from None
                if not is_near or self.is_end or self.has_values_below():
                    raise BrokenStream(self.explain(error)) from None
            except (RecursionError, ValueError):
                raise BrokenStream(self.tell("nested too deeply, or a number with too many digits")) from None
            else:
                is_plain = value is not _PLAIN
                raw = _Raw(self.text[self.at : end], *self.place(self.at), value if is_plain else None, is_plain)
                self.at = end
                return raw
            self._check_size()
            if problem := self.has_too_much(self.text[self.at :]):
                raise EndOfReading(problem)
            self.more(max(CHUNK, len(self.text) - self.at))

    def decode(self) -> tuple[Any, int]:
        """The value that begins here, _PLAIN if it is to be looked at again, and where it ends. Raises ValueError."""
        try:
            return decode_at(self.text, self.at)
        except NotPlain:
            return _PLAIN, _PLAIN.raw_decode(self.text, self.at)[1]

    def has_values_below(self) -> bool:
        """Whether on lines below two values follow each other with no comma, as they do in no other value."""
        if not (line := _LINE.search(self.text, self.at)):
            return False
        try:
            _, end = _PLAIN.raw_decode(self.text, line.end())
        except (ValueError, RecursionError):
            return False
        after = _SPACE.match(self.text, end).end()  # type: ignore[union-attr]
        return self.text[after : after + 1] in ("{", "[")

    def explain(self, error: json.JSONDecodeError) -> str:
        """What is wrong with the value that begins here, and where."""
        rest = self.text[error.pos : error.pos + AROUND].strip()
        is_open = error.msg.startswith(("Unterminated string", "Invalid \\")) and '"' not in rest[1:]
        is_word = bool(rest) and any(word.startswith(rest) for word in ("true", "false", "null", "-"))
        is_cut = error.pos >= len(self.text) - NEAR_END and (not rest or is_open or is_word)
        if self.is_end and (is_cut or error.msg.startswith("Unterminated string")):
            return self.tell("the file ends in the middle: it was cut off, in what begins here")
        before = self.text[self.at : error.pos].rstrip()[-1:]
        if "railing comma" in error.msg or (before == "," and rest[:1] in ("]", "}")):
            what = "item" if rest[:1] == "]" else "member"
            return self.tell(f"a comma after the last {what}; delete it", error.pos)
        raw = _Raw(self.text[self.at : error.pos + AROUND], *self.place(self.at))
        try:
            parse_json(raw.text)
        except NotAcceptable as reason:
            near = self.text[max(self.at, error.pos - 10) : error.pos + 20]
            return f"{_placed(reason, raw)}, near {near!r}"
        return self.tell(error.msg, error.pos)

    def tell(self, reason: str, position: int | None = None) -> str:
        """A reason with the place in the file."""
        line, column = self.place(self.at if position is None else position)
        return f"line {line}, column {column}: {reason}"

    def pass_over(self, error: BrokenStream) -> str:
        """Go on at the next line that begins a value, and say what is not read. Raises EndOfReading."""
        first = self.place(self.at)[0]
        while not (line := _LINE.search(self.text, self.at)):
            if self.is_end:
                last, _ = self.place(len(self.text.rstrip()))
                self.at = len(self.text)
                lines = f"; lines {first} to {last} are not read" if last > first else "; what follows is not read"
                is_cut = "ends in the middle" in str(error)
                return f"{error}{'' if is_cut and last == first else lines}"
            self.at = max(self.at, len(self.text) - 1)
            self.more()
        self.at = line.end()
        last = self.place(self.at)[0] - 1
        return f"{error}; lines {first} to {last} are not read" if last > first else str(error)

    def has_too_much(self, text: str) -> str:
        """What is wrong with a value, or the beginning of one, that holds too many others; "" for nothing."""
        raw = text.encode(errors="replace") if self.bounded else b""
        nodes = count_nodes(raw) if has_many_nodes(raw) else 0
        return explain_nodes("one conversation or message has at least", nodes) if nodes > MAX_NODES else ""

    def _check_size(self) -> None:
        if len(self.text) - self.at > MOST:
            raise EndOfReading(self.tell(f"one value is larger than {MOST >> 20} MB; what follows is not read"))
