"""`/api/context`: the context of a prompt, within a budget of tokens, and receipts of what was given."""

import json
from typing import Any, Literal, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from conversations.api import schemas
from conversations.api.conversations import answer
from conversations.context.assemble import ContextRequest, assemble_context
from state import conditions, store
from state.address import Address
from state.api.addresses import MOST_POINTERS, BadAddress, UnknownParameter, read_number, read_one, read_query
from state.api.history import describe_parameters
from state.api.idempotency import idempotent
from state.api.values import request_author
from state.api.views import parse_level
from state.clock import format_time
from state.conditions import Conditions
from state.context import receipts
from state.jsondoc.pointer import parse_pointer
from state.jsondoc.text import JSONValue, dump_json, parse_json
from state.models import Idempotency, Receipt

BUDGET, MOST_BUDGET = 2000, 1_000_000
MESSAGES, MOST_MESSAGES = 20, 1000
HITS, MOST_HITS = 5, 50
NUMBERS = {"budget": MOST_BUDGET, "messages": MOST_MESSAGES, "hits": MOST_HITS}
MARKDOWN, JSON = "text/markdown", "application/json"
ASKED = (
    "key", "pointer", "level", "stimuli", "budget", "talk", "conversation", "messages", "q", "hits", "format", "at"
)  # fmt: skip

router = Router(tags=["context"])


class ContextIn(Schema):
    """What a context is to hold; all of it optional."""

    model_config = ConfigDict(extra="forbid", strict=True)

    keys: list[str] = Field(default=[], description="Sections: these keys; without keys and pointers, all of them")
    pointers: list[str] = Field(default=[], description="Sections: these nodes; a pointer's first token is the key")
    level: Literal[1, 2, 3] | None = Field(default=None, description="No deeper than this")
    stimuli: str | None = Field(default=None, description="... or than realtime, conversational, analytical")
    budget: int = Field(default=BUDGET, ge=1, le=MOST_BUDGET, description="Tokens for all of the text")
    talk: int | None = Field(default=None, ge=0, description="Of these for messages and what is found; else half")
    conversation: str | None = Field(default=None, description="The session id whose last messages are wanted")
    messages: int | None = Field(default=None, ge=1, le=MOST_MESSAGES, description="How many of them: 20")
    q: str | None = Field(default=None, description="Words to look for in messages and state")
    hits: int | None = Field(default=None, ge=1, le=MOST_HITS, description="How many finds of either: 5")
    format: Literal["json", "markdown"] | None = None
    at: str | int | None = Field(default=None, description="As it was at this revision or time")


# Assembling


def read_context(request: HttpRequest) -> HttpResponse:
    """What a model should know, within `budget` tokens: sections of the state, last messages, what `q` finds."""
    body = _of_query(read_query(request, ASKED))
    report = assemble_context(parse_request(request, body)).report
    media_type = _media_type(request, body.format, cast(str, report["format"]))
    text, revision = _shown(report, media_type), cast(int, report["revision"])
    none_match = conditions.parse(request.headers.get("If-None-Match"))
    tag = Conditions(none_match=none_match).check_read(text, revision)
    response = _answer(text, media_type, revision, cast(int, report["tokens"]))
    response["ETag"] = tag
    return response


def _of_query(query: dict[str, list[str]]) -> ContextIn:
    """What query parameters ask for. Raises BadAddress, UnknownParameter and BadLevel."""
    given: dict[str, Any] = {
        name: read_one(query, name) for name in ("conversation", "q", "format", "at") if name in query
    }
    given |= {name: read_number(query, name, 1, most) for name, most in NUMBERS.items() if name in query}
    if "talk" in query:
        given["talk"] = 0 if read_one(query, "talk") == "0" else read_number(query, "talk", 1, MOST_BUDGET)
    if given.get("format", "json") not in ("json", "markdown"):
        raise UnknownParameter("format is json or markdown")
    levelled: dict[str, str] = {name: read_one(query, name) or "" for name in ("level", "stimuli") if name in query}
    level = cast(Any, parse_level(levelled))
    return ContextIn(keys=query.get("key", []), pointers=query.get("pointer", []), level=level, **given)


def _shown(report: dict[str, Any], media_type: str) -> str:
    return cast(str, report["text"]) if media_type == MARKDOWN else dump_json(report)


def keep_context(request: HttpRequest) -> HttpResponse:
    """The same, and a receipt of it is kept: `GET /api/context/{receipt}` gives it again, whatever changes."""
    read_query(request, ())
    body = schemas.parse_body(ContextIn, parse_json(request.body).value if request.body else {})
    found = assemble_context(parse_request(request, body))
    media_type = _media_type(request, body.format, cast(str, found.report["format"]))
    wanted: dict[str, JSONValue] = body.model_dump(exclude_none=True, exclude_defaults=True)
    kept = receipts.keep({"asked": wanted, **found.report}, found.sessions, media_type, request_author(request))
    return _kept(kept, media_type, 201)


def _kept_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    kept = receipts.read(earlier.place)
    return _kept(kept, kept.row.media_type, 201)


def parse_request(request: HttpRequest, body: ContextIn) -> ContextRequest:
    """What a request asks for. Raises BadAddress, UnknownParameter, BadLevel and BadPointer."""
    conversation, q = body.conversation, body.q
    for name, needs, value in (("messages", "conversation", conversation), ("hits", "q", q)):
        if getattr(body, name) is not None and value is None:
            raise UnknownParameter(f"{name} goes with {needs}")
    is_talk = conversation is not None or q is not None
    if body.talk is not None and not is_talk:
        raise UnknownParameter("talk goes with conversation or q: it is the part of the budget for these")
    if body.talk is not None and body.talk > body.budget:
        raise UnknownParameter(f"talk={body.talk} is more than the budget of {body.budget}, of which it is a part")
    return ContextRequest(
        addresses=parse_addresses(body),
        level=_level(body),
        budget=body.budget,
        talk=0 if not is_talk else body.budget // 2 if body.talk is None else body.talk,
        form=cast(Any, body.format or ("markdown" if _accepts(request, MARKDOWN) else "json")),
        conversation=conversation,
        messages=body.messages or MESSAGES,
        q=q,
        hits=body.hits or HITS,
        at=None if body.at is None else str(body.at),
    )


def parse_addresses(body: ContextIn) -> list[Address]:
    """The sections: keys first, then pointers, each once. Raises BadAddress and BadPointer."""
    found = [Address(key) for key in body.keys]
    for pointer in body.pointers:
        tokens = parse_pointer(pointer)
        if not tokens:
            raise BadAddress("an empty pointer stands for the whole state; leave keys and pointers out for all keys")
        found.append(Address(tokens[0], tokens[1:]))
    if len(found) > MOST_POINTERS:
        raise BadAddress(f"{len(found)} sections are too many; {MOST_POINTERS} can be named, or none for all keys")
    for address in found:
        store.check_key(address.key)
    return list(dict.fromkeys(found))


def _level(body: ContextIn) -> int:
    given = {name: str(value) for name in ("level", "stimuli") if (value := getattr(body, name)) is not None}
    return parse_level(given) or 3


def _accepts(request: HttpRequest, media_type: str) -> bool:
    return media_type in request.headers.get("Accept", "")


def _media_type(request: HttpRequest, given: str | None, form: str) -> str:
    """The text alone where it is Markdown, unless somebody asks for the report with it."""
    return MARKDOWN if form == "markdown" and not _accepts(request, JSON) else JSON


def _answer(text: str, media_type: str, revision: int, tokens: int, status: int = 200) -> HttpResponse:
    charset = "; charset=utf-8" if media_type == MARKDOWN else ""
    response = HttpResponse(text, status=status, content_type=media_type + charset)
    response["Nola-Revision"], response["Nola-Tokens"], response["Vary"] = str(revision), str(tokens), "Accept"
    return response


# Receipts


def read_receipt(request: HttpRequest, receipt: str) -> HttpResponse:
    """What was given then, to the byte; as `Accept` asks, the report or its text."""
    read_query(request, ())
    kept = receipts.read(receipt)
    if _accepts(request, JSON):
        return _kept(kept, JSON)
    if _accepts(request, MARKDOWN) and json.loads(kept.report)["format"] == "markdown":
        return _kept(kept, MARKDOWN)
    return _kept(kept, kept.row.media_type)


def _kept(kept: receipts.KeptReceipt, media_type: str, status: int = 200) -> HttpResponse:
    row = kept.row
    text = kept.report if media_type == JSON else json.loads(kept.report)["text"]
    response = _answer(text, media_type, row.revision, row.tokens, status)
    response["Nola-Receipt"], response["Nola-Actor"], response["Nola-At"] = row.receipt, row.actor, format_time(row.at)
    if status == 201:
        response["Location"] = f"/api/context/{row.receipt}"
    return response


def list_receipts(request: HttpRequest) -> HttpResponse:
    """The receipts, newest first."""
    query = read_query(request, ("limit", "cursor"))
    limit = read_number(query, "limit", 100, 1000)
    before = read_number(query, "cursor", 1, 2**62) if "cursor" in query else None
    rows, more = receipts.read_page(limit, before)
    response = answer({"receipts": [show_receipt(row) for row in rows], "next": None if more is None else str(more)})
    if more is not None:
        response["Link"] = f'<{request.path}?{urlencode({"limit": limit, "cursor": more})}>; rel="next"'
    return response


def show_receipt(row: Receipt) -> dict[str, JSONValue]:
    """A receipt in a list."""
    return {
        "receipt": row.receipt,
        "at": format_time(row.at),
        "actor": row.actor,
        "revision": row.revision,
        "tokens": row.tokens,
        "bytes": row.size,  # type: ignore[attr-defined]  # counted by the database
        "erased_by": row.erased_by,
    }


def remove_receipts(request: HttpRequest) -> HttpResponse:
    """Remove the receipts that were kept before a time."""
    query = read_query(request, ("before",))
    text = read_one(query, "before")
    if text is None:
        raise UnknownParameter("say before when, such as before=2026-01-31T12:00:00Z")
    count, revision = receipts.remove(schemas.parse_instant(text.replace(" ", "+"), "before"), request_author(request))
    return answer({"removed": count}, revision)


def _get(path: str, view: Any, summary: str, extra: dict[str, Any] | None = None) -> None:
    router.get(path, summary=summary, openapi_extra=extra or {})(view)
    router.api_operation(["HEAD"], path, include_in_schema=False)(view)


_get("", read_context, "The context of a prompt", describe_parameters(*ASKED))
router.post("", summary="The context of a prompt, with a receipt", openapi_extra=schemas.describe_body(ContextIn))(
    idempotent(keep_context, _kept_again)
)
_get("/receipts", list_receipts, "List receipts", describe_parameters("limit", "cursor"))
router.delete("/receipts", summary="Remove old receipts", openapi_extra=describe_parameters("before"))(remove_receipts)
_get("/{receipt}", read_receipt, "A context that was given")
