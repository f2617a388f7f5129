"""The API reference as a page, for everybody: each call once, in groups, to be read, filtered and tried out.

It is made of the OpenAPI document, in which a call whose path may be left out stands twice: with it and without.
"""

import html
import json
import re
from functools import cache
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString, mark_safe
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase
from unfold.settings import get_config

from access.rights import Needs
from nola_site.doors import CALLS

AT_ROOT = "_at_root"  # ends the name of a call whose path is left out
GROUPS = {  # by tag
    "state": ("Keys and values", "What the agent knows: JSON values, each at its address."),
    "history": ("History", "Who changed what, when and why; what was there before; and taking it back."),
    "checkpoints": ("Checkpoints", "The state in files, to compare with and to restore from."),
    "proposals": ("Proposals", "What agents suggest, until a person decides."),
    "conversations": ("Conversations", "What was said, message by message."),
    "search": ("Search", "Messages and values by their words."),
    "context": ("Context", "What a prompt needs of all this, within a budget of tokens."),
}

IN_PATHS = {  # what stands in a path
    "address": "Names on the way, such as `Tasks/0/title`",
    "session_id": "The conversation",
    "message_id": "The number of the message",
    "number": "Of the proposal",
    "name": "Of the checkpoint",
    "receipt": "The one that the answer to a POST named",
}


class Field(NamedTuple):
    """Something that a call takes: a parameter, or a member of its body."""

    name: str
    place: str  # path, query or body
    kind: str
    text: SafeString
    is_needed: bool
    choices: tuple[str, ...] = ()
    repeats: bool = False


class ListedCall(NamedTuple):
    """A call as the page has it."""

    name: str
    method: str
    path: str
    root: str  # the path without the parameter that may be left out; "" if none may
    summary: str
    text: SafeString
    who: str
    fields: list[Field]
    body: list[Field]
    media_types: list[str]
    example: str
    answers: list[tuple[str, str]]

    @property
    def words(self) -> str:
        """What the filter looks through."""
        names = " ".join(one.name for one in (*self.fields, *self.body))
        return f"{self.method} {self.path} {self.summary} {names}"


class CallGroup(NamedTuple):
    """Calls about one thing."""

    tag: str
    title: str
    text: str
    calls: list[ListedCall]


class ReferencePage(DocsBase):
    """What ninja serves as the page of the API reference."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """The page, in the theme that the reader has chosen; a session may try calls out."""
        address = self.get_openapi_url(api, kwargs)
        if is_staff := getattr(request.user, "is_staff", False):
            get_token(request)  # sets the cookie that a session's calls are made with
        context = {
            "groups": list_groups(api, address.removesuffix("openapi.json")),
            "openapi": address,
            "is_staff": is_staff,
            "colors": get_config()["COLORS"],
        }
        return TemplateResponse(request, "nola_site/reference.html", context).render()


@cache
def list_groups(api: NinjaAPI, prefix: str) -> list[CallGroup]:
    """All calls in their groups; those that are elsewhere, such as a restore among checkpoints, stand last."""
    schema = api.get_openapi_schema(path_prefix=prefix)
    found: dict[str, list[ListedCall]] = {tag: [] for tag in GROUPS}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if not _is_repeated(operation, schema):
                found[operation["tags"][0]].append(_list_call(method, path, operation, schema))
    return [
        CallGroup(tag, *GROUPS[tag], sorted(calls, key=lambda call: tag not in call.path.split("/")))
        for tag, calls in found.items()
    ]


def _is_repeated(operation: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether it is another call without its path, and says the same."""
    name = operation["operationId"]
    if not name.endswith(AT_ROOT):
        return False
    other = _find_operation(name.removesuffix(AT_ROOT), schema)
    return other is not None and other["description"] == operation["description"]


def _find_operation(name: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    every = (one for operations in schema["paths"].values() for one in operations.values())
    return next((one for one in every if one["operationId"] == name), None)


def _list_call(method: str, path: str, operation: dict[str, Any], schema: dict[str, Any]) -> ListedCall:
    name = operation["operationId"]
    at_root = _find_operation(name + AT_ROOT, schema)
    may_be_left_out = at_root is not None and _is_repeated(at_root, schema)
    content = operation.get("requestBody", {}).get("content", {})
    body = _find_object(next(iter(content.values()))["schema"], schema) if content else {}
    return ListedCall(
        name=name,
        method=method.upper(),
        path=path,
        root=path.partition("/{")[0] if may_be_left_out else "",
        summary=operation["summary"],
        text=mark_code(operation.get("description", "")),
        who=describe_needs(CALLS[name.removesuffix(AT_ROOT)]),
        fields=[
            _list_field(one["name"], one["in"], one["schema"], one["required"] and not may_be_left_out)
            for one in operation.get("parameters", [])
        ],
        body=[
            _list_field(one, "body", _resolve(shape, schema), one in body.get("required", ()))
            for one, shape in body.get("properties", {}).items()
        ],
        media_types=list(content),
        example=_example(body),
        answers=[(status, _resolve(one, schema)["description"]) for status, one in operation["responses"].items()],
    )


def _resolve(shape: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    if "$ref" not in shape:
        return shape
    _, _, section, name = shape["$ref"].split("/")
    found: dict[str, Any] = schema["components"][section][name]
    return found


def _find_object(shape: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The object that a body may be, with its members; {} where it may be any value."""
    for one in (shape, *shape.get("anyOf", ()), *shape.get("oneOf", ())):
        if "properties" in (found := _resolve(one, schema)):
            return found
    return {}


def _list_field(name: str, place: str, shape: dict[str, Any], is_needed: bool) -> Field:
    choices = ("true", "false") if shape.get("type") == "boolean" else tuple(map(str, _choices(shape)))
    repeats = shape.get("type") == "array"
    text = IN_PATHS[name] if place == "path" else shape.get("description", "")
    return Field(name, place, describe_kind(shape), mark_code(text), is_needed, choices, repeats)


def _choices(shape: dict[str, Any]) -> list[Any]:
    return [shape["const"]] if "const" in shape else shape.get("enum", [])


def describe_kind(shape: dict[str, Any]) -> str:
    """What a schema lets through, in a few words."""
    several = [one for one in (*shape.get("anyOf", ()), *shape.get("oneOf", ())) if one.get("type") != "null"]
    if several:
        return " or ".join(dict.fromkeys(describe_kind(one) for one in several))
    if choices := _choices(shape):
        *others, last = map(str, choices)
        return f"{', '.join(others)} or {last}" if others else last
    kind = {"string": "text", "integer": "whole number", "array": "list"}.get(shape.get("type", ""), shape.get("type"))
    bounds = [
        f"{word} {shape[bound]:,}" for word, bound in (("from", "minimum"), ("up to", "maximum")) if bound in shape
    ]
    return " ".join([kind or "JSON", *bounds])


def describe_needs(needs: Needs) -> str:
    """Who may make a call, in words."""
    parts = [*map(str, needs.rights), *([" or ".join(needs.either)] if needs.either else [])]
    return f"For who may {' and '.join(parts)}."


def _example(body: dict[str, Any]) -> str:
    """The least that a body must have; "" where nothing must be there or all may."""
    samples = {"string": "", "integer": 0, "array": [], "boolean": False, "object": {}}
    needed = {name: body["properties"][name] for name in body.get("required", ())}
    made = {name: next(iter(_choices(one)), samples.get(one.get("type"))) for name, one in needed.items()}
    return json.dumps(made, indent=2) if made else ""


def mark_code(text: str) -> SafeString:
    """A description, with what stands in backquotes as code."""
    escaped = html.escape(text.strip())
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", escaped))
