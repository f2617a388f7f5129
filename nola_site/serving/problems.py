"""Problem documents (RFC 9457): every error under /api is one, also where Django or ninja would answer HTML."""

import json
from http import HTTPStatus
from typing import Any

from django.db import OperationalError
from django.http import HttpResponse

from access.database import Fault, engine
from state.errors import Refusal, StorageFull, Unavailable

MEDIA_TYPE = "application/problem+json"
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


def explain_unwritable(error: OperationalError) -> Refusal | None:
    """What it means that a database is busy, full or read-only; None for any other fault."""
    match engine().explain(error):
        case Fault.BUSY:
            return Unavailable("The database is busy with another write; nothing was changed. Try again", 1)
        case Fault.FULL:
            return StorageFull("The disk is full; nothing was changed. Free some space and try again", 60)
        case Fault.READONLY:
            return Unavailable("The database is read-only here; nothing was changed", 60)
        case _:
            return None
