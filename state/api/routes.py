"""How routes are put into a router, where ninja's own decorators do not say it."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import register_converter
from django.urls.converters import PathConverter
from ninja import Router

from state.errors import Refusal

View = Callable[..., HttpResponseBase]
V = TypeVar("V", bound=View)


class AnyPathConverter(PathConverter):
    """A path of any characters: a name may have line breaks in it, which Django's own does not let through."""

    regex = "(?s:.+)"


class Answers(NamedTuple):
    """What a call answers when it is done, as far as its kind does not tell: see nola_site/reference.py."""

    statuses: tuple[int, ...] = ()  # 204 for DELETE and else 200, where none is said
    headers: tuple[str, ...] = ("Nola-Revision",)
    media_types: tuple[str, ...] = ("application/json",)
    refusals: tuple[type[Refusal], ...] = ()  # beside those of all calls of its kind
    is_conditional: bool = False  # it heeds If-Match or If-None-Match


def answers(*statuses: int, **said: Any) -> Callable[[V], V]:
    """Say for the API reference what a view answers, by the fields of Answers."""

    def note(view: V) -> V:
        view.answers = Answers(statuses, **said)  # type: ignore[attr-defined]
        return view

    return note


def add_refusal(view: View, refusal: type[Refusal]) -> None:
    """Say that a view can refuse in one more way; it has said what it answers."""
    said: Answers = view.answers  # type: ignore[attr-defined]
    view.answers = said._replace(refusals=(*said.refusals, refusal))  # type: ignore[attr-defined]


register_converter(AnyPathConverter, "any")


def add_read_route(router: Router, path: str, **options: Any) -> Callable[[View], View]:
    """A route for GET, and for HEAD, which the API reference leaves out."""

    def add(view: View) -> View:
        router.get(path, **options)(view)
        router.api_operation(["HEAD"], path, **{**options, "include_in_schema": False})(view)
        return view

    return add


def bind_path(view: View, **known: str) -> View:
    """A route at a path which does not have these parameters: what they are is given here."""

    @wraps(view)
    def call(request: HttpRequest, **values: Any) -> HttpResponseBase:
        return view(request, **known, **values)

    signature = inspect.signature(view)
    rest = [parameter for name, parameter in signature.parameters.items() if name not in known]
    call.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    call.__name__ = f"{view.__name__}_at_root"
    return call


def describe_body(*media_types: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A body that a route reads by itself, as the API reference describes it: any JSON value, or a file."""
    content = {media_type: {"schema": schema or {}} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}
