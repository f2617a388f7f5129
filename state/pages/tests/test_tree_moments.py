import json
from itertools import accumulate

import pytest

from state.jsondoc.text import parse_json

URL = "/admin/state/tree/"
JSON = "application/json"


def put(client, key: str, value: object) -> int:
    return int(client.put(f"/api/state/{key}", json.dumps(value), content_type=JSON)["Nola-Revision"])


def test_only_who_is_signed_in_reads_them(client):
    for name in ("moments", "sizes"):
        assert client.get(URL + name).status_code == 302


def test_moments_are_the_revisions_that_changed_a_key(owner, agent):
    first = put(agent, "A", 1)
    agent.post("/api/conversations/talk/messages", '{"speaker":"user","message":"hi"}', content_type=JSON)
    last = put(agent, "B", 1)

    found = owner.get(f"{URL}moments").json()

    assert list(accumulate(found["revisions"])) == [first, last]
    assert [found["actors"][place] for place in found["by"]] == ["key:default"] * 2
    assert len(found["seconds"]) == 2
    assert not found["more"]
    assert list(accumulate(owner.get(f"{URL}moments?key=B").json()["revisions"])) == [last]
    assert list(accumulate(owner.get(f"{URL}moments?until={first}").json()["revisions"])) == [first]


def test_moments_are_one_query_however_many(owner, agent, django_assert_max_num_queries):
    for number in range(5):
        put(agent, "A", number)

    with django_assert_max_num_queries(3):  # two of them for the session
        assert len(owner.get(f"{URL}moments").json()["revisions"]) == 5


@pytest.mark.parametrize("at", ["", "?at=2"])
def test_sizes_are_those_of_what_each_level_shows(owner, agent, at):
    put(agent, "Profile", {"level_1": "Ada", "level_2": {"name": "Ada L. 👩‍🚀"}, "level_3": "Ada Lovelace, " * 20})
    put(agent, "Deep", {"level_3": "only here"})
    if at:
        put(agent, "Later", "x")

    found = owner.get(f"{URL}sizes{at}").json()

    def tokens(query: str) -> int | None:
        response = agent.get(f"/api/state{query}{'&' if '?' in query else '?'}{at[1:]}")
        return -(-len(response.content.decode()) // 4) if response.status_code == 200 else None

    assert found["all"] == [tokens(""), tokens("?level=1"), tokens("?level=2"), tokens("?level=3")]
    assert [key for key, _ in found["keys"]] == ["Deep", "Profile"]
    for key, counts in found["keys"]:
        assert counts == [tokens(f"/{key}{query}") for query in ("", "?level=1", "?level=2", "?level=3")]


def test_words_are_found_in_what_is_shown_only(owner, agent):
    put(agent, "Profile", {"level_1": "Ada", "level_2": "Ada Lovelace"})
    put(agent, "Profile", {"level_1": "Grace"})

    def found(**query: object) -> int:
        return owner.get(f"{URL}find", query).json()["found"]

    assert found(q="Lovelace") == 0
    assert found(q="Lovelace", at=1) == 1
    assert found(q="Lovelace", at=1, level=1) == 0


@pytest.mark.parametrize("query", ["at=99", "at=2026-01-01"])
def test_a_moment_that_never_was_is_a_problem(owner, query):
    response = owner.get(f"{URL}sizes?{query}")

    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert "detail" in parse_json(response.content).value
    assert owner.get(f"{URL}find?q=a&{query}").status_code == 422
