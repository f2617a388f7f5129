"""`/api/conversations`: sessions of talk and their messages. Errors become problem documents in nola_site/api.py."""

import secrets
from typing import Any, cast
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from ninja import Router

from conversations import append as appending
from conversations import delete as removing
from conversations import export as exporting
from conversations import log
from conversations import read as reading
from conversations.api import schemas as shapes
from conversations.api.schemas import Unusable
from conversations.append import Appended
from conversations.drafts import NewConversation
from conversations.models import Conversation
from state import store
from state.api.addresses import UnknownParameter, read_number, read_one, read_query
from state.api.history import describe_parameters
from state.api.idempotency import idempotent
from state.api.values import request_author
from state.jsondoc.pointer import unescape_token
from state.jsondoc.text import JSONValue, dump_json, parse_json
from state.models import Idempotency
from state.revisions import Source

LIST = ("limit", "cursor", "format", "archived", "channel", "source", "tag", "title")
PAGE = ("order", "limit", "cursor", "around", "branch")

router = Router(tags=["conversations"])


def session_of(segment: str) -> str:
    """The session id that a path segment names: `~1` stands for a slash in it. Raises BadPointer."""
    return unescape_token(segment)


def _in_path(request: HttpRequest) -> dict[str, Any]:
    """What the path of a request names."""
    return dict(request.resolver_match.kwargs) if request.resolver_match else {}


# Conversations


def list_conversations(request: HttpRequest) -> HttpResponse:
    """The conversations, newest first; with `format`, all of them whole, as JSON, JSON lines or Markdown."""
    query = read_query(request, LIST)
    rows = reading.conversations(wanted(query))
    if "format" in query:
        return _exported(query, rows, "conversations")
    found, more = reading.page_of(rows, read_number(query, "limit", 100, 1000), read_one(query, "cursor"))
    numbers = reading.numbers(found)
    response = answer({"conversations": [shapes.of_conversation(row, numbers[row.pk]) for row in found], "next": more})
    return _linked(response, request, query, {"next": more})


def wanted(query: dict[str, list[str]]) -> dict[str, Any]:
    """Which conversations are asked for. Raises UnknownParameter."""
    asked: dict[str, Any] = {name: text for name in LIST[4:] if (text := read_one(query, name)) is not None}
    if (text := read_one(query, "archived")) is not None:
        if text not in ("true", "false"):
            raise UnknownParameter("archived must be true or false")
        asked["archived"] = text == "true"
    return asked


def create_conversation(request: HttpRequest) -> HttpResponse:
    """A new conversation, with its first messages if there are any."""
    read_query(request, ())
    body = shapes.read(shapes.ConversationIn, parse_json(request.body).value)
    new = shapes.new_conversation(body, secrets.token_urlsafe(12) if body.session_id is None else body.session_id)
    row = appending.create(new, shapes.new_messages(cast(JSONValue, body.messages)), request_author(request))
    return _one(row, row.revision, 201)


def _created_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    return _one(reading.find(appending.made_in(earlier.revision)), earlier.revision, 201)


def read_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """A conversation, with the number of its messages; with `format`, whole, as JSON, JSON lines or Markdown."""
    query = read_query(request, ("format",))
    row = reading.find(session_of(session_id))
    if "format" in query:
        return _exported(query, Conversation.objects.filter(pk=row.pk), row.session_id)
    return _one(row, store.head())


def change_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """Rename, archive, tag; metadata member by member."""
    read_query(request, ())
    row = reading.find(session_of(session_id))
    fields = shapes.changed_conversation(shapes.read(shapes.ConversationChange, parse_json(request.body).value), row)
    if fields.get("current_leaf_id") is not None:
        log.messages_of(row, [fields["current_leaf_id"]])
        fields["current_leaf_id"] = reading.leaf_below(row, fields["current_leaf_id"])
    written = log.change(row.session_id, fields, request_author(request))
    return _one(reading.find(row.session_id), written.revision)


def _changed_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    session_id = _in_path(request)["session_id"]
    return _one(reading.find(session_of(session_id)), earlier.revision)


def delete_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """Delete a conversation with its messages. Undo of that revision brings it back, until it is purged."""
    read_query(request, ())
    return _nothing(removing.remove([session_of(session_id)], request_author(request)).revision)


def _deleted_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    return _nothing(earlier.revision)


def purge_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """Erase a conversation, deleted or not, for good: messages, title and metadata, in the history too. Final."""
    read_query(request, ())
    body = shapes.read(shapes.Purge, parse_json(request.body).value)
    purged = removing.purge(session_of(session_id), body.confirm, request_author(request, Source.FORGET))
    return _gone(session_of(session_id), purged.messages, purged.revision)


def _purged_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    session_id = _in_path(request)["session_id"]
    return _gone(session_of(session_id), removing.purged_in(earlier.revision), earlier.revision)


def _gone(session_id: str, messages: int, revision: int) -> HttpResponse:
    return answer({"purged": session_id, "messages": messages, "final": True}, revision)


# Messages


def read_messages(request: HttpRequest, session_id: str) -> HttpResponse:
    """The messages from the first (`order=oldest`) or from the last (`newest`) on, or those `around` one of them."""
    query = read_query(request, PAGE)
    row = reading.find(session_of(session_id))
    limit, order, branch = (
        read_number(query, "limit", 100, 1000),
        read_one(query, "order") or "oldest",
        read_one(query, "branch") or "all",
    )
    if order not in ("oldest", "newest") or branch not in ("all", "current"):
        raise UnknownParameter("order is oldest or newest, branch is all or current")
    is_current = branch == "current"
    if "around" in query:
        page = reading.around(row, read_number(query, "around", 1, 2**62), limit, branch=is_current)
    else:
        page = reading.page(row, cast(reading.Order, order), limit, read_one(query, "cursor"), branch=is_current)
    response = answer(of_page(row, page, branch=is_current))
    links = {} if "around" in query else {"next": page.older if order == "newest" else page.newer}
    return _linked(response, request, query, links)


def of_page(row: Conversation, page: reading.Page, *, branch: bool) -> dict[str, JSONValue]:
    """A page as JSON; in the current branch, messages that have alternatives name all of them as `versions`."""
    alternatives = reading.versions(row, [one.pk for one in page.messages]) if branch else {}
    messages: list[JSONValue] = []
    for message in page.messages:
        more: dict[str, JSONValue] = {"versions": [*alternatives[message.pk]]} if message.pk in alternatives else {}
        messages.append(shapes.of_message(message) | more)
    return {"messages": messages, "older": page.older, "newer": page.newer}


def append_messages(request: HttpRequest, session_id: str) -> HttpResponse:
    """Add one message, or up to 1,000 in an array, as one revision. The conversation is made if there is none."""
    read_query(request, ())
    name, sent = session_of(session_id), _sent(request)
    shapes.check_session_id(name)
    return _appended(name, appending.append(name, sent, request_author(request), fields=NewConversation(name)))


def _appended_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    session_id = _in_path(request)["session_id"]
    name = session_of(session_id)
    return _appended(name, appending.again(name, _sent(request), earlier.revision, earlier.changed))


def _sent(request: HttpRequest) -> list[Any]:
    sent = shapes.new_messages(parse_json(request.body).value)
    if len(sent) > appending.MOST:
        raise Unusable(f"{len(sent):,} messages are too many; {appending.MOST:,} are taken at once")
    return sent


def _appended(session_id: str, appended: Appended) -> HttpResponse:
    messages: list[JSONValue] = [shapes.of_message(message) for message in appended.messages]
    body: JSONValue = {"session_id": session_id, "added": appended.added, "messages": messages}
    return answer(body, appended.revision, 201 if appended.added else 200)


def read_message(request: HttpRequest, session_id: str, message_id: int) -> HttpResponse:
    """One message."""
    read_query(request, ())
    [message] = log.messages_of(reading.find(session_of(session_id)), [message_id])
    return answer(shapes.of_message(message))


def change_message(request: HttpRequest, session_id: str, message_id: int) -> HttpResponse:
    """Set the status of a message, or what else is known of it by now. Its text stays."""
    read_query(request, ())
    row = reading.find(session_of(session_id))
    [message] = log.messages_of(row, [message_id])
    fields = shapes.changed_message(shapes.read(shapes.MessageChange, parse_json(request.body).value), message)
    written = log.change_message(row.session_id, message_id, fields, request_author(request))
    return answer(shapes.of_message(log.messages_of(row, [message_id])[0]), written.revision)


def _message_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    found = _in_path(request)
    [message] = log.messages_of(reading.find(session_of(found["session_id"])), [found["message_id"]])
    return answer(shapes.of_message(message), earlier.revision)


def delete_message(request: HttpRequest, session_id: str, message_id: int) -> HttpResponse:
    """Delete one message. Undo of that revision brings it back."""
    read_query(request, ())
    return _nothing(removing.remove_messages(session_of(session_id), [message_id], request_author(request)).revision)


def delete_messages(request: HttpRequest, session_id: str) -> HttpResponse:
    """Delete the messages that `id` names, which may be repeated, as one revision. Undo brings them back."""
    ids = read_query(request, ("id",)).get("id", [])
    if not 0 < len(ids) <= appending.MOST or not all(
        text.isascii() and text.isdigit() and len(text) < 19 for text in ids
    ):
        raise UnknownParameter(f"name 1 to {appending.MOST:,} messages, as id=12&id=13")
    wanted = [int(text) for text in dict.fromkeys(ids)]
    return _nothing(removing.remove_messages(session_of(session_id), wanted, request_author(request)).revision)


# Answers


def answer(body: JSONValue, revision: int | None = None, status: int = 200) -> HttpResponse:
    """A JSON answer; after a write with the revision it made, else with the newest one."""
    response = HttpResponse(dump_json(body), status=status, content_type="application/json")
    response["Nola-Revision"] = str(store.head() if revision is None else revision)
    return response


def _exported(query: dict[str, list[str]], rows: QuerySet[Conversation], name: str) -> HttpResponse:
    """A download of conversations, sent as it is read."""
    kind = read_one(query, "format") or ""
    if kind not in exporting.FORMATS:
        raise UnknownParameter(f"format is one of {', '.join(exporting.FORMATS)}")
    return cast(HttpResponse, exported(exporting.FORMATS[kind], rows, name))


def exported(form: exporting.Format, rows: QuerySet[Conversation], name: str) -> StreamingHttpResponse:
    """Conversations as a file, which is read while it is sent."""
    response = StreamingHttpResponse(form.texts(rows), content_type=form.media_type)
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.{form.suffix}") or "attachment"
    response["Nola-Revision"] = str(store.head())
    return response


def _one(row: Conversation, revision: int, status: int = 200) -> HttpResponse:
    return answer(shapes.of_conversation(row, reading.numbers([row])[row.pk]), revision, status)


def _nothing(revision: int) -> HttpResponse:
    return HttpResponse(status=204, headers={"Nola-Revision": str(revision)})


def _linked(
    response: HttpResponse, request: HttpRequest, query: dict[str, list[str]], links: dict[str, str | None]
) -> HttpResponse:
    kept = {name: values[0] for name, values in query.items() if name != "cursor"}
    found = [
        f'<{request.get_full_path_info().partition("?")[0]}?{urlencode({**kept, "cursor": cursor})}>; rel="{rel}"'
        for rel, cursor in links.items()
        if cursor
    ]
    if found:
        response["Link"] = ", ".join(found)
    return response


def _route(method: str, path: str, view: Any, summary: str, extra: dict[str, Any] | None = None) -> None:
    router.api_operation([method], path, summary=summary, openapi_extra=extra or {})(view)
    if method == "GET":
        router.api_operation(["HEAD"], path, include_in_schema=False)(view)


ONE, MESSAGES = "/{session_id}", "/{session_id}/messages"
MESSAGE = "/{session_id}/messages/{int:message_id}"
_route("GET", "", list_conversations, "List conversations", describe_parameters(*LIST))
_route(
    "POST",
    "",
    idempotent(create_conversation, _created_again),
    "Begin a conversation",
    shapes.body(shapes.ConversationIn),
)
_route("GET", ONE, read_conversation, "Read a conversation", describe_parameters("format"))
_route(
    "PATCH",
    ONE,
    idempotent(change_conversation, _changed_again),
    "Rename, archive or tag a conversation",
    shapes.body(shapes.ConversationChange),
)
_route("DELETE", ONE, idempotent(delete_conversation, _deleted_again), "Delete a conversation")
_route(
    "POST",
    "/{session_id}/purge",
    idempotent(purge_conversation, _purged_again),
    "Erase a conversation for good",
    shapes.body(shapes.Purge),
)
_route("GET", MESSAGES, read_messages, "Read messages", describe_parameters(*PAGE))
_route(
    "POST",
    MESSAGES,
    idempotent(append_messages, _appended_again),
    "Add messages",
    shapes.body(shapes.MessageIn, many=True),
)
_route("DELETE", MESSAGES, idempotent(delete_messages, _deleted_again), "Delete messages", describe_parameters("id"))
_route("GET", MESSAGE, read_message, "Read a message")
_route(
    "PATCH", MESSAGE, idempotent(change_message, _message_again), "Change a message", shapes.body(shapes.MessageChange)
)
_route("DELETE", MESSAGE, idempotent(delete_message, _deleted_again), "Delete a message")
