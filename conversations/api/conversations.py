"""`/api/conversations`: sessions of talk and their messages. Errors become problem documents in nola_site/api.py."""

import secrets
from typing import Any, cast
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from ninja import Router

from conversations import append, delete, export, log, read
from conversations.api import schemas
from conversations.api.schemas import UnusableBody
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


def parse_session_id(segment: str) -> str:
    """The session id that a path segment names: `~1` stands for a slash in it. Raises BadPointer."""
    return unescape_token(segment)


def _in_path(request: HttpRequest) -> dict[str, Any]:
    """What the path of a request names."""
    return dict(request.resolver_match.kwargs) if request.resolver_match else {}


# Conversations


def list_conversations(request: HttpRequest) -> HttpResponse:
    """The conversations, newest first; with `format`, all of them whole, as JSON, JSON lines or Markdown."""
    query = read_query(request, LIST)
    rows = read.filter_conversations(parse_filters(query))
    if "format" in query:
        return _exported(query, rows, "conversations")
    found, more = read.read_list(rows, read_number(query, "limit", 100, 1000), read_one(query, "cursor"))
    numbers = read.read_numbers(found)
    response = answer(
        {"conversations": [schemas.show_conversation(row, numbers[row.pk]) for row in found], "next": more}
    )
    return _linked(response, request, query, {"next": more})


def parse_filters(query: dict[str, list[str]]) -> dict[str, Any]:
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
    body = schemas.parse_body(schemas.ConversationIn, parse_json(request.body).value)
    new = schemas.make_conversation(body, secrets.token_urlsafe(12) if body.session_id is None else body.session_id)
    row = append.create_conversation(
        new, schemas.make_messages(cast(JSONValue, body.messages)), request_author(request)
    )
    return _one(row, row.revision, 201)


def _created_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    return _one(read.find_conversation(append.find_created(earlier.revision)), earlier.revision, 201)


def read_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """A conversation, with the number of its messages; with `format`, whole, as JSON, JSON lines or Markdown."""
    query = read_query(request, ("format",))
    row = read.find_conversation(parse_session_id(session_id))
    if "format" in query:
        return _exported(query, Conversation.objects.filter(pk=row.pk), row.session_id)
    return _one(row, store.head())


def change_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """Rename, archive, tag; metadata member by member."""
    read_query(request, ())
    row = read.find_conversation(parse_session_id(session_id))
    fields = schemas.conversation_change(
        schemas.parse_body(schemas.ConversationChange, parse_json(request.body).value), row
    )
    if fields.get("current_leaf_id") is not None:
        log.find_messages(row, [fields["current_leaf_id"]])
        fields["current_leaf_id"] = read.find_leaf(row, fields["current_leaf_id"])
    written = log.change(row.session_id, fields, request_author(request))
    return _one(read.find_conversation(row.session_id), written.revision)


def _changed_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    session_id = _in_path(request)["session_id"]
    return _one(read.find_conversation(parse_session_id(session_id)), earlier.revision)


def delete_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """Delete a conversation with its messages. Undo of that revision brings it back, until it is purged."""
    read_query(request, ())
    return _nothing(delete.delete_conversations([parse_session_id(session_id)], request_author(request)).revision)


def _deleted_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    return _nothing(earlier.revision)


def purge_conversation(request: HttpRequest, session_id: str) -> HttpResponse:
    """Erase a conversation, deleted or not, for good: messages, title and metadata, in the history too. Final."""
    read_query(request, ())
    body = schemas.parse_body(schemas.PurgeIn, parse_json(request.body).value)
    purged = delete.purge_conversation(
        parse_session_id(session_id), body.confirm, request_author(request, Source.FORGET)
    )
    return _gone(parse_session_id(session_id), purged.messages, purged.revision)


def _purged_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    session_id = _in_path(request)["session_id"]
    return _gone(parse_session_id(session_id), delete.count_purged(earlier.revision), earlier.revision)


def _gone(session_id: str, messages: int, revision: int) -> HttpResponse:
    return answer({"purged": session_id, "messages": messages, "final": True}, revision)


# Messages


def read_messages(request: HttpRequest, session_id: str) -> HttpResponse:
    """The messages from the first (`order=oldest`) or from the last (`newest`) on, or those `around` one of them."""
    query = read_query(request, PAGE)
    row = read.find_conversation(parse_session_id(session_id))
    limit, order, branch = (
        read_number(query, "limit", 100, 1000),
        read_one(query, "order") or "oldest",
        read_one(query, "branch") or "all",
    )
    if order not in ("oldest", "newest") or branch not in ("all", "current"):
        raise UnknownParameter("order is oldest or newest, branch is all or current")
    is_current = branch == "current"
    if "around" in query:
        page = read.read_around(row, read_number(query, "around", 1, 2**62), limit, branch=is_current)
    else:
        page = read.read_page(row, cast(read.Order, order), limit, read_one(query, "cursor"), branch=is_current)
    response = answer(show_page(row, page, branch=is_current))
    links = {} if "around" in query else {"next": page.older if order == "newest" else page.newer}
    return _linked(response, request, query, links)


def show_page(row: Conversation, page: read.MessagePage, *, branch: bool) -> dict[str, JSONValue]:
    """A page as JSON; in the current branch, messages that have alternatives name all of them as `versions`."""
    alternatives = read.find_versions(row, [one.pk for one in page.messages]) if branch else {}
    messages: list[JSONValue] = []
    for message in page.messages:
        more: dict[str, JSONValue] = {"versions": [*alternatives[message.pk]]} if message.pk in alternatives else {}
        messages.append(schemas.show_message(message) | more)
    return {"messages": messages, "older": page.older, "newer": page.newer}


def append_messages(request: HttpRequest, session_id: str) -> HttpResponse:
    """Add one message, or up to 1,000 in an array, as one revision. The conversation is made if there is none."""
    read_query(request, ())
    name, sent = parse_session_id(session_id), _sent(request)
    schemas.check_session_id(name)
    return _appended(name, append.append_messages(name, sent, request_author(request), fields=NewConversation(name)))


def _appended_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    session_id = _in_path(request)["session_id"]
    name = parse_session_id(session_id)
    return _appended(name, append.repeat_append(name, _sent(request), earlier.revision, earlier.changed))


def _sent(request: HttpRequest) -> list[Any]:
    sent = schemas.make_messages(parse_json(request.body).value)
    if len(sent) > append.MOST:
        raise UnusableBody(f"{len(sent):,} messages are too many; {append.MOST:,} are taken at once")
    return sent


def _appended(session_id: str, appended: Appended) -> HttpResponse:
    messages: list[JSONValue] = [schemas.show_message(message) for message in appended.messages]
    body: JSONValue = {"session_id": session_id, "added": appended.added, "messages": messages}
    return answer(body, appended.revision, 201 if appended.added else 200)


def read_message(request: HttpRequest, session_id: str, message_id: int) -> HttpResponse:
    """One message."""
    read_query(request, ())
    [message] = log.find_messages(read.find_conversation(parse_session_id(session_id)), [message_id])
    return answer(schemas.show_message(message))


def change_message(request: HttpRequest, session_id: str, message_id: int) -> HttpResponse:
    """Set the status of a message, or what else is known of it by now. Its text stays."""
    read_query(request, ())
    row = read.find_conversation(parse_session_id(session_id))
    [message] = log.find_messages(row, [message_id])
    fields = schemas.message_change(schemas.parse_body(schemas.MessageChange, parse_json(request.body).value), message)
    written = log.change_message(row.session_id, message_id, fields, request_author(request))
    return answer(schemas.show_message(log.find_messages(row, [message_id])[0]), written.revision)


def _message_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    found = _in_path(request)
    [message] = log.find_messages(read.find_conversation(parse_session_id(found["session_id"])), [found["message_id"]])
    return answer(schemas.show_message(message), earlier.revision)


def delete_message(request: HttpRequest, session_id: str, message_id: int) -> HttpResponse:
    """Delete one message. Undo of that revision brings it back."""
    read_query(request, ())
    return _nothing(
        delete.delete_messages(parse_session_id(session_id), [message_id], request_author(request)).revision
    )


def delete_messages(request: HttpRequest, session_id: str) -> HttpResponse:
    """Delete the messages that `id` names, which may be repeated, as one revision. Undo brings them back."""
    ids = read_query(request, ("id",)).get("id", [])
    if not 0 < len(ids) <= append.MOST or not all(text.isascii() and text.isdigit() and len(text) < 19 for text in ids):
        raise UnknownParameter(f"name 1 to {append.MOST:,} messages, as id=12&id=13")
    wanted = [int(text) for text in dict.fromkeys(ids)]
    return _nothing(delete.delete_messages(parse_session_id(session_id), wanted, request_author(request)).revision)


# Answers


def answer(body: JSONValue, revision: int | None = None, status: int = 200) -> HttpResponse:
    """A JSON answer; after a write with the revision it made, else with the newest one."""
    response = HttpResponse(dump_json(body), status=status, content_type="application/json")
    response["Nola-Revision"] = str(store.head() if revision is None else revision)
    return response


def _exported(query: dict[str, list[str]], rows: QuerySet[Conversation], name: str) -> HttpResponse:
    """A download of conversations, sent as it is read."""
    kind = read_one(query, "format") or ""
    if kind not in export.FORMATS:
        raise UnknownParameter(f"format is one of {', '.join(export.FORMATS)}")
    return cast(HttpResponse, stream_export(export.FORMATS[kind], rows, name))


def stream_export(form: export.ExportFormat, rows: QuerySet[Conversation], name: str) -> StreamingHttpResponse:
    """Conversations as a file, which is read while it is sent."""
    response = StreamingHttpResponse(form.texts(rows), content_type=form.media_type)
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.{form.suffix}") or "attachment"
    response["Nola-Revision"] = str(store.head())
    return response


def _one(row: Conversation, revision: int, status: int = 200) -> HttpResponse:
    return answer(schemas.show_conversation(row, read.read_numbers([row])[row.pk]), revision, status)


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
    schemas.describe_body(schemas.ConversationIn),
)
_route("GET", ONE, read_conversation, "Read a conversation", describe_parameters("format"))
_route(
    "PATCH",
    ONE,
    idempotent(change_conversation, _changed_again),
    "Rename, archive or tag a conversation",
    schemas.describe_body(schemas.ConversationChange),
)
_route("DELETE", ONE, idempotent(delete_conversation, _deleted_again), "Delete a conversation")
_route(
    "POST",
    "/{session_id}/purge",
    idempotent(purge_conversation, _purged_again),
    "Erase a conversation for good",
    schemas.describe_body(schemas.PurgeIn),
)
_route("GET", MESSAGES, read_messages, "Read messages", describe_parameters(*PAGE))
_route(
    "POST",
    MESSAGES,
    idempotent(append_messages, _appended_again),
    "Add messages",
    schemas.describe_body(schemas.MessageIn, many=True),
)
_route("DELETE", MESSAGES, idempotent(delete_messages, _deleted_again), "Delete messages", describe_parameters("id"))
_route("GET", MESSAGE, read_message, "Read a message")
_route(
    "PATCH",
    MESSAGE,
    idempotent(change_message, _message_again),
    "Change a message",
    schemas.describe_body(schemas.MessageChange),
)
_route("DELETE", MESSAGE, idempotent(delete_message, _deleted_again), "Delete a message")
