import re

import pytest

from nola_site.api import api

CALLS = [
    (method.upper(), path, call)
    for path, calls in api.get_openapi_schema(path_prefix="/api/")["paths"].items()
    for method, call in calls.items()
]
NAMES = [f"{method} {path}" for method, path, _ in CALLS]


def in_query(call):
    return [parameter for parameter in call["parameters"] if parameter["in"] == "query"]


NUMBERS = [
    (method, path, parameter["name"], parameter["schema"])
    for method, path, call in CALLS
    for parameter in in_query(call)
    if "maximum" in parameter["schema"]
]


def sent(agent, method, path, query):
    return agent.generic(method, re.sub("{.*?}", "1", path) + "?" + query, "{}", content_type="application/json")


@pytest.mark.parametrize(("method", "path", "call"), CALLS, ids=NAMES)
def test_a_call_takes_the_parameters_that_the_reference_names_and_no_others(agent, method, path, call):
    response = sent(agent, method, path, "nonsense=1")

    documented = ", ".join(parameter["name"] for parameter in in_query(call)) or "none"
    assert response.status_code == 422
    assert response.json()["detail"] == f"unknown parameter 'nonsense'; this call takes {documented}"


@pytest.mark.parametrize(("method", "path", "call"), CALLS, ids=NAMES)
def test_every_parameter_is_described(method, path, call):
    assert [parameter["name"] for parameter in in_query(call) if not parameter.get("description")] == []


@pytest.mark.parametrize(("method", "path", "name", "schema"), NUMBERS, ids=lambda given: str(given)[:40])
def test_a_number_outside_of_its_documented_bounds_is_refused(agent, method, path, name, schema):
    query = "path=$&" if path == "/api/query" else ""

    above = sent(agent, method, path, f"{query}{name}={schema['maximum'] + 1}")
    below = sent(agent, method, path, f"{query}{name}={schema['minimum'] - 1}")

    assert {above.status_code, below.status_code} <= {400, 422}
    assert name in above.json()["detail"] and name in below.json()["detail"]


def test_a_parameter_that_counts_once_is_refused_twice(agent):
    response = agent.get("/api/history?limit=1&limit=2")

    assert response.status_code == 400
    assert response.json()["detail"] == "the parameter 'limit' is given 2 times"


def test_a_query_that_is_not_utf8_is_refused(agent):
    response = agent.get("/api/history?batch=%FF")

    assert (response.status_code, response.json()["detail"]) == (400, "the query is not UTF-8")


def test_operations_have_names_of_their_own_without_our_modules():
    ids = [call["operationId"] for _, _, call in CALLS]

    assert len(ids) == len(set(ids))
    assert {"read_state", "put_state", "read_history", "append_messages"} <= set(ids)


def test_a_write_to_a_session_named_import_is_repeated_from_its_key(agent):
    agent.post("/api/conversations", '{"session_id":"import"}', content_type="application/json")
    headers = {"Idempotency-Key": "once"}
    first = agent.patch("/api/conversations/import", '{"title":"a"}', content_type="application/json", headers=headers)

    again = agent.patch("/api/conversations/import", '{"title":"a"}', content_type="application/json", headers=headers)

    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
