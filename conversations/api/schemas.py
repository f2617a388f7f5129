"""Conversations and messages as the API takes and gives them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest
from ninja import Schema
from ninja.params.models import Body, BodyModel
from pydantic import ConfigDict, Field, ValidationError

from access.rights import Grant, NotAllowed
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation, Message
from conversations.read import TAGS, MessageNumbers
from state.api.routes import describe_body
from state.errors import Unprocessable
from state.jsondoc.budget import spend_work
from state.jsondoc.text import JSONValue, parse_bounded
from state.store import check_key

NO_ZONE = "names no zone; end it with Z or an offset such as +01:00"
S = TypeVar("S", bound=Schema)


class UnusableBody(Unprocessable):
    """A body that is JSON, but no message or conversation; says where and why."""


class _Strict(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)


class MessageIn(_Strict):
    """A message to be kept. Only who says what is needed."""

    speaker: Literal["user", "assistant", "system", "tool"]
    message: str
    timestamp: str | None = Field(
        default=None, description="RFC 3339 with its zone; kept as sent too. Now, if left out"
    )
    user_id: str = Field(default="user", description="Whose conversation it is")
    status: Literal["ok", "pending", "error"] = "ok"
    client_id: str | None = Field(default=None, max_length=255, description="Your own id: sent again, it adds nothing")
    parent: int | None = Field(default=None, description="The id of the message it answers, where talk branches")
    context_level: int | None = Field(default=None, ge=1, le=3)
    stimuli_type: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)


class MessageChange(_Strict):
    """What can be set on a message later. Its text, speaker and time stay as they were said."""

    status: Literal["ok", "pending", "error"] | None = None
    context_level: int | None = Field(default=None, ge=1, le=3)
    stimuli_type: str | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="Members to set; null removes one")


class ConversationChange(_Strict):
    """What can be set on a conversation."""

    title: str | None = None
    channel: str | None = None
    archived: bool | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="Members to set; null removes one")
    current_leaf: int | None = Field(default=None, description="The id of the message that ends the branch in use")


class ConversationIn(_Strict):
    """A new conversation; without a session id it gets one."""

    session_id: str | None = None
    title: str = ""
    channel: str = ""
    started: str | None = Field(default=None, description="RFC 3339 with its zone; now, if left out")
    archived: bool = False
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    messages: list[dict[str, Any]] = Field(default_factory=list, description="Its first messages")


class PurgeIn(_Strict):
    """A purge is final, hence it is confirmed."""

    confirm: str = Field(description="The session id once more")


def parse_body(schema: type[S], value: JSONValue, where: str = "") -> S:
    """A JSON value as a schema has it. Raises UnusableBody, which names the member."""
    if not isinstance(value, dict):
        raise UnusableBody(f"{where or 'the body'} must be a JSON object")
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        raise UnusableBody(_first(error, where)) from None


def one_or_many(schema: type[Schema]) -> dict[str, Any]:
    """A body of one, or of an array of them, also as `messages`, as the API reference describes it."""
    one: dict[str, Any] = schema.model_json_schema()
    many = {"type": "array", "items": one}
    named = {
        "type": "object",
        "properties": {"messages": many},
        "required": ["messages"],
        "additionalProperties": False,
    }
    return describe_body("application/json", schema={"oneOf": [one, many, named]})


class _FromBodyModel(BodyModel):
    """Reads a body by `parse_body`, whose refusals name the member in words."""

    @classmethod
    def resolve(cls, request: HttpRequest, api: Any, path_params: dict[str, Any]) -> Any:
        [(name, field)] = cls.model_fields.items()
        schema: Any = field.annotation
        value = parse_bounded(request.body).value if request.body or field.is_required() else {}
        return {name: parse_body(schema, value)}


class _FromBody(Body):  # type: ignore[misc]  # as in state/api/parameters.py
    _model = _FromBodyModel

    @classmethod
    def _param_source(cls) -> str:
        return "body"


FromBody = Annotated[S, _FromBody(...)]  # in a signature: `body: FromBody[MessageChange]`
FromBodyIfAny = Annotated[S, _FromBody({})]  # an empty body is that of an object without members


def _first(error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    place = "/".join(map(str, first["loc"]))
    reason = {"extra_forbidden": "there is no such member", "missing": "is missing"}.get(first["type"], first["msg"])
    return f"{where}: {place}: {reason}" if where else f"{place}: {reason}"


def make_messages(value: JSONValue, grant: Grant) -> list[NewMessage]:
    """The messages of a body: one, or an array of them. Raises UnusableBody, and NotAllowed for those of others."""
    values = value if isinstance(value, list) else [value]
    many = isinstance(value, list)
    return [_new_message(one, f"message {number}" if many else "", grant) for number, one in enumerate(values)]


def _new_message(value: JSONValue, where: str, grant: Grant) -> NewMessage:
    spend_work()
    one = parse_body(MessageIn, value, where)
    if grant.user_id:
        if "user_id" in one.model_fields_set and one.user_id != grant.user_id:
            raise NotAllowed(f"{grant.who} writes for the user id {grant.user_id!r} alone; leave user_id out")
        one.user_id = grant.user_id
    said = f"{where}: " if where else ""
    for name in ("message", "user_id", "stimuli_type", "client_id"):
        if "\0" in (getattr(one, name) or ""):
            raise UnusableBody(f"{said}{name}: contains the character NUL, which cannot be kept; leave it out")
    if one.client_id == "" or (one.client_id or "").startswith(("#", "import:")):
        raise UnusableBody(f"{said}client_id: must not be empty, nor begin with # or import:")
    return NewMessage(
        speaker=one.speaker,
        message=one.message,
        timestamp=parse_instant(one.timestamp, f"{said}timestamp") if one.timestamp is not None else datetime.now(UTC),
        timestamp_text=one.timestamp or "",
        user_id=one.user_id,
        context_level=one.context_level,
        stimuli_type=one.stimuli_type,
        status=one.status,
        client_id=one.client_id,
        metadata=one.metadata,
        parent="" if one.parent is None else f"#{one.parent}",
    )


def make_conversation(one: ConversationIn, session_id: str, user_id: str = "") -> NewConversation:
    """A conversation from the body that asks for it, begun for a user if one is named. Raises UnusableBody."""
    check_session_id(session_id)
    _check_text({"title": one.title, "channel": one.channel})
    return NewConversation(
        session_id=session_id,
        title=one.title,
        channel=one.channel,
        started=parse_instant(one.started, "started") if one.started is not None else None,
        started_text=one.started or "",
        archived=one.archived,
        metadata=_with_tags(one.metadata, one.tags or None),
        user_id=user_id or None,
    )


def check_session_id(text: str) -> None:
    """Raises UnusableBody unless it is 1 to 512 bytes of UTF-8 without NUL."""
    try:
        check_key(text)
    except ValueError as error:
        raise UnusableBody(f"session_id: {str(error).replace('a key', 'it')}") from None


def parse_instant(text: str, name: str) -> datetime:
    """The moment that an RFC 3339 time says. Raises UnusableBody."""
    try:
        time = datetime.fromisoformat(text) if re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", text) else None
    except ValueError:
        time = None
    if time is None or not 2 <= time.year <= 9998:
        raise UnusableBody(f"{name}: {text[:40]!r} is no time such as 2026-01-31T12:00:00Z")
    if time.tzinfo is None:
        raise UnusableBody(f"{name}: {text!r} {NO_ZONE}")
    return time.astimezone(UTC)


def conversation_change(one: ConversationChange, row: Conversation) -> dict[str, Any]:
    """The fields to set. Raises UnusableBody."""
    given = one.model_dump(exclude_unset=True)
    _check_text({name: given.get(name) or "" for name in ("title", "channel")})
    if none := [name for name in ("title", "channel", "archived", "tags") if name in given and given[name] is None]:
        raise UnusableBody(f"{none[0]}: cannot be null")
    fields: dict[str, Any] = {name: given[name] for name in ("title", "channel", "archived") if name in given}
    if "tags" in given or "metadata" in given:
        tags = given.get("tags")
        merged = merge_metadata(row.metadata, given.get("metadata") or {})
        fields["metadata"] = _with_tags(merged, tags if "tags" in given else merged.get(TAGS))
    if "current_leaf" in given:
        fields["current_leaf_id"] = given["current_leaf"]
    return fields


def message_change(one: MessageChange, row: Message) -> dict[str, Any]:
    """The fields to set."""
    given = one.model_dump(exclude_unset=True)
    fields = {name: value for name, value in given.items() if name != "metadata"}
    if none := [name for name in ("status", "stimuli_type") if name in given and given[name] is None]:
        raise UnusableBody(f"{none[0]}: cannot be null")
    if given.get("metadata"):
        fields["metadata"] = merge_metadata(row.metadata, given["metadata"])
    return fields


def merge_metadata(there: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Members set; those that are null are taken out."""
    merged = {**there, **patch}
    return {name: value for name, value in merged.items() if not (name in patch and patch[name] is None)}


def _with_tags(metadata: Mapping[str, Any], tags: Any) -> dict[str, Any]:
    rest = {name: value for name, value in metadata.items() if name != TAGS}
    return {**rest, TAGS: tags} if tags else rest


def _check_text(texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        if "\0" in text:
            raise UnusableBody(f"{name}: contains the character NUL, which cannot be kept; leave it out")
        if len(text) > 1000:
            raise UnusableBody(f"{name}: has {len(text):,} characters; 1,000 are kept at most")


def format_instant(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat() if time else None


def show_conversation(row: Conversation, numbers: MessageNumbers, name: str) -> dict[str, JSONValue]:
    """A conversation as JSON. `name` is its title, or what stands for one on a page."""
    tags = row.metadata.get(TAGS)
    return {
        "session_id": row.session_id,
        "title": row.title,
        "name": name,
        "channel": row.channel,
        "source": row.source,
        "started": format_instant(row.started),
        "started_text": row.started_text,
        "last": format_instant(numbers.last),
        "messages": numbers.messages,
        "archived": row.archived,
        "tags": tags if isinstance(tags, list) else [],
        "metadata": {name: value for name, value in row.metadata.items() if name != TAGS or not isinstance(tags, list)},
        "current_leaf": row.current_leaf_id,
        "revision": row.revision,
    }


def show_message(row: Message) -> dict[str, JSONValue]:
    """A message as JSON. `timestamp` is the moment in UTC, `timestamp_text` the time as it came."""
    return {
        "id": row.pk,
        "speaker": row.speaker,
        "message": row.message,
        "timestamp": format_instant(row.timestamp),
        "timestamp_text": row.timestamp_text,
        "user_id": row.user_id,
        "status": row.status,
        "parent": row.parent_id,
        "client_id": row.client_id,
        "context_level": row.context_level,
        "stimuli_type": row.stimuli_type,
        "metadata": row.metadata,
        "revision": row.revision,
    }
