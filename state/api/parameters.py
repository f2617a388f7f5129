"""Query parameters: a schema says once which a call takes, how each is read, and what the API reference tells of it.

They are read from the query as it was sent, strictly: what a call does not know is refused, and so is what is given
twice where it counts once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NoReturn, Self, TypeVar, get_origin
from urllib.parse import parse_qsl

from annotated_types import Ge, GroupedMetadata, Le
from django.http import HttpRequest
from ninja.params.models import Query, QueryModel
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticUseDefault

from state.api.addresses import BadAddress, UnknownParameter
from state.errors import Refusal

T = TypeVar("T")
PLACES = ("pointer", "open")  # several of them are several places, each of which is answered once


class Parameters(BaseModel):
    """What a call takes in its query; each field is one parameter, a list where it may be repeated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _given: dict[str, list[str]] = PrivateAttr(default_factory=dict)

    @property
    def given(self) -> dict[str, list[str]]:
        """The texts that were sent, by parameter and in their order."""
        return self._given

    @property
    def texts(self) -> dict[str, str]:
        """The same, the first of each."""
        return {name: texts[0] for name, texts in self._given.items()}

    def list_given(self, *names: str) -> list[tuple[str, str]]:
        """Those of the parameters that were sent, as pairs for a link."""
        return [(name, text) for name in names for text in self._given.get(name, [])]

    @classmethod
    def read(cls, request: HttpRequest) -> Self:
        """The parameters of a request. Raises BadAddress and UnknownParameter, and what the fields raise."""
        text = request.META.get("QUERY_STRING", "")
        if not text:
            return cls._empty()
        known = cls._repeatable()
        given = _read_query(text, known)
        for name, texts in given.items():
            if len(texts) > 1 and not known[name]:
                raise BadAddress(f"the parameter {name!r} is given {len(texts)} times")
            if name in PLACES and (twice := find_twice(texts)) is not None:
                raise BadAddress(f"the parameter {name!r} names {twice!r} twice; name each place once")
        found = cls._read({name: texts if known[name] else texts[0] for name, texts in given.items()})
        found._given = given
        return found

    @classmethod
    def _read(cls, values: dict[str, Any]) -> Self:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            _refuse(error)

    @classmethod
    @cache
    def _empty(cls) -> Self:
        return cls._read({})

    @classmethod
    @cache
    def _repeatable(cls) -> dict[str, bool]:
        """All parameters by their names, and whether they may be repeated."""
        fields = cls.model_fields.items()
        return {field.alias or name: get_origin(field.annotation) is list for name, field in fields}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A parameter that may be left out is told as what it is where it is there; null cannot be sent."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for member in schema["properties"].values():
            member.pop("title", None)
            for kind in member.pop("anyOf", []):
                member |= kind if kind != {"type": "null"} else {}
            if member.get("default", "") is None:
                del member["default"]
        return schema


class NoParameters(Parameters):
    """A call that takes none."""


def _read_query(text: str, known: dict[str, bool]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadAddress("the query is not UTF-8") from None
    for name, value in pairs:
        if name not in known:
            raise UnknownParameter(f"unknown parameter {name!r}; this call takes {', '.join(known) or 'none'}")
        found.setdefault(name, []).append(value)
    return found


def find_twice(values: Iterable[T]) -> T | None:
    """A value that is there more than once."""
    return next((value for value, count in Counter(values).items() if count > 1), None)


def _refuse(error: ValidationError) -> NoReturn:
    """Raise what a field has raised, out of the wrapping that pydantic puts around it."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    raise cause if isinstance(cause, Refusal) else UnknownParameter(f"{first['loc'][0]}: {first['msg']}") from None


# In a signature: `query: FromQuery[HistoryQuery]`


class _FromQueryModel(QueryModel):
    """Reads the schema by itself: ninja would drop what it does not know, and take the last of two."""

    @classmethod
    def resolve(cls, request: HttpRequest, api: Any, path_params: dict[str, Any]) -> Any:
        name, schema = cls._only_field()
        return {name: schema.read(request)}

    @classmethod
    @cache
    def _only_field(cls) -> tuple[str, Any]:
        [(name, field)] = cls.model_fields.items()
        return name, field.annotation


class _FromQuery(Query):  # type: ignore[misc]  # pydantic means its field to be final; ninja derives from it too
    _model = _FromQueryModel

    @classmethod
    def _param_source(cls) -> str:
        return "query"


FromQuery = Annotated[T, _FromQuery(...)]


# What a field can be


@dataclass(frozen=True)
class Whole(GroupedMetadata):
    """A whole number; left out also where it is empty. Raises UnknownParameter."""

    highest: int
    lowest: int = 1

    def __iter__(self) -> Iterator[object]:
        yield from (Ge(self.lowest), Le(self.highest), BeforeValidator(self._read))

    def _read(self, text: str, info: ValidationInfo) -> int:
        if not text:
            raise PydanticUseDefault
        if not (text.isascii() and text.isdigit() and len(text) < 19 and self.lowest <= int(text) <= self.highest):
            least = max(1, self.lowest)  # 0 stands for going without, where it is allowed
            given = f"{info.field_name}={text[:40]!r}"
            raise UnknownParameter(f"{given} must be a whole number from {least} to {self.highest}")
        return int(text)


def _read_flag(text: str, info: ValidationInfo) -> bool:
    if text not in ("true", "false"):
        raise UnknownParameter(f"{info.field_name} must be true or false")
    return text == "true"


def one_of(says: str, *, or_default: bool = False) -> WrapValidator:
    """Refuses a text that a Literal does not have, as UnknownParameter; {} in `says` stands for the text."""

    def read(text: str, handler: ValidatorFunctionWrapHandler) -> Any:
        if or_default and not text:
            raise PydanticUseDefault
        try:
            return handler(text)
        except ValidationError:
            raise UnknownParameter(says.format(repr(text[:40]))) from None

    return WrapValidator(read)


Flag = Annotated[bool, BeforeValidator(_read_flag)]
Limit = Annotated[int, Whole(1000)]
Number = Annotated[str | None, WithJsonSchema({"type": "integer"})]  # read where it is known what it may be
Level = Annotated[
    str | None, WithJsonSchema({"type": "integer", "enum": [1, 2, 3]}), Field(description="No deeper than this level")
]
Stimuli = Annotated[str | None, Field(description="... or than realtime, conversational, analytical")]
OnePointer = Annotated[list[str], WithJsonSchema({"type": "string"})]  # more are refused with a hint

AT = "As it was at this revision or time"
CURSOR = "Where the page begins: from the Link of the page before"
KEYS = "Only these keys; may be repeated"
POINTER = "RFC 6901 pointer, going on from what the path names; the way to empty names and slashes"
WAS = "Also what stood where an operation replaces or removes, as its `was`"


class WasQuery(Parameters):
    """What a call takes that can be tried first."""

    was: Flag = Field(False, description=f"In a dry run: {WAS[0].lower()}{WAS[1:]}")
