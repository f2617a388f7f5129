"""JSON-RPC messages as they come in: read strictly, and where one is refused, its id all the same, to answer it."""

import json
import re
from typing import Any

from state.jsondoc.errors import Refusal
from state.jsondoc.text import MAX_DEPTH, NotAcceptable, dump_json, parse_bounded

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
ENVELOPE = 8  # levels of a message around a value that it brings
MOST_MARKS = 200_000  # quotes and brackets of a refused message that are looked through for its id
MARK = re.compile(r'"(?:[^"\\]|\\.)*+"(?P<colon>\s*:\s*(?P<scalar>-?\d+\b|"(?:[^"\\]|\\.)*+")?)?|[\[\]{}]', re.DOTALL)

Id = str | int | None
Message = dict[str, Any]


class RpcError(Exception):
    """What a request is answered with where it has no result."""

    def __init__(self, code: int, text: str, data: Any = None) -> None:
        super().__init__(text)
        self.code, self.text, self.data = code, text, data


class Unreadable(Exception):
    """A message that is refused as it stands: why, and what could be told of it."""

    def __init__(self, reason: Refusal, id_: Id, method: str) -> None:
        super().__init__(str(reason))
        self.reason, self.id, self.method = reason, id_, method


def read_message(raw: bytes) -> Message:
    """The object that a line or a body holds. Raises Unreadable, and RpcError for JSON that is no single message."""
    try:
        value = parse_bounded(raw, MAX_DEPTH + ENVELOPE).value
    except Refusal as error:
        raise _recover(raw, error) from None
    if isinstance(value, list):
        raise RpcError(INVALID_REQUEST, "several messages in one array are not taken; send one at a time")
    if not isinstance(value, dict):
        raise RpcError(INVALID_REQUEST, "a message is a JSON object")
    return value


def refuse_message(raw: bytes, reason: str) -> Unreadable:
    """A message that is not read at all, such as one that is too large; `raw` may be its beginning alone."""
    return _recover(raw, NotAcceptable(reason, 1, 1))


def _recover(raw: bytes, reason: Refusal) -> Unreadable:
    """The id and the method of a message that cannot be read, as far as they stand in it where they should."""
    found: dict[str, Any] = {}
    depth = 0
    for number, mark in enumerate(MARK.finditer(raw.decode(errors="replace"))):
        if number > MOST_MARKS:
            break
        text = mark[0]
        if text[0] in "[{":
            depth += 1
        elif text[0] in "]}":
            depth -= 1
        elif depth == 1 and mark["scalar"] and text.startswith(('"id"', '"method"')):
            found.setdefault(text[1 : text.index('"', 1)], mark["scalar"])
    id_, method = (_read_scalar(found.get(name)) for name in ("id", "method"))
    return Unreadable(reason, id_, method if isinstance(method, str) else "")


def _read_scalar(text: str | None) -> Id:
    try:
        value = json.loads(text) if text else None
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:  # no number of so many digits, no text of half a character
        return None
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def make_result(id_: Id, result: Message) -> Message:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": id_, "result": result}


def make_error(id_: Id, error: RpcError) -> Message:
    """The answer to a request that has no result."""
    told = {"code": error.code, "message": error.text}
    return {"jsonrpc": "2.0", "id": id_, "error": told if error.data is None else told | {"data": error.data}}


def make_notification(method: str, params: Message) -> Message:
    """A message that wants no answer."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def write_message(message: Message) -> bytes:
    """A message as one line."""
    return dump_json(message).encode()
