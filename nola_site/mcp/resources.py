"""Resources `nola://state/{key}`, completion of their keys, and the prompt that loads the context."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from django.db.models.functions import Length

from access.rights import NotAllowed, Right, needs
from nola_site.mcp.answers import Call
from nola_site.mcp.callers import Caller
from nola_site.mcp.messages import INVALID_PARAMS, INVALID_REQUEST, Message, RpcError
from nola_site.mcp.outline import BadCursor
from nola_site.mcp.protocol import Request, no_resource
from nola_site.mcp.reads import read_context
from state import store
from state.address import Address, NotFound
from state.errors import Refusal
from state.jsondoc.text import count_bytes
from state.models import StateEntry

PREFIX = "nola://state/"
SEES, KNOWS = needs(Right.READ_STATE), needs(Right.READ_STATE, Right.READ_CONVERSATIONS)
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


def list_resources(request: Request, cursor: str | None) -> Message:
    """A page of the keys, in byte order."""
    _enter(request)
    rows = StateEntry.objects.order_by("key_name").annotate(size=Length("value_json"))
    if cursor is not None:
        after = parse_uri(cursor)
        if after is None:
            raise RpcError(
                INVALID_PARAMS, str(BadCursor(f"cursor {cursor[:40]!r} is none that a page before has given"))
            )
        rows = rows.filter(key_name__gt=after)
    found = list(rows.values_list("key_name", "size")[: PAGE + 1])
    listed = [
        {"uri": format_uri(key), "name": key, "mimeType": "application/json", "size": size} for key, size in found
    ]
    more = {"nextCursor": listed[PAGE - 1]["uri"]} if len(found) > PAGE else {}
    return {"resources": listed[:PAGE], **more}


def read_resource(request: Request, uri: str) -> Message:
    """The document of a key, as it is stored to the byte."""
    _enter(request)
    key = parse_uri(uri)
    try:
        text = store.read(Address(key)).text if key is not None else None
    except NotFound:
        text = None
    if text is None:
        raise no_resource(request, uri)
    if count_bytes(text) > MOST_BYTES:
        raise RpcError(
            INVALID_REQUEST, f"{uri[:200]} has more than {MOST_BYTES:,} bytes; read it in parts by the tool read"
        )
    return {"contents": [{"uri": uri, "mimeType": "application/json", "text": text}]}


def complete(request: Request, ref: Message, argument: Message) -> Sequence[str]:
    """The keys that begin with what is typed, where a key is asked for."""
    if ref.get("type") != "ref/resource" or argument["name"] != "key":
        return []
    _enter(request)
    rows = StateEntry.objects.filter(key_name__startswith=argument["value"]).order_by("key_name")
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
