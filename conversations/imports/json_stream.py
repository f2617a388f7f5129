"""Values of a large JSON file, one at a time: of an array, of JSON lines, or of an object with `conversations`.

Memory is bounded by the largest value, not by the file. What cannot be read is told with its place, and where a file
has lines, those after it are read all the same.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from state.jsondoc.budget import spend_work
from state.jsondoc.encoding import explain_encoding
from state.jsondoc.text import (
    MAX_NODES,
    JSONValue,
    NotAcceptable,
    count_nodes,
    dump_json,
    explain_nodes,
    has_many_nodes,
    parse_json,
)

CHUNK = 1 << 20
MOST = 256 << 20  # characters of one value
NEAR_END = 12  # an error so near to the end of what was read may be gone with more of it
HALF = re.compile("[\ud800-\udfff]")
WRAPPER = re.compile(r'\{(?:\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[-\d.]+|true|false|null)\s*,)*\s*"conversations"\s*:\s*\[')
_PLAIN = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class StreamItem:
    """A value and its number, from 1; or what is wrong there. `halves`: lone surrogates that were replaced by �."""

    number: int
    value: JSONValue = None
    problem: str = ""
    halves: int = 0


class BrokenStream(ValueError):
    """The text goes wrong here, and what follows cannot be read."""


def read_items(stream: BinaryIO, *, bounded: bool = False) -> Iterator[StreamItem]:
    """The values of a file, in order. The last one has a problem if the file breaks off or goes wrong.

    `bounded`: one of more values inside than a document may have is a problem. Raises TooCostly.
    """
    text = _Text(stream, bounded)
    number = 0
    try:
        mark = text.peek()
        wrapper = WRAPPER.match(text.head()) if mark == "{" else None
        if mark == "[" or wrapper:
            text.skip(wrapper.end() if wrapper else 1)
            values = text.array()
        elif mark == "{" and text.has_lines():
            values = text.lines()
        elif mark == "{":
            values = iter([text.value()])
        else:
            raise BrokenStream(
                "neither a JSON array or object, nor JSON lines, nor a zip file" if mark else "the file is empty"
            )
        for raw in values:
            number += 1
            spend_work()
            problem = text.has_too_much(raw)
            yield StreamItem(number, problem=problem) if problem else parse_item(number, raw)
    except BrokenStream as error:
        yield StreamItem(number + 1, problem=str(error))


def parse_item(number: int, raw: str) -> StreamItem:
    """One value, parsed strictly, except that half surrogate pairs, as some exports have them, are replaced."""
    try:
        return StreamItem(number, parse_json(raw).value)
    except NotAcceptable as error:
        if "surrogate" not in error.reason:
            return StreamItem(number, problem=str(error))
    try:
        cleaned, count = _whole(json.loads(raw))
        return StreamItem(number, parse_json(dump_json(cleaned)).value, halves=count)
    except RecursionError:
        return StreamItem(number, problem="nested too deeply")
    except ValueError as error:
        return StreamItem(number, problem=str(error))


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


class _Text:
    """The text of a file, as much of it as is needed."""

    def __init__(self, stream: BinaryIO, bounded: bool) -> None:
        self.stream, self.bounded = stream, bounded
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.is_start, self.is_end = "", 0, True, False

    def more(self, size: int = CHUNK) -> None:
        """Read on. Raises BrokenStream where it is not UTF-8."""
        spend_work()
        raw = self.stream.read(size)
        self.is_end = not raw
        if self.is_start and (other := explain_encoding(raw)):
            raise BrokenStream(f"it is {other}")
        self.is_start = False
        try:
            self.text = self.text[self.at :] + self.decoder.decode(raw, final=self.is_end)
        except UnicodeDecodeError as error:
            raise BrokenStream(f"not UTF-8: byte 0x{error.object[error.start]:02x}; save the file as UTF-8") from None
        self.at = 0

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in " \t\r\n":
                    return self.text[self.at]
                self.at += 1
            if self.is_end:
                return ""
            self.more()

    def skip(self, count: int) -> None:
        self.at += count

    def head(self) -> str:
        return self.text[self.at : self.at + 65536]

    def has_lines(self) -> bool:
        """Whether the first line is a JSON value of its own. Of a file of one line, that is all of it."""
        while "\n" not in self.text[self.at :] and not self.is_end and len(self.text) < MOST:
            self.more(max(CHUNK, len(self.text)))
        line = self.text[self.at :].partition("\n")[0]
        if self.has_too_much(line):
            return bool(self.text[self.at + len(line) :].strip())
        try:
            json.loads(line)
        except RecursionError:
            return self.text[self.at + len(line) :].lstrip().startswith("{")
        except ValueError:
            rest = self.text[self.at + len(line) :].lstrip()
            return rest.startswith("{") and line.rstrip().endswith("}")  # a broken first line among lines
        return True

    def lines(self) -> Iterator[str]:
        while not self.is_end or self.at < len(self.text):
            end = self.text.find("\n", self.at)
            if end < 0 and not self.is_end:
                self._check_size()
                self.more(max(CHUNK, len(self.text) - self.at))
                continue
            end = len(self.text) if end < 0 else end
            line = self.text[self.at : end].strip()
            self.at = end + 1
            if line:
                yield line

    def array(self) -> Iterator[str]:
        """The texts of an array's items; its opening bracket is passed. Raises BrokenStream."""
        is_first = True
        while (mark := self.peek()) != "]":
            if not mark:
                raise BrokenStream("the file ends in the middle: it was cut off")
            if not is_first:
                if mark != ",":
                    raise BrokenStream(
                        f"a comma is missing between two items, before {self.text[self.at : self.at + 20]!r}"
                    )
                self.skip(1)
                self.peek()
            is_first = False
            yield self.value()

    def value(self) -> str:
        """The text of the next value. Raises BrokenStream."""
        while True:
            try:
                _, end = _PLAIN.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated string") or error.pos >= len(self.text) - NEAR_END
                if not is_cut:
                    near = self.text[max(self.at, error.pos - 10) : error.pos + 20]
                    raise BrokenStream(f"not JSON near {near!r}") from None
                if self.is_end:
                    raise BrokenStream("the file ends in the middle: it was cut off") from None
            except (RecursionError, ValueError):
                raise BrokenStream("nested too deeply, or a number with too many digits") from None
            else:
                raw = self.text[self.at : end]
                self.at = end
                return raw
            self._check_size()
            if problem := self.has_too_much(self.text[self.at :]):
                raise BrokenStream(problem)
            self.more(max(CHUNK, len(self.text) - self.at))

    def has_too_much(self, text: str) -> str:
        """What is wrong with a value, or the beginning of one, that holds too many others; "" for nothing."""
        raw = text.encode(errors="replace") if self.bounded else b""
        nodes = count_nodes(raw) if has_many_nodes(raw) else 0
        return explain_nodes("one conversation or message has at least", nodes) if nodes > MAX_NODES else ""

    def _check_size(self) -> None:
        if len(self.text) - self.at > MOST:
            raise BrokenStream(f"one value is larger than {MOST >> 20} MB")
