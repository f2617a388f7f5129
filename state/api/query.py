"""`/api/query`: JSONPath (RFC 9535) over the whole state."""

import json
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from ninja import Router

from state import store
from state.api.addresses import UnknownParameter, read_one, read_query
from state.api.history import describe_parameters
from state.api.views import parse_level, state_at_level
from state.jsondoc.jsonpath import Locate, parse_limit, select_nodes
from state.jsondoc.levels import find_stored
from state.jsondoc.text import JSONValue

router = Router(tags=["state"])


@router.get("/query", openapi_extra=describe_parameters("path", "limit", "level", "stimuli"))
def query_state(request: HttpRequest) -> HttpResponse:
    """The nodes a JSONPath selects, $ being the object of all keys: value, normalized path and pointer of each.

    At a level it selects from what shows there; a pointer leads to where the node is stored.
    """
    query = read_query(request, ("path", "limit", "level", "stimuli"))
    given = {name: value for name in query if (value := read_one(query, name)) is not None}
    if "path" not in given:
        raise UnknownParameter("the query needs a path, such as path=$..name")
    limit = parse_limit(given.get("limit", "100"))
    reading = store.read_all()
    state, level = json.loads(reading.text), parse_level(given)
    if level is None:
        found = select_nodes(state, given["path"], limit)
    else:
        found = select_nodes(state_at_level(state, level), given["path"], limit, _place(state, level))
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
