"""`/api/history`, `/api/diff` and `/api/blame`: what changed, between which moments, and who wrote each leaf."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router
from pydantic import Field

from access.rights import Grant, Right
from state import store
from state.address import Address
from state.api.addresses import UnknownParameter, read_address, read_grant, read_places
from state.api.answers import answer_json, link_next
from state.api.parameters import AT, CURSOR, KEYS, POINTER, WAS, Flag, FromQuery, Limit, OnePointer, Parameters, one_of
from state.api.routes import add_read_route, answers, bind_path
from state.history import blame, journal, replay, timeline
from state.history.events import MAX_EVENT
from state.history.journal import JournalFilter
from state.history.sight import see_by
from state.jsondoc.pointer import Tokens, format_pointer
from state.jsondoc.projection import find_ways
from state.jsondoc.text import JSONValue, dump_json
from state.models import Revision

router = Router(tags=["history"])


class JournalQuery(Parameters):
    """Which revisions to tell of."""

    limit: Limit = Field(100, description="How many revisions")
    cursor: str | None = Field(None, description=CURSOR)
    was: Flag = Field(False, description=WAS)
    actor: list[str] = Field([], description="Only by these: key:<name>, user:<name> ...; may be repeated")
    source: list[str] = Field([], description="Only from these, such as api, admin or undo; may be repeated")
    kind: list[str] = Field([], description="Only of these kinds of memory, such as state; may be repeated")
    key: list[str] = Field([], description=KEYS)
    batch: str | None = Field(None, description="Only those of one import or restore")
    reason: str | None = Field(None, description="Only those whose reason has this text in it, in either case")
    since: str | None = Field(None, description="Only after this revision or time")
    until: str | None = Field(None, description="Only up to this revision or time")
    pointer: OnePointer = Field([], description="In place of all: this node, as under /api/history/{address}")
    brief: Flag = Field(False, description="... of a node: tell briefly")
    at: str | None = Field(None, description="... of a node: as it was named then")


KEPT = ("was", "actor", "source", "kind", "key", "batch", "reason", "since", "until")  # on the way to the next page


@add_read_route(router, "/history", summary="Read the history of all")
def read_journal(request: HttpRequest, query: FromQuery[JournalQuery]) -> HttpResponseBase:
    """All revisions, newest first, with author and patches; those only that have what is asked for.

    A page may be short, or empty, where matches are rare: go on while there is a Link. With `pointer` it is the
    history of that node, whatever is in its name.
    """
    if any(query.pointer):
        read_grant(request).require(Right.READ_STATE)
        return read_history(request, "", HistoryQuery.read(request))
    if query.brief or query.at is not None:
        raise UnknownParameter("brief and at are about one node: name it, as /api/history/{address} or with pointer=")
    head = store.head()
    sight = see_by(read_grant(request))
    seen = None if sight.is_whole else sight
    wanted = JournalFilter(query.actor, query.source, query.kind, query.key, query.batch, query.reason, seen)
    wanted.check()
    after = replay.revision_at(query.since or "0")
    before, _ = _place(query.cursor, Address(""))
    newest = head if query.until is None else replay.revision_at(query.until)
    before = min(newest, head if before is None else before - 1) + 1
    page = journal.read_page(wanted, after, before, query.limit, with_was=query.was)
    response = HttpResponse(f'{{"revisions":[{",".join(page.items)}]}}', content_type="application/json")
    response["Nola-Revision"] = str(head)
    if page.before is not None:
        kept = query.list_given(*KEPT)
        link_next(response, request, [("limit", query.limit), ("cursor", _cursor(page.before, ())), *kept])
    return response


class HistoryQuery(Parameters):
    """Which revisions of a node to tell of."""

    pointer: OnePointer = Field([], description=POINTER)
    limit: Limit = Field(100, description="How many revisions")
    cursor: str | None = Field(None, description=CURSOR)
    was: Flag = Field(False, description=WAS)
    brief: Flag = Field(False, description="Tell of what is set around the node as what became of the node")
    at: str | None = Field(None, description="The address is one of this revision or time, where the history ends")


@add_read_route(router, "/history/{any:address}", summary="Read the history of a value")
@answers(headers=())
def read_history(request: HttpRequest, address: str, query: FromQuery[HistoryQuery]) -> HttpResponse:
    """The revisions that touched a key or a node inside it, newest first, with patch and author. Deleted keys too.

    A node is followed back over moves and shifts: `pointer` says where it was after each revision. With `brief`, what
    was set around the node is told as what became of the node, and a patch over 64 kB is left out, as in the feed; a
    page looks through 2,000 changes of the key, so that it may be short or empty while there is a Link. With
    `at` the address is one of that moment, and the history ends there.
    """
    wanted = read_address(request, query.pointer, "/api/history") or Address("")
    before, tokens = _place(query.cursor, wanted)
    if before is None and query.at is not None:
        before = replay.revision_at(query.at) + 1
    grant, places = read_grant(request), read_places(request)
    ways = find_ways(places, wanted.key)
    found = timeline.find_events(wanted.key, tokens, before, ways, with_was=query.was, brief=query.brief)
    events, last = timeline.read_page(found, query.limit)
    if not events:
        timeline.check_known(wanted.key, ways)
    response = answer_json({"revisions": [_event(event, query.brief, grant) for event in events]})
    if last:
        cursor = _cursor(last.revision.seq, last.before or ())
        kept = query.list_given("pointer", "was", "brief")
        link_next(response, request, [("limit", query.limit), ("cursor", cursor), *kept])
    return response


def _event(event: timeline.NodeEvent, brief: bool, grant: Grant) -> dict[str, Any]:
    place = {"pointer": format_pointer(event.after)} if event.after else {}
    about = {**describe_change(event.revision, grant), **place}
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


class DiffQuery(Parameters):
    """Between which moments to compare."""

    from_: str | None = Field(None, alias="from", description="A revision or a time; the very beginning, if left out")
    to: str | None = Field(None, description="A revision or a time; now, if left out")
    key: list[str] = Field([], description=KEYS)
    was: Flag = Field(False, description=WAS)


@add_read_route(router, "/diff", summary="Compare two moments")
@answers(headers=())
def read_diff(request: HttpRequest, query: FromQuery[DiffQuery]) -> HttpResponse:
    """For each key that differs between two moments, the JSON Patch that leads from the one to the other."""
    first = replay.revision_at(query.from_ or "0")
    last = replay.revision_at(query.to) if query.to else store.head()
    changed = replay.diff_revisions(first, last, query.key or None, with_was=query.was, places=read_places(request))
    return answer_json({"from": first, "to": last, "patches": changed})


class BlameQuery(Parameters):
    """Of what to tell who wrote it."""

    pointer: OnePointer = Field([], description=POINTER)
    by: Annotated[Literal["author"] | None, one_of("by={} is not known; it can be author")] = Field(
        None, description="author: by author, in place of leaf by leaf"
    )
    at: str | None = Field(None, description=AT)


@add_read_route(router, "/blame/{any:address}", summary="Read who wrote what")
@answers(headers=())
def read_blame(request: HttpRequest, address: str, query: FromQuery[BlameQuery]) -> HttpResponse:
    """For each leaf of a key, or of a node inside it, the revision that last set it, with author, time and reason.

    With `by=author` for each author how many leaves are theirs, the last change, and where their newest leaves are.
    """
    wanted = read_address(request, query.pointer, "/api/blame")
    if wanted is None:
        raise UnknownParameter("who wrote it is told of one key: name it, as /api/blame/{address} or with pointer=")
    grant, places = read_grant(request), read_places(request)
    at = None if query.at is None else replay.revision_at(query.at)
    blamed = replay.read_blame(wanted.key, at, find_ways(places, wanted.key))
    leaves = replay.blame_leaves(blamed, wanted)
    if query.by:
        return answer_json(
            {"revision": blamed.revision, "authors": [_author(one, grant) for one in blame.count_leaves(leaves)]}
        )
    revisions = Revision.objects.in_bulk({seq for _, seq in leaves})
    return answer_json(
        {
            "revision": blamed.revision,
            "leaves": [{"pointer": pointer, "revision": seq} for pointer, seq in leaves],
            "revisions": {str(seq): describe_change(revisions[seq], grant) for seq in sorted(revisions)},
        }
    )


# with a `pointer` that names key and node alone, whatever is in their names
add_read_route(router, "/blame", summary="Read who wrote what, of a key that pointer= names")(
    bind_path(read_blame, address="")
)


def _author(author: blame.Writer, grant: Grant) -> dict[str, Any]:
    return {
        "actor": author.actor,
        "leaves": author.leaves,
        "last": describe_change(author.last, grant),
        "newest": author.newest,
    }


def describe_change(revision: Revision, grant: Grant) -> dict[str, JSONValue]:
    """A revision as the API shows it; to a key with limits without its info, which names other things."""
    return {
        "revision": revision.seq,
        "at": revision.at.isoformat(),
        "actor": revision.actor,
        "source": revision.source,
        "reason": revision.reason,
        "info": {} if grant.is_limited else revision.info,
    }
