"""What the calls on the state answer with: JSON with the revision it is of, and an entity tag where there is one."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse

from state import conditions, store
from state.address import Address
from state.api.addresses import format_href
from state.conditions import Conditions
from state.jsondoc.text import JSONValue, dump_json


def answer_json(value: Any) -> HttpResponse:
    return HttpResponse(dump_json(value), content_type="application/json")


def answer_reading(reading: store.Reading, etag: str = "", status: int = 200) -> HttpResponse:
    response = HttpResponse(reading.text, status=status, content_type="application/json")
    response["Nola-Revision"] = str(reading.revision)
    if etag:
        response["ETag"] = etag
    return response


def answer_view(request: HttpRequest, reading: store.Reading, media_type: str) -> HttpResponse:
    """A value that is computed from what is stored: its tag is weak, good for 304 only.

    No tag in If-Match fits a weak one (RFC 9110 §8.8.3.2, §13.1.1), but `*` does. Raises PreconditionFailed and
    NotModified.
    """
    tag = read_conditions(request).check_read(*reading, is_weak=True)
    response = answer_reading(reading, tag)
    response["Content-Type"] = media_type
    return response


def answer_written(
    request: HttpRequest, reading: store.Reading, status: int, place: Address | None = None
) -> HttpResponse:
    """A value that was written, or nothing of it for `Prefer: return=minimal` (RFC 7240).

    `place` is where it is, if not where the request put it.
    """
    tag = conditions.etag(reading.text)
    is_minimal = "return=minimal" in request.headers.get("Prefer", "").replace(" ", "").split(",")
    if is_minimal:
        response = answer_reading(store.Reading("", reading.revision), tag, 204 if status == 200 else status)
        response["Preference-Applied"] = "return=minimal"
    else:
        response = answer_reading(reading, tag, status)
    if place:
        response["Content-Location"] = format_href(place)
    return response


def answer_proposed(number: int, revision: int) -> HttpResponse:
    """What became of a write by somebody who only suggests; 0 is no proposal, for one that would change nothing."""
    waits: dict[str, JSONValue] = {"proposal": number, "state": "waits for a person"}
    body = waits if number else {"proposal": None, "state": "nothing to change"}
    response = answer_reading(store.Reading(dump_json(body), revision), status=202 if number else 200)
    if number:
        response["Location"] = f"/api/proposals/{number}"
    return response


def read_conditions(request: HttpRequest) -> Conditions:
    """What the headers ask of what is there. Raises BadCondition."""
    sent = request.META
    return Conditions(conditions.parse(sent.get("HTTP_IF_MATCH")), conditions.parse(sent.get("HTTP_IF_NONE_MATCH")))


def link_next(response: HttpResponse, request: HttpRequest, parameters: list[tuple[str, Any]]) -> None:
    """Say where the next page is."""
    response["Link"] = f'<{request.path}?{urlencode(parameters)}>; rel="next"'
