"""Arguments of a tool against its schema: the words of JSON Schema that ours are written in, and no others.

The refusals are for a model: what is wrong, and what would be right.
"""

from collections.abc import Mapping
from typing import Any

from state.errors import Unprocessable
from state.jsondoc.text import JSONValue, dump_json

Schema = Mapping[str, Any]
NAMES = {
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "array": (list, "an array"),
    "object": (dict, "an object"),
}


class BadArguments(Unprocessable):
    """Arguments that a tool does not take; says which, and what it takes."""


def check_arguments(schema: Schema, given: JSONValue) -> dict[str, Any]:
    """The arguments of a call. Raises BadArguments."""
    if not isinstance(given, dict):
        raise BadArguments("arguments must be an object")
    _check_object("", schema, given)
    return given


def _check(name: str, schema: Schema, value: JSONValue) -> None:
    if options := schema.get("enum"):
        if value not in options:
            raise BadArguments(f"{name} is {_shorten(value)}; it can be {', '.join(map(dump_json, options))}")
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is_a(kind, value) for kind in kinds):
        wanted = " or ".join(NAMES[kind][1] for kind in kinds)
        raise BadArguments(f"{name} is {_shorten(value)}; it must be {wanted}")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        raise BadArguments(f"{name} is {value}; it must be from {schema['minimum']} to {schema['maximum']}")
    if isinstance(value, list):
        _check_array(name, schema, value)
    if isinstance(value, dict) and "properties" in schema:
        _check_object(f"{name}: ", schema, value)


def _check_array(name: str, schema: Schema, value: list[JSONValue]) -> None:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        raise BadArguments(f"{name} has {len(value)} items; it takes {least} to {most}")
    for number, item in enumerate(value):
        _check(f"{name}[{number}]", schema.get("items", {}), item)


def _check_object(where: str, schema: Schema, value: Mapping[str, JSONValue]) -> None:
    known = schema["properties"]
    if schema.get("additionalProperties") is False and (unknown := [name for name in value if name not in known]):
        raise BadArguments(
            f"{where}there is no argument {_shorten(unknown[0])}; there are: {', '.join(known) or 'none'}"
        )
    if missing := [name for name in schema.get("required", ()) if name not in value]:
        raise BadArguments(f"{where}{missing[0]} is missing; {_describe(missing[0], known[missing[0]])}")
    for name, one in value.items():
        if name in known:
            _check(f"{where}{name}", known[name], one)


def _describe(name: str, schema: Schema) -> str:
    told = schema.get("description")
    return f"{name} is: {told}" if told else "it must be given"


def _is_a(kind: str, value: JSONValue) -> bool:
    return isinstance(value, NAMES[kind][0]) and (kind == "boolean" or not isinstance(value, bool))


def _shorten(value: JSONValue) -> str:
    text = dump_json(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
