"""The page of the live tree, and its filter. All else that the page reads and writes goes through the API."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from state.api.addresses import UnknownParameter
from state.api.views import parse_level
from state.history import past, replay
from state.jsondoc.levels import BadLevel
from state.jsondoc.pages import BadPage
from state.jsondoc.pointer import BadPointer, parse_pointer
from state.jsondoc.search import search_text, show_places
from state.pages import tree_past

MAX_WORDS = 200


@require_safe
@ensure_csrf_cookie
def show_tree(request: HttpRequest) -> HttpResponse:
    """The tree of all keys."""
    context = {**admin.site.each_context(request), "title": "Tree", "is_fullwidth": "1"}
    return TemplateResponse(request, "admin/state/tree.html", context)


@require_safe
def find_nodes(request: HttpRequest) -> HttpResponse:
    """What has the words `q` in its name or value, or stands at the pointers `node`, as a narrowed tree.

    `at`, `level`, `stimuli` and `order` are as in the API.
    """
    words, nodes = request.GET.get("q", "").strip(), request.GET.getlist("node")
    if not nodes and not 0 < len(words) <= MAX_WORDS:
        return tree_past.refuse(f"q is a text of 1 to {MAX_WORDS} characters to look for")
    try:
        level = parse_level({name: request.GET[name] for name in ("level", "stimuli") if name in request.GET})
        is_caseless = _parse_order(request)
        found, revision = tree_past.at_moment(request, _keys_on_the_way(nodes))
        text = past.join_texts(found)
        answer = (
            show_places(text, nodes, level, is_caseless=is_caseless)
            if nodes
            else search_text(text, words, level, is_caseless=is_caseless)
        )
    except (UnknownParameter, BadLevel, BadPage, BadPointer, replay.UnknownMoment) as error:
        return tree_past.refuse(str(error))
    except replay.GoneRevision as error:
        return tree_past.refuse(str(error), 410)
    response = HttpResponse(answer, content_type="application/json")
    response["Nola-Revision"] = str(revision)
    response["Cache-Control"] = "no-store"
    return response


def _parse_order(request: HttpRequest) -> bool:
    """Whether the keys are wanted whatever their case. Raises UnknownParameter."""
    order = request.GET.get("order")
    if order not in (None, "caseless"):
        raise UnknownParameter(f"there is no order {order[:40]!r}; there is: caseless")
    return order is not None


def _keys_on_the_way(nodes: list[str]) -> list[str] | None:
    """The keys that these nodes lie in; None for all, where places among keys are asked for."""
    ways = [parse_pointer(node) for node in nodes]
    return sorted({way[0] for way in ways}) if ways and all(len(way) > 1 for way in ways) else None
