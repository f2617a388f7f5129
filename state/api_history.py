"""`/api/history`, `/api/diff` and `/api/blame`: what changed, between which moments, and who wrote each leaf."""

from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from ninja import Router

from state import history, jsontext
from state.addresses import address_of, one, query_of, whole
from state.edits import Address
from state.jsontext import JSONValue
from state.models import Revision

router = Router(tags=["history"])


def parameters(*names: str) -> dict[str, Any]:
    """Query parameters, as the API reference describes them."""
    return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]}


@router.get("/history/{path:address}", openapi_extra=parameters("limit", "cursor", "pointer"))
def read_history(request: HttpRequest, address: str) -> HttpResponse:
    """The revisions that touched a key or a node inside it, newest first, with patch and author. Deleted keys too."""
    wanted = address_of(request, "/api/history", ("limit", "cursor")) or Address("")
    query = query_of(request, ("limit", "cursor", "pointer"))
    limit = whole(query, "limit", 100, 1000)
    before = whole(query, "cursor", 10**17, 10**17)
    events = list(islice(history.events(wanted.key, wanted.tokens, before), limit + 1))
    if not events:
        history.check_known(wanted.key)
    response = answer({"revisions": [{**described(event.revision), "patch": event.patch} for event in events[:limit]]})
    if len(events) > limit:
        rest = urlencode({"limit": limit, "cursor": events[limit - 1].revision.seq})
        response["Link"] = f'<{request.path}?{rest}>; rel="next"'
    return response


@router.get("/diff", openapi_extra=parameters("from", "to", "key"))
def read_diff(request: HttpRequest) -> HttpResponse:
    """For each key that differs between two moments, the JSON Patch that leads from the one to the other."""
    query = query_of(request, ("from", "to", "key"))
    first = history.moment(one(query, "from") or "0")
    last = history.moment(one(query, "to") or history.now())
    changed = history.diff(first, last, query.get("key"))
    return answer({"from": first, "to": last, "patches": changed})


@router.get("/blame/{path:address}", openapi_extra=parameters("pointer"))
def read_blame(request: HttpRequest, address: str) -> HttpResponse:
    """For each leaf of a key, or of a node inside it, the revision that last set it, with author, time and reason."""
    wanted = address_of(request, "/api/blame") or Address("")
    blamed = history.blame_of(wanted.key)
    leaves = history.leaves_under(blamed, wanted)
    revisions = Revision.objects.in_bulk({seq for _, seq in leaves})
    return answer(
        {
            "revision": blamed.revision,
            "leaves": [{"pointer": pointer, "revision": seq} for pointer, seq in leaves],
            "revisions": {str(seq): described(revisions[seq]) for seq in sorted(revisions)},
        }
    )


def described(revision: Revision) -> dict[str, JSONValue]:
    """A revision as the API shows it."""
    return {
        "revision": revision.seq,
        "at": revision.at.isoformat(),
        "actor": revision.actor,
        "source": revision.source,
        "reason": revision.reason,
        "info": revision.info,
    }


def answer(value: Any) -> HttpResponse:
    return HttpResponse(jsontext.dump(value), content_type="application/json")
