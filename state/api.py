"""`/api/state`: raw JSON values in and out. Errors become problem documents in nola_site/api.py."""

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import checkpoints, jsontext, serializers, store
from state.addresses import BadAddress, UnknownParameter, address_of, node_of, query_of
from state.jsontext import Document, JSONValue
from state.store import Author, Source

MAX_REASON = 1000
JSON_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}
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


class Restore(Schema):
    """What to restore: a checkpoint by name or as a fixture document; all of it, some keys, or one subtree."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str | list[Any] = Field(description="A checkpoint's name, or the rows of a fixture document")
    mode: Literal["merge"] = Field(default="merge", description="merge: its keys are put, other keys stay")
    keys: list[str] | None = Field(default=None, description="Only these keys")
    pointer: str | None = Field(default=None, description="Only this subtree; the pointer's first token is the key")
    dry_run: bool = Field(default=False, description="Answer with the patch and change nothing")


def read_state(request: HttpRequest) -> HttpResponse:
    """A stored value, exactly as it is: the whole state, a key, or any node inside one."""
    address = address_of(request)
    return _answer(store.read(address) if address else store.read_all())


def put_state(request: HttpRequest) -> HttpResponse:
    """Create (201) or replace (200) a value. Missing object parents are created, arrays never."""
    address = node_of(request)
    document = jsontext.load(request.body)
    written = store.put(address, document, _author(request))
    return _answer(store.Reading(document.text, written.revision), status=201 if written.created else 200)


def delete_state(request: HttpRequest) -> HttpResponse:
    """Remove a key, or a node inside one."""
    written = store.remove(node_of(request), _author(request))
    return _answer(store.Reading("", written.revision), status=204)


def restore_state(request: HttpRequest, body: Restore | list[Any]) -> HttpResponse:
    """Bring keys back from a checkpoint, as one revision."""
    query_of(request, ())
    wanted = body if isinstance(body, Restore) else Restore(checkpoint=body)
    plan = checkpoints.plan(_available(wanted), wanted.pointer)
    if wanted.dry_run:
        written = store.Written(store.head(), plan())
    else:
        written = store.commit(plan, _author(request, Source.RESTORE, checkpoint=_name(wanted)))
    changed = [edit for edit in written.edits if edit.forward]
    answer: dict[str, JSONValue] = {"revision": written.revision, "changed": [edit.key for edit in changed]}
    if wanted.dry_run:
        answer["patches"] = {edit.key: list[JSONValue](edit.forward) for edit in changed}
    return _answer(store.Reading(jsontext.dump(answer), written.revision))


def read_node(request: HttpRequest, address: str) -> HttpResponse:
    """The value at key/path/into/it, exactly as it is stored."""
    return read_state(request)


def put_node(request: HttpRequest, address: str) -> HttpResponse:
    """Create (201) or replace (200) a value. Missing object parents are created, arrays never."""
    return put_state(request)


def delete_node(request: HttpRequest, address: str) -> HttpResponse:
    """Remove a key, or a node inside one."""
    return delete_state(request)


def add_routes(path: str, read: View, put: View, delete: View, **extra: Any) -> None:
    router.get(path, summary="Read a value", openapi_extra=POINTER, **extra)(read)
    router.api_operation(["HEAD"], path, **{**extra, "include_in_schema": False})(read)
    router.put(path, summary="Create or replace a value", openapi_extra=POINTER | JSON_BODY, **extra)(put)
    router.delete(path, summary="Remove a value", openapi_extra=POINTER, **extra)(delete)


add_routes("", read_state, put_state, delete_state)
add_routes("/", read_state, put_state, delete_state, include_in_schema=False)
router.post("/restore", summary="Restore from a checkpoint")(restore_state)
# `restore` is an ordinary key as well: only POST means the call
add_routes("/restore", read_state, put_state, delete_state, include_in_schema=False)
add_routes("/{path:address}", read_node, put_node, delete_node)


def _available(wanted: Restore) -> dict[str, Document]:
    if isinstance(wanted.checkpoint, str):
        found = checkpoints.read(checkpoints.find(wanted.checkpoint))
    else:
        found = checkpoints.documents(serializers.checked(wanted.checkpoint))
    return found if wanted.keys is None else checkpoints.select(found, wanted.keys)


def _name(wanted: Restore) -> str:
    return wanted.checkpoint if isinstance(wanted.checkpoint, str) else "a document in the request"


def _author(request: HttpRequest, source: Source | None = None, **info: str) -> Author:
    """Who writes, from the credential; why, from the percent-encoded header Nola-Reason."""
    actor: str = request.auth  # type: ignore[attr-defined]
    source = source or (Source.ADMIN if actor.startswith("user:") else Source.API)
    try:
        reason = unquote_to_bytes(request.headers.get("Nola-Reason", "")).decode()
    except UnicodeDecodeError:
        raise BadAddress("the header Nola-Reason is not percent-encoded UTF-8") from None
    if len(reason) > MAX_REASON:
        raise UnknownParameter(f"the header Nola-Reason has {len(reason)} characters; {MAX_REASON} are kept at most")
    return Author(actor, source, reason, info)


def _answer(reading: store.Reading, status: int = 200) -> HttpResponse:
    response = HttpResponse(reading.text, status=status, content_type="application/json")
    response["Nola-Revision"] = str(reading.revision)
    return response
