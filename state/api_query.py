"""`/api/query`: JSONPath (RFC 9535) over the whole state."""

import json

from django.http import HttpRequest, HttpResponse
from ninja import Router

from state import queries, store, views
from state.addresses import UnknownParameter, one, query_of
from state.api_history import parameters

router = Router(tags=["state"])


@router.get("/query", openapi_extra=parameters("path", "limit", "level", "stimuli"))
def query_state(request: HttpRequest) -> HttpResponse:
    """The nodes a JSONPath selects, $ being the object of all keys: value, normalized path and pointer of each."""
    query = query_of(request, ("path", "limit", "level", "stimuli"))
    given = {name: value for name in query if (value := one(query, name)) is not None}
    if "path" not in given:
        raise UnknownParameter("the query needs a path, such as path=$..name")
    limit = queries.limit_of(given.get("limit", "100"))
    reading = store.read_all()
    state, level = json.loads(reading.text), views.level_of(given)
    found = queries.find(state if level is None else views.state_at_level(state, level), given["path"], limit)
    response = HttpResponse(found.text, content_type="application/json")
    response["Nola-Revision"] = str(reading.revision)
    return response
