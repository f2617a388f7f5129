"""`/api/search`: messages and leaves of the state by their words."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router

from conversations import read
from conversations.api import schemas
from conversations.api.conversations import answer
from conversations.search.messages import RANKED, MessageHit, search_messages
from conversations.search.state_leaves import StateLeaf, search_leaves
from conversations.search.tokenize import parse_terms
from state.api.addresses import UnknownParameter, read_number, read_one, read_query
from state.api.history import describe_parameters
from state.api.views import parse_level
from state.jsondoc.text import JSONValue

ASKED = (
    "q",
    "in",
    "order",
    "limit",
    "cursor",
    "session",
    "speaker",
    "user",
    "channel",
    "since",
    "until",
    "level",
    "stimuli",
)

router = Router(tags=["search"])


def search_all(request: HttpRequest) -> HttpResponse:
    """Messages, best first, and leaves of the state in which all the words of `q` are.

    `"two words"` is a phrase, `begin*` the beginning of a word. Any text can be searched for. Of the state, `level` or
    `stimuli` finds only what shows there.
    """
    query = read_query(request, ASKED)
    asked = parse_terms(read_one(query, "q") or "")
    limit, kinds = read_number(query, "limit", 20, 100), read_one(query, "in") or "all"
    if kinds not in ("all", "messages", "state"):
        raise UnknownParameter("in is messages, state, or all")
    filters, level = parse_filters(query), search_level(query)
    if level is not None and (kinds == "messages" or filters):
        raise UnknownParameter("level and stimuli are for leaves of the state, and only messages are asked for here")
    body: dict[str, JSONValue] = {}
    links = {}
    if kinds != "state":
        skip = parse_skip(read_one(query, "cursor"))
        found = search_messages(asked, filters, limit, skip=skip, newest_first=_is_newest(query))
        body["messages"] = [show_hit(hit) for hit in found.hits]
        body["found"], body["ranked"] = found.total, "all" if found.is_whole else f"the newest {RANKED:,}"
        if skip + limit < found.total:
            links = {name: values[0] for name, values in query.items()} | {"cursor": str(skip + limit)}
    if kinds == "state" or (kinds == "all" and not filters):
        some, more = search_leaves(asked, limit, level)
        body["state"], body["more_state"] = [show_leaf(leaf) for leaf in some], more
    response = answer(body)
    if links:
        response["Link"] = f'<{request.path}?{urlencode(links)}>; rel="next"'
    return response


def search_level(query: dict[str, list[str]]) -> int | None:
    """The level at which the state is to be searched. Raises UnknownParameter and BadLevel."""
    given = {name: read_one(query, name) for name in ("level", "stimuli")}
    return parse_level({name: text for name, text in given.items() if text is not None})


def parse_skip(cursor: str | None) -> int:
    """How many hits the pages before had. Raises read.BadCursor."""
    if cursor is not None and not re.fullmatch(r"[0-9]{1,4}", cursor):
        raise read.BadCursor("the cursor is none that a page before has given; leave it out to begin again")
    return int(cursor or 0)


def _is_newest(query: dict[str, list[str]]) -> bool:
    order = read_one(query, "order") or "best"
    if order not in ("best", "newest"):
        raise UnknownParameter("order is best or newest")
    return order == "newest"


def parse_filters(query: dict[str, list[str]]) -> dict[str, Any]:
    """What the messages are to be narrowed to. Raises UnknownParameter."""
    found: dict[str, Any] = {
        name: text for name in ("session", "speaker", "user", "channel") if (text := read_one(query, name)) is not None
    }
    for name in ("since", "until"):
        if (text := read_one(query, name)) is not None:
            found[name] = _moment(text, name)
    return found


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


router.get("", summary="Search messages and state", openapi_extra=describe_parameters(*ASKED))(search_all)
router.api_operation(["HEAD"], "", include_in_schema=False)(search_all)
