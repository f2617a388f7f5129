"""`/api/context`: the context of a prompt, within a budget of tokens, and receipts of what was given."""

import json
from typing import Annotated, Any, Literal, cast

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field, model_validator

from access.security import Event, read_address, record_event
from conversations import traces
from conversations.api import schemas
from conversations.api.conversations import answer
from conversations.api.schemas import FromBodyIfAny
from conversations.context.assemble import ContextRequest, assemble_context
from state import store
from state.address import Address
from state.api.addresses import MOST_POINTERS, BadAddress, UnknownParameter
from state.api.answers import link_next, read_conditions
from state.api.idempotency import idempotent
from state.api.parameters import (
    AT,
    CURSOR,
    Flag,
    FromQuery,
    Level,
    Limit,
    NoParameters,
    Parameters,
    Stimuli,
    Whole,
    find_twice,
    one_of,
)
from state.api.routes import add_read_route, answers
from state.api.views import parse_level
from state.api.writes import request_author
from state.clock import format_time
from state.context import receipts
from state.jsondoc.pointer import parse_pointer
from state.jsondoc.text import JSONValue, dump_json
from state.models import Idempotency, Receipt

BUDGET, MOST_BUDGET = 2000, 1_000_000
MESSAGES, MOST_MESSAGES = 20, 1000
HITS, MOST_HITS = 5, 50
MARKDOWN, JSON = "text/markdown", "application/json"
RECEIPT = ("Nola-Revision", "Nola-Tokens", "Nola-Receipt", "Nola-Actor", "Nola-At")

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
    hidden: bool = Field(default=False, description="Also messages that are hidden, and what was thought")


class ContextQuery(Parameters):
    """The same, as a query."""

    key: list[str] = Field([], description="Sections: these keys; may be repeated")
    pointer: list[str] = Field([], description="Sections: these nodes; may be repeated")
    level: Level = None
    stimuli: Stimuli = None
    budget: Annotated[int, Whole(MOST_BUDGET)] = Field(BUDGET, description="Tokens for all of the text")
    talk: Annotated[int | None, Whole(MOST_BUDGET, lowest=0)] = Field(
        None, description="Of these for messages and what is found; else half"
    )
    conversation: str | None = Field(None, description="The session id whose last messages are wanted")
    messages: Annotated[int | None, Whole(MOST_MESSAGES)] = Field(None, description="How many of them: 20")
    q: str | None = Field(None, description="Words to look for in messages and state")
    hits: Annotated[int | None, Whole(MOST_HITS)] = Field(None, description="How many finds of either: 5")
    format: Annotated[Literal["json", "markdown"] | None, one_of("format is json or markdown")] = Field(
        None, description="Of the text; as Accept asks, if left out"
    )
    at: str | None = Field(None, description=AT)
    hidden: Flag = Field(False, description="Also messages that are hidden, and what was thought")


# Assembling


@add_read_route(router, "", summary="The context of a prompt")
@answers(headers=("Nola-Revision", "Nola-Tokens", "ETag"), media_types=(JSON, MARKDOWN), is_conditional=True)
def read_context(request: HttpRequest, query: FromQuery[ContextQuery]) -> HttpResponse:
    """What a model should know, within `budget` tokens: sections of the state, last messages, what `q` finds.

    What a caller may not read is left out.
    """
    body = _of_query(query)
    report = assemble_context(parse_request(request, body)).report
    media_type = _media_type(request, body.format, cast(str, report["format"]))
    text, revision = _shown(report, media_type), cast(int, report["revision"])
    tag = read_conditions(request).check_read(text, revision)
    response = _answer(text, media_type, revision, cast(int, report["tokens"]))
    response["ETag"] = tag
    return response


def _of_query(query: ContextQuery) -> ContextIn:
    """What query parameters ask for. Raises UnknownParameter and BadLevel."""
    asked = dict(query) | {"keys": query.key, "pointers": query.pointer, "level": parse_level(query.texts)}
    return ContextIn.model_construct(**asked | {"stimuli": None})  # the query has been checked already


def _shown(report: dict[str, Any], media_type: str) -> str:
    return cast(str, report["text"]) if media_type == MARKDOWN else dump_json(report)


def _kept_again(request: HttpRequest, earlier: Idempotency, **asked: Any) -> HttpResponse:
    kept = receipts.read(earlier.place)
    return _kept(kept, kept.row.media_type, 201)


@router.post("", summary="The context of a prompt, with a receipt")
@idempotent(_kept_again)
@answers(201, headers=(*RECEIPT, "Location"), media_types=(JSON, MARKDOWN))
def keep_context(request: HttpRequest, query: FromQuery[NoParameters], body: FromBodyIfAny[ContextIn]) -> HttpResponse:
    """The same, and a receipt of it is kept: `GET /api/context/{receipt}` gives it again, whatever changes."""
    found = assemble_context(parse_request(request, body))
    media_type = _media_type(request, body.format, cast(str, found.report["format"]))
    wanted: dict[str, JSONValue] = body.model_dump(exclude_none=True, exclude_defaults=True)
    kept = receipts.keep({"asked": wanted, **found.report}, found.sessions, media_type, request_author(request))
    return _kept(kept, media_type, 201)


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
        hidden=body.hidden,
        grant=request.grant,  # type: ignore[attr-defined]
    )


def parse_addresses(body: ContextIn) -> list[Address]:
    """The sections: keys first, then pointers, none of them twice. Raises BadAddress and BadPointer."""
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
    if twice := find_twice(found):
        raise BadAddress(f"the section {twice.pointer} is named twice; name each once")
    return found


def _level(body: ContextIn) -> int:
    given = {name: str(value) for name in ("level", "stimuli") if (value := getattr(body, name)) is not None}
    return parse_level(given) or 3


def _accepts(request: HttpRequest, media_type: str) -> bool:
    return media_type in request.META.get("HTTP_ACCEPT", "")


def _media_type(request: HttpRequest, given: str | None, form: str) -> str:
    """The text alone where it is Markdown, unless somebody asks for the report with it."""
    return MARKDOWN if form == "markdown" and not _accepts(request, JSON) else JSON


def _answer(text: str, media_type: str, revision: int, tokens: int, status: int = 200) -> HttpResponse:
    charset = "; charset=utf-8" if media_type == MARKDOWN else ""
    response = HttpResponse(text, status=status, content_type=media_type + charset)
    response["Nola-Revision"], response["Nola-Tokens"], response["Vary"] = str(revision), str(tokens), "Accept"
    return response


# Receipts


def _whose(request: HttpRequest) -> str:
    """The actor whose receipts one may see: its own alone, for a key with limits; "" for all."""
    return cast(str, request.auth) if request.grant.is_limited else ""  # type: ignore[attr-defined]


@answers(headers=RECEIPT, media_types=(JSON, MARKDOWN))
def read_receipt(request: HttpRequest, receipt: str, query: FromQuery[NoParameters]) -> HttpResponse:
    """What was given then, to the byte; as `Accept` asks, the report or its text."""
    kept = receipts.read(receipt, _whose(request))
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


class ReceiptsQuery(Parameters):
    """Which page of the receipts."""

    limit: Limit = Field(100, description="How many receipts")
    cursor: Annotated[int | None, Whole(2**62)] = Field(None, description=CURSOR)


@add_read_route(router, "/receipts", summary="List receipts")
def list_receipts(request: HttpRequest, query: FromQuery[ReceiptsQuery]) -> HttpResponse:
    """The receipts, newest first."""
    rows, more = receipts.read_page(query.limit, query.cursor, _whose(request))
    response = answer({"receipts": [show_receipt(row) for row in rows], "next": None if more is None else str(more)})
    if more is not None:
        link_next(response, request, [("limit", query.limit), ("cursor", more)])
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


class RemovalQuery(Parameters):
    """Which receipts are to go."""

    before: str = Field(description="A time with its zone")

    @model_validator(mode="before")
    @classmethod
    def check_before(cls, values: dict[str, str]) -> dict[str, str]:
        if "before" not in values:
            raise UnknownParameter("say before when, such as before=2026-01-31T12:00:00Z")
        return values


@router.delete("/receipts", summary="Remove old receipts")
@answers(200)
def remove_receipts(request: HttpRequest, query: FromQuery[RemovalQuery]) -> HttpResponse:
    """Remove the receipts that were kept before a time."""
    before = schemas.parse_instant(query.before.replace(" ", "+"), "before")
    with traces.note_erasure():
        count, revision = receipts.remove(before, request_author(request))
    if count:
        record_event(Event.PURGED, request_author(request).actor, f"{count} receipts", read_address(request))
    left: dict[str, JSONValue] = {"left": found} if (found := traces.clear_soon()) and count else {}
    return answer({"removed": count, **left}, revision)


add_read_route(router, "/{receipt}", summary="A context that was given")(read_receipt)  # after /receipts
