"""The API: who may call it, what it mounts, and which problem document each error becomes."""

from typing import Any

from django.core.serializers.base import DeserializationError
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser

from access.auth import KeyAuth, StaffAuth
from access.rates import TooManyWrites
from conversations import append, delete, log, read
from conversations.api import schemas
from conversations.api.context import router as context_router
from conversations.api.conversations import router as conversations_router
from conversations.api.imports import router as import_router
from conversations.api.search import router as search_router
from conversations.imports.legacy_chats import ImportBusy
from conversations.search.tokenize import BadSearch
from nola_site.serving.problems import answer_problem, explain_unwritable
from state import conditions, edits, registry, store, transactions, undo
from state.address import NotFound
from state.api.addresses import BadAddress, EmptySegment, UnknownParameter, WholeState
from state.api.changes import NoStreams
from state.api.changes import router as changes_router
from state.api.checkpoints import router as checkpoints_router
from state.api.deleted import router as deleted_router
from state.api.history import router as history_router
from state.api.idempotency import BadIdempotencyKey, OtherRequest
from state.api.query import router as query_router
from state.api.transactions import router as transactions_router
from state.api.undo import router as undo_router
from state.api.values import JSON_PATCH, MERGE_PATCH, UnknownPatch
from state.api.values import router as state_router
from state.checkpoints.files import BadCheckpointName, UnknownCheckpoint
from state.checkpoints.header import EditedHeader
from state.checkpoints.restore import BadCheckpoint
from state.checkpoints.serializers import ENVELOPE
from state.checkpoints.verify import DamagedCheckpoint, EditedCheckpoint
from state.context import receipts
from state.files.atomic import CannotWrite, NoRoom
from state.history import events, feed, journal, replay
from state.jsondoc.jsonpath import BadQuery
from state.jsondoc.levels import BadLevel
from state.jsondoc.pages import BadPage
from state.jsondoc.patch import BadPatch, Nothing, PatchFailed, UnknownOp
from state.jsondoc.pointer import BadPointer, Blocked, Missing
from state.jsondoc.text import MAX_DEPTH, NotAcceptable, parse_json


class StrictParser(Parser):
    """Bodies that ninja parses for us go through the same strict codec as all others."""

    def parse_body(self, request: HttpRequest) -> Any:
        return parse_json(request.body, ENVELOPE + MAX_DEPTH).value


api = NinjaAPI(
    title="Nola",
    version="1",
    description="The state and conversation memory of an AI agent. Raw JSON values in and out;"
    " every error is a problem document (RFC 9457).",
    auth=[KeyAuth(), StaffAuth(csrf=False)],
    parser=StrictParser(),
    urls_namespace="api",
)
api.add_router("/state", state_router)
api.add_router("/transactions", transactions_router)
api.add_router("/undo", undo_router)
api.add_router("/checkpoints", checkpoints_router)
api.add_router("/conversations", import_router)  # before the others, which would take `import` for a session id
api.add_router("/conversations", conversations_router)
api.add_router("/context", context_router)
api.add_router("/search", search_router)
api.add_router("", history_router)
api.add_router("", deleted_router)
api.add_router("", query_router)
api.add_router("", changes_router)

STATUS: dict[type[Exception], int] = {
    BadAddress: 400,
    BadPointer: 400,
    BadQuery: 400,
    BadIdempotencyKey: 400,
    OtherRequest: 422,
    Missing: 404,
    transactions.BadTransaction: 400,
    EmptySegment: 404,
    conditions.BadCondition: 400,
    BadPatch: 400,
    NoStreams: 406,
    NotFound: 404,
    Blocked: 409,
    store.Stale: 409,
    edits.TooLarge: 413,
    UnknownParameter: 422,
    replay.UnknownMoment: 422,
    replay.GoneRevision: 410,
    undo.CannotUndo: 422,
    BadLevel: 422,
    feed.BadFeedCursor: 422,
    journal.UnknownName: 422,
    journal.TooManyValues: 422,
    events.TooManyAddresses: 422,
    BadPage: 422,
    UnknownOp: 422,
    store.BadKey: 422,
    edits.TooDeep: 422,
    UnknownCheckpoint: 422,
    BadCheckpointName: 422,
    DamagedCheckpoint: 422,
    EditedCheckpoint: 422,
    EditedHeader: 422,
    NoRoom: 507,
    CannotWrite: 503,
    BadCheckpoint: 422,
    DeserializationError: 422,
    receipts.UnknownReceipt: 404,
    receipts.ErasedReceipt: 410,
    read.BadCursor: 400,
    log.UnknownTalk: 404,
    log.SessionIdTaken: 409,
    append.ClientIdTaken: 409,
    log.DeletedTalk: 410,
    schemas.UnusableBody: 422,
    BadSearch: 422,
    append.UnknownParent: 422,
    delete.UnconfirmedPurge: 422,
}


def domain_error(request: HttpRequest, error: Exception) -> HttpResponse:
    return answer_problem(STATUS[type(error)], str(error))


for kind in STATUS:
    api.exception_handler(kind)(domain_error)


@api.exception_handler(NotAcceptable)
def not_acceptable(request: HttpRequest, error: NotAcceptable) -> HttpResponse:
    return answer_problem(400, str(error), line=error.line, column=error.column, pointer=error.pointer)


@api.exception_handler(WholeState)
def whole_state(request: HttpRequest, error: WholeState) -> HttpResponse:
    return answer_problem(405, str(error), {"Allow": "GET, HEAD"})


@api.exception_handler(UnknownPatch)
def unknown_patch(request: HttpRequest, error: UnknownPatch) -> HttpResponse:
    return answer_problem(415, str(error), {"Accept-Patch": f"{MERGE_PATCH}, {JSON_PATCH}"})


@api.exception_handler(transactions.OperationFailed)
def operation_failed(request: HttpRequest, error: transactions.OperationFailed) -> HttpResponse:
    status = {PatchFailed: 409, conditions.PreconditionFailed: 412, **STATUS}[type(error.cause)]
    members = {name: getattr(error.cause, name, None) for name in ("pointer", "etag", "revision")}
    return answer_problem(status, str(error), op_index=error.index, **members)


@api.exception_handler(receipts.TooManyReceipts)
@api.exception_handler(TooManyWrites)
def too_many_writes(request: HttpRequest, error: TooManyWrites | receipts.TooManyReceipts) -> HttpResponse:
    return answer_problem(429, str(error), {"Retry-After": str(error.seconds)})


@api.exception_handler(feed.LostCursor)
def lost_cursor(request: HttpRequest, error: feed.LostCursor) -> HttpResponse:
    """The reader starts over: reads what it needs, and goes on from the cursor given here."""
    return answer_problem(410, f"{error}. Read the state anew and go on from {error.head}", cursor=str(error.head))


@api.exception_handler(registry.ConflictError)
def conflicts(request: HttpRequest, error: registry.ConflictError) -> HttpResponse:
    return answer_problem(409, str(error), conflicts=[described(one) for one in error.met[:100]])


def described(one: registry.Conflict) -> dict[str, Any]:
    """A conflict as the API shows it; what is not there is left out."""
    absent = [name for name, value in one._asdict().items() if isinstance(value, Nothing)]
    absent += [name for name in ("by", "undoing") if getattr(one, name) is None]
    return {name: value for name, value in one._asdict().items() if name not in absent}


@api.exception_handler(PatchFailed)
def patch_failed(request: HttpRequest, error: PatchFailed) -> HttpResponse:
    return answer_problem(409, str(error), op_index=error.index, pointer=error.pointer)


@api.exception_handler(conditions.PreconditionFailed)
def precondition_failed(request: HttpRequest, error: conditions.PreconditionFailed) -> HttpResponse:
    return answer_problem(412, str(error), etag=error.etag, revision=error.revision, patch=error.patch)


@api.exception_handler(conditions.NotModified)
def not_modified(request: HttpRequest, error: conditions.NotModified) -> HttpResponse:
    return HttpResponse(status=304, headers={"ETag": error.etag, "Nola-Revision": str(error.revision)})


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    place = "/".join(str(part) for part in first["loc"][2:])
    return answer_problem(422, f"{place}: {first['msg']}" if place else first["msg"], errors=error.errors)


@api.exception_handler(AuthenticationError)
def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    detail = str(error)
    if detail == "Unauthorized":
        detail = "Send an API key as Authorization: Bearer <key>, or sign in to the admin"
    return answer_problem(401, detail, {"WWW-Authenticate": "Bearer"})


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, NotAcceptable):  # ninja wraps what the parser raises
        return not_acceptable(request, error.__cause__)
    return answer_problem(error.status_code, str(error))


@api.exception_handler(store.Overtaken)
def overtaken(request: HttpRequest, error: store.Overtaken) -> HttpResponse:
    return answer_problem(503, str(error), {"Retry-After": "1"})


@api.exception_handler(ImportBusy)
def import_busy(request: HttpRequest, error: ImportBusy) -> HttpResponse:
    return answer_problem(503, f"{error}; what was imported stays, send it again for the rest", {"Retry-After": "5"})


@api.exception_handler(OperationalError)
def database_error(request: HttpRequest, error: OperationalError) -> HttpResponse:
    """A database that cannot write right now: busy, full, or read-only. Nothing was changed."""
    answer = explain_unwritable(error)
    if answer is None:
        raise error
    status, detail, retry = answer
    return answer_problem(status, detail, {"Retry-After": retry})
