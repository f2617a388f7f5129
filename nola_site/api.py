"""The API: who may call it, what it mounts, and which problem document each error becomes."""

from typing import Any

from django.core.serializers.base import DeserializationError
from django.db import Error
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser

from access.rates import TooManyWrites
from access.rights import NotAllowed
from access.security import Event, read_address, record_event
from conversations.api.context import router as context_router
from conversations.api.conversations import router as conversations_router
from conversations.api.imports import router as import_router
from conversations.api.search import router as search_router
from nola_site.doors import declare
from nola_site.pages.api_reference import ReferencePage
from nola_site.reference import describe_responses
from nola_site.serving.problems import answer_problem, answer_refusal, explain_fault
from state.api.changes import router as changes_router
from state.api.checkpoints import router as checkpoints_router
from state.api.deleted import router as deleted_router
from state.api.history import router as history_router
from state.api.proposals import router as proposals_router
from state.api.query import router as query_router
from state.api.transactions import router as transactions_router
from state.api.undo import router as undo_router
from state.api.values import router as state_router
from state.checkpoints.serializers import ENVELOPE
from state.conditions import NotModified
from state.errors import Refusal, TooMany
from state.jsondoc.text import MAX_DEPTH, parse_bounded


class StrictParser(Parser):
    """Bodies that ninja parses for us go through the same strict codec as all others."""

    def parse_body(self, request: HttpRequest) -> Any:
        return parse_bounded(request.body, ENVELOPE + MAX_DEPTH).value


class NolaAPI(NinjaAPI):
    """The API as its reference describes it."""

    @property
    def urls(self) -> Any:
        """As ninja makes them, but each path once, not once for each method: Django tries one after the other."""
        patterns, *names = super().urls
        once = {str(one.pattern): one for one in reversed(patterns)}
        return (list(reversed(once.values())), *names)

    def create_temporal_response(self, request: HttpRequest) -> Any:
        """None, where ninja would make a response for views that answer with a value: ours answer with responses."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function, which stands once: clients made from the API reference call it so."""
        return operation.view_func.__name__

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The reference, with all that each call can answer."""
        schema = super().get_openapi_schema(**options)
        views = (
            one.view_func
            for _, router in self._routers
            for path in router.path_operations.values()
            for one in path.operations
        )
        describe_responses(schema, {view.__name__: view.answers for view in views if hasattr(view, "answers")})
        return schema


api = NolaAPI(
    title="Nola",
    version="1",
    description="The state and conversation memory of an AI agent. Raw JSON values in and out;"
    " every error is a problem document (RFC 9457).",
    parser=StrictParser(),
    docs=ReferencePage(),
    urls_namespace="api",
)
api.add_router("/state", declare(state_router))
api.add_router("/transactions", declare(transactions_router))
api.add_router("/proposals", declare(proposals_router))
api.add_router("/checkpoints", declare(checkpoints_router))
api.add_router(
    "/conversations", declare(import_router)
)  # before the others, which would take `import` for a session id
api.add_router("/conversations", declare(conversations_router))
api.add_router("/context", declare(context_router))
api.add_router("/search", declare(search_router))
api.add_router("", declare(history_router))
api.add_router("", declare(deleted_router))
api.add_router("", declare(query_router))
api.add_router("", declare(changes_router))
api.add_router("/undo", declare(undo_router))


def _record(request: HttpRequest, event: Event, detail: str) -> None:
    """Write down what a key or a person is refused; whoever sends neither has tried nothing."""
    if caller := getattr(request, "caller", ""):
        record_event(event, caller, detail, read_address(request))


@api.exception_handler(NotAllowed)
def not_allowed(request: HttpRequest, error: NotAllowed) -> HttpResponse:
    _record(request, Event.REFUSED, str(error))
    return answer_problem(403, str(error))


@api.exception_handler(Refusal)
def refusal(request: HttpRequest, error: Refusal) -> HttpResponse:
    return answer_refusal(error)


@api.exception_handler(TooManyWrites)
def too_many_writes(request: HttpRequest, error: TooManyWrites) -> HttpResponse:
    _record(request, Event.SLOWED, str(error))
    return answer_refusal(TooMany(str(error), error.seconds))  # `access` stands below our errors


@api.exception_handler(DeserializationError)
def unreadable_fixture(request: HttpRequest, error: DeserializationError) -> HttpResponse:
    return answer_problem(422, str(error))


@api.exception_handler(NotModified)
def not_modified(request: HttpRequest, error: NotModified) -> HttpResponse:
    return HttpResponse(status=304, headers={"ETag": error.etag, "Nola-Revision": str(error.revision)})


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    place = "/".join(str(part) for part in first["loc"][2:])
    return answer_problem(422, f"{place}: {first['msg']}" if place else first["msg"], errors=error.errors)


@api.exception_handler(AuthenticationError)
def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    detail = str(error)
    _record(request, Event.REFUSED, detail)
    if detail == "Unauthorized":
        detail = "Send an API key as Authorization: Bearer <key>, or sign in to the admin"
    return answer_problem(401, detail, {"WWW-Authenticate": "Bearer"})


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, Refusal):  # ninja wraps what the parser raises
        return answer_refusal(error.__cause__)
    return answer_problem(error.status_code, str(error))


@api.exception_handler(OverflowError)
def unstorable_number(request: HttpRequest, error: OverflowError) -> HttpResponse:
    """An id or a revision that no row can have."""
    if "int too large to convert to" not in str(error):  # as each database says it
        raise error
    return answer_problem(422, "a number in it is larger than any that is kept; nothing was changed")


@api.exception_handler(Error)
def database_error(request: HttpRequest, error: Error) -> HttpResponse:
    """A database that cannot do it right now: busy, full, read-only, or away."""
    answer = explain_fault(error, request)
    if answer is None:
        raise error
    return answer_refusal(answer)
