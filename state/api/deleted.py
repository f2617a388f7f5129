"""`/api/deleted`: what is gone, where it was, and who took it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from ninja import Router

from state.api.addresses import UnknownParameter, read_address, read_number, read_one, read_query
from state.api.history import answer_json, describe_change, describe_parameters
from state.history import deleted
from state.history.deleted import Mark, Removed
from state.jsondoc.pages import TreePage, render_tree
from state.jsondoc.pointer import format_pointer
from state.jsondoc.text import parse_json

router = Router(tags=["history"])
KNOWN = ("limit", "cursor")


@router.get("/deleted", summary="Read the keys that are gone", openapi_extra=describe_parameters(*KNOWN))
def read_deleted_keys(request: HttpRequest) -> HttpResponse:
    """The keys that were deleted and have not come back, the last first, each as it was before."""
    return _page(request)


@router.get(
    "/deleted/{path:address}",
    summary="Read what is gone from a node",
    openapi_extra=describe_parameters(*KNOWN, "pointer"),
)
def read_deleted_parts(request: HttpRequest, address: str) -> HttpResponse:
    """The members of an object, or items of an array, that were removed and have not come back, the last first.

    `pointer` says where each would stand now, `was` where it was at revision `at`, before it went. A page may be empty
    and still have a next one: it looks through 1,000 changes of the key.
    """
    return _page(request)


def _page(request: HttpRequest) -> HttpResponse:
    query = read_query(request, (*KNOWN, "pointer"))
    limit, mark = read_number(query, "limit", 100, 1000), _mark(read_one(query, "cursor"))
    address = read_address(request, "/api/deleted", KNOWN)
    page = deleted.find_parts(address, limit, mark) if address else deleted.find_keys(limit, mark)
    response = answer_json({"deleted": [_told(gone) for gone in page.found]})
    if page.rest:
        kept = [("pointer", pointer) for pointer in query.get("pointer", [])]
        rest = urlencode([("limit", limit), ("cursor", _cursor(page.rest)), *kept])
        response["Link"] = f'<{request.path}?{rest}>; rel="next"'
    return response


def _told(gone: Removed) -> dict[str, Any]:
    optional = {"position": gone.position, "renamed": gone.renamed}
    return {
        **describe_change(gone.revision),
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
