"""What each call can answer, for the API reference: by the nature of the call, and by what its view says (`answers`).

Nobody lists statuses call by call. A call that takes a body, writes, names something or reads the past can be refused
as all such calls are; the rows of REFUSED say so, with the bases of our errors (state/errors.py) where there is one.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

from nola_site.serving.problems import MEDIA_TYPE
from state.api.routes import Answers
from state.conditions import PreconditionFailed
from state.errors import (
    Gone,
    InTheWay,
    Malformed,
    NotThere,
    Oversized,
    Refusal,
    StorageFull,
    TooMany,
    Unavailable,
    Unprocessable,
)

HEADERS = {
    "Accept-Patch": "The media types that PATCH takes",
    "Allow": "The methods that this address takes",
    "Cache-Control": "no-store: it is another answer each time",
    "Content-Disposition": "The name of the file",
    "Content-Location": "Where the value is, if a merge has put it elsewhere than the request named",
    "ETag": "The entity tag of what is answered, for If-Match and If-None-Match",
    "Link": 'The next page, as rel="next"; none on the last one',
    "Location": "Where what was made is read",
    "Nola-Actor": "Who asked for it then",
    "Nola-At": "When that was",
    "Nola-Receipt": "The receipt that is kept",
    "Nola-Revision": "After a write, the revision it made; after a read, the newest one",
    "Nola-Tokens": "The estimate of the tokens of the text",
    "Preference-Applied": "return=minimal, where Prefer asked for it",
    "Retry-After": "Seconds after which it is worth asking again",
    "WWW-Authenticate": "Bearer",
    "X-Accel-Buffering": "no: a proxy is to pass a stream on as it comes",
    "X-Should-Retry": "false: the same again would be refused again",
}
PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457)",
    "required": ["status", "title", "detail"],
    "properties": {
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string", "description": "What is wrong, where, and the way out"},
        "pointer": {"type": "string", "description": "RFC 6901 pointer to where it is"},
        "line": {"type": "integer"},
        "column": {"type": "integer"},
        "op_index": {"type": "integer", "description": "Which operation cannot be done, from 0"},
        "etag": {"type": "string", "description": "The tag of what is there"},
        "revision": {"type": "integer"},
        "conflicts": {"type": "array", "items": {"type": "object"}},
        "cursor": {"type": "string", "description": "Where to go on"},
    },
    "additionalProperties": True,
}


class Call(NamedTuple):
    """What of a call decides how it can be refused."""

    method: str
    path: str
    names: frozenset[str]  # of its parameters, and of the members of its body
    has_body: bool
    says: Answers

    @property
    def writes(self) -> bool:
        return self.method != "get"


THINGS = {"pointer", "pointers", "key", "keys", "checkpoint", "conversation", "operations"}
MOMENTS = {"at", "base", "since", "until", "from", "to"}
FORGETTING = (
    "/api/conversations/{",
    "/api/context",
    "/api/undo",
    "/api/proposals/{",
)  # what these name may have been deleted or purged

Rule = tuple[Callable[[Call], bool], Iterable[type[Refusal] | HTTPStatus]]
REFUSED: list[Rule] = [
    (
        lambda call: True,
        (
            Malformed,
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            Oversized,
            Unprocessable,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            Unavailable,
        ),
    ),
    (lambda call: "{" in call.path or bool(call.names & THINGS), (NotThere,)),
    (lambda call: bool(call.names & MOMENTS) or call.path.startswith(FORGETTING), (Gone,)),
    (lambda call: call.has_body, (HTTPStatus.REQUEST_TIMEOUT,)),
    (lambda call: call.writes, (InTheWay, TooMany, StorageFull)),
    (lambda call: call.writes or call.says.is_conditional, (PreconditionFailed,)),
]
PLAIN = {
    HTTPStatus.UNAUTHORIZED: "No valid credential.",
    HTTPStatus.FORBIDDEN: "This credential may not do that.",
    HTTPStatus.REQUEST_TIMEOUT: "The body took too long to arrive.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on the server; nothing was changed.",
}
WITH_HEADERS = {401: ["WWW-Authenticate"], 405: ["Allow"], 409: ["X-Should-Retry"], 415: ["Accept-Patch"]} | {
    status: ["Retry-After"] for status in (429, 503, 507)
}


def describe_responses(schema: dict[str, Any], says: dict[str, Answers]) -> None:
    """Add to an OpenAPI document what each call can answer; `says` has what their views say, by operation id."""
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    for path, calls in schema["paths"].items():
        for method, operation in calls.items():
            answers = says.get(operation["operationId"], Answers())
            call = Call(method, path, _names(operation, schema), "requestBody" in operation, answers)
            operation["responses"] = _good(call) | _refused(call, components.setdefault("responses", {}))


def _names(operation: dict[str, Any], schema: dict[str, Any]) -> frozenset[str]:
    found = {one["name"] for one in operation.get("parameters", [])}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        shape = content["schema"]
        for one in (shape, *shape.get("anyOf", []), *shape.get("allOf", [])):
            name = one.get("$ref", "").rpartition("/")[2]
            found |= schema["components"]["schemas"].get(name, one).get("properties", {}).keys()
    return frozenset(found)


def _good(call: Call) -> dict[str, Any]:
    """The answers to what is done."""
    says = call.says
    headers = [*says.headers, *(["Link"] if not call.writes and {"limit", "cursor"} <= call.names else [])]
    found: dict[str, Any] = {}
    for status in says.statuses or ((204,) if call.method == "delete" else (200,)):
        found[str(status)] = {"description": HTTPStatus(status).phrase, "headers": _headers(headers)}
        if status != 204:
            found[str(status)]["content"] = {media_type: {"schema": {}} for media_type in says.media_types}
    if says.is_conditional and not call.writes:
        unchanged = _headers(["ETag", "Nola-Revision"])
        found["304"] = {"description": "It is what If-None-Match names", "headers": unchanged}
    return found


def _refused(call: Call, shared: dict[str, Any]) -> dict[str, Any]:
    """The problem documents that the call can answer; what they are stands once, in `shared`."""
    found: dict[str, Any] = {}
    for reason in (*(reason for fits, some in REFUSED if fits(call) for reason in some), *call.says.refusals):
        if isinstance(reason, HTTPStatus):
            status, text = reason.value, PLAIN[reason]
        else:
            status, text = reason.status, reason.__doc__ or ""
        shared[f"Problem{status}"] = {
            "description": text.strip().partition("\n")[0],
            "headers": _headers(WITH_HEADERS.get(status, [])),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        found[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return dict(sorted(found.items()))


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in names}
