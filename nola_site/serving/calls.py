"""Calls of the API on their way through Django: those by key go straight to their view, and every error is a problem.

A page needs a session, form tokens, messages and static files, each a middleware. A call by key needs none of them.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from csp.middleware import CSPMiddleware
from django.core.handlers.exception import convert_exception_to_response
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve

from nola_site.safety import reads
from nola_site.serving.problems import MEDIA_TYPE, answer_problem, answer_refusal, explain_fault
from state.jsondoc.budget import limit_work

MCP = "/mcp"
DETAILS = {
    400: "The request cannot be read. If you reach this server under another name, list it in NOLA_ALLOWED_HOSTS.",
    404: "Nothing is here; /api/docs lists all calls",
    405: "This address does not take that method",
    413: "The body is larger than NOLA_MAX_BODY_MB allows",
    500: "Something went wrong on our side; the server's log has the details. Nothing was changed.",
}


class CallMiddleware:
    """Stands first, so that it sees every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.call_view: Callable[[HttpRequest], HttpResponseBase]
        self.call_view = convert_exception_to_response(self._call_view)  # type: ignore[assignment]  # it is not async
        self.headers = list_headers()

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A page that cannot be written to right now: plain words, and the form is still there behind Back."""
        answer = explain_fault(error, request) if isinstance(error, Error) else None
        if answer is None:
            return None
        is_form = request.method == "POST"
        page = render_to_string("nola_site/unwritable.html", {"detail": answer.detail, "is_form": is_form})
        return HttpResponse(page, status=answer.status, headers=answer.headers)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/api/") and request.path_info != MCP:
            return self.get_response(request)
        by_key = _has_key(request)
        with limit_work():
            response = self.call_view(request) if by_key else self.get_response(request)
        if by_key and request.method == "GET" and response.status_code < 400:
            reads.count_read(request.path_info, request.META["QUERY_STRING"])
        if response.status_code >= 400 and not _is_told(request, response):
            kept = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
            detail = DETAILS.get(response.status_code, HTTPStatus(response.status_code).description)
            response = answer_problem(response.status_code, detail, kept)
        if not by_key:
            response.headers["Cache-Control"] = "no-store"  # a browser keeps what it is not told to forget
        for name, value in self.headers:
            response.headers.setdefault(name, value)
        return response

    def _call_view(self, request: HttpRequest) -> HttpResponseBase:
        """The answer to a call by key."""
        request.get_host()  # raises DisallowedHost
        try:
            found = resolve(request.path_info)
        except Resolver404:
            return self.get_response(request)
        if not getattr(found.func, "csrf_exempt", False):  # a page, such as the API reference
            return self.get_response(request)
        request.resolver_match = found
        try:
            response: HttpResponseBase = found.func(request, *found.args, **found.kwargs)
        except Error as error:  # ninja answers its own
            answer = explain_fault(error, request)
            if answer is None:
                raise
            return answer_refusal(answer)
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))  # type: ignore[attr-defined]
        return response


def _is_told(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether an error is a problem document, or in the words of the protocol of MCP."""
    form = response.headers.get("Content-Type")
    return form == MEDIA_TYPE or (request.path_info == MCP and form == "application/json")


def _has_key(request: HttpRequest) -> bool:
    scheme: str = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0]
    return scheme.lower() == "bearer"


def list_headers() -> list[tuple[str, str]]:
    """The headers that the middleware of pages gives to every answer."""
    respond: Any = XFrameOptionsMiddleware(CSPMiddleware(SecurityMiddleware(lambda request: HttpResponse())))
    response = respond(HttpRequest())
    del response["Content-Type"]
    return list(response.items())
