"""`/api/changes`: the change feed, as pages, by waiting for the next change, or as a stream of server-sent events.

Whoever runs the server can wait without holding a thread, so a stream or a wait is only prepared here: the entry
points in nola_site leave a `Live` in the request, which takes it from there.
"""

from typing import Protocol
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from ninja import Router

from state.api.addresses import UnknownParameter, read_number, read_one, read_query
from state.api.history import describe_parameters
from state.errors import Refusal
from state.history import events, feed
from state.history.events import FeedFilter
from state.history.feed import Cursor, FeedPage, Follow
from state.jsondoc.text import dump_json

MAX_WAIT = 60  # seconds
JSON, STREAM = "application/json", "text/event-stream"
LIVE = "nola.live"  # the member of request.META

router = Router(tags=["history"])


class NoStreams(Refusal):
    """This server cannot keep a stream open."""

    status = 406


class Live(Protocol):
    """What the server can do for a caller of the feed."""

    def wait(self, wanted: FeedFilter, after: Cursor, seconds: int, credential: object) -> bool:
        """Wait for a change, and say whether to look again now; False also where the server itself will ask again."""

    def follow(self, stream: Follow) -> None:
        """Send this stream in place of the response. Raises NoStreams."""


def read_changes(request: HttpRequest) -> HttpResponse:
    """Every revision after a cursor, oldest first, with who, when, why and the patches.

    With `Accept: text/event-stream` it goes on as server-sent events; with `wait` (seconds, up to 60) an empty page is
    held back until there is something to say. `key` and `pointer` pick what to follow and may be repeated.
    """
    query = read_query(request, ("since", "limit", "key", "pointer", "wait"))
    wanted = events.make_filter(query.get("key", []), query.get("pointer", []))
    since = request.headers.get("Last-Event-ID") or read_one(query, "since")
    newest = feed.read_head()
    if request.get_preferred_type([JSON, STREAM]) == STREAM:
        return _stream(request, query, _from(since, newest, wanted, request))
    after = feed.parse_cursor(since, newest) if since else Cursor(newest.epoch, 0)
    limit, seconds = read_number(query, "limit", 100, 1000), _seconds(query)
    page = feed.read_page(wanted, after, newest, limit)
    if seconds and not page.events and not page.has_more and _wait(request, wanted, page.cursor, seconds):
        newest = feed.read_head()
        page = feed.read_page(wanted, feed.parse_cursor(str(page.cursor), newest), newest, limit)
    return _answer(request, page, newest, limit, query)


def _from(since: str | None, newest: Cursor, wanted: FeedFilter, request: HttpRequest) -> Follow:
    """The stream to open: from the cursor on, from now on without one, and after a reset where the cursor is lost."""
    credential = getattr(request, "credential", None)
    if not since:
        return Follow(wanted, newest, credential, "hello")
    try:
        return Follow(wanted, feed.parse_cursor(since, newest), credential)
    except feed.LostCursor as error:
        return Follow(wanted, newest, credential, "reset", str(error))


def _stream(request: HttpRequest, query: dict[str, list[str]], stream: Follow) -> HttpResponse:
    for name in ("limit", "wait"):
        if name in query:
            raise UnknownParameter(f"a stream takes no {name}; leave it out, or ask for {JSON}")
    live: Live | None = request.META.get(LIVE)
    if live is None:
        raise NoStreams(f"streams are not served here; ask for {JSON} with wait={MAX_WAIT}")
    if request.method != "HEAD":
        live.follow(stream)
    return HttpResponse(content_type=STREAM)


def _seconds(query: dict[str, list[str]]) -> int:
    """How long to wait. Raises UnknownParameter."""
    return (
        0
        if read_one(query, "wait") == "0"
        else read_number(query, "wait", MAX_WAIT, MAX_WAIT)
        if "wait" in query
        else 0
    )


def _wait(request: HttpRequest, wanted: FeedFilter, after: Cursor, seconds: int) -> bool:
    live: Live | None = request.META.get(LIVE)
    if live is None or request.method == "HEAD":
        return False
    return live.wait(wanted, after, seconds, getattr(request, "credential", None))


def _answer(
    request: HttpRequest, page: FeedPage, newest: Cursor, limit: int, query: dict[str, list[str]]
) -> HttpResponse:
    cursor, more = dump_json(str(page.cursor)), dump_json(page.has_more)
    revisions = ",".join(text for _, text in page.events)
    text = f'{{"revisions":[{revisions}],"cursor":{cursor},"more":{more}}}'
    response = HttpResponse(text, content_type=JSON)
    response["Nola-Revision"] = str(newest.seq)
    response["Cache-Control"] = "no-store"
    if page.has_more:
        kept = [(name, value) for name in ("key", "pointer") for value in query.get(name, [])]
        rest = urlencode([("since", str(page.cursor)), ("limit", limit), *kept])
        response["Link"] = f'<{request.path}?{rest}>; rel="next"'
    return response


router.get(
    "/changes",
    summary="Follow what changes",
    openapi_extra=describe_parameters("since", "limit", "key", "pointer", "wait"),
)(read_changes)
router.api_operation(["HEAD"], "/changes", include_in_schema=False)(read_changes)
