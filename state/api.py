"""`/api/state`: raw JSON values in and out. Errors become problem documents in nola_site/api.py."""

import re
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import checkpoints, conditions, edits, history, jsontext, levels, patches, serializers, store, views
from state.addresses import BadAddress, UnknownParameter, address_of, node_of, query_of
from state.conditions import Conditions
from state.idempotency import once
from state.jsontext import Document, JSONValue
from state.models import Idempotency
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

View = Callable[..., HttpResponse]

router = Router(tags=["state"])


class UnknownPatch(ValueError):
    """A PATCH in a media type that is none of ours."""


class Restore(Schema):
    """What to restore: a checkpoint by name or as a fixture document; all of it, some keys, or one subtree."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str | list[Any] = Field(description="A checkpoint's name, or the rows of a fixture document")
    mode: Literal["merge"] = Field(default="merge", description="merge: its keys are put, other keys stay")
    keys: list[str] | None = Field(default=None, description="Only these keys")
    pointer: str | None = Field(default=None, description="Only this subtree; the pointer's first token is the key")
    dry_run: bool = Field(default=False, strict=True, description="Answer with the patch and change nothing")


def read_state(request: HttpRequest) -> HttpResponse:
    """A stored value, exactly as it is: the whole state, a key, or any node inside one."""
    address = address_of(request, known=views.PARAMETERS)
    view = views.asked(query_of(request, ("pointer", *views.PARAMETERS)))
    if view.level is not None and address:
        levels.check_way(address.tokens, view.level)
    if view.at is not None:
        revision = history.moment(view.at)
        reading = store.Reading(history.read_at(address, revision), revision)
    else:
        reading = store.read(address) if address else store.read_all()
    if not view:
        return _answer(reading, _conditions(request).check_read(*reading))
    text, media_type = views.show(reading.text, address, view)
    return _view(request, store.Reading(text, reading.revision), media_type)


def put_state(request: HttpRequest) -> HttpResponse:
    """Create (201) or replace (200) a value. Missing object parents are created, arrays never."""
    address = node_of(request)
    document = jsontext.load(request.body)
    written = store.put(address, document, author_of(request), check=_check(request))
    return _written(request, address, written)


def patch_state(request: HttpRequest) -> HttpResponse:
    """Change a value by a JSON Merge Patch (RFC 7396) or a JSON Patch (RFC 6902), all of it or nothing."""
    address = node_of(request)
    if request.content_type == MERGE_PATCH:
        patch = jsontext.load(request.body).value
        written = store.merge(address, patch, author_of(request), check=_check(request))
    elif request.content_type == JSON_PATCH:
        ops = patches.check(jsontext.load(request.body).value)
        written = store.patch(address, ops, author_of(request), check=_check(request))
    else:
        raise UnknownPatch(f"a patch is sent as {MERGE_PATCH} or {JSON_PATCH}, not as {request.content_type!r}")
    return _written(request, address, written)


def delete_state(request: HttpRequest) -> HttpResponse:
    """Remove a key, or a node inside one."""
    written = store.remove(node_of(request), author_of(request), check=_check(request))
    return _answer(store.Reading("", written.revision), status=204)


def restore_state(request: HttpRequest, body: Restore | list[Any]) -> HttpResponse:
    """Bring keys back from a checkpoint, as one revision."""
    query_of(request, ())
    wanted = body if isinstance(body, Restore) else Restore(checkpoint=body)
    plan = checkpoints.plan(_available(wanted), wanted.pointer)
    return run(plan, author_of(request, Source.RESTORE, checkpoint=_name(wanted)), wanted.dry_run)


put_once = once(put_state, lambda *again: _value_again(*again))
patch_once = once(patch_state, lambda *again: _value_again(*again))
delete_once = once(delete_state, lambda *again: _nothing_again(*again))
restore_once = once(restore_state, lambda *again: summary_again(*again))


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


def run(plan: Callable[[], list[edits.Edit]], author: Author, dry_run: bool) -> HttpResponse:
    """Commit a plan, or only show what it would do."""
    written = store.Written(store.head(), plan()) if dry_run else store.commit(plan, author)
    keys = [edit.key for edit in written.changed]
    if not dry_run:
        return _summary(written.revision, keys)
    would: dict[str, JSONValue] = {edit.key: list[JSONValue](edit.forward) for edit in written.changed}
    response = _summary(written.revision, keys, patches=would)
    response.is_dry_run = True  # type: ignore[attr-defined]
    return response


def add_routes(path: str, read: View, put: View, patch: View, delete: View, **extra: Any) -> None:
    router.get(path, summary="Read a value", openapi_extra=POINTER, **extra)(read)
    router.api_operation(["HEAD"], path, **{**extra, "include_in_schema": False})(read)
    router.put(path, summary="Create or replace a value", openapi_extra=POINTER | JSON_BODY, **extra)(put)
    router.patch(path, summary="Change parts of a value", openapi_extra=POINTER | PATCH_BODY, **extra)(patch)
    router.delete(path, summary="Remove a value", openapi_extra=POINTER, **extra)(delete)


add_routes("", read_state, put_once, patch_once, delete_once)
add_routes("/", read_state, put_once, patch_once, delete_once, include_in_schema=False)
router.post("/restore", summary="Restore from a checkpoint")(restore_once)
# `restore` is an ordinary key as well: only POST means the call
add_routes("/restore", read_state, put_once, patch_once, delete_once, include_in_schema=False)
add_routes("/{path:address}", read_node, put_node, patch_node, delete_node)


def _available(wanted: Restore) -> dict[str, Document]:
    if isinstance(wanted.checkpoint, str):
        found = checkpoints.read(checkpoints.find(wanted.checkpoint))
    else:
        found = checkpoints.documents(serializers.checked(wanted.checkpoint))
    return found if wanted.keys is None else checkpoints.select(found, wanted.keys)


def _name(wanted: Restore) -> str:
    return wanted.checkpoint if isinstance(wanted.checkpoint, str) else "a document in the request"


def author_of(request: HttpRequest, source: Source | None = None, **info: Any) -> Author:
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
    return Author(actor, source, reason, info)


def _conditions(request: HttpRequest) -> Conditions:
    headers = request.headers
    return Conditions(conditions.parse(headers.get("If-Match")), conditions.parse(headers.get("If-None-Match")))


def _check(request: HttpRequest) -> store.Check | None:
    """What the store asks before it writes, if the request makes a condition."""
    asked = _conditions(request)
    return asked.check_write if asked else None


def _written(request: HttpRequest, address: edits.Address, written: store.Written) -> HttpResponse:
    """The answer to a write: the value now at its address."""
    [edit] = written.edits
    text = edits.node(address, edit.text or "")
    return _represent(request, store.Reading(text, written.revision), 201 if written.created else 200)


def _represent(request: HttpRequest, reading: store.Reading, status: int) -> HttpResponse:
    """A value that was written, or nothing of it for `Prefer: return=minimal` (RFC 7240)."""
    tag = conditions.etag(reading.text)
    if "return=minimal" not in request.headers.get("Prefer", "").replace(" ", "").split(","):
        return _answer(reading, tag, status)
    response = _answer(store.Reading("", reading.revision), tag, 204 if status == 200 else status)
    response["Preference-Applied"] = "return=minimal"
    return response


def _value_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    """The answer to a PUT or PATCH that was done before, made anew from the history."""
    text = history.read_at(node_of(request), earlier.revision)
    return _represent(request, store.Reading(text, earlier.revision), 201 if earlier.status == 201 else 200)


def _nothing_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    return _answer(store.Reading("", earlier.revision), status=204)


def summary_again(request: HttpRequest, earlier: Idempotency) -> HttpResponse:
    """The answer to a write of several keys that was done before."""
    return _summary(earlier.revision, history.keys_of(earlier.revision) if earlier.changed else [])


def _summary(revision: int, changed: list[str], **more: JSONValue) -> HttpResponse:
    keys: list[JSONValue] = [*changed]
    return _answer(store.Reading(jsontext.dump({"revision": revision, "changed": keys, **more}), revision))


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
