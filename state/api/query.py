"""`/api/query`: JSONPath (RFC 9535) over the whole state."""

import json
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from ninja import Router

from state import store
from state.api import views
from state.api.addresses import UnknownParameter, one, query_of
from state.api.history import parameters
from state.jsondoc import jsonpath as queries
from state.jsondoc import levels
from state.jsondoc.text import JSONValue

router = Router(tags=["state"])


@router.get("/query", openapi_extra=parameters("path", "limit", "level", "stimuli"))
def query_state(request: HttpRequest) -> HttpResponse:
    """The nodes a JSONPath selects, $ being the object of all keys: value, normalized path and pointer of each.

    At a level it selects from what shows there; a pointer leads to where the node is stored.
    """
    query = query_of(request, ("path", "limit", "level", "stimuli"))
    given = {name: value for name in query if (value := one(query, name)) is not None}
    if "path" not in given:
        raise UnknownParameter("the query needs a path, such as path=$..name")
    limit = queries.limit_of(given.get("limit", "100"))
    reading = store.read_all()
    state, level = json.loads(reading.text), views.level_of(given)
    if level is None:
        found = queries.find(state, given["path"], limit)
    else:
        found = queries.find(views.state_at_level(state, level), given["path"], limit, _place(state, level))
    response = HttpResponse(found.text, content_type="application/json")
    response["Nola-Revision"] = str(reading.revision)
    return response


def _place(state: dict[str, JSONValue], level: int) -> queries.Place:
    """Where a node of the state at a level is stored."""
    memo: dict[int, list[int]] = {}

    def place(location: Sequence[str | int]) -> list[str]:
        if not location:
            return []
        key, *tokens = location
        return [str(key), *levels.stored_at(state[str(key)], tokens, level, memo)]

    return place
