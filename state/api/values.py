"""`/api/state`: raw JSON values in and out. Errors become problem documents in nola_site/api.py."""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict
from urllib.parse import unquote_to_bytes

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import conditions, store
from state.address import Address, read_node_text
from state.api.addresses import (
    BadAddress,
    UnknownParameter,
    format_href,
    read_addresses,
    read_flag,
    read_one,
    read_query,
    read_target,
)
from state.api.idempotency import idempotent
from state.api.views import JSON, PARAMETERS, parse_view, read_several, read_view, render_view, wrap_envelope
from state.checkpoints.files import find_checkpoint
from state.checkpoints.restore import (
    FixtureContents,
    RestoreChoice,
    keep_before_restore,
    parse_fixture,
    plan_restore,
    read_fixture,
    restore_keys,
    restore_parts,
)
from state.conditions import Conditions
from state.errors import Refusal
from state.history import past, replay
from state.jsondoc.old_values import with_old_values
from state.jsondoc.patch import check_patch
from state.jsondoc.pointer import parse_pointer
from state.jsondoc.text import JSONValue, dump_json, parse_json
from state.models import Idempotency
from state.registry import Planned
from state.revisions import Author, Source

MAX_REASON = 1000
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}
PATCH_BODY = {"requestBody": {"required": True, "content": {MERGE_PATCH: {"schema": {}}, JSON_PATCH: {"schema": {}}}}}
POINTER = {
    "parameters": [
        {
            "name": "pointer",
            "in": "query",
            "schema": {"type": "string"},
            "description": "RFC 6901 pointer, going on from what the path names; the way to empty names and slashes",
        }
    ]
}
BASE = {
    "name": "base",
    "in": "query",
    "schema": {"type": "integer"},
    "description": "The revision this write is made for: what others have changed elsewhere since then stays",
}
WRITE = {"parameters": [*POINTER["parameters"], BASE]}
WAS = {
    "parameters": [
        {
            "name": "was",
            "in": "query",
            "schema": {"type": "boolean"},
            "description": "In a dry run, what stood where an operation replaces or removes, as its `was`",
        }
    ]
}

View = Callable[..., HttpResponse]
Plan = Callable[[], Sequence[Planned]]
Commit = Callable[[Plan, Author], store.Written]

router = Router(tags=["state"])


class UnknownPatch(Refusal, ValueError):
    """A PATCH in a media type that is none of ours."""

    status = 415
    headers = {"Accept-Patch": f"{MERGE_PATCH}, {JSON_PATCH}"}


class Restore(Schema):
    """What to restore: a checkpoint by name or as a fixture document; all of it, some keys, or one subtree."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str | list[Any] = Field(description="A checkpoint's name, or the rows of a fixture document")
    mode: Literal["merge", "replace"] | None = Field(
        default=None,
        description="merge: its keys are put, other keys stay; replace: keys it lacks go. Replace takes a checkpoint of"
        " the whole state, and is the default for one",
    )
    keys: list[str] | None = Field(default=None, description="Only these keys")
    pointer: str | None = Field(default=None, description="Only this subtree; the pointer's first token is the key")
    dry_run: bool = Field(default=False, strict=True, description="Answer with the patch and change nothing")


def read_state(request: HttpRequest) -> HttpResponse:
    """A stored value, exactly as it is: the whole state, a key, or any node inside one; several pointers, several."""
    view = parse_view(read_query(request, ("pointer", *PARAMETERS)))
    wanted = read_addresses(request, known=PARAMETERS)
    if len(wanted) > 1:
        return _view(request, read_several(wanted, view), JSON)
    [address] = wanted.values()
    reading = read_view(address, view)
    if not view:
        return _answer(reading, _conditions(request).check_read(*reading))
    text, media_type = render_view(reading.text, view)
    shown = wrap_envelope(store.Reading(text, reading.revision), [address.key] if address else None, view)
    return _view(request, shown, media_type)


def put_state(request: HttpRequest) -> HttpResponse:
    """Create (201) or replace (200) a value. Missing object parents are created, arrays never."""
    address = read_target(request)
    document = parse_json(request.body)
    written = store.put(address, document, request_author(request), **_terms(request, address))
    return _written(request, address, written, document.text)


def patch_state(request: HttpRequest) -> HttpResponse:
    """Change a value by a JSON Merge Patch (RFC 7396) or a JSON Patch (RFC 6902), all of it or nothing."""
    address = read_target(request)
    if request.content_type == MERGE_PATCH:
        patch = parse_json(request.body).value
        written = store.merge(address, patch, request_author(request), **_terms(request, address))
    elif request.content_type == JSON_PATCH:
        ops = check_patch(parse_json(request.body).value)
        written = store.patch(address, ops, request_author(request), **_terms(request, address))
    else:
        raise UnknownPatch(f"a patch is sent as {MERGE_PATCH} or {JSON_PATCH}, not as {request.content_type!r}")
    return _written(request, address, written)


def delete_state(request: HttpRequest) -> HttpResponse:
    """Remove a key, or a node inside one."""
    address = read_target(request)
    written = store.remove(address, request_author(request), **_terms(request, address))
    return _answer(store.Reading("", written.revision), status=204)


def restore_state(request: HttpRequest, body: Restore | list[Any]) -> HttpResponse:
    """Bring keys back from a checkpoint, as one revision."""
    with_was = read_flag(read_query(request, ("was",)), "was")
    wanted = body if isinstance(body, Restore) else Restore(checkpoint=body)
    contents = _contents(wanted)
    plan = plan_restore(contents, RestoreChoice(wanted.mode, wanted.keys, wanted.pointer))
    author = request_author(request, Source.RESTORE, checkpoint=_name(wanted))
    if not contents.parts or wanted.keys is not None or wanted.pointer is not None:
        return commit_or_preview(plan, author, wanted.dry_run, restore_keys, with_was=with_was)
    author = replace(author, info={**author.info, "batch": uuid.uuid4().hex})
    if not wanted.dry_run:
        keep_before_restore(plan)
    with transaction.atomic():
        response = commit_or_preview(plan, author, wanted.dry_run, restore_keys, with_was=with_was)
        counts: dict[str, JSONValue] = {**restore_parts(contents, None if wanted.dry_run else author)}
        return add_members(response, store.head(), brought_back=counts, batch=author.info["batch"])


put_once = idempotent(put_state, lambda *again: _value_again(*again))
patch_once = idempotent(patch_state, lambda *again: _value_again(*again))
delete_once = idempotent(delete_state, lambda *again: _nothing_again(*again))
restore_once = idempotent(restore_state, lambda *again: repeat_summary(*again))


def read_node(request: HttpRequest, address: str) -> HttpResponse:
    """The value at key/path/into/it, exactly as it is stored."""
    return read_state(request)


def put_node(request: HttpRequest, address: str) -> HttpResponse:
    """Create (201) or replace (200) a value. Missing object parents are created, arrays never."""
    return put_once(request)


def patch_node(request: HttpRequest, address: str) -> HttpResponse:
    """Change a value by a JSON Merge Patch (RFC 7396) or a JSON Patch (RFC 6902), all of it or nothing."""
    return patch_once(request)


def delete_node(request: HttpRequest, address: str) -> HttpResponse:
    """Remove a key, or a node inside one."""
    return delete_once(request)


def commit_or_preview(
    plan: Plan, author: Author, dry_run: bool, commit: Commit = store.commit, *, with_was: bool = False
) -> HttpResponse:
    """Commit a plan, or only show what it would do."""
    written = store.Written(store.head(), plan()) if dry_run else commit(plan, author)
    touched = [(one.kind, one.key) for one in written.changed]
    if not dry_run:
        return _summary(written.revision, touched)
    state: dict[str, JSONValue] = {
        edit.key: with_old_values(edit.forward, edit.inverse if with_was else None)
        for edit in written.edits
        if edit.forward
    }
    others: list[JSONValue] = [
        {"kind": one.kind, "key": one.key, "patch": one.forward} for one in written.changed if one.kind != "state"
    ]
    return _summary(written.revision, touched, patches=state, **({"changes": others} if others else {}))


def add_members(response: HttpResponse, revision: int, **more: JSONValue) -> HttpResponse:
    """An answer of `commit_or_preview` with more members, after more was written."""
    body: Any = parse_json(response.content).value
    response.content = dump_json({**body, "revision": revision, **more}).encode()
    response["Nola-Revision"] = str(revision)
    return response


def add_routes(path: str, read: View, put: View, patch: View, delete: View, **extra: Any) -> None:
    router.get(path, summary="Read a value", openapi_extra=POINTER, **extra)(read)
    router.api_operation(["HEAD"], path, **{**extra, "include_in_schema": False})(read)
    router.put(path, summary="Create or replace a value", openapi_extra=WRITE | JSON_BODY, **extra)(put)
    router.patch(path, summary="Change parts of a value", openapi_extra=WRITE | PATCH_BODY, **extra)(patch)
    router.delete(path, summary="Remove a value", openapi_extra=WRITE, **extra)(delete)


add_routes("", read_state, put_once, patch_once, delete_once)
add_routes("/", read_state, put_once, patch_once, delete_once, include_in_schema=False)
router.post("/restore", summary="Restore from a checkpoint", openapi_extra=WAS)(restore_once)
# `restore` is an ordinary key as well: only POST means the call
add_routes("/restore", read_state, put_once, patch_once, delete_once, include_in_schema=False)
add_routes("/{path:address}", read_node, put_node, patch_node, delete_node)


def _contents(wanted: Restore) -> FixtureContents:
    if isinstance(wanted.checkpoint, str):
        return read_fixture(find_checkpoint(wanted.checkpoint).path)
    return parse_fixture(wanted.checkpoint)


def _name(wanted: Restore) -> str:
    return wanted.checkpoint if isinstance(wanted.checkpoint, str) else "a document in the request"


def request_author(request: HttpRequest, source: Source | None = None, **info: Any) -> Author:
    """Who writes, from the credential; why, from the percent-encoded header Nola-Reason."""
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


def _conditions(request: HttpRequest) -> Conditions:
    headers = request.headers
    return Conditions(conditions.parse(headers.get("If-Match")), conditions.parse(headers.get("If-None-Match")))


class Terms(TypedDict):
    """On what terms a write is made: a condition that the store asks, or the revision that it was made for."""

    check: store.Check | None
    base: int | None


def _terms(request: HttpRequest, address: Address) -> Terms:
    """Where there is a condition there is no merge: it says exactly what must be there."""
    asked = _conditions(request)
    text = read_one(read_query(request, ("pointer", "base")), "base")
    base = None if text is None else replay.parse_revision(text)
    if not asked:
        return Terms(check=None, base=base)
    if base is not None:
        asked = replace(asked, since=lambda: replay.diff_node(address, base, store.head()))
    return Terms(check=asked.check_write, base=None)


def _written(request: HttpRequest, address: Address, written: store.Written, text: str | None = None) -> HttpResponse:
    """The answer to a write: the value now at its address, or where a merge has it; `text` if there was no merge."""
    [edit] = written.edits
    place = address if edit.at is None else Address(address.key, edit.at)
    if text is None or edit.at is not None:
        text = read_node_text(place, edit.text or "")
    status = 201 if written.created else 200
    return _represent(request, store.Reading(text, written.revision), status, place if place != address else None)


def _represent(request: HttpRequest, reading: store.Reading, status: int, place: Address | None = None) -> HttpResponse:
    """A value that was written, or nothing of it for `Prefer: return=minimal` (RFC 7240).

    `place` is where it is, if not where the request put it.
    """
    tag = conditions.etag(reading.text)
    is_minimal = "return=minimal" in request.headers.get("Prefer", "").replace(" ", "").split(",")
    if is_minimal:
        response = _answer(store.Reading("", reading.revision), tag, 204 if status == 200 else status)
        response["Preference-Applied"] = "return=minimal"
    else:
        response = _answer(reading, tag, status)
    if place:
        response["Content-Location"] = format_href(place)
    return response


def _value_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    """The answer to a PUT or PATCH that was done before, made anew from the history."""
    address = place = read_target(request)
    if earlier.place:
        key, *tokens = parse_pointer(earlier.place)
        place = Address(key, tuple(tokens))
    reading = store.Reading(past.read_value_at(place, earlier.revision), earlier.revision)
    return _represent(request, reading, 201 if earlier.status == 201 else 200, place if place != address else None)


def _nothing_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    return _answer(store.Reading("", earlier.revision), status=204)


def repeat_summary(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    """The answer to a write of several keys that was done before."""
    return _summary(earlier.revision, replay.list_touched(earlier.revision) if earlier.changed else [])


def _summary(revision: int, touched: Sequence[tuple[str, str]], **more: JSONValue) -> HttpResponse:
    """The revision, and the keys and conversations that it touched."""
    keys: list[JSONValue] = [key for kind, key in touched if kind == "state"]
    others: list[JSONValue] = [*dict.fromkeys(key for kind, key in touched if kind != "state")]
    body = {"revision": revision, "changed": keys, **({"conversations": others} if others else {}), **more}
    return _answer(store.Reading(dump_json(body), revision))


def _view(request: HttpRequest, reading: store.Reading, media_type: str) -> HttpResponse:
    """A value that is computed from what is stored: its tag is weak, good for 304 only."""
    tag = Conditions(none_match=_conditions(request).none_match).check_read(*reading)
    response = _answer(reading, f"W/{tag}")
    response["Content-Type"] = media_type
    return response


def _answer(reading: store.Reading, etag: str = "", status: int = 200) -> HttpResponse:
    response = HttpResponse(reading.text, status=status, content_type="application/json")
    response["Nola-Revision"] = str(reading.revision)
    if etag:
        response["ETag"] = etag
    return response
