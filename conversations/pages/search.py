"""The page that searches messages and state by their words."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from access.rights import Right, grant_person
from conversations.api import schemas
from conversations.api.search import parse_filters, parse_skip
from conversations.drafts import SPEAKERS
from conversations.models import Conversation, Message
from conversations.read import BadCursor
from conversations.search.messages import MessageHits, search_messages
from conversations.search.state_leaves import search_leaves
from conversations.search.tokenize import BadSearch, SearchTerm, Snippet, parse_terms
from state.api.addresses import UnknownParameter

HITS = 50  # on a page


def show_search(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The page, with what is found where something is asked."""
    return TemplateResponse(request, "conversations/search.html", {**context, "title": "Search", **_find(request)})


def parse_typed(text: str) -> list[SearchTerm]:
    """What is asked for while it is being typed: the last word may go on. Nothing if no word is in it."""
    try:
        return parse_terms(text if text.rstrip().endswith(("*", '"')) else f"{text.rstrip()}*")
    except BadSearch:
        return []


def link_message(message: Message, question: str = "") -> str:
    """The page on which a message is read, scrolled to it."""
    query = {"message": message.pk} | ({"q": question} if question else {})
    page = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
    return f"{page}?{urlencode(query)}"


def _find(request: HttpRequest) -> dict[str, Any]:
    """What the page of the search shows: the hits, or what is wrong with the question."""
    question = request.GET.get("q", "").strip()
    asked = {name: request.GET.get(name, "") for name in ("speaker", "channel", "since", "until", "order")}
    grant = grant_person(request.user)
    in_messages, in_state = (right in grant.rights for right in (Right.READ_CONVERSATIONS, Right.READ_STATE))
    context: dict[str, Any] = {"q": question, "asked": asked, "in_messages": in_messages, "in_state": in_state}
    if in_messages:
        context |= {"speakers": SPEAKERS, "channels": _channels()}
    if not question:
        return context
    try:
        narrowed = {name: text for name, text in asked.items() if text and name != "order"}
        filters = parse_filters(narrowed)
        skip = parse_skip(request.GET.get("cursor"))
        terms = parse_typed(question) or parse_terms(question)
        is_newest = asked["order"] == "newest"
        some = search_messages(terms, filters, HITS, skip=skip, newest_first=is_newest) if in_messages else None
    except (BadSearch, UnknownParameter, schemas.UnusableBody, BadCursor) as error:
        return context | {"problem": str(error)}
    state = _leaves(terms) if in_state and not (in_messages and (filters or skip)) else []
    context |= {"leaves": state, "is_nothing": not some and not state}
    if some is None:
        return context
    more = urlencode({**request.GET.dict(), "cursor": skip + HITS}) if skip + HITS < some.total else ""
    hits = [(hit.message, link_message(hit.message, question), _split_snippet(hit.snippet)) for hit in some.hits]
    return context | {"heading": _heading(some, bool(state)), "hits": hits, "some": some, "more": more}


def _heading(some: MessageHits, has_state: bool) -> str:
    if not some.hits:
        return "No message has these words" if not has_state else "No message has them"
    if some.ranked:
        return f"The newest {some.ranked:,} of many messages"
    return "1 message" if some.total == 1 else f"{some.total:,} messages"


def _leaves(terms: list[SearchTerm]) -> list[tuple[str, str, Any]]:
    return [
        (
            reverse("admin:state_stateentry_change", args=[quote(leaf.key)]),
            leaf.key + leaf.pointer,
            _split_snippet(leaf.snippet),
        )
        for leaf in search_leaves(terms, 20)[0]
    ]


def _channels() -> list[str]:
    return list(Conversation.objects.order_by("channel").values_list("channel", flat=True).distinct()[:100])


def _split_snippet(snippet: Snippet) -> list[tuple[str, bool]]:
    """A snippet in pieces, each with whether it is a match."""
    pieces, at = [], 0
    for start, end in snippet.matches:
        pieces += [(snippet.text[at:start], False), (snippet.text[start:end], True)]
        at = end
    return [*pieces, (snippet.text[at:], False)]
