"""What all writes share: who writes and on what terms, a preview instead, the summary that they answer with."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypedDict
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, HttpResponse

from access.rights import Right
from state import edits, store
from state.address import Address
from state.api.addresses import BadAddress, UnknownParameter, read_grant, read_places
from state.api.answers import answer_proposed, answer_reading, read_conditions
from state.conditions import PreconditionFailed
from state.history import replay
from state.history.sight import see_by
from state.jsondoc.old_values import with_old_values
from state.jsondoc.projection import Places, find_ways
from state.jsondoc.text import JSONValue, dump_json, parse_json
from state.models import Idempotency
from state.proposals.protected import check_now
from state.registry import Planned
from state.revisions import Author, Source

MAX_REASON = 1000

Plan = Callable[[], Sequence[Planned]]
Commit = Callable[[Plan, Author], store.Written]


def request_author(request: HttpRequest, source: Source | None = None, *, judges: bool = False, **info: Any) -> Author:
    """Who writes, from the credential; why, from the percent-encoded header Nola-Reason.

    A write that does not judge If-Match is not made under it. Raises PreconditionFailed, BadAddress, UnknownParameter.
    """
    if not judges and "If-Match" in request.headers:
        raise PreconditionFailed("what this call writes has no ETag, which If-Match could name", None, store.head())
    actor: str = request.auth  # type: ignore[attr-defined]
    source = source or (Source.ADMIN if actor.startswith("user:") else Source.API)
    header = request.headers.get("Nola-Reason", "")
    try:
        reason = unquote_to_bytes(header).decode()
    except UnicodeDecodeError:
        reason = ""
    if header and (not reason or not header.isascii() or re.search("%(?![0-9A-Fa-f]{2})", header)):
        raise BadAddress("the header Nola-Reason is not percent-encoded UTF-8")
    if len(reason) > MAX_REASON:
        raise UnknownParameter(f"the header Nola-Reason has {len(reason)} characters; {MAX_REASON} are kept at most")
    return Author(actor, source, reason, info, getattr(request, "claim", None))


def state_author(request: HttpRequest, *, judges: bool = False) -> Author:
    """The same for what may be suggested: who may not write the state, and came in all the same, does no more."""
    is_writer = Right.WRITE_STATE in request.grant.rights  # type: ignore[attr-defined]
    return replace(request_author(request, judges=judges), suggests=not is_writer)


class Terms(TypedDict):
    """On what terms a write is made: a condition that the store asks, or the revision that it was made for."""

    check: store.Check | None
    base: int | None
    places: Places | None  # that the writer may touch and see, None for all


def read_terms(request: HttpRequest, address: Address, since: str | None) -> Terms:
    """Where there is a condition there is no merge: it says exactly what must be there."""
    asked, places = read_conditions(request), read_places(request)
    base = None if since is None else replay.parse_revision(since)
    if not asked:
        return Terms(check=None, base=base, places=places)
    if base is not None and Right.READ_HISTORY in read_grant(request).rights:
        ways = find_ways(places, address.key)
        asked = replace(asked, since=lambda: replay.diff_node(address, base, store.head(), ways))
    return Terms(check=asked.check_write, base=None, places=places)


def commit_or_preview(
    plan: Plan,
    author: Author,
    dry_run: bool,
    commit: Commit = store.commit,
    *,
    with_was: bool = False,
    places: Places | None = None,
) -> HttpResponse:
    """Commit a plan, or only show what it would do; in the places, if the writer may see no more."""
    return preview_plan(plan, author, with_was, places) if dry_run else answer_changed(commit(plan, author))


def answer_changed(written: store.Written) -> HttpResponse:
    """The revision of a write, and what it touched; or the proposal that it became."""
    if written.proposal is not None:
        return answer_proposed(written.proposal, written.revision)
    return _summary(written.revision, [(one.kind, one.key) for one in written.changed])


def preview_plan(plan: Plan, author: Author, with_was: bool, places: Places | None = None) -> HttpResponse:
    """What a plan would do, as patches; with what stood there before, if that is asked for. Raises ProtectedPath."""
    written = store.Written(store.head(), plan())
    check_now([edit for edit in written.edits if edit.forward], author)
    state: dict[str, JSONValue] = {}
    for edit in written.edits:
        if edit.forward:
            forward, inverse = edits.show_within(edit, find_ways(places, edit.key))
            state[edit.key] = with_old_values(forward, inverse if with_was else None)
    others: list[JSONValue] = [
        {"kind": one.kind, "key": one.key, "patch": one.forward} for one in written.changed if one.kind != "state"
    ]
    touched = [(one.kind, one.key) for one in written.changed]
    return _summary(written.revision, touched, patches=state, **({"changes": others} if others else {}))


def add_members(response: HttpResponse, revision: int, **more: JSONValue) -> HttpResponse:
    """An answer of `commit_or_preview` with more members, after more was written."""
    body: Any = parse_json(response.content).value
    response.content = dump_json({**body, "revision": revision, **more}).encode()
    response["Nola-Revision"] = str(revision)
    return response


def repeat_summary(request: HttpRequest, earlier: Idempotency, **asked: Any) -> HttpResponse:
    """The answer to a write of several keys that was done before."""
    sight = see_by(read_grant(request))
    touched = replay.list_touched(earlier.revision) if earlier.changed else []
    return _summary(earlier.revision, [one for one in touched if sight.is_whole or sight.shows(*one)])


def _summary(revision: int, touched: Sequence[tuple[str, str]], **more: JSONValue) -> HttpResponse:
    """The revision, and the keys and conversations that it touched."""
    keys: list[JSONValue] = [key for kind, key in touched if kind == "state"]
    others: list[JSONValue] = [*dict.fromkeys(key for kind, key in touched if kind != "state")]
    body = {"revision": revision, "changed": keys, **({"conversations": others} if others else {}), **more}
    return answer_reading(store.Reading(dump_json(body), revision))
