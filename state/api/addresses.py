"""Which node a request means: the path names a key and a way into it, `?pointer=` goes on from there.

Read from the path as it was sent, before anything decodes it: %2F must not turn into a slash, nor bad UTF-8 into
some other name.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes

from django.http import HttpRequest

from access.rights import Grant, NotAllowed, Right
from state.address import Address
from state.entries import head
from state.errors import Malformed, NotThere, Refusal, Unprocessable
from state.history import replay
from state.history.sight import find_places
from state.jsondoc.pointer import Tokens, escape_token, format_pointer, parse_pointer, unescape_token
from state.jsondoc.projection import Places

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


def read_address(request: HttpRequest, pointers: Sequence[str] = (), prefix: str = PREFIX) -> Address | None:
    """The address that a path and at most one pointer name, None for the whole state.

    Raises the errors above and BadPointer.
    """
    found = read_addresses(request, pointers, prefix)
    if len(found) > 1:
        raise BadAddress("one pointer at a time, please; several are for reading the state")
    return next(iter(found.values()))


def read_addresses(request: HttpRequest, pointers: Sequence[str], prefix: str = PREFIX) -> dict[str, Address | None]:
    """The addresses a request names, by the pointers that say so; "" for the one of the path alone. Raises likewise."""
    raw = (request.META.get("RAW_URI") or quote(request.path_info, safe="/~%")).partition("?")[0]
    tokens = parse_path(raw, prefix)
    if len(pointers) > MOST_POINTERS:
        raise BadAddress(f"{len(pointers)} pointers are too many; {MOST_POINTERS} are read at once")
    return {pointer: _address(tokens + parse_pointer(pointer)) for pointer in pointers or [""]}


def parse_path(raw: str, prefix: str = PREFIX) -> Tokens:
    """The tokens that a path names, as it was sent and without its query. Raises BadAddress and EmptySegment."""
    if raw != prefix and not raw.startswith(prefix + "/"):
        raise BadAddress(f"write the beginning of the path as it is, {prefix}, without escapes")
    return tuple(_token(segment) for segment in raw.removeprefix(prefix).split("/")[1:])


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


def read_grant(request: HttpRequest) -> Grant:
    """What the caller may do."""
    grant: Grant = request.grant  # type: ignore[attr-defined]
    return grant


def read_places(request: HttpRequest) -> Places | None:
    """The places of the state that the caller is limited to, None where there is no limit."""
    return find_places(read_grant(request))


def check_within(request: HttpRequest, addresses: Iterable[Address]) -> None:
    """Raises NotAllowed, for a caller who is limited to places, unless all addresses are at them or below."""
    places = read_places(request)
    if places and not all(places.hold((one.key, *one.tokens)) for one in addresses):
        refuse_outside(request, places)


def refuse_outside(request: HttpRequest, places: Places | None) -> NoReturn:
    """Raise NotAllowed, in words that do not tell whether there is something."""
    raise NotAllowed(f"{read_grant(request).who} may write nothing but what is at or below {places}")


def check_past(request: HttpRequest, moment: str | None) -> None:
    """Raises NotAllowed for who may not read the history, unless a moment is that of the newest revision."""
    grant = read_grant(request)
    if moment is not None and Right.READ_HISTORY not in grant.rights and replay.revision_at(moment) != head():
        grant.require(Right.READ_HISTORY)


def read_target(request: HttpRequest, pointers: Sequence[str]) -> Address:
    """The address a write names. Raises WholeState where it names no key, and NotAllowed."""
    address = read_address(request, pointers)
    if address is None:
        raise WholeState("the whole state cannot be written at once; write a key, or POST /api/state/restore")
    check_within(request, [address])
    return address


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
