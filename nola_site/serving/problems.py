"""Problem documents (RFC 9457): every error under /api is one, also where Django or ninja would answer HTML."""

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from access.database import PASSING, Fault, engine
from state.errors import Refusal, StorageFull, Unavailable

MEDIA_TYPE = "application/problem+json"
LOST = "nola.lost"  # in META, of a request that may be answered otherwise by a second try
NO_RETRY = {"X-Should-Retry": "false"}  # clients that send a 409 again by themselves read it; it would be a 409 again


def answer_problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
    """A problem document with status, title and detail, and members of its own such as pointer or line."""
    body = format_problem(status, detail, **members)
    more = NO_RETRY if status == HTTPStatus.CONFLICT else {}
    return HttpResponse(body, status=status, content_type=MEDIA_TYPE, headers={**(headers or {}), **more})


def format_problem(status: int, detail: str, **members: Any) -> str:
    given = {name: value for name, value in members.items() if value is not None}
    return json.dumps({"status": status, "title": HTTPStatus(status).phrase, "detail": detail, **given})


def answer_refusal(error: Refusal) -> HttpResponse:
    """The problem document for something that is not done."""
    return answer_problem(error.status, error.detail, error.headers, **error.members)


def explain_fault(error: BaseException, request: HttpRequest | None = None) -> Refusal | None:
    """What it means that a database is busy, full, read-only or away; None for any other fault."""
    fault = engine().explain(error)
    if request is not None and fault in PASSING:
        request.META[LOST] = True
    match fault:
        case Fault.BUSY | Fault.CROSSED:
            return Unavailable("The database is busy with another write; nothing was changed. Try again", 1)
        case Fault.FULL:
            return StorageFull("The disk is full; nothing was changed. Free some space and try again", 60)
        case Fault.READONLY:
            return Unavailable("The database is read-only here; nothing was changed", 60)
        case Fault.AWAY:
            return Unavailable("The database cannot be reached just now; nothing was changed. Try again", 2)
        case Fault.UNSURE:
            return Unavailable(
                "The connection to the database was lost at the very end of this: it may or may not have been made."
                " Look whether it was, or send it again with the same Idempotency-Key, which makes it once",
                2,
            )
        case _:
            return None
