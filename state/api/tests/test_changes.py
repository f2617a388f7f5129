"""`GET /api/changes`: the log read forwards, page by page, by any cursor, with nothing left out."""

import json
from datetime import UTC, datetime

import pytest

from conversations import log
from state.models import StoreMeta
from state.revisions import Author, Source


def changes(client, query: str = "", **headers: str) -> dict:
    response = client.get(f"/api/changes{query}", headers=headers)
    assert response.status_code == 200, response.content
    return response.json()


def put(client, address: str, value: object, **headers: str) -> int:
    response = client.put(f"/api/state/{address}", json.dumps(value), content_type="application/json", headers=headers)
    return int(response["Nola-Revision"])


def revisions(page: dict) -> list[int]:
    return [event["revision"] for event in page["revisions"]]


@pytest.fixture
def epoch(agent) -> str:
    put(agent, "Tasks", ["write"])
    return StoreMeta.objects.get().epoch


def test_an_event_says_what_who_when_and_why(agent, epoch):
    put(agent, "Tasks/0", "read", **{"Nola-Reason": "a%20change"})

    [_, event] = changes(agent)["revisions"]

    assert datetime.fromisoformat(event.pop("at")).tzinfo == UTC
    assert event == {
        "revision": 2,
        "actor": "key:default",
        "source": "api",
        "reason": "a change",
        "changes": [{"kind": "state", "key": "Tasks", "patch": [{"op": "replace", "path": "/0", "value": "read"}]}],
    }


def test_without_a_cursor_a_page_begins_with_the_oldest_and_the_next_goes_on(agent, epoch):
    for number in range(5):
        put(agent, f"N{number}", number)

    first = agent.get("/api/changes?limit=4")
    second = agent.get(first["Link"].removeprefix("<").partition(">")[0])

    assert (revisions(first.json()), first.json()["more"]) == ([1, 2, 3, 4], True)
    assert first.json()["cursor"] == f"{epoch}:4"
    assert (revisions(second.json()), second.json()["more"]) == ([5, 6], False)
    assert second.json()["cursor"] == f"{epoch}:6"
    assert "Link" not in second
    assert second["Nola-Revision"] == "6"


def test_last_event_id_beats_since(agent, epoch):
    for number in range(3):
        put(agent, "N", number)

    assert revisions(changes(agent, f"?since={epoch}:1", **{"Last-Event-ID": f"{epoch}:3"})) == [4]
    assert revisions(changes(agent, f"?since={epoch}:1")) == [2, 3, 4]
    assert revisions(changes(agent, "?since=2")) == [3, 4]


def test_a_page_at_the_head_is_empty_and_its_cursor_stays(agent, epoch):
    assert changes(agent, f"?since={epoch}:1") == {"revisions": [], "cursor": f"{epoch}:1", "more": False}


@pytest.mark.parametrize("since", ["{epoch}:2", "2", "other:1", "{epoch}:999999999"])
def test_a_cursor_of_another_epoch_or_ahead_of_the_head_is_gone(agent, epoch, since):
    response = agent.get(f"/api/changes?since={since.format(epoch=epoch)}")

    assert response.status_code == 410
    assert response.json()["cursor"] == f"{epoch}:1"
    assert f"go on from {epoch}:1" in response.json()["detail"]


@pytest.mark.parametrize("since", ["abc", ":1", "x:", "-1", "1:2:x", "%C2%B2", "9" * 30])
def test_what_is_no_cursor_is_refused_by_its_name(agent, epoch, since):
    response = agent.get(f"/api/changes?since={since}")

    assert response.status_code == 422
    assert "is no cursor" in response.json()["detail"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "wait=61", "wait=-1", "wait=x", "nope=1"])
def test_parameters_are_read_strictly(agent, epoch, query):
    assert agent.get(f"/api/changes?{query}").status_code == 422


def test_a_reader_without_a_credential_learns_nothing(client, epoch):
    response = client.get("/api/changes", headers={"Accept": "text/event-stream"})

    assert response.status_code == 401
    assert "Tasks" not in response.content.decode()


def test_a_stream_is_refused_where_none_can_be_kept(agent, epoch):
    response = agent.get("/api/changes", headers={"Accept": "text/event-stream"})

    assert response.status_code == 406
    assert "./nola serve" in response.json()["detail"]


# What to follow


def test_a_key_shows_its_own_changes_only(agent, epoch):
    put(agent, "Other", 1)
    operations = [{"op": "put", "pointer": "/Other", "value": 2}, {"op": "put", "pointer": "/Tasks/1", "value": "b"}]
    agent.post("/api/transactions", {"operations": operations}, content_type="application/json")

    page = changes(agent, f"?key=Tasks&since={epoch}:1")

    assert revisions(page) == [3]
    assert [change["key"] for change in page["revisions"][0]["changes"]] == ["Tasks"]
    assert revisions(changes(agent, "?key=Tasks&key=Other")) == [1, 2, 3]


def test_a_filtered_page_moves_its_cursor_past_what_it_does_not_show(agent, epoch):
    for number in range(20):
        put(agent, "Noise", number)

    assert changes(agent, "?key=Tasks&since=1") == {"revisions": [], "cursor": f"{epoch}:21", "more": False}


def test_a_filtered_page_that_is_full_says_whether_more_matches(agent, epoch):
    for number in range(3):
        put(agent, "Tasks/0", number)
        put(agent, "Noise", number)

    page = changes(agent, "?key=Tasks&limit=3")

    assert (revisions(page), page["cursor"], page["more"]) == ([1, 2, 4], f"{epoch}:4", True)
    page = changes(agent, f"?key=Tasks&limit=3&since={page['cursor']}")
    assert (revisions(page), page["more"]) == ([6], False)


@pytest.mark.parametrize(
    ("address", "value", "seen"),
    [
        ("Deep/a/b/c", 2, True),
        ("Deep/a/b", {"c": 3}, True),
        ("Deep/a/x", 1, False),
        ("Deep/x", 1, False),
        ("Else/a/b", 1, False),
        ("Deep", {"a": 1}, True),
    ],
)
def test_a_pointer_shows_what_changes_there_above_and_below(agent, epoch, address, value, seen):
    put(agent, "Deep", {"a": {"b": {"c": 1}}})
    revision = put(agent, address, value)

    assert revisions(changes(agent, "?pointer=/Deep/a/b&since=2")) == [revision] * seen


def test_a_pointer_into_an_array_shows_what_shifts_its_item(agent, epoch):
    put(agent, "List", ["a", "b", {"c": 1}])
    insert = [{"op": "add", "path": "/0", "value": "new"}]
    agent.patch("/api/state/List", json.dumps(insert), content_type="application/json-patch+json")
    put(agent, "List/4", "behind")

    assert revisions(changes(agent, "?pointer=/List/2/c&since=2")) == [3]


def test_a_pointer_that_names_no_key_and_too_many_addresses_are_refused(agent, epoch):
    assert agent.get("/api/changes?pointer=").status_code == 400
    assert agent.get("/api/changes?pointer=x").status_code == 400
    many = "&".join(f"key=k{number}" for number in range(101))
    assert agent.get(f"/api/changes?{many}").status_code == 422


def test_conversations_and_messages_are_on_the_same_clock_by_id_and_never_by_text(agent, epoch):
    said = log.NewMessage("user", "a secret thought", datetime(2026, 1, 1, tzinfo=UTC))
    conversation = log.create(log.NewConversation("talk-1", title="Talk"), Author("key:default", Source.API), [said])
    put(agent, "Tasks/0", "x")

    page = changes(agent, "?since=1")

    assert revisions(page) == [2, 3]
    created, added = page["revisions"][0]["changes"]
    assert (created["kind"], created["key"], created["patch"]["add"]["title"]) == ("conversation", "talk-1", "Talk")
    assert added == {"kind": "message", "key": "talk-1", "patch": {"add": [conversation.messages.get().pk]}}
    assert "secret" not in json.dumps(page)
    assert revisions(changes(agent, "?key=talk-1")) == [2]


# Size


def test_an_event_over_64_kb_names_its_keys_and_says_so(agent, epoch):
    put(agent, "Large", "x" * 70_000)
    operations = [{"op": "put", "pointer": f"/Part{n}", "value": "é" * 20_000} for n in range(3)]
    agent.post("/api/transactions", {"operations": operations}, content_type="application/json")
    put(agent, "Small", "x" * 60_000)

    large, parts, small = changes(agent, "?since=1")["revisions"]

    assert (large["truncated"], large["total"]) == (True, 1)
    assert large["changes"] == [{"kind": "state", "key": "Large"}]
    assert [change["key"] for change in parts["changes"]] == ["Part0", "Part1", "Part2"]
    assert "truncated" not in small
    assert small["changes"][0]["patch"][0]["value"] == "x" * 60_000


def test_a_revision_of_very_many_keys_stays_small_and_says_how_many(agent, epoch):
    rows = [{"model": "state.stateentry", "pk": f"{n:05}" + "k" * 200, "fields": {"value_json": n}} for n in range(800)]
    response = agent.post("/api/state/restore", {"checkpoint": rows}, content_type="application/json")
    assert response.status_code == 200

    [event] = changes(agent, "?since=1")["revisions"]

    assert (event["truncated"], event["total"]) == (True, 800)
    assert 100 < len(event["changes"]) < 800
    assert len(json.dumps(event)) < 80_000


def test_a_page_of_large_events_ends_early_and_goes_on(agent, epoch):
    for number in range(80):
        put(agent, "Blob", f"{number}" + "x" * 59_000)

    seen, query, pages = [], "?limit=1000", 0
    while True:
        page = changes(agent, query)
        seen += revisions(page)
        pages += 1
        if not page["more"]:
            break
        query = f"?limit=1000&since={page['cursor']}"

    assert seen == list(range(1, 82))
    assert pages == 2


def test_a_page_costs_the_same_few_queries_whatever_its_length(agent, epoch, django_assert_num_queries):
    for number in range(50):
        put(agent, "N", number)

    with django_assert_num_queries(4):  # the key, the head, the revisions, their changes
        changes(agent, "?limit=5")
    with django_assert_num_queries(4):
        changes(agent, "?limit=50")
