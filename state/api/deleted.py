"""`/api/deleted`: what is gone, where it was, and who took it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from access.rights import Grant
from state.api.addresses import UnknownParameter, read_address, read_grant, read_places
from state.api.answers import answer_json, link_next
from state.api.history import describe_change
from state.api.parameters import CURSOR, POINTER, FromQuery, Limit, OnePointer, Parameters
from state.api.routes import add_read_route, answers, bind_path
from state.history import deleted
from state.history.deleted import Mark, Removed
from state.jsondoc.pages import TreePage, render_tree
from state.jsondoc.pointer import format_pointer
from state.jsondoc.projection import find_ways
from state.jsondoc.text import parse_json

router = Router(tags=["history"])


class DeletedQuery(Parameters):
    """Which page of what is gone."""

    limit: Limit = Field(100, description="How many")
    cursor: str | None = Field(None, description=CURSOR)
    pointer: OnePointer = Field([], description=POINTER)


@add_read_route(router, "/deleted/{any:address}", summary="Read what is gone from a node")
@answers(headers=())
def read_deleted(request: HttpRequest, address: str, query: FromQuery[DeletedQuery]) -> HttpResponse:
    """The members of an object, or items of an array, that were removed and have not come back, the last first.

    `pointer` says where each would stand now, `was` where it was at revision `at`, before it went. A page may be empty
    and still have a next one: it looks through 1,000 changes of the key.
    """
    mark = _mark(query.cursor)
    place = read_address(request, query.pointer, "/api/deleted")
    places = read_places(request)
    if place:
        page = deleted.find_parts(place, query.limit, mark, find_ways(places, place.key))
    else:
        page = deleted.find_keys(query.limit, mark, places)
    response = answer_json({"deleted": [_told(gone, read_grant(request)) for gone in page.found]})
    if page.rest:
        kept = query.list_given("pointer")
        link_next(response, request, [("limit", query.limit), ("cursor", _cursor(page.rest)), *kept])
    return response


add_read_route(
    router,
    "/deleted",
    summary="Read the keys that are gone",
    description="The keys that were deleted and have not come back, the last first, each as it was before.",
)(bind_path(read_deleted, address=""))


def _told(gone: Removed, grant: Grant) -> dict[str, Any]:
    optional = {"position": gone.position, "renamed": gone.renamed}
    return {
        **describe_change(gone.revision, grant),
        "pointer": format_pointer(gone.place),
        "was": {"pointer": format_pointer(gone.was), "at": gone.at},
        "node": parse_json(render_tree(gone.text.encode(), TreePage(depth=0))).value,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _cursor(mark: Mark) -> str:
    return urlsafe_b64encode(json.dumps([mark.before, mark.skip, *mark.tokens]).encode()).decode().rstrip("=")


def _mark(cursor: str | None) -> Mark | None:
    """Where a page begins. Raises UnknownParameter."""
    if cursor is None:
        return None
    try:
        before, skip, *tokens = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        numbers = all(isinstance(one, int) and 0 <= one < 2**63 for one in (before, skip))
        if numbers and all(isinstance(token, str) for token in tokens):
            return Mark(before, skip, tuple(tokens))
    except (ValueError, TypeError):
        pass
    raise UnknownParameter(f"cursor={cursor[:40]!r} is none of ours; take it from the Link of the page before")
