"""Problem documents (RFC 9457): every error under /api is one, also where Django or ninja would answer HTML."""

import json
import sqlite3
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from state.errors import Refusal, StorageFull, Unavailable
from state.jsondoc.budget import limit_work

MEDIA_TYPE = "application/problem+json"
DETAILS = {
    400: "The request cannot be read. If you reach this server under another name, list it in NOLA_ALLOWED_HOSTS.",
    404: "Nothing is here; /api/docs lists all calls",
    405: "This address does not take that method",
    413: "The body is larger than NOLA_MAX_BODY_MB allows",
    500: "Something went wrong on our side; the server's log has the details. Nothing was changed.",
}


def answer_problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
    """A problem document with status, title and detail, and members of its own such as pointer or line."""
    body = format_problem(status, detail, **members)
    return HttpResponse(body, status=status, content_type=MEDIA_TYPE, headers=headers)


def format_problem(status: int, detail: str, **members: Any) -> str:
    given = {name: value for name, value in members.items() if value is not None}
    return json.dumps({"status": status, "title": HTTPStatus(status).phrase, "detail": detail, **given})


def answer_refusal(error: Refusal) -> HttpResponse:
    """The problem document for something that is not done."""
    return answer_problem(error.status, error.detail, error.headers, **error.members)


def explain_unwritable(error: OperationalError) -> Refusal | None:
    """What it means that a database is busy, full or read-only; None for any other fault."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("The database is busy with another write; nothing was changed. Try again", 1)
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("The disk is full; nothing was changed. Free some space and try again", 60)
    if code == sqlite3.SQLITE_READONLY:
        return Unavailable("The database is read-only here; nothing was changed", 60)
    return None


class ProblemMiddleware:
    """Turns any other error answer under /api into a problem document; stands first, so that it sees them all."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A page that cannot be written to right now: plain words, and the form is still there behind Back."""
        answer = explain_unwritable(error) if isinstance(error, OperationalError) else None
        if answer is None:
            return None
        text = f"{answer.detail}. Go back: what you typed is still in the form.\n"
        return HttpResponse(
            text, status=answer.status, content_type="text/plain; charset=utf-8", headers=answer.headers
        )

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/api/"):
            return self.get_response(request)
        with limit_work():
            response = self.get_response(request)
        if response.status_code < 400 or response.headers.get("Content-Type") == MEDIA_TYPE:
            return response
        kept = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
        detail = DETAILS.get(response.status_code, HTTPStatus(response.status_code).description)
        return answer_problem(response.status_code, detail, kept)
