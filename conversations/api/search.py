"""`/api/search`: messages and leaves of the state by their words."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from access.rights import Grant, Right
from conversations import read
from conversations.api import schemas
from conversations.api.conversations import answer
from conversations.search.messages import MessageHit, search_messages
from conversations.search.state_leaves import StateLeaf, search_leaves
from conversations.search.tokenize import parse_terms
from state.api.addresses import UnknownParameter
from state.api.answers import link_next
from state.api.parameters import CURSOR, FromQuery, Level, Parameters, Stimuli, Whole, one_of
from state.api.routes import add_read_route
from state.api.views import parse_level
from state.jsondoc.projection import Places
from state.jsondoc.text import JSONValue

FILTERS = {"session", "speaker", "user", "channel", "since", "until"}

router = Router(tags=["search"])


class SearchQuery(Parameters):
    """What to look for, and where."""

    q: str = Field("", description='Words; "two words" is a phrase, begin* the beginning of a word')
    in_: Annotated[Literal["all", "messages", "state"], one_of("in is messages, state, or all", or_default=True)] = (
        Field("all", alias="in", description="Where to look")
    )
    order: Annotated[Literal["best", "newest"], one_of("order is best or newest", or_default=True)] = Field(
        "best", description="Which messages come first"
    )
    limit: Annotated[int, Whole(100)] = Field(20, description="How many of either")
    cursor: str | None = Field(None, description=CURSOR)
    session: str | None = Field(None, description="Only messages of this session id")
    speaker: str | None = Field(None, description="Only messages of this speaker")
    user: str | None = Field(None, description="Only messages with this user id")
    channel: str | None = Field(None, description="Only messages of conversations in this channel")
    since: str | None = Field(None, description="Only messages from this time or day on")
    until: str | None = Field(None, description="Only messages up to this time or day")
    level: Level = None
    stimuli: Stimuli = None


@add_read_route(router, "", summary="Search messages and state")
def search_all(request: HttpRequest, query: FromQuery[SearchQuery]) -> HttpResponse:
    """Messages, best first, and leaves of the state in which all the words of `q` are.

    `"two words"` is a phrase, `begin*` the beginning of a word. Any text can be searched for. Of the state, `level` or
    `stimuli` finds only what shows there. What a caller may not read is left out.
    """
    grant: Grant = request.grant  # type: ignore[attr-defined]
    asked = parse_terms(query.q)
    filters = parse_filters(query.model_dump(include=FILTERS, exclude_none=True))
    level = parse_level(query.texts)
    if level is not None and (query.in_ == "messages" or filters):
        raise UnknownParameter("level and stimuli are for leaves of the state, and only messages are asked for here")
    in_messages, in_state = _where(query.in_, grant, is_narrowed=bool(filters), is_at_level=level is not None)
    body: dict[str, JSONValue] = {}
    links = {}
    if in_messages:
        skip = parse_skip(query.cursor)
        if grant.user_id:
            filters["user_id"] = grant.user_id
        found = search_messages(asked, filters, query.limit, skip=skip, newest_first=query.order == "newest")
        body["messages"] = [show_hit(hit) for hit in found.hits]
        body["found"], body["ranked"] = found.total, f"the newest {found.ranked:,}" if found.ranked else "all"
        if skip + query.limit < found.total:
            links = query.texts | {"cursor": str(skip + query.limit)}
    if in_state:
        places = Places(grant.places) if grant.places else None
        some, more = search_leaves(asked, query.limit, level, places=places)
        body["state"], body["more_state"] = [show_leaf(leaf) for leaf in some], more
    response = answer(body)
    if links:
        link_next(response, request, [*links.items()])
    return response


def _where(part: str, grant: Grant, *, is_narrowed: bool, is_at_level: bool) -> tuple[bool, bool]:
    """Whether to look in messages, and in the state. Raises NotAllowed for what is asked for and may not be read."""
    in_messages, in_state = part != "state", part == "state" or (part == "all" and not is_narrowed)
    if not in_state:
        grant.require(Right.READ_CONVERSATIONS)
    if not in_messages or is_at_level:
        grant.require(Right.READ_STATE)
    return in_messages and Right.READ_CONVERSATIONS in grant.rights, in_state and Right.READ_STATE in grant.rights


def parse_skip(cursor: str | None) -> int:
    """How many hits the pages before had. Raises read.BadCursor."""
    if cursor is not None and not re.fullmatch(r"[0-9]{1,4}", cursor):
        raise read.BadCursor("the cursor is none that a page before has given; leave it out to begin again")
    return int(cursor or 0)


def parse_filters(narrowed: Mapping[str, str]) -> dict[str, Any]:
    """What the messages are to be narrowed to. Raises UnknownParameter and Unusable."""
    return {name: _moment(text, name) if name in ("since", "until") else text for name, text in narrowed.items()}


def _moment(text: str, name: str) -> datetime:
    """A time with its zone, or a day of the server's time zone: its beginning for `since`, its end for `until`."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return schemas.parse_instant(re.sub(r" (\d\d:\d\d)$", r"+\1", text), name)
    try:
        day = datetime.combine(datetime.fromisoformat(text).date(), time(), ZoneInfo(settings.TIME_ZONE))
        return (day + timedelta(days=name == "until")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnknownParameter(f"{name}: {text!r} is no day such as 2026-01-31") from None


def show_hit(hit: MessageHit) -> dict[str, JSONValue]:
    """A message that was found, as JSON; offsets count characters (code points) of the snippet."""
    message, conversation = hit.message, hit.message.conversation
    return {
        "session_id": conversation.session_id,
        "title": conversation.title,
        "channel": conversation.channel,
        "id": message.pk,
        "speaker": message.speaker,
        "user_id": message.user_id,
        "timestamp": schemas.format_instant(message.timestamp),
        "snippet": hit.snippet.text,
        "matches": [[start, end] for start, end in hit.snippet.matches],
    }


def show_leaf(leaf: StateLeaf) -> dict[str, JSONValue]:
    """A leaf of the state that was found, as JSON."""
    matches: list[JSONValue] = [[start, end] for start, end in leaf.snippet.matches]
    return {"key": leaf.key, "pointer": leaf.pointer, "snippet": leaf.snippet.text, "matches": matches}
