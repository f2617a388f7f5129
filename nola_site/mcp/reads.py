"""The tools that read: context, read, search, history, and the messages of a conversation."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from access.rights import Grant, Right
from conversations import read as talks
from conversations.context.assemble import ContextRequest, assemble_context
from conversations.models import Message as TalkMessage
from conversations.search.messages import search_messages
from conversations.search.state_leaves import search_leaves
from conversations.search.tokenize import parse_terms
from nola_site.mcp.answers import Answer, Call, shorten
from nola_site.mcp.outline import BadCursor, cut_value
from nola_site.safety.reads import count_pointer
from state import store
from state.address import Address, NotFound
from state.context import receipts
from state.history import journal, past, replay, timeline
from state.history.journal import JournalFilter
from state.history.sight import see_by
from state.jsondoc.budget import spend_work
from state.jsondoc.levels import check_way
from state.jsondoc.levels_text import show_state_at_level, show_text_at_level
from state.jsondoc.pointer import parse_pointer
from state.jsondoc.projection import Places, find_ways
from state.jsondoc.text import dump_json
from state.models import Revision

MARKDOWN = "text/markdown"
MESSAGES, HITS = 20, 5
TOLD = 5  # changes of a revision that are told one by one
MOST_MESSAGE = 4000  # characters of a message that are shown
MOST_PAGE = 40_000  # characters of messages in one answer


def find_address(pointer: str) -> Address | None:
    """The address a pointer means; None for the whole state. Raises BadPointer."""
    tokens = parse_pointer(pointer)
    return Address(tokens[0], tokens[1:]) if tokens else None


def format_cursor(*place: int) -> str:
    """Where an answer goes on."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def parse_cursor(cursor: str, count: int) -> list[int]:
    """The numbers in a cursor. Raises BadCursor."""
    try:
        place = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if len(place) == count and all(type(number) is int and 0 <= number < 2**62 for number in place):
            return list(place)
    except (ValueError, TypeError):
        pass
    raise BadCursor(f"cursor {cursor[:40]!r} is none that an answer before has given; leave it out to begin again")


def format_moment(time: datetime) -> str:
    """A time, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def read_context(call: Call, budget: int = 2000, q: str | None = None, session: str | None = None) -> Answer:
    """The context of a prompt as Markdown, with a receipt where the caller may keep one."""
    call.report(0, 2, "assembling")
    is_talk = q is not None or session is not None
    talk, grant = budget // 2 if is_talk else 0, call.caller.grant
    wanted = ContextRequest([], 3, budget, talk, "markdown", session, MESSAGES, q, HITS, grant=grant)
    found = assemble_context(wanted)
    count_pointer("")
    call.report(1, 2, "keeping a receipt")
    report: dict[str, Any] = found.report
    told = {name: report[name] for name in ("text", "revision", "tokens")}
    if Right.WRITE_CONVERSATIONS in grant.rights:
        asked = {"budget": budget} | {name: text for name, text in (("q", q), ("conversation", session)) if text}
        kept = receipts.keep({"asked": asked, **report}, found.sessions, MARKDOWN, call.make_author())
        told["receipt"] = kept.row.receipt
    call.report(2, 2, "done")
    return Answer(told, told["text"] or "Nothing is remembered yet.")


def read_value(
    call: Call,
    pointer: str = "",
    depth: int | None = None,
    level: int | None = None,
    at: int | str | None = None,
    limit: int = 12_000,
    cursor: str | None = None,
) -> Answer:
    """A value of the state, cut to a size. A cursor goes on in the revision in which it began."""
    address, start = find_address(pointer), 0
    if cursor is not None:
        at, start = parse_cursor(cursor, 2)
    revision = None if at is None else replay.revision_at(str(at))
    if revision not in (None, store.head()):
        call.caller.grant.require(Right.READ_HISTORY)
    text, revision = _read_text(address, revision, level, call.places)
    count_pointer(pointer)
    shown = cut_value(json.loads(text), limit, depth, start)
    told: dict[str, Any] = {"value": shown.value, "revision": revision}
    if shown.is_cut:
        told["cut"] = True
    if shown.next is not None:
        told["cursor"] = format_cursor(revision, shown.next)
    return Answer(told)


def _read_text(address: Address | None, at: int | None, level: int | None, places: Places | None) -> tuple[str, int]:
    """A value now or at a revision, in a state that has only what lies in the places."""
    if address and level is not None:
        check_way(address.tokens, level)
    if at is not None:
        text, revision = past.read_value_at(address, at, places), at
    elif address:
        text, revision = store.read(address) if places is None else store.read_within(address, places)
    elif places is None:
        text, revision = store.read_all()
    else:
        found, revision = past.read_texts(places=places)
        text = past.join_texts(found)
    if level is None:
        return text, revision
    seen = show_text_at_level(text, level) if address else show_state_at_level(text, level)
    if seen is None:
        raise NotFound(f"nothing shows at {address.pointer if address else '/'} at level {level}")
    return seen, revision


def search(call: Call, q: str, limit: int = 10, cursor: str | None = None, **more: str) -> Answer:
    """Leaves of the state and messages, each with where it stands; a part that the caller may not read is left out."""
    where, terms, grant = more.get("in", "all"), parse_terms(q), call.caller.grant
    [skip] = parse_cursor(cursor, 1) if cursor else [0]
    rights = {"state": Right.READ_STATE, "messages": Right.READ_CONVERSATIONS}
    if where != "all":
        grant.require(rights[where])
    found: list[dict[str, Any]] = []
    has_more = False
    if where != "messages" and rights["state"] in grant.rights:
        leaves, has_more = search_leaves(terms, skip + limit, places=call.places)
        found += [
            {"pointer": Address(one.key).pointer + one.pointer, "text": one.snippet.text} for one in leaves[skip:]
        ]
    if where != "state" and rights["messages"] in grant.rights:
        hits = search_messages(terms, {"user_id": grant.user_id} if grant.user_id else {}, limit, skip=skip)
        found += [_tell_hit(one.message, one.snippet.text) for one in hits.hits]
        has_more = has_more or hits.total > skip + limit
    return Answer({"found": found} | ({"cursor": format_cursor(skip + limit)} if has_more else {}))


def _tell_hit(message: TalkMessage, text: str) -> dict[str, Any]:
    at = format_moment(message.timestamp)
    return {
        "session": message.conversation.session_id,
        "id": message.pk,
        "speaker": message.speaker,
        "at": at,
        "text": text,
    }


# History


def read_history(
    call: Call, pointer: str = "", mine: bool = False, limit: int = 20, cursor: str | None = None
) -> Answer:
    """Revisions, newest first: of everything that the caller may see, or of one value."""
    address = find_address(pointer)
    [before] = parse_cursor(cursor, 1) if cursor else [store.head() + 1]
    if address is None:
        told, more = _read_all(call, mine, limit, before)
    else:
        call.caller.grant.require(Right.READ_STATE)
        told, more = _read_node(call, address, mine, limit, before)
    return Answer({"revisions": told} | ({"cursor": format_cursor(more)} if more is not None else {}))


def _read_all(call: Call, mine: bool, limit: int, before: int) -> tuple[list[dict[str, Any]], int | None]:
    sight = see_by(call.caller.grant)
    wanted = JournalFilter([call.caller.actor] if mine else (), sight=None if sight.is_whole else sight)
    page = journal.read_page(wanted, 0, before, limit)
    found = [json.loads(item) for item in page.items]
    return [
        _tell_revision(one, format_moment(datetime.fromisoformat(one["at"])), _tell_changes(one["changes"]))
        for one in found
    ], page.before


def _read_node(
    call: Call, address: Address, mine: bool, limit: int, before: int
) -> tuple[list[dict[str, Any]], int | None]:
    """A place that has moved is followed from where it is now, also on a later page."""
    told: list[dict[str, Any]] = []
    grant, ways = call.caller.grant, find_ways(call.places, address.key)
    for event in timeline.find_events(address.key, address.tokens, None, ways, brief=True):
        spend_work()
        row = event.revision
        if row.seq >= before or not event.patch or (mine and row.actor != call.caller.actor):
            continue
        if len(told) == limit:
            return told, told[-1]["revision"]
        patch = [{"kind": "state", "key": address.key, "patch": event.patch}]
        told.append(_tell_revision(_describe(row, grant), format_moment(row.at), _tell_changes(patch)))
    if not told:
        timeline.check_known(address.key, ways)
    return told, None


def _describe(row: Revision, grant: Grant) -> dict[str, Any]:
    """A revision; to a key with limits without its info, which names other things."""
    info = {} if grant.is_limited else row.info
    return {"revision": row.seq, "actor": row.actor, "reason": row.reason, "info": info}


def _tell_revision(row: dict[str, Any], at: str, what: Sequence[str]) -> dict[str, Any]:
    told = {"revision": row["revision"], "when": at, "who": row["actor"]}
    through = (row.get("info") or {}).get("client")
    more = {"reason": row["reason"], "through": through}
    return told | {name: text for name, text in more.items() if text} | {"what": what}


def _tell_changes(changes: Sequence[dict[str, Any]]) -> list[str]:
    """What a revision did, a line each: `replace /Tasks/0: "buy milk"`."""
    lines = [line for change in changes for line in _tell_change(change)]
    return [*lines[:TOLD], f"and {len(lines) - TOLD:,} more"] if len(lines) > TOLD else lines


def _tell_change(change: dict[str, Any]) -> Iterator[str]:
    place, patch = Address(change["key"]).pointer, change.get("patch")
    if change["kind"] != "state":
        yield f"{change['kind']} {change['key']}"
    elif not isinstance(patch, list):
        yield f"much in {place}"
    else:
        for op in patch:
            source = f"{place}{op['from']} to " if "from" in op else ""
            value = f": {shorten(op['value'])}" if "value" in op else ""
            yield f"{op['op']} {source}{place}{op['path']}{value}"


# Messages


def read_messages(session: str, limit: int, cursor: str | None, user_id: str) -> dict[str, Any]:
    """The last messages of a conversation, oldest first, as many as fit; of that user, if one is named.

    Raises UnknownTalk.
    """
    row = talks.find_conversation(session, user_id)
    page = talks.read_page(row, "newest", limit, cursor)
    shown: list[dict[str, Any]] = []
    room = MOST_PAGE
    older = page.older
    for message in page.messages:
        told = _tell_message(message)
        room -= len(dump_json(told))
        if room < 0 and shown:
            older = talks.read_page(row, "newest", len(shown), cursor).older
            break
        shown.append(told)
    return {"messages": shown[::-1]} | ({"cursor": older} if older else {})


def _tell_message(message: TalkMessage) -> dict[str, Any]:
    text = message.message
    cut = {"characters": len(text)} if len(text) > MOST_MESSAGE else {}
    said = {"id": message.pk, "speaker": message.speaker, "at": format_moment(message.timestamp)}
    return said | {"message": text[:MOST_MESSAGE]} | cut
