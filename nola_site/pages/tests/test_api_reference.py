"""The page of the API reference: each call once, in groups, told in words."""

import html

import pytest

from nola_site.api import api
from nola_site.pages.api_reference import GROUPS, describe_kind, list_groups, mark_code

CALLS = [call for group in list_groups(api, "/api/") for call in group.calls]
OPERATIONS = {
    (method.upper(), path): operation["operationId"]
    for path, operations in api.get_openapi_schema(path_prefix="/api/")["paths"].items()
    for method, operation in operations.items()
}


def test_each_call_stands_once_with_all_its_addresses():
    addresses = [(call.method, path) for call in CALLS for path in (call.path, call.root) if path]

    assert sorted(addresses) == sorted(OPERATIONS)
    assert len({call.name for call in CALLS}) == len(CALLS)
    assert len({(call.method, call.summary) for call in CALLS}) == len(CALLS)


def test_calls_are_told_in_groups_and_the_rest_stands_behind():
    titles = {group.title: [call.name for call in group.calls] for group in list_groups(api, "/api/")}

    assert list(titles) == [title for title, _ in GROUPS.values()]
    assert all(titles.values())
    assert titles["Checkpoints"][-1] == "restore_state"


def test_each_call_says_what_it_takes_and_who_may_make_it():
    for call in CALLS:
        assert call.summary and call.text and call.who.startswith("For who may ") and len(call.answers) > 5
        for field in call.fields:
            assert field.kind and field.text, (call.name, field.name)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ({}, "JSON"),
        ({"type": "integer", "minimum": 0, "maximum": 1000}, "whole number from 0 up to 1,000"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "text or whole number"),
        ({"enum": [1, 2, 3]}, "1, 2 or 3"),
        ({"const": "tree", "type": "string"}, "tree"),
    ],
)
def test_a_kind_is_told_in_words(shape, kind):
    assert describe_kind(shape) == kind


def test_a_description_is_text():
    assert mark_code("`<b>` is <i>") == "<code>&lt;b&gt;</code> is &lt;i&gt;"


@pytest.mark.django_db
def test_everybody_may_read_it_and_it_asks_the_database_for_nothing(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        text = client.get("/api/docs").content.decode()

    assert all(html.escape(call.summary) in text for call in CALLS)
    assert 'href="/admin/"' in text and 'href="/admin/connect/"' in text
    assert len(text) < 300_000
