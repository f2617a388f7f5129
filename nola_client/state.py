"""Reading and writing the state: values, several at once, transactions.

Every write may become a `Proposal`, where the key only suggests: nothing is changed until a person accepts it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack
from urllib.parse import unquote

import httpx

from nola_client.errors import ABSENT, NotFound
from nola_client.flow import Flow, Request, Said, Terms, given, write
from nola_client.values import Address, JSONValue, dump_json, format_pointer, load_json

STATE = "/api/state"
MINIMAL = {"Prefer": "return=minimal"}
RAISE: Any = object()


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as it is stored, to the byte, and the newest revision when it was read: the `base` of a later write."""

    text: str
    revision: int
    etag: str | None

    @property
    def value(self) -> Any:
        return load_json(self.text)


@dataclass(frozen=True, slots=True)
class Written:
    """A write that is done, in this revision; the newest one, if it changed nothing."""

    revision: int
    created: bool = False
    etag: str | None = None
    place: str | None = None  # the pointer where a merge has put it, if that is not the one that was named
    changed: Sequence[str] = ()  # of a transaction or undo: the keys that it touched


@dataclass(frozen=True, slots=True)
class Proposal:
    """A write that waits for a person; without a number, one that would change nothing."""

    number: int | None
    state: str


def read(
    address: Address = "", *, at: int | str | None = None, level: int | None = None, envelope: bool | None = None
) -> Flow[Reading]:
    """What is stored at an address, as text and value, with its revision. Raises NotFound."""
    pointer = {"pointer": format_pointer(address) or None}
    response = yield Request("GET", STATE, given({**pointer, "at": at, "level": level, "envelope": envelope}))
    return Reading(response.content.decode(), int(response.headers["Nola-Revision"]), response.headers.get("ETag"))


def get(
    address: Address = "", default: Any = RAISE, *, at: int | str | None = None, level: int | None = None
) -> Flow[Any]:
    """The value at an address, or of all keys. Raises NotFound, unless there is a default."""
    try:
        reading = yield from read(address, at=at, level=level)
    except NotFound:
        if default is RAISE:
            raise
        return default
    return reading.value


def get_many(addresses: Iterable[Address], *, at: int | str | None = None) -> Flow[dict[str, Any]]:
    """Up to 128 values of one moment, by their pointers; those where nothing is stored are left out."""
    pointers = list(dict.fromkeys(map(format_pointer, addresses)))
    if len(pointers) > 1:
        response = yield Request("GET", STATE, given({"pointer": pointers, "at": at}))
        return dict(load_json(response.content))
    found = {}
    for one in pointers:  # one alone is answered as itself
        if (value := (yield from get(one, ABSENT, at=at))) is not ABSENT:
            found[one] = value
    return found


def put(
    address: Address, value: JSONValue, *, only_new: bool = False, **terms: Unpack[Terms]
) -> Flow[Written | Proposal]:
    """Store a value: what others changed elsewhere since `base` stays. Raises ConflictError, PreconditionFailed.

    `if_match` takes the `etag` of a reading, and `only_new` writes only where nothing is stored.
    """
    return (yield from put_text(address, dump_json(value), only_new=only_new, **terms))


def put_text(
    address: Address, text: str | bytes, *, only_new: bool = False, **terms: Unpack[Terms]
) -> Flow[Written | Proposal]:
    """Store a JSON text as it is, its numbers to the digit."""
    content = text.encode() if isinstance(text, str) else text
    headers = {"If-None-Match": "*"} if only_new else {}
    return (yield from _write("PUT", address, terms, content, headers))


def patch(
    address: Address, operations: Sequence[Mapping[str, Any]], **terms: Unpack[Terms]
) -> Flow[Written | Proposal]:
    """Apply a JSON Patch (RFC 6902) to a value, all of it or nothing. Raises ConflictError."""
    headers = {"Content-Type": "application/json-patch+json"}
    return (yield from _write("PATCH", address, terms, dump_json(operations), headers))


def merge(address: Address, members: JSONValue, **terms: Unpack[Terms]) -> Flow[Written | Proposal]:
    """Apply a JSON Merge Patch (RFC 7396): members are set one by one, null removes one; what is missing is made."""
    headers = {"Content-Type": "application/merge-patch+json"}
    return (yield from _write("PATCH", address, terms, dump_json(members), headers))


def delete(address: Address, **terms: Unpack[Terms]) -> Flow[Written | Proposal]:
    """Remove a key, or a node inside one. Raises NotFound."""
    return (yield from _write("DELETE", address, terms))


def transaction(
    operations: Sequence[Mapping[str, Any]], *, base: int | None = None, **said: Unpack[Said]
) -> Flow[Written | Proposal]:
    """Up to 128 operations over several keys as one revision, or none: put, merge, patch, delete, match, absent."""
    body = dump_json(given({"operations": operations, "base": base}))
    return read_written((yield write("POST", "/api/transactions", said, body)))


def query(path: str, *, limit: int | None = None, level: int | None = None) -> Flow[list[dict[str, Any]]]:
    """The nodes that a JSONPath (RFC 9535) selects, each with value, path and pointer."""
    response = yield Request("GET", "/api/query", given({"path": path, "limit": limit, "level": level}))
    return list(response.json()["results"])


def read_written(response: httpx.Response) -> Written | Proposal:
    """What became of a write."""
    body = load_json(response.content) if response.content else {}
    if isinstance(body, dict) and "proposal" in body:
        return Proposal(body["proposal"], body["state"])
    headers = response.headers
    place = headers.get("Content-Location")
    return Written(
        revision=int(headers["Nola-Revision"]),
        created=response.status_code == 201,
        etag=headers.get("ETag"),
        place=place and read_place(place),
        changed=tuple(body.get("changed", ())) if isinstance(body, dict) else (),
    )


def read_place(href: str) -> str:
    """The pointer of an address of the API."""
    path, _, rest = href.removeprefix(STATE).partition("?pointer=")
    return unquote(path) + unquote(rest)


def _write(
    method: str, address: Address, terms: Terms, content: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Flow[Written | Proposal]:
    query = {"pointer": format_pointer(address), "base": terms.get("base")}
    asked = MINIMAL | ({"If-Match": etag} if (etag := terms.get("if_match")) else {})
    return read_written((yield write(method, STATE, terms, content, query, {**asked, **(headers or {})})))
