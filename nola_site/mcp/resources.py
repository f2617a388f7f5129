"""Resources `nola://state/{key}`, completion of their keys, and the prompt that loads the context."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from django.db.models import QuerySet
from django.db.models.functions import Length

from access.rights import NotAllowed, Right, needs
from nola_site.mcp.answers import Call
from nola_site.mcp.callers import Caller
from nola_site.mcp.messages import INVALID_PARAMS, INVALID_REQUEST, Message, RpcError
from nola_site.mcp.outline import BadCursor
from nola_site.mcp.protocol import Request, no_resource
from nola_site.mcp.reads import read_context
from nola_site.safety.reads import count_pointer
from state import store
from state.address import Address, NotFound
from state.errors import Refusal
from state.history import past
from state.history.sight import find_places
from state.jsondoc.projection import Places
from state.jsondoc.text import count_bytes
from state.models import StateEntry

PREFIX = "nola://state/"
SEES = needs(Right.READ_STATE, heeds_limits=True)
KNOWS = needs(either=(Right.READ_STATE, Right.READ_CONVERSATIONS), heeds_limits=True)
PAGE = 100
MOST_BYTES = 1024 * 1024  # of a resource; the tool `read` has larger ones in parts


def format_uri(key: str) -> str:
    """The address of a key."""
    return PREFIX + quote(key, safe="")


def parse_uri(uri: str) -> str | None:
    """The key that an address names, None for none of ours."""
    name = uri.removeprefix(PREFIX)
    if name == uri or not name or "/" in name or re.search("%(?![0-9A-Fa-f]{2})", name):
        return None
    try:
        return unquote_to_bytes(name).decode()
    except UnicodeDecodeError:
        return None


def list_keys(caller: Caller) -> QuerySet[StateEntry]:
    """The keys of which the caller may see something, in byte order."""
    rows, places = StateEntry.objects.order_by("key_name"), find_places(caller.grant)
    if places is None:
        return rows
    shown, _ = past.read_texts(places=places)
    return rows.filter(key_name__in=[one.name.key for one in shown])


def list_resources(request: Request, cursor: str | None) -> Message:
    """A page of the keys, in byte order; how large they are, where all of them may be seen."""
    caller = _enter(request)
    rows = list_keys(caller).annotate(size=Length("value_json"))
    if cursor is not None:
        after = parse_uri(cursor)
        if after is None:
            raise RpcError(
                INVALID_PARAMS, str(BadCursor(f"cursor {cursor[:40]!r} is none that a page before has given"))
            )
        rows = rows.filter(key_name__gt=after)
    found = list(rows.values_list("key_name", "size")[: PAGE + 1])
    is_limited = caller.grant.is_limited
    listed = [
        {"uri": format_uri(key), "name": key, "mimeType": "application/json", **({} if is_limited else {"size": size})}
        for key, size in found
    ]
    more = {"nextCursor": listed[PAGE - 1]["uri"]} if len(found) > PAGE else {}
    return {"resources": listed[:PAGE], **more}


def read_resource(request: Request, uri: str) -> Message:
    """The document of a key, as it is stored to the byte."""
    places = find_places(_enter(request).grant)
    key = parse_uri(uri)
    try:
        text = _read(Address(key), places) if key is not None else None
    except NotFound:
        text = None
    if text is None:
        raise no_resource(request, uri)
    if count_bytes(text) > MOST_BYTES:
        raise RpcError(
            INVALID_REQUEST, f"{uri[:200]} has more than {MOST_BYTES:,} bytes; read it in parts by the tool read"
        )
    count_pointer(Address(key or "").pointer)
    return {"contents": [{"uri": uri, "mimeType": "application/json", "text": text}]}


def _read(address: Address, places: Places | None) -> str:
    return (store.read(address) if places is None else store.read_within(address, places)).text


def complete(request: Request, ref: Message, argument: Message) -> Sequence[str]:
    """The keys that begin with what is typed, where a key is asked for."""
    if ref.get("type") != "ref/resource" or argument["name"] != "key":
        return []
    rows = list_keys(_enter(request)).filter(key_name__startswith=argument["value"])
    return list(rows.values_list("key_name", flat=True)[: PAGE + 1])


def get_prompt(request: Request, name: str, arguments: dict[str, Any]) -> Message:
    """The context as a message of the user, for the beginning of a session."""
    caller = _enter(request, KNOWS)
    wanted = dict(_read_arguments(arguments))
    try:
        text = read_context(Call(caller, request.client, request.report), **wanted).told["text"]
    except Refusal as error:
        raise RpcError(INVALID_PARAMS, error.detail) from None
    message = {"role": "user", "content": {"type": "text", "text": f"This is what you remember:\n\n{text}"}}
    return {"description": "What is remembered", "messages": [message]}


def _read_arguments(arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of a prompt, which are texts all of them. Raises RpcError."""
    for name, text in arguments.items():
        if name not in ("budget", "q") or not isinstance(text, str):
            raise RpcError(INVALID_PARAMS, "load-context takes budget and q, both strings")
        if name == "budget" and not (re.fullmatch("[0-9]{3,5}", text) and 100 <= int(text) <= 20_000):
            raise RpcError(INVALID_PARAMS, f"budget is {text[:20]!r}; it must be a number from 100 to 20000")
        if text:
            yield name, int(text) if name == "budget" else text


def _enter(request: Request, needed: Any = SEES) -> Caller:
    """Who asks, if it may. Raises RpcError."""
    try:
        caller: Caller = request.wire.find_caller()
        needed.check(caller.grant)
    except NotAllowed as error:
        raise RpcError(INVALID_REQUEST, str(error)) from None
    return caller
