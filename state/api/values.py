"""`/api/state`: raw JSON values in and out. Errors become problem documents in nola_site/api.py."""

import uuid
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import store
from state.address import Address, read_node_text
from state.api.addresses import WholeState, check_past, read_addresses, read_places, read_target
from state.api.answers import answer_proposed, answer_reading, answer_view, answer_written, read_conditions
from state.api.idempotency import idempotent
from state.api.parameters import POINTER, FromQuery, Number, OnePointer, Parameters, WasQuery
from state.api.routes import add_read_route, add_refusal, answers, bind_path, describe_body
from state.api.views import (
    JSON,
    ViewQuery,
    check_order,
    parse_view,
    read_key_page,
    read_several,
    read_view,
    render_view,
    wrap_envelope,
)
from state.api.writes import (
    add_members,
    answer_changed,
    commit_or_preview,
    preview_plan,
    read_terms,
    repeat_summary,
    request_author,
    state_author,
)
from state.checkpoints.files import find_checkpoint
from state.checkpoints.restore import (
    FixtureContents,
    RestoreChoice,
    parse_fixture,
    plan_restore,
    read_fixture,
    restore_all,
    restore_keys,
    restore_parts,
)
from state.checkpoints.rows import PARTS
from state.errors import Refusal
from state.history import past
from state.jsondoc.pages import MEDIA_TYPE
from state.jsondoc.patch import check_patch
from state.jsondoc.pointer import parse_pointer
from state.jsondoc.text import parse_bounded
from state.models import Idempotency
from state.revisions import Source

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
BASE = "The revision this write is made for: what others have changed elsewhere since then stays"

TAGGED = ("Nola-Revision", "ETag")
PLACED = (*TAGGED, "Content-Location", "Location", "Preference-Applied")

router = Router(tags=["state"])


class UnknownPatch(Refusal, ValueError):
    """A PATCH in a media type that is none of ours."""

    status = 415
    headers = {"Accept-Patch": f"{MERGE_PATCH}, {JSON_PATCH}"}


class WriteQuery(Parameters):
    """Where below the path a value is written, and for which revision."""

    pointer: OnePointer = Field([], description=POINTER)
    base: Number = Field(None, description=BASE)


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


@answers(headers=TAGGED, media_types=(JSON, MEDIA_TYPE), is_conditional=True)
def read_state(request: HttpRequest, address: str, query: FromQuery[ViewQuery]) -> HttpResponse:
    """A stored value, exactly as it is: the whole state, a key, or any node inside one; several pointers, several."""
    view = parse_view(query)
    wanted, places = read_addresses(request, query.pointer), read_places(request)
    check_past(request, query.at)
    if len(wanted) > 1:
        return answer_view(request, read_several(wanted, view, places), JSON)
    [place] = wanted.values()
    check_order(place, view)
    if place is None and places is None and (page := view.key_page):
        return answer_view(request, read_key_page(page), MEDIA_TYPE)
    reading = read_view(place, view, places)
    if not view:
        return answer_reading(reading, read_conditions(request).check_read(*reading))
    text, media_type = render_view(reading.text, view)
    shown = wrap_envelope(store.Reading(text, reading.revision), [place.key] if place else None, view)
    return answer_view(request, shown, media_type)


def _value_again(request: HttpRequest, earlier: Idempotency, query: WriteQuery, **asked: Any) -> HttpResponse:
    """The answer to a PUT or PATCH that was done before, made anew from the history."""
    target = place = read_target(request, query.pointer)
    if earlier.place:
        key, *tokens = parse_pointer(earlier.place)
        place = Address(key, tuple(tokens))
    text = past.read_value_at(place, earlier.revision, read_places(request))
    reading = store.Reading(text, earlier.revision)
    return answer_written(request, reading, 201 if earlier.status == 201 else 200, place if place != target else None)


def _nothing_again(request: HttpRequest, earlier: Idempotency, **asked: Any) -> HttpResponse:
    return answer_reading(store.Reading("", earlier.revision), status=204)


@idempotent(_value_again)
@answers(200, 201, 202, 204, headers=PLACED, is_conditional=True)
def put_state(request: HttpRequest, address: str, query: FromQuery[WriteQuery]) -> HttpResponse:
    """Create (201) or replace (200) a value. Missing object parents are created, arrays never."""
    target = read_target(request, query.pointer)
    document = parse_bounded(request.body)
    author, terms = state_author(request, judges=True), read_terms(request, target, query.base)
    return _written(request, target, store.put(target, document, author, **terms), document.text)


@idempotent(_value_again)
@answers(200, 201, 202, 204, headers=PLACED, refusals=(UnknownPatch,), is_conditional=True)
def patch_state(request: HttpRequest, address: str, query: FromQuery[WriteQuery]) -> HttpResponse:
    """Change a value by a JSON Merge Patch (RFC 7396) or a JSON Patch (RFC 6902), all of it or nothing."""
    target, author = read_target(request, query.pointer), state_author(request, judges=True)
    if request.content_type == MERGE_PATCH:
        patch = parse_bounded(request.body).value
        written = store.merge(target, patch, author, **read_terms(request, target, query.base))
    elif request.content_type == JSON_PATCH:
        ops = check_patch(parse_bounded(request.body).value)
        written = store.patch(target, ops, author, **read_terms(request, target, query.base))
    else:
        raise UnknownPatch(f"a patch is sent as {MERGE_PATCH} or {JSON_PATCH}, not as {request.content_type!r}")
    return _written(request, target, written)


@idempotent(_nothing_again)
@answers(200, 202, 204, headers=("Nola-Revision", "Location"), is_conditional=True)
def delete_state(request: HttpRequest, address: str, query: FromQuery[WriteQuery]) -> HttpResponse:
    """Remove a key, or a node inside one."""
    target = read_target(request, query.pointer)
    written = store.remove(target, state_author(request, judges=True), **read_terms(request, target, query.base))
    if written.proposal is not None:
        return answer_proposed(written.proposal, written.revision)
    return answer_reading(store.Reading("", written.revision), status=204)


@idempotent(repeat_summary)
def restore_state(request: HttpRequest, query: FromQuery[WasQuery], body: Restore | list[Any]) -> HttpResponse:
    """Bring keys back from a checkpoint, as one revision."""
    wanted = body if isinstance(body, Restore) else Restore(checkpoint=body)
    contents = _contents(wanted)
    plan = plan_restore(contents, RestoreChoice(wanted.mode, wanted.keys, wanted.pointer))
    author = request_author(request, Source.RESTORE, checkpoint=_name(wanted))
    if not contents.parts or wanted.keys is not None or wanted.pointer is not None:
        return commit_or_preview(plan, author, wanted.dry_run, restore_keys, with_was=query.was)
    request.grant.require(*(PARTS[part].writes for part in contents.parts))  # type: ignore[attr-defined]
    if wanted.dry_run:
        response, counts, batch = preview_plan(plan, author, query.was), restore_parts(contents, None), uuid.uuid4().hex
    else:
        made = restore_all(contents, plan, author)
        response, counts, batch = answer_changed(made.written), dict(made.brought_back), made.batch
    return add_members(response, store.head(), brought_back={**counts}, batch=batch)


def _written(request: HttpRequest, address: Address, written: store.Written, text: str | None = None) -> HttpResponse:
    """The answer to a write: the value now at its address, or where a merge has it; `text` if there was no merge."""
    if written.proposal is not None:
        return answer_proposed(written.proposal, written.revision)
    [edit] = written.edits
    place = address if edit.at is None else Address(address.key, edit.at)
    if text is None or edit.at is not None:
        text = read_node_text(place, edit.text or "")
    status = 201 if written.created else 200
    return answer_written(request, store.Reading(text, written.revision), status, place if place != address else None)


def _contents(wanted: Restore) -> FixtureContents:
    if isinstance(wanted.checkpoint, str):
        return read_fixture(find_checkpoint(wanted.checkpoint).path)
    return parse_fixture(wanted.checkpoint)


def _name(wanted: Restore) -> str:
    return wanted.checkpoint if isinstance(wanted.checkpoint, str) else "a document in the request"


def _add_routes(path: str, **options: Any) -> None:
    """The four calls on a value; a path without `address` leaves it to ?pointer= to name one."""
    read, put, patch, delete = (
        view if "address" in path else bind_path(view, address="")
        for view in (read_state, put_state, patch_state, delete_state)
    )
    add_read_route(router, path, summary="Read a value", **options)(read)
    if "address" not in path:
        for view in (put, patch, delete):  # where no pointer names a key
            add_refusal(view, WholeState)
    put_body, patch_body = describe_body(JSON), describe_body(MERGE_PATCH, JSON_PATCH)
    router.put(path, summary="Create or replace a value", openapi_extra=put_body, **options)(put)
    router.patch(path, summary="Change parts of a value", openapi_extra=patch_body, **options)(patch)
    router.delete(path, summary="Remove a value", **options)(delete)


_add_routes("")
_add_routes("/", include_in_schema=False)
router.post("/restore", summary="Restore from a checkpoint", tags=["checkpoints"])(restore_state)
_add_routes("/restore", include_in_schema=False)  # an ordinary key as well: only POST means the call
_add_routes("/{any:address}")
