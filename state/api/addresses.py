"""Which node a request means: the path names a key and a way into it, `?pointer=` goes on from there.

Read from the path as it was sent, before anything decodes it: %2F must not turn into a slash, nor bad UTF-8 into
some other name.
"""

import re
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from django.http import HttpRequest

from state.address import Address
from state.errors import Malformed, NotThere, Refusal, Unprocessable
from state.jsondoc.pointer import Tokens, escape_token, format_pointer, parse_pointer, unescape_token

PREFIX = "/api/state"
MOST_POINTERS = 128
HINT = "write ~1 for a slash inside a name, or use ?pointer= with an RFC 6901 pointer"


class BadAddress(Malformed):
    """The path or query cannot be read as an address."""


class EmptySegment(NotThere):
    """The path has an empty segment; such names are reached by ?pointer= only."""


class UnknownParameter(Unprocessable):
    """The query has a parameter this call does not know; ignoring it would answer another question."""


class WholeState(Refusal, ValueError):
    """The address names no key where one is needed."""

    status = 405
    headers = {"Allow": "GET, HEAD"}


def read_address(request: HttpRequest, prefix: str = PREFIX, known: tuple[str, ...] = ()) -> Address | None:
    """The address a request names, None for the whole state. `known` are parameters the call takes beside pointer.

    Raises the errors above and BadPointer.
    """
    found = read_addresses(request, prefix, known)
    if len(found) > 1:
        raise BadAddress("one pointer at a time, please; several are for reading the state")
    return next(iter(found.values()))


def read_addresses(
    request: HttpRequest, prefix: str = PREFIX, known: tuple[str, ...] = ()
) -> dict[str, Address | None]:
    """The addresses a request names, by the pointers that say so; "" for the one of the path alone. Raises likewise."""
    raw = (request.META.get("RAW_URI") or quote(request.path_info, safe="/~%")).partition("?")[0]
    if raw != prefix and not raw.startswith(prefix + "/"):
        raise BadAddress(f"write the beginning of the path as it is, {prefix}, without escapes")
    tokens = tuple(_token(segment) for segment in raw.removeprefix(prefix).split("/")[1:])
    pointers = read_query(request, ("pointer", *known)).get("pointer", [""])
    if len(pointers) > MOST_POINTERS:
        raise BadAddress(f"{len(pointers)} pointers are too many; {MOST_POINTERS} are read at once")
    return {pointer: _address(tokens + parse_pointer(pointer)) for pointer in pointers}


def _address(tokens: Tokens) -> Address | None:
    return Address(tokens[0], tokens[1:]) if tokens else None


def format_href(address: Address) -> str:
    """The path and query under which a node is read."""
    tokens = (address.key, *address.tokens)
    unsafe = (number for number, token in enumerate(tokens) if token in ("", ".", ".."))  # a client may drop these
    known = next(unsafe, len(tokens))
    path = "".join("/" + quote(escape_token(token), safe="~") for token in tokens[:known])
    rest = format_pointer(tokens[known:])
    return PREFIX + path + (f"?pointer={quote(rest, safe='/~')}" if rest else "")


def read_target(request: HttpRequest) -> Address:
    """The address a write names. Raises WholeState where it names no key."""
    address = read_address(request, known=("base",))
    if address is None:
        raise WholeState("the whole state cannot be written at once; write a key, or POST /api/state/restore")
    return address


def read_one(query: dict[str, list[str]], name: str) -> str | None:
    """The value of a parameter that can be given once. Raises BadAddress."""
    values = query.get(name, [])
    if len(values) > 1:
        raise BadAddress(f"the parameter {name!r} is given {len(values)} times")
    return values[0] if values else None


def read_number(query: dict[str, list[str]], name: str, default: int, highest: int) -> int:
    """A parameter that is a whole number from 1 to `highest`. Raises UnknownParameter."""
    text = read_one(query, name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 19 and 1 <= int(text) <= highest):
        raise UnknownParameter(f"{name}={text[:40]!r} must be a whole number from 1 to {highest}")
    return int(text)


def read_flag(query: dict[str, list[str]], name: str) -> bool:
    """A parameter that is true or false, and false if left out. Raises UnknownParameter."""
    text = read_one(query, name)
    if text not in (None, "true", "false"):
        raise UnknownParameter(f"{name} must be true or false")
    return text == "true"


def read_query(request: HttpRequest, known: tuple[str, ...]) -> dict[str, list[str]]:
    """The query parameters, read strictly. Raises BadAddress and UnknownParameter."""
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(request.META.get("QUERY_STRING", ""), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadAddress("the query is not UTF-8") from None
    for name, value in pairs:
        if name not in known:
            raise UnknownParameter(f"unknown parameter {name!r}; this call takes {', '.join(known) or 'none'}")
        found.setdefault(name, []).append(value)
    return found


def _token(segment: str) -> str:
    if not segment:
        raise EmptySegment(f"an empty path segment names nothing: {HINT}")
    if "%2f" in segment.lower():
        raise BadAddress(f"%2F in the path is ambiguous: {HINT}")
    if re.search(r"%(?![0-9A-Fa-f]{2})", segment):
        raise BadAddress(f"in the path segment {segment!r} a % is not followed by two hex digits; write %25 for %")
    try:
        return unescape_token(unquote_to_bytes(segment).decode())
    except UnicodeDecodeError:
        raise BadAddress(f"the path segment {segment!r} is not UTF-8") from None
