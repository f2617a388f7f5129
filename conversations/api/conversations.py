"""`/api/conversations`: sessions of talk and their messages. Errors become problem documents in nola_site/api.py."""

import secrets
from typing import Annotated, Any, Literal, cast
from urllib.parse import quote, urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from ninja import Router
from pydantic import Field, WithJsonSchema

from access.security import Event, read_address, record_event
from conversations import append, delete, export, log, read, traces
from conversations.api import schemas
from conversations.api.schemas import FromBody, UnusableBody
from conversations.append import Appended
from conversations.drafts import NewConversation
from conversations.export import FormatName
from conversations.models import Conversation
from conversations.names import name_conversation, name_conversations
from state import store
from state.api.addresses import UnknownParameter
from state.api.idempotency import idempotent
from state.api.parameters import CURSOR, Flag, FromQuery, Limit, NoParameters, Parameters, Whole, one_of
from state.api.routes import add_read_route, answers
from state.api.writes import request_author
from state.jsondoc.pointer import escape_token, unescape_token
from state.jsondoc.text import JSONValue, dump_json, parse_bounded
from state.models import Idempotency
from state.revisions import Source

DOT = "~2"
ONE, MESSAGES = "/{session_id}", "/{session_id}/messages"
MESSAGE = "/{session_id}/messages/{int:message_id}"

DOWNLOAD = ("Nola-Revision", "Content-Disposition")
FILES = tuple(
    dict.fromkeys(["application/json", *(form.media_type.partition(";")[0] for form in export.FORMATS.values())])
)

router = Router(tags=["conversations"])


def parse_session_id(segment: str) -> str:
    """The session id that a path segment names: `~1` stands for a slash in it, `~2` for a dot. Raises BadPointer."""
    return unescape_token(segment.replace(DOT, "."))


def format_segment(session_id: str) -> str:
    """The path segment that names a session id. A client would drop one that is . or .."""
    spelt = escape_token(session_id)
    return quote(spelt.replace(".", DOT) if session_id in (".", "..") else spelt, safe="~")


def read_limit(request: HttpRequest) -> str:
    """The user id to whose conversations a key is limited; "" for those who may see all."""
    return cast(str, request.grant.user_id)  # type: ignore[attr-defined]


def _find(request: HttpRequest, session_id: str) -> Conversation:
    """The conversation that a path segment names. Raises BadPointer, log.UnknownTalk and log.DeletedTalk."""
    return read.find_conversation(parse_session_id(session_id), read_limit(request))


# Conversations


FORMAT = one_of(f"format is one of {', '.join(export.FORMATS)}")


class ListQuery(Parameters):
    """Which conversations are asked for, and as what."""

    limit: Limit = Field(100, description="How many conversations")
    cursor: str | None = Field(None, description=CURSOR)
    format: Annotated[FormatName | None, FORMAT] = Field(None, description="All of them whole, as a file of this kind")
    archived: Flag | None = Field(None, description="Only those that are, or are not")
    channel: str | None = Field(None, description="Only those of this channel")
    source: str | None = Field(None, description="Only those that came from here")
    tag: str | None = Field(None, description="Only those with this tag")
    title: str | None = Field(None, description="Only those with this in their title")


@add_read_route(router, "", summary="List conversations")
@answers(headers=DOWNLOAD, media_types=FILES)
def list_conversations(request: HttpRequest, query: FromQuery[ListQuery]) -> HttpResponse:
    """The conversations, newest first; with `format`, all of them whole, as JSON, JSON lines or Markdown."""
    wanted = query.model_dump(include={"archived", "channel", "source", "tag", "title"}, exclude_none=True)
    if user_id := read_limit(request):
        wanted["user_id"] = user_id
    rows = read.filter_conversations(wanted)
    if query.format:
        return _exported(query.format, rows, "conversations")
    found, more = read.read_list(rows, query.limit, query.cursor)
    numbers, names = read.read_numbers(found), name_conversations(found)
    shown: list[JSONValue] = [schemas.show_conversation(row, numbers[row.pk], names[row.pk]) for row in found]
    response = answer({"conversations": shown, "next": more})
    return _linked(response, request, query, more)


def _created_again(request: HttpRequest, earlier: Idempotency, **asked: Any) -> HttpResponse:
    row = read.find_conversation(append.find_created(earlier.revision), read_limit(request))
    return _one(row, earlier.revision, 201)


@router.post("", summary="Begin a conversation")
@idempotent(_created_again)
@answers(201)
def create_conversation(
    request: HttpRequest, query: FromQuery[NoParameters], body: FromBody[schemas.ConversationIn]
) -> HttpResponse:
    """A new conversation, with its first messages if there are any."""
    name = secrets.token_urlsafe(12) if body.session_id is None else body.session_id
    new = schemas.make_conversation(body, name, read_limit(request))
    sent = schemas.make_messages(cast(JSONValue, body.messages), request.grant)  # type: ignore[attr-defined]
    row = append.create_conversation(new, sent, request_author(request), read_limit(request))
    return _one(row, row.revision, 201)


class FormatQuery(Parameters):
    """As what to read a conversation."""

    format: Annotated[FormatName | None, FORMAT] = Field(None, description="Whole, as a file of this kind")


@add_read_route(router, ONE, summary="Read a conversation")
@answers(headers=DOWNLOAD, media_types=FILES)
def read_conversation(request: HttpRequest, session_id: str, query: FromQuery[FormatQuery]) -> HttpResponse:
    """A conversation, with the number of its messages; with `format`, whole, as JSON, JSON lines or Markdown."""
    row = _find(request, session_id)
    if query.format:
        return _exported(query.format, Conversation.objects.filter(pk=row.pk), row.session_id)
    return _one(row, store.head())


def _changed_again(request: HttpRequest, earlier: Idempotency, session_id: str, **asked: Any) -> HttpResponse:
    return _one(_find(request, session_id), earlier.revision)


@router.patch(ONE, summary="Rename, archive or tag a conversation")
@idempotent(_changed_again)
def change_conversation(
    request: HttpRequest, session_id: str, query: FromQuery[NoParameters], body: FromBody[schemas.ConversationChange]
) -> HttpResponse:
    """Rename, archive, tag; metadata member by member."""
    row = _find(request, session_id)
    fields = schemas.conversation_change(body, row)
    if fields.get("current_leaf_id") is not None:
        log.find_messages(row, [fields["current_leaf_id"]])
        fields["current_leaf_id"] = read.find_leaf(row, fields["current_leaf_id"])
    written = log.change(row.session_id, fields, request_author(request), read_limit(request))
    return _one(_find(request, session_id), written.revision)


def _deleted_again(request: HttpRequest, earlier: Idempotency, **asked: Any) -> HttpResponse:
    return _nothing(earlier.revision)


@router.delete(ONE, summary="Delete a conversation")
@idempotent(_deleted_again)
def delete_conversation(request: HttpRequest, session_id: str, query: FromQuery[NoParameters]) -> HttpResponse:
    """Delete a conversation with its messages. Undo of that revision brings it back, until it is purged."""
    names = [parse_session_id(session_id)]
    return _nothing(delete.delete_conversations(names, request_author(request), read_limit(request)).revision)


def _purged_again(request: HttpRequest, earlier: Idempotency, session_id: str, **asked: Any) -> HttpResponse:
    count = delete.count_purged(earlier.revision)
    return _gone(parse_session_id(session_id), delete.Purged(count, earlier.revision, traces.clear_soon()))


@router.post("/{session_id}/purge", summary="Erase a conversation for good")
@idempotent(_purged_again)
def purge_conversation(
    request: HttpRequest, session_id: str, query: FromQuery[NoParameters], body: FromBody[schemas.PurgeIn]
) -> HttpResponse:
    """Erase a conversation, deleted or not, for good: messages, title and metadata, in the history too. Final.

    The answer comes when the words are in no file of the database; or `left` says what keeps them there for now.
    """
    name, author = parse_session_id(session_id), request_author(request, Source.FORGET)
    purged = delete.purge_conversation(name, body.confirm, author, read_limit(request))
    record_event(Event.PURGED, author.actor, f"a conversation, in revision {purged.revision}", read_address(request))
    return _gone(name, purged)


def _gone(session_id: str, purged: delete.Purged) -> HttpResponse:
    left: dict[str, JSONValue] = {"left": purged.left} if purged.left else {}
    return answer({"purged": session_id, "messages": purged.messages, "final": True, **left}, purged.revision)


# Messages


ORDER = one_of("order is oldest or newest, branch is all or current", or_default=True)


class PageQuery(Parameters):
    """Which messages of a conversation to read."""

    order: Annotated[read.Order, ORDER] = Field("oldest", description="With which end to begin")
    limit: Limit = Field(100, description="How many messages")
    cursor: str | None = Field(None, description=CURSOR)
    around: Annotated[int | None, Whole(2**62)] = Field(None, description="The id of a message to read around")
    branch: Annotated[Literal["all", "current"], ORDER] = Field("all", description="Only the branch in use, or all")


@add_read_route(router, MESSAGES, summary="Read messages")
def read_messages(request: HttpRequest, session_id: str, query: FromQuery[PageQuery]) -> HttpResponse:
    """The messages from the first (`order=oldest`) or from the last (`newest`) on, or those `around` one of them."""
    row, is_current = _find(request, session_id), query.branch == "current"
    if query.around is not None:
        page = read.read_around(row, query.around, query.limit, branch=is_current)
        return answer(show_page(row, page, branch=is_current))
    page = read.read_page(row, query.order, query.limit, query.cursor, branch=is_current)
    response = answer(show_page(row, page, branch=is_current))
    return _linked(response, request, query, page.older if query.order == "newest" else page.newer)


def show_page(row: Conversation, page: read.MessagePage, *, branch: bool) -> dict[str, JSONValue]:
    """A page as JSON; in the current branch, messages that have alternatives name all of them as `versions`."""
    alternatives = read.find_versions(row, [one.pk for one in page.messages]) if branch else {}
    messages: list[JSONValue] = []
    for message in page.messages:
        more: dict[str, JSONValue] = {"versions": [*alternatives[message.pk]]} if message.pk in alternatives else {}
        messages.append(schemas.show_message(message) | more)
    return {"messages": messages, "older": page.older, "newer": page.newer}


def _appended_again(request: HttpRequest, earlier: Idempotency, session_id: str, **asked: Any) -> HttpResponse:
    name = parse_session_id(session_id)
    done = earlier.revision, earlier.changed
    return _appended(name, append.repeat_append(name, _sent(request), *done, read_limit(request)))


@router.post(MESSAGES, summary="Add messages", openapi_extra=schemas.one_or_many(schemas.MessageIn))
@idempotent(_appended_again)
@answers(200, 201)
def append_messages(request: HttpRequest, session_id: str, query: FromQuery[NoParameters]) -> HttpResponse:
    """Add one message, or up to 1,000 in an array, as one revision. The conversation is made if there is none."""
    name, sent = parse_session_id(session_id), _sent(request)
    schemas.check_session_id(name)
    new, user_id = NewConversation(name), read_limit(request)
    appended = append.append_messages(name, sent, request_author(request), fields=new, user_id=user_id)
    return _appended(name, appended)


def _sent(request: HttpRequest) -> list[Any]:
    sent = parse_bounded(request.body).value
    if isinstance(sent, dict) and [*sent] == ["messages"] and isinstance(sent["messages"], list):
        sent = sent["messages"]
    if isinstance(sent, list) and len(sent) > append.MOST:
        raise UnusableBody(f"{len(sent):,} messages are too many; {append.MOST:,} are taken at once")
    return schemas.make_messages(sent, request.grant)  # type: ignore[attr-defined]


def _appended(session_id: str, appended: Appended) -> HttpResponse:
    messages: list[JSONValue] = [schemas.show_message(message) for message in appended.messages]
    body: JSONValue = {"session_id": session_id, "added": appended.added, "messages": messages}
    return answer(body, appended.revision, 201 if appended.added else 200)


@add_read_route(router, MESSAGE, summary="Read a message")
def read_message(
    request: HttpRequest, session_id: str, message_id: int, query: FromQuery[NoParameters]
) -> HttpResponse:
    """One message."""
    [message] = log.find_messages(_find(request, session_id), [message_id])
    return answer(schemas.show_message(message))


def _message_again(
    request: HttpRequest, earlier: Idempotency, session_id: str, message_id: int, **asked: Any
) -> HttpResponse:
    [message] = log.find_messages(_find(request, session_id), [message_id])
    return answer(schemas.show_message(message), earlier.revision)


@router.patch(MESSAGE, summary="Change a message")
@idempotent(_message_again)
def change_message(
    request: HttpRequest,
    session_id: str,
    message_id: int,
    query: FromQuery[NoParameters],
    body: FromBody[schemas.MessageChange],
) -> HttpResponse:
    """Set the status of a message, or what else is known of it by now. Its text stays."""
    row = _find(request, session_id)
    [message] = log.find_messages(row, [message_id])
    fields = schemas.message_change(body, message)
    written = log.change_message(row.session_id, message_id, fields, request_author(request), read_limit(request))
    return answer(schemas.show_message(log.find_messages(row, [message_id])[0]), written.revision)


@router.delete(MESSAGE, summary="Delete a message")
@idempotent(_deleted_again)
def delete_message(
    request: HttpRequest, session_id: str, message_id: int, query: FromQuery[NoParameters]
) -> HttpResponse:
    """Delete one message. Undo of that revision brings it back."""
    name, author = parse_session_id(session_id), request_author(request)
    return _nothing(delete.delete_messages(name, [message_id], author, read_limit(request)).revision)


class MessagesQuery(Parameters):
    """Which messages are meant: some, or all."""

    all: Flag = Field(False, description="All that there are; the conversation stays")

    id: Annotated[list[str], WithJsonSchema({"type": "array", "items": {"type": "integer"}})] = Field(
        [], description="The ids of messages; may be repeated"
    )


@router.delete(MESSAGES, summary="Delete messages")
@idempotent(_deleted_again)
def delete_messages(request: HttpRequest, session_id: str, query: FromQuery[MessagesQuery]) -> HttpResponse:
    """Delete the messages that `id` names, which may be repeated, as one revision. Undo brings them back.

    With `all=true` all of them go, and the conversation stays.
    """
    name, author, user_id = parse_session_id(session_id), request_author(request), read_limit(request)
    if query.all and not query.id:
        return _nothing(delete.delete_all_messages(name, author, user_id).revision)
    if (
        query.all
        or not 0 < len(query.id) <= append.MOST
        or not all(text.isascii() and text.isdigit() and len(text) < 19 for text in query.id)
    ):
        raise UnknownParameter(f"name 1 to {append.MOST:,} messages, as id=12&id=13, or all=true")
    wanted = [int(text) for text in dict.fromkeys(query.id)]
    return _nothing(delete.delete_messages(name, wanted, author, user_id).revision)


# Answers


def answer(body: JSONValue, revision: int | None = None, status: int = 200) -> HttpResponse:
    """A JSON answer; after a write with the revision it made, else with the newest one."""
    response = HttpResponse(dump_json(body), status=status, content_type="application/json")
    response["Nola-Revision"] = str(store.head() if revision is None else revision)
    return response


def _exported(form: FormatName, rows: QuerySet[Conversation], name: str) -> HttpResponse:
    """A download of conversations, sent as it is read."""
    return cast(HttpResponse, stream_export(export.FORMATS[form], rows, name))


def stream_export(form: export.ExportFormat, rows: QuerySet[Conversation], name: str) -> StreamingHttpResponse:
    """Conversations as a file, which is read while it is sent."""
    response = StreamingHttpResponse(form.texts(rows), content_type=form.media_type)
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.{form.suffix}") or "attachment"
    response["Nola-Revision"] = str(store.head())
    return response


def _one(row: Conversation, revision: int, status: int = 200) -> HttpResponse:
    numbers = read.read_numbers([row])[row.pk]
    return answer(schemas.show_conversation(row, numbers, name_conversation(row)), revision, status)


def _nothing(revision: int) -> HttpResponse:
    return HttpResponse(status=204, headers={"Nola-Revision": str(revision)})


def _linked(response: HttpResponse, request: HttpRequest, query: Parameters, cursor: str | None) -> HttpResponse:
    kept = {name: text for name, text in query.texts.items() if name != "cursor"}
    if cursor:
        path = request.get_full_path_info().partition("?")[0]
        response["Link"] = f'<{path}?{urlencode({**kept, "cursor": cursor})}>; rel="next"'
    return response
