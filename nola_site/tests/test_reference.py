"""The API reference, as clients are made from it. That it is true of each answer is tested by tests/declared.py."""

import pytest

from nola_site.api import api
from state.errors import Refusal
from tests import declared

SCHEMA = api.get_openapi_schema(path_prefix="/api/")
CALLS = [(method, path) for path, calls in SCHEMA["paths"].items() for method in calls]


def responses(method, path):
    return SCHEMA["paths"][path][method]["responses"]


def resolve(reference):
    found = SCHEMA
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from references(one)


def every_response():
    for method, path in CALLS:
        for status, one in responses(method, path).items():
            yield status, resolve(one["$ref"]) if "$ref" in one else one


def subclasses(of):
    for one in of.__subclasses__():
        yield one
        yield from subclasses(one)


def test_each_reference_leads_to_something():
    assert all(resolve(one) for one in references(SCHEMA))


def test_each_response_is_one_of_openapi():
    for status, one in every_response():
        assert status.isdigit() and 200 <= int(status) < 600
        assert one["description"]
        assert one.keys() <= {"description", "headers", "content"}
        assert all(header.keys() == {"description", "schema"} for header in one.get("headers", {}).values())
        assert all("schema" in content for content in one.get("content", {}).values())


def test_each_error_is_a_problem_document():
    for status, one in every_response():
        if int(status) >= 400:
            assert one["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_each_call_says_how_it_ends_and_how_it_is_refused(method, path):
    found = responses(method, path)

    assert {"400", "401", "403", "413", "422", "500", "503"} <= found.keys()
    assert any(status.startswith("2") for status in found)
    assert method == "get" or {"409", "429", "507"} <= found.keys()


def test_each_way_of_refusing_belongs_to_some_call():
    said = {int(status) for status, _ in every_response()}

    assert {one.status for one in subclasses(Refusal) if hasattr(one, "status")} <= said


def test_names_of_operations_stand_once():
    names = [SCHEMA["paths"][path][method]["operationId"] for method, path in CALLS]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "told"),
    [
        ("GET", "/api/state/K", 200, {"content-type": "application/json", "etag": "x"}, []),
        ("GET", "/api/state/K/a/b", 418, {}, ["this status is not declared"]),
        ("HEAD", "/api/state/K", 200, {"content-type": "text/html"}, ["the media type 'text/html' is not declared"]),
        ("PUT", "/api/state/K", 201, {"content-type": "application/json", "x": ""}, ["the header 'x' is not declared"]),
        ("POST", "/api/state/K", 200, {}, ["no such call is declared"]),
        ("POST", "/api/state/K", 405, {"content-type": "application/problem+json"}, []),
        ("DELETE", "/api/context/receipts", 204, {}, ["this status is not declared"]),
    ],
)
def test_what_is_not_declared_is_noticed(method, path, status, headers, told):
    assert list(declared.problems(method, path, status, headers)) == told


def test_what_a_test_gets_is_compared(agent):
    before = declared.SEEN["answers"]

    agent.get("/api/state")

    assert declared.SEEN["answers"] == before + 1
