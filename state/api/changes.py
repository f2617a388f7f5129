"""`/api/changes`: the change feed, as pages, by waiting for the next change, or as a stream of server-sent events.

Whoever runs the server can wait without holding a thread, so a stream or a wait is only prepared here: the entry
points in nola_site leave a `Live` in the request, which takes it from there.
"""

from typing import Annotated, Protocol

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from access.auth import Follower
from state.api.addresses import UnknownParameter, read_grant
from state.api.answers import link_next
from state.api.parameters import FromQuery, Limit, Parameters, Whole
from state.api.routes import add_read_route, answers
from state.errors import Refusal
from state.history import events, feed
from state.history.events import FeedFilter
from state.history.feed import Cursor, FeedPage, Follow
from state.history.sight import see_by
from state.jsondoc.text import dump_json

MAX_WAIT = 60  # seconds
JSON, STREAM = "application/json", "text/event-stream"
HEADERS = ("Nola-Revision", "Link", "Cache-Control", "X-Accel-Buffering")
LIVE = "nola.live"  # the member of request.META

router = Router(tags=["history"])


class NoStreams(Refusal):
    """This server cannot keep a stream open."""

    status = 406


class Live(Protocol):
    """What the server can do for a caller of the feed."""

    def wait(self, wanted: FeedFilter, after: Cursor, seconds: int, follower: Follower) -> bool:
        """Wait for a change, and say whether to look again now; False also where the server itself will ask again."""

    def follow(self, stream: Follow) -> None:
        """Send this stream in place of the response. Raises NoStreams."""


class FeedQuery(Parameters):
    """What to follow, and from where."""

    since: str | None = Field(None, description="The cursor up to which all is known; all there is, if left out")
    limit: Limit = Field(100, description="How many revisions")
    key: list[str] = Field([], description="Only changes of these keys; may be repeated")
    pointer: list[str] = Field([], description="Only changes at these, which begin with a key; may be repeated")
    wait: Annotated[int, Whole(MAX_WAIT, lowest=0)] = Field(0, description="Seconds to wait for a change")


@answers(
    headers=("Nola-Revision", "Link", "Cache-Control", "X-Accel-Buffering"),
    media_types=(JSON, STREAM),
    refusals=(NoStreams,),
)
def read_changes(request: HttpRequest, query: FromQuery[FeedQuery]) -> HttpResponse:
    """Every revision after a cursor, oldest first, with who, when, why and the patches.

    With `Accept: text/event-stream` it goes on as server-sent events; with `wait` (seconds, up to 60) an empty page is
    held back until there is something to say. `key` and `pointer` pick what to follow and may be repeated.
    """
    wanted = events.make_filter(query.key, query.pointer, see_by(read_grant(request)))
    since = request.headers.get("Last-Event-ID") or query.since
    newest = feed.read_head()
    if request.get_preferred_type([JSON, STREAM]) == STREAM:
        return _stream(request, query, _from(since, newest, wanted, request))
    after = feed.parse_cursor(since, newest) if since else Cursor(newest.epoch, 0)
    page = feed.read_page(wanted, after, newest, query.limit)
    if query.wait and not page.events and not page.has_more and _wait(request, wanted, page.cursor, query.wait):
        newest = feed.read_head()
        page = feed.read_page(wanted, feed.parse_cursor(str(page.cursor), newest), newest, query.limit)
    return _answer(request, page, newest, query)


def _from(since: str | None, newest: Cursor, wanted: FeedFilter, request: HttpRequest) -> Follow:
    """The stream to open: from the cursor on, from now on without one, and after a reset where the cursor is lost."""
    follower = _follower(request)
    if not since:
        return Follow(wanted, newest, follower, "hello")
    try:
        return Follow(wanted, feed.parse_cursor(since, newest), follower)
    except feed.LostCursor as error:
        return Follow(wanted, newest, follower, "reset", str(error))


def _follower(request: HttpRequest) -> Follower:
    return Follower(request.credential, read_grant(request))  # type: ignore[attr-defined]


def _stream(request: HttpRequest, query: FeedQuery, stream: Follow) -> HttpResponse:
    for name in ("limit", "wait"):
        if name in query.given:
            raise UnknownParameter(f"a stream takes no {name}; leave it out, or ask for {JSON}")
    live: Live | None = request.META.get(LIVE)
    if live is None:
        raise NoStreams(f"streams are not served here; ask for {JSON} now and then, or start Nola with ./nola serve")
    if request.method != "HEAD":
        live.follow(stream)
    return HttpResponse(content_type=STREAM)


def _wait(request: HttpRequest, wanted: FeedFilter, after: Cursor, seconds: int) -> bool:
    live: Live | None = request.META.get(LIVE)
    if live is None or request.method == "HEAD":
        return False
    return live.wait(wanted, after, seconds, _follower(request))


def _answer(request: HttpRequest, page: FeedPage, newest: Cursor, query: FeedQuery) -> HttpResponse:
    cursor, more = dump_json(str(page.cursor)), dump_json(page.has_more)
    revisions = ",".join(text for _, text in page.events)
    text = f'{{"revisions":[{revisions}],"cursor":{cursor},"more":{more}}}'
    response = HttpResponse(text, content_type=JSON)
    response["Nola-Revision"] = str(newest.seq)
    response["Cache-Control"] = "no-store"
    if page.has_more:
        kept = query.list_given("key", "pointer")
        link_next(response, request, [("since", str(page.cursor)), ("limit", query.limit), *kept])
    return response


add_read_route(router, "/changes", summary="Follow what changes")(read_changes)
