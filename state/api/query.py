"""`/api/query`: JSONPath (RFC 9535) over the whole state."""

import json
from collections.abc import Sequence
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field, WithJsonSchema, model_validator

from state import store
from state.api.addresses import UnknownParameter, read_places
from state.api.parameters import FromQuery, Level, Parameters, Stimuli
from state.api.routes import add_read_route
from state.api.views import parse_level, read_all_within, state_at_level
from state.jsondoc.jsonpath import MAX_LIMIT, Locate, parse_limit, select_nodes
from state.jsondoc.levels import find_stored
from state.jsondoc.text import JSONValue

router = Router(tags=["state"])


class PathQuery(Parameters):
    """What to select."""

    path: str = Field(description="A JSONPath (RFC 9535), such as $..name")
    limit: Annotated[str, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT})] = Field(
        "100", description="How many nodes"
    )
    level: Level = None
    stimuli: Stimuli = None

    @model_validator(mode="before")
    @classmethod
    def check_path(cls, values: dict[str, str]) -> dict[str, str]:
        if "path" not in values:
            raise UnknownParameter("the query needs a path, such as path=$..name")
        return values


@add_read_route(router, "/query", summary="Select by JSONPath")
def query_state(request: HttpRequest, query: FromQuery[PathQuery]) -> HttpResponse:
    """The nodes a JSONPath selects, $ being the object of all keys: value, normalized path and pointer of each.

    At a level it selects from what shows there; a pointer leads to where the node is stored.
    """
    limit = parse_limit(query.limit)
    places = read_places(request)
    reading = read_all_within(places) if places else store.read_all()
    state, level = json.loads(reading.text), parse_level(query.texts)
    if level is None:
        found = select_nodes(state, query.path, limit)
    else:
        found = select_nodes(state_at_level(state, level), query.path, limit, _place(state, level))
    response = HttpResponse(found.text, content_type="application/json")
    response["Nola-Revision"] = str(reading.revision)
    return response


def _place(state: dict[str, JSONValue], level: int) -> Locate:
    """Where a node of the state at a level is stored."""
    memo: dict[int, list[int]] = {}

    def place(location: Sequence[str | int]) -> list[str]:
        if not location:
            return []
        key, *tokens = location
        return [str(key), *find_stored(state[str(key)], tokens, level, memo)]

    return place
