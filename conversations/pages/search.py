"""The search over all of the memory: its page, and the hits that the dialog on every page shows while one types."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from access.rights import grant_person
from conversations.api import schemas
from conversations.api.search import parse_filters, parse_skip
from conversations.drafts import SPEAKERS
from conversations.models import Conversation, Message
from conversations.names import name_conversations
from conversations.read import BadCursor
from conversations.search.keys import GLIMPSE, KeyHit
from conversations.search.memory import PARTS, MemoryHits, list_parts, search_memory, tell_searched
from conversations.search.messages import MessageHit
from conversations.search.names import mark_parts, rank_names
from conversations.search.state_leaves import StateLeaf
from conversations.search.titles import ConversationHit
from conversations.search.tokenize import Snippet
from state.api.addresses import UnknownParameter
from state.jsondoc.names import show_name
from state.jsondoc.pointer import Tokens, format_pointer, parse_pointer

FEW, SOME, MANY = 5, 10, 50  # hits of a part: in the dialog, on the page of all parts, on that of one
QUICK, LONG = 0.3, 2.0  # seconds that looking through values may take, while one types and on the page
TITLES = {"keys": "Keys", "values": "Values", "conversations": "Conversations", "messages": "Messages"}
NARROWING = ("speaker", "channel", "since", "until")

Pieces = list[tuple[str, bool]]  # of a text, each with whether it is a match


class ShownHit(NamedTuple):
    """A hit for people: where it leads, its name, what else tells of it, and some of its text."""

    href: str
    icon: str
    name: Pieces
    detail: Sequence[Any] = ()
    snippet: Sequence[tuple[str, bool]] = ()
    at: Any = None


class HitGroup(NamedTuple):
    """The hits of a part under its title; `more` leads to all of them."""

    part: str
    title: str
    hits: list[ShownHit]
    more: str = ""


@require_safe
def show_hits(request: HttpRequest) -> HttpResponse:
    """The first hits of each part, and pages by their titles, as a piece of a page."""
    question, grant = request.GET.get("q", "").strip(), grant_person(request.user)
    context: dict[str, Any] = {"q": question}
    if question:
        hits = search_memory(question, grant, FEW, seconds=QUICK)
        pages = [ShownHit(*page) for page in _find_pages(request, question)]
        groups = _group(hits, question, {}) + ([HitGroup("pages", "Pages", pages)] if pages else [])
        context |= {"groups": groups, "problem": hits.problem, "searched": tell_searched(grant, hits)}
    response = TemplateResponse(request, "conversations/search_hits.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def show_search(request: HttpRequest) -> HttpResponse:
    """The page, with what is found where something is asked."""
    context = {**admin.site.each_context(request), "title": "Search", **_find(request)}
    return TemplateResponse(request, "conversations/search.html", context)


def link_message(message: Message, question: str = "") -> str:
    """The page on which a message is read, scrolled to it."""
    query = {"message": message.pk} | ({"q": question} if question else {})
    return f"{_link_conversation(message.conversation_id)}?{urlencode(query)}"


def _link_conversation(pk: int) -> str:
    return reverse("admin:conversations_conversation_change", args=[pk])


def _find(request: HttpRequest) -> dict[str, Any]:
    """What the page shows: the hits, or what is wrong with the question."""
    asked = request.GET.dict()
    question, grant = asked.get("q", "").strip(), grant_person(request.user)
    parts = list_parts(grant)
    part = asked.get("in") if asked.get("in") in parts else ""
    narrowed = {name: text for name in NARROWING if (text := asked.get(name)) and "messages" in parts}
    if narrowed and part != "messages":
        part = "messages"
    context: dict[str, Any] = {"q": question, "asked": asked, "part": part, "is_narrowed": bool(narrowed)}
    context["parts"] = [("", "All")] + [(name, TITLES[name]) for name in parts]
    if "messages" in parts:
        context |= {"speakers": SPEAKERS, "channels": _list_channels()}
    if not question:
        return context
    limit = MANY if part else SOME
    try:
        filters, skip = parse_filters(narrowed), parse_skip(asked.get("cursor"))
    except (UnknownParameter, schemas.UnusableBody, BadCursor) as error:
        return context | {"problem": f"{str(error)[:1].upper()}{str(error)[1:]}."}
    hits = search_memory(
        question,
        grant,
        limit,
        parts=[part] if part else PARTS,
        skip=skip if part else 0,
        filters=filters,
        newest_first=asked.get("order") == "newest",
        seconds=LONG,
    )
    context |= {"problem": hits.problem, "searched": tell_searched(grant, hits), "heading": _heading(hits)}
    context["groups"] = _group(hits, question, asked)
    if part in hits.more:
        context["next"] = urlencode({**asked, "in": part, "cursor": skip + limit})
    if part and skip:
        context["previous"] = urlencode({**asked, "in": part, "cursor": max(0, skip - limit)})
    if not part and not skip:
        context["pages"] = [ShownHit(*page) for page in _find_pages(request, question)]
    return context


def _heading(hits: MemoryHits) -> str:
    """How many messages there are."""
    if hits.messages.ranked:
        return f"the newest {hits.messages.ranked:,} of many"
    return f"{hits.messages.total:,}"


def _list_channels() -> list[str]:
    return list(Conversation.objects.order_by("channel").values_list("channel", flat=True).distinct()[:100])


# Hits for people


def _group(hits: MemoryHits, question: str, asked: dict[str, str]) -> list[HitGroup]:
    """The parts in which something was found."""
    said = hits.messages.hits
    names = name_conversations({hit.message.conversation_id: hit.message.conversation for hit in said}.values())
    found = {
        "keys": [_show_key(hit) for hit in hits.keys],
        "values": [_show_value(leaf) for leaf in hits.values],
        "conversations": [_show_conversation(hit) for hit in hits.conversations],
        "messages": [_show_message(hit, question, names[hit.message.conversation_id]) for hit in said],
    }
    more = {part: urlencode({**asked, "q": question, "in": part}) for part in hits.more}
    return [HitGroup(part, TITLES[part], some, more.get(part, "")) for part, some in found.items() if some]


def _link_node(tokens: Tokens) -> str:
    return f"{reverse('tree')}#{quote(format_pointer(tokens), safe='/~')}"


def _show_way(tokens: Sequence[str]) -> str:
    return " › ".join(map(show_name, tokens))


def _show_key(hit: KeyHit) -> ShownHit:
    seen = show_name(hit.name.text)
    name = _split_snippet(hit.name) if seen == hit.name.text else [(seen, False)]
    way = [_show_way(hit.tokens[:-1])] if len(hit.tokens) > 1 else []
    cut = "…" if len(hit.glimpse) == GLIMPSE else ""
    return ShownHit(_link_node(hit.tokens), "data_object", name, way, [(hit.glimpse + cut, False)])


def _show_value(leaf: StateLeaf) -> ShownHit:
    tokens = (leaf.key, *parse_pointer(leaf.pointer))
    return ShownHit(_link_node(tokens), "notes", [(_show_way(tokens), False)], (), _split_snippet(leaf.snippet))


def _show_conversation(hit: ConversationHit) -> ShownHit:
    one = hit.conversation
    detail = [one.channel] if one.channel else []
    href = _link_conversation(one.pk)
    return ShownHit(href, "forum", _split_snippet(hit.name), detail, _split_snippet(hit.opening), one.started)


def _show_message(hit: MessageHit, question: str, name: str) -> ShownHit:
    message, snippet = hit.message, _split_snippet(hit.snippet)
    href = link_message(message, question)
    return ShownHit(href, "chat", [(name, False)], [message.speaker], snippet, message.timestamp)


def _find_pages(request: HttpRequest, question: str) -> Iterator[tuple[str, str, Pieces]]:
    """Those of the pages in the sidebar that this person may open and that are called so."""
    site: Any = admin.site
    items = [item for group in site.get_sidebar_list(request) for item in group["items"]]
    pages = {str(item["title"]): item for item in items if item["has_permission"]}
    for title in rank_names(pages, question)[:FEW]:
        yield str(pages[title]["link"]), pages[title]["icon"], _split_snippet(mark_parts(title, question))


def _split_snippet(snippet: Snippet) -> Pieces:
    """A snippet in pieces, each with whether it is a match."""
    pieces, at = [], 0
    for start, end in snippet.matches:
        pieces += [(snippet.text[at:start], False), (snippet.text[start:end], True)]
        at = end
    return [*pieces, (snippet.text[at:], False)]
