"""Conversations and their messages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Unpack, cast
from urllib.parse import quote

import httpx

from nola_client.errors import Gone, NotFound
from nola_client.flow import Flow, Request, Said, given, write
from nola_client.values import dump_json, escape_token

CONVERSATIONS = "/api/conversations"
AT_ONCE = 200  # messages that one call can name in its address

Message = dict[str, Any]
Order = Literal["oldest", "newest"]


@dataclass(frozen=True, slots=True)
class Appended:
    """Messages as they are kept, in the order sent; `added` are new, the others were there already."""

    messages: list[Message]
    added: int
    revision: int


def list_conversations(
    *,
    archived: bool | None = None,
    channel: str | None = None,
    tag: str | None = None,
    title: str | None = None,
    limit: int | None = None,
) -> Request:
    """The conversations, newest first; `limit` is how many are read at once."""
    query = {"archived": archived, "channel": channel, "tag": tag, "title": title, "limit": limit}
    return Request("GET", CONVERSATIONS, given(query))


def read_conversations(response: httpx.Response) -> list[dict[str, Any]]:
    return list(response.json()["conversations"])


def conversation(session: str) -> Flow[dict[str, Any]]:
    """A conversation without its messages. Raises NotFound, and Gone if it was deleted."""
    return dict((yield Request("GET", format_path(session))).json())


def list_messages(
    session: str, *, order: Order = "oldest", branch: Literal["all", "current"] | None = None, limit: int | None = None
) -> Request:
    """The messages of a conversation, from the first or from the last one on; `limit` is how many are read at once."""
    return Request("GET", f"{format_path(session)}/messages", given({"order": order, "branch": branch, "limit": limit}))


def read_messages(response: httpx.Response) -> list[Message]:
    return list(response.json()["messages"])


def last_messages(session: str, count: int) -> Flow[list[Message]]:
    """The last so many messages (up to 1,000), oldest first; none of a conversation that is not there."""
    try:
        response = yield list_messages(session, order="newest", limit=count)
    except (NotFound, Gone):
        return []
    return read_messages(response)[::-1]


def append(
    session: str, speaker: str, message: str, *, metadata: Mapping[str, Any] | None = None, **said: Unpack[Said]
) -> Flow[Message]:
    """Add a message of `user`, `assistant`, `system` or `tool`; the conversation begins if there is none."""
    one = given({"speaker": speaker, "message": message, "metadata": metadata})
    return (yield from append_many(session, [one], **said)).messages[0]


def append_many(session: str, messages: Sequence[Mapping[str, Any]], **said: Unpack[Said]) -> Flow[Appended]:
    """Add up to 1,000 messages with all that a message may have, as one revision, all or nothing."""
    response = yield write("POST", f"{format_path(session)}/messages", said, dump_json(messages))
    body = response.json()
    return Appended(body["messages"], body["added"], int(response.headers["Nola-Revision"]))


def change_message(session: str, number: int, changes: Mapping[str, Any], **said: Unpack[Said]) -> Flow[Message]:
    """Set `status` or `metadata` of a message, member by member; its text stays as it was said."""
    path = f"{format_path(session)}/messages/{number}"
    return cast(Message, (yield write("PATCH", path, said, dump_json(changes))).json())


def change_conversation(session: str, changes: Mapping[str, Any], **said: Unpack[Said]) -> Flow[dict[str, Any]]:
    """Set `title`, `tags`, `archived`, `channel`, `metadata` or `current_leaf`."""
    return dict((yield write("PATCH", format_path(session), said, dump_json(changes))).json())


def delete_messages(session: str, numbers: Iterable[int], **said: Unpack[Said]) -> Flow[int]:
    """Delete up to 200 messages as one revision, which is returned; undo of it brings them back."""
    path = f"{format_path(session)}/messages"
    response = yield write("DELETE", path, said, query={"id": list(numbers)})
    return int(response.headers["Nola-Revision"])


def clear(session: str, *, reason: str = "") -> Flow[int]:
    """Delete all messages of a conversation, which goes on; how many there were. Undo brings them back."""
    count = 0
    while found := (yield from last_messages(session, AT_ONCE)):
        yield from delete_messages(session, [one["id"] for one in found], reason=reason)
        count += len(found)
    return count


def delete_conversation(session: str, **said: Unpack[Said]) -> Flow[int]:
    """Delete a conversation with its messages: a revision, which is returned; undo of it brings them back."""
    return int((yield write("DELETE", format_path(session), said)).headers["Nola-Revision"])


def format_path(session: str) -> str:
    """The path of a conversation. A client would drop `.` and `..` from it."""
    spelt = escape_token(session)
    return f"{CONVERSATIONS}/{quote(spelt.replace('.', '~2') if session in ('.', '..') else spelt, safe='~')}"
