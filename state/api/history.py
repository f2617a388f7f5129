"""`/api/history`, `/api/diff` and `/api/blame`: what changed, between which moments, and who wrote each leaf."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from ninja import Router

from state import store
from state.address import Address
from state.api.addresses import UnknownParameter, read_address, read_flag, read_number, read_one, read_query
from state.history import blame, journal, replay, timeline
from state.history.events import MAX_EVENT
from state.history.journal import JournalFilter
from state.jsondoc.pointer import Tokens, format_pointer
from state.jsondoc.text import JSONValue, dump_json
from state.models import Revision

router = Router(tags=["history"])


def describe_parameters(*names: str) -> dict[str, Any]:
    """Query parameters, as the API reference describes them."""
    return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]}


FILTERS = ("actor", "source", "kind", "key", "batch", "since", "until")


@router.get("/history", openapi_extra=describe_parameters("limit", "cursor", "was", *FILTERS))
def read_journal(request: HttpRequest) -> HttpResponse:
    """All revisions, newest first, with author and patches; those only that have what is asked for.

    `actor`, `source`, `kind` and `key` may be repeated; `since` and `until` are revisions or times. A page may be
    short, or empty, where matches are rare: go on while there is a Link.
    """
    query = read_query(request, ("limit", "cursor", "was", *FILTERS))
    limit, head = read_number(query, "limit", 100, 1000), store.head()
    actors, sources, kinds, keys = (query.get(name, []) for name in FILTERS[:4])
    wanted = JournalFilter(actors, sources, kinds, keys, read_one(query, "batch"))
    wanted.check()
    after = replay.revision_at(read_one(query, "since") or "0")
    until = read_one(query, "until")
    before, _ = _place(read_one(query, "cursor"), Address(""))
    before = min(head if until is None else replay.revision_at(until), head if before is None else before - 1) + 1
    page = journal.read_page(wanted, after, before, limit, with_was=read_flag(query, "was"))
    response = HttpResponse(f'{{"revisions":[{",".join(page.items)}]}}', content_type="application/json")
    response["Nola-Revision"] = str(head)
    if page.before is not None:
        kept = [(name, value) for name in ("was", *FILTERS) for value in query.get(name, [])]
        rest = urlencode([("limit", limit), ("cursor", _cursor(page.before, ())), *kept])
        response["Link"] = f'<{request.path}?{rest}>; rel="next"'
    return response


@router.get(
    "/history/{path:address}", openapi_extra=describe_parameters("limit", "cursor", "pointer", "was", "brief", "at")
)
def read_history(request: HttpRequest, address: str) -> HttpResponse:
    """The revisions that touched a key or a node inside it, newest first, with patch and author. Deleted keys too.

    A node is followed back over moves and shifts: `pointer` says where it was after each revision. With `brief`, what
    was set around the node is told as what became of the node, and a patch over 64 kB is left out, as in the feed; a
    page looks through 2,000 changes of the key, so that it may be short or empty while there is a Link. With
    `at` the address is one of that moment, and the history ends there.
    """
    wanted = read_address(request, "/api/history", ("limit", "cursor", "was", "brief", "at")) or Address("")
    query = read_query(request, ("limit", "cursor", "pointer", "was", "brief", "at"))
    limit, at = read_number(query, "limit", 100, 1000), read_one(query, "at")
    before, tokens = _place(read_one(query, "cursor"), wanted)
    if before is None and at is not None:
        before = replay.revision_at(at) + 1
    brief = read_flag(query, "brief")
    found = timeline.find_events(wanted.key, tokens, before, with_was=read_flag(query, "was"), brief=brief)
    events, last = timeline.read_page(found, limit)
    if not events:
        timeline.check_known(wanted.key)
    response = answer_json({"revisions": [_event(event, brief) for event in events]})
    if last:
        rest = urlencode({"limit": limit, "cursor": _cursor(last.revision.seq, last.before or ())})
        kept = urlencode([(name, value) for name in ("pointer", "was", "brief") for value in query.get(name, [])])
        response["Link"] = f'<{request.path}?{rest}{kept and "&" + kept}>; rel="next"'
    return response


def _event(event: timeline.NodeEvent, brief: bool) -> dict[str, Any]:
    place = {"pointer": format_pointer(event.after)} if event.after else {}
    about = {**describe_change(event.revision), **place}
    if brief and len(dump_json(event.patch).encode()) > MAX_EVENT:
        return {**about, "truncated": True, "total": len(event.patch)}
    return {**about, "patch": event.patch}


def _cursor(before: int, tokens: Tokens) -> str:
    """Where the next page begins: the revision, and where the node was before it."""
    return urlsafe_b64encode(json.dumps([before, *tokens]).encode()).decode().rstrip("=")


def _place(cursor: str | None, wanted: Address) -> tuple[int | None, Tokens]:
    """The revision before which a page begins, None for the newest, and where the node was by then."""
    if cursor is None:
        return None, wanted.tokens
    try:
        before, *tokens = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(before, int) and 0 <= before < 2**63 and all(isinstance(token, str) for token in tokens):
            return before, tuple(tokens)
    except (ValueError, TypeError):
        pass
    raise UnknownParameter(f"cursor={cursor[:40]!r} is none of ours; take it from the Link of the page before")


@router.get("/diff", openapi_extra=describe_parameters("from", "to", "key", "was"))
def read_diff(request: HttpRequest) -> HttpResponse:
    """For each key that differs between two moments, the JSON Patch that leads from the one to the other."""
    query = read_query(request, ("from", "to", "key", "was"))
    first = replay.revision_at(read_one(query, "from") or "0")
    until = read_one(query, "to")
    last = replay.revision_at(until) if until else store.head()
    changed = replay.diff_revisions(first, last, query.get("key"), with_was=read_flag(query, "was"))
    return answer_json({"from": first, "to": last, "patches": changed})


@router.get("/blame/{path:address}", openapi_extra=describe_parameters("pointer", "by", "at"))
def read_blame(request: HttpRequest, address: str) -> HttpResponse:
    """For each leaf of a key, or of a node inside it, the revision that last set it, with author, time and reason.

    With `by=author` for each author how many leaves are theirs, the last change, and where their newest leaves are.
    """
    wanted = read_address(request, "/api/blame", ("by", "at")) or Address("")
    query = read_query(request, ("by", "at", "pointer"))
    by, at = read_one(query, "by"), read_one(query, "at")
    if by not in (None, "author"):
        raise UnknownParameter(f"by={by[:40]!r} is not known; it can be author")
    blamed = replay.read_blame(wanted.key, None if at is None else replay.revision_at(at))
    leaves = replay.blame_leaves(blamed, wanted)
    if by == "author":
        return answer_json(
            {"revision": blamed.revision, "authors": [_author(one) for one in blame.count_leaves(leaves)]}
        )
    revisions = Revision.objects.in_bulk({seq for _, seq in leaves})
    return answer_json(
        {
            "revision": blamed.revision,
            "leaves": [{"pointer": pointer, "revision": seq} for pointer, seq in leaves],
            "revisions": {str(seq): describe_change(revisions[seq]) for seq in sorted(revisions)},
        }
    )


def _author(author: blame.Writer) -> dict[str, Any]:
    return {
        "actor": author.actor,
        "leaves": author.leaves,
        "last": describe_change(author.last),
        "newest": author.newest,
    }


def describe_change(revision: Revision) -> dict[str, JSONValue]:
    """A revision as the API shows it."""
    return {
        "revision": revision.seq,
        "at": revision.at.isoformat(),
        "actor": revision.actor,
        "source": revision.source,
        "reason": revision.reason,
        "info": revision.info,
    }


def answer_json(value: Any) -> HttpResponse:
    return HttpResponse(dump_json(value), content_type="application/json")
