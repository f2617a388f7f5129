import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from conversations.models import Conversation, Message
from state import store
from state.models import Change, Revision

JSON = "application/json"
HI = {"speaker": "user", "message": "hi"}
TALK = "/api/conversations/s/messages"


def send(client, method, path, body, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return client.generic(method, path, text, JSON, headers=headers)


def post(client, path, body, **headers):
    return send(client, "POST", path, body, **headers)


def texts(client, path=TALK):
    return [one["message"] for one in client.get(path).json()["messages"]]


def test_the_first_message_begins_the_conversation(agent):
    response = post(agent, TALK, {**HI, "timestamp": "2026-01-31T12:00:00.5+01:00", "user_id": "ada"})

    message = Message.objects.get()
    assert response.status_code == 201
    assert response["Nola-Revision"] == "1"
    assert response.json() == {
        "session_id": "s",
        "added": 1,
        "messages": [
            {
                "id": message.pk,
                "speaker": "user",
                "message": "hi",
                "timestamp": "2026-01-31T11:00:00.500000+00:00",
                "timestamp_text": "2026-01-31T12:00:00.5+01:00",
                "user_id": "ada",
                "status": "ok",
                "parent": None,
                "client_id": None,
                "context_level": None,
                "stimuli_type": "",
                "metadata": {},
                "revision": 1,
            }
        ],
    }
    assert Revision.objects.get().actor == "key:default"


def test_a_session_id_with_a_slash_is_spelt_as_in_addresses(agent):
    post(agent, "/api/conversations/a~1b/messages", HI)

    assert Conversation.objects.get().session_id == "a/b"
    assert agent.get("/api/conversations/a~1b").json()["messages"] == 1


def test_many_messages_are_one_revision_and_one_request_of_a_few_queries(agent, django_assert_max_num_queries):
    post(agent, TALK, HI)

    with django_assert_max_num_queries(24):
        response = post(agent, TALK, [{**HI, "message": f"number {n}"} for n in range(500)])

    assert response.json()["added"] == 500
    assert store.head() == 2
    assert texts(agent, f"{TALK}?limit=3") == ["hi", "number 0", "number 1"]


def test_an_append_that_is_sent_again_adds_nothing(agent):
    first = post(agent, TALK, [HI, {**HI, "speaker": "assistant"}], **{"Idempotency-Key": "k"})
    again = post(agent, TALK, [HI, {**HI, "speaker": "assistant"}], **{"Idempotency-Key": "k"})

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert Message.objects.count() == 2
    assert store.head() == 1


def test_a_client_id_adds_once_and_the_rest_of_the_request_is_added(agent):
    post(agent, TALK, {**HI, "client_id": "a"})

    response = post(agent, TALK, [{**HI, "client_id": "a"}, {**HI, "message": "new", "client_id": "b"}])

    assert response.json()["added"] == 1
    assert [one["client_id"] for one in response.json()["messages"]] == ["a", "b"]
    assert texts(agent) == ["hi", "new"]
    assert post(agent, TALK, {**HI, "client_id": "a"}).status_code == 200
    assert store.head() == 2


def test_a_client_id_for_another_message_is_refused(agent):
    post(agent, TALK, {**HI, "client_id": "a"})

    response = post(agent, TALK, [{**HI, "message": "new"}, {**HI, "message": "other", "client_id": "a"}])

    assert response.status_code == 409
    assert response.json()["detail"] == "the client id 'a' stands for another message; take a new one"
    assert texts(agent) == ["hi"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"speaker": "user"}, "message: is missing"),
        ({"speaker": "robot", "message": ""}, "speaker: Input should be 'user', 'assistant', 'system' or 'tool'"),
        ([HI, {**HI, "mesage": "x"}], "message 1: mesage: there is no such member"),
        ({**HI, "message": "a\0b"}, "message: contains the character NUL, which cannot be kept; leave it out"),
        (
            {**HI, "timestamp": "2026-01-31T12:00:00"},
            "timestamp: '2026-01-31T12:00:00' names no zone; end it with Z or an offset such as +01:00",
        ),
        ({**HI, "timestamp": "yesterday"}, "timestamp: 'yesterday' is no time such as 2026-01-31T12:00:00Z"),
        ({**HI, "status": "fine"}, "status: Input should be 'ok', 'pending' or 'error'"),
        ({**HI, "parent": 99}, "the parent '99' is no message of this conversation that comes before"),
        ({**HI, "client_id": ""}, "client_id: must not be empty, nor begin with # or import:"),
        ("7", "the body must be a JSON object"),
        ([HI] * 1001, "1,001 messages are too many; 1,000 are taken at once"),
    ],
)
def test_what_is_no_message_is_refused_by_name(agent, body, detail):
    post(agent, TALK, HI)

    response = post(agent, TALK, body)

    assert (response.status_code, response.json()["detail"]) == (422, detail)
    assert texts(agent) == ["hi"]
    assert store.head() == 1


def test_half_a_surrogate_pair_is_refused_with_its_place(agent):
    response = post(agent, TALK, '{"speaker":"user","message":"\\ud83d"}')

    assert response.status_code == 400
    assert response.json()["pointer"] == "/message"


def test_a_message_of_ten_megabytes_is_kept_whole(agent):
    text = "x" * 10_000_000

    assert post(agent, TALK, {**HI, "message": text}).status_code == 201
    assert Message.objects.get().message == text


@pytest.fixture
def thirty(agent):
    times = ["2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"]
    post(agent, TALK, [{**HI, "message": str(n), "timestamp": times[n // 10]} for n in range(30)])
    return agent


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_lead_through_all_messages_once(thirty, order):
    seen, path = [], f"{TALK}?order={order}&limit=7"
    while path:
        response = thirty.get(path)
        seen += [int(one["message"]) for one in response.json()["messages"]]
        path = response.headers.get("Link", "").partition(">")[0].removeprefix("<")

    assert seen == (list(range(30)) if order == "oldest" else list(range(29, -1, -1)))


def test_a_page_around_a_message_leads_on_in_both_directions(thirty):
    pk = Message.objects.get(message="15").pk

    page = thirty.get(f"{TALK}?around={pk}&limit=4").json()
    older = thirty.get(f"{TALK}?order=newest&limit=2&cursor={page['older']}").json()
    newer = thirty.get(f"{TALK}?order=oldest&limit=2&cursor={page['newer']}").json()

    assert [one["message"] for one in page["messages"]] == ["13", "14", "15", "16", "17"]
    assert [one["message"] for one in older["messages"]] == ["12", "11"]
    assert [one["message"] for one in newer["messages"]] == ["18", "19"]


@pytest.mark.parametrize("cursor", ["x", "", "W10", "%F0%9F%98%80", "WyIyMDI2LTAxLTAxIiwgMV0"])
def test_a_wrong_cursor_is_said(thirty, cursor):
    assert thirty.get(f"{TALK}?cursor={cursor}").status_code == 400


def test_a_conversation_is_created_with_fields_and_read_again(agent):
    body = {
        "session_id": "s",
        "title": "Trip",
        "tags": ["travel"],
        "metadata": {"n": 1.0},
        "started": "2026-01-01T00:00:00Z",
    }

    created = post(agent, "/api/conversations", {**body, "messages": [HI]}, **{"Idempotency-Key": "k"})
    again = post(agent, "/api/conversations", {**body, "messages": [HI]}, **{"Idempotency-Key": "k"})

    assert (created.status_code, again.status_code, again.content) == (201, 201, created.content)
    assert agent.get("/api/conversations/s").json() == created.json()
    assert created.json()["tags"] == ["travel"]
    assert (created.json()["metadata"], created.json()["messages"]) == ({"n": 1.0}, 1)
    assert post(agent, "/api/conversations", {"session_id": "s"}).status_code == 409
    assert store.head() == 1


def test_a_conversation_without_a_session_id_gets_one(agent):
    session_id = post(agent, "/api/conversations", {}).json()["session_id"]

    assert len(session_id) == 16
    assert agent.get(f"/api/conversations/{session_id}").status_code == 200


def test_rename_archive_tag_and_metadata_by_member(agent):
    post(agent, "/api/conversations", {"session_id": "s", "tags": ["a"], "metadata": {"x": 1, "y": 2}})

    response = send(
        agent, "PATCH", "/api/conversations/s", {"title": "T", "archived": True, "metadata": {"x": None, "z": 3}}
    )

    found = response.json()
    assert (found["title"], found["archived"], found["tags"], found["metadata"]) == ("T", True, ["a"], {"y": 2, "z": 3})
    assert send(agent, "PATCH", "/api/conversations/s", {"tags": []}).json()["tags"] == []
    assert send(agent, "PATCH", "/api/conversations/s", {"title": "T"})["Nola-Revision"] == "3"
    assert store.head() == 3


def test_a_user_message_is_saved_before_the_answer_exists(agent):
    pk = post(agent, TALK, {**HI, "status": "pending"}).json()["messages"][0]["id"]

    response = send(agent, "PATCH", f"{TALK}/{pk}", {"status": "error", "metadata": {"reason": "model down"}})

    assert (response.json()["status"], response.json()["metadata"]) == ("error", {"reason": "model down"})
    assert Change.objects.get(revision=2).inverse == {"set": {str(pk): {"status": "pending", "metadata": {}}}}
    assert post(agent, "/api/undo", {"revision": 2}).status_code == 200
    assert agent.get(f"{TALK}/{pk}").json()["status"] == "pending"


def test_a_text_is_not_changed_afterwards(agent):
    pk = post(agent, TALK, HI).json()["messages"][0]["id"]

    response = send(agent, "PATCH", f"{TALK}/{pk}", {"message": "other"})

    assert (response.status_code, response.json()["detail"]) == (422, "message: there is no such member")


def test_a_deleted_conversation_comes_back_by_undo(agent):
    post(agent, TALK, HI)

    deleted = agent.delete("/api/conversations/s")

    assert (deleted.status_code, deleted["Nola-Revision"]) == (204, "2")
    assert agent.get("/api/conversations").json()["conversations"] == []
    gone = post(agent, TALK, HI)
    assert (gone.status_code, agent.get(TALK).status_code) == (410, 410)
    assert gone.json()["detail"] == "the conversation 's' was deleted in revision 2; undo that first"
    assert post(agent, "/api/undo", {"revision": 2}).status_code == 200
    assert texts(agent) == ["hi"]


def test_a_deleted_message_comes_back_by_undo(agent):
    ids = [one["id"] for one in post(agent, TALK, [HI, {**HI, "message": "ho"}]).json()["messages"]]

    assert agent.delete(f"{TALK}/{ids[0]}").status_code == 204
    assert texts(agent) == ["ho"]
    assert agent.get("/api/conversations/s").json()["messages"] == 1
    assert agent.get(f"{TALK}/{ids[0]}").status_code == 410
    post(agent, "/api/undo", {"revision": 2})
    assert texts(agent) == ["hi", "ho"]


@pytest.mark.django_db(transaction=True)
def test_a_purge_is_confirmed_final_and_leaves_nothing_to_read(agent, settings):
    post(agent, "/api/conversations", {"session_id": "s", "title": "a secret title", "messages": [HI]})
    secret = "the secret word is xylophone"
    post(agent, TALK, {"speaker": "user", "message": secret, "metadata": {"note": "hidden"}})
    unconfirmed = post(agent, "/api/conversations/s/purge", {"confirm": "yes"})

    response = post(agent, "/api/conversations/s/purge", {"confirm": "s"}, **{"Idempotency-Key": "k"})
    again = post(agent, "/api/conversations/s/purge", {"confirm": "s"}, **{"Idempotency-Key": "k"})

    assert unconfirmed.status_code == 422
    assert response.json() == {"purged": "s", "messages": 2, "final": True}
    assert again.content == response.content
    assert (Message.objects.count(), Conversation.objects.count()) == (0, 0)
    kept = json.dumps(
        [[one.forward, one.inverse, one.result_hash, one.salt] for one in Change.objects.filter(revision__lt=3)]
    )
    assert "secret" not in kept
    assert Change.objects.filter(redacted_by=3).count() == 3
    assert Revision.objects.first().source == "forget"
    for revision in (1, 2, 3):
        undone = post(agent, "/api/undo", {"revision": revision})
        assert (undone.status_code, undone.json()["detail"]) == (422, "the conversation 's' was purged, which is final")


def test_lists_are_paged_and_filtered(agent):
    for n in range(5):
        tags = ["even"] if n % 2 == 0 else []
        body = {"session_id": f"s{n}", "title": f"Talk {n}", "started": f"2026-01-0{n + 1}T00:00:00Z", "tags": tags}
        post(agent, "/api/conversations", {**body, "channel": "cli" if n < 2 else "web"})
    send(agent, "PATCH", "/api/conversations/s4", {"archived": True})

    def names(query):
        return [one["session_id"] for one in agent.get(f"/api/conversations?{query}").json()["conversations"]]

    first = agent.get("/api/conversations?limit=2").json()
    assert [one["session_id"] for one in first["conversations"]] == ["s4", "s3"]
    assert names(f"limit=9&cursor={first['next']}") == ["s2", "s1", "s0"]
    assert names("tag=even&archived=false") == ["s2", "s0"]
    assert names("channel=cli") == ["s1", "s0"]
    assert names("title=talk%203") == ["s3"]
    assert agent.get("/api/conversations?archived=maybe").status_code == 422


def test_a_list_costs_a_fixed_number_of_queries_for_its_counts(agent, django_assert_max_num_queries):
    for n in range(20):
        post(agent, f"/api/conversations/s{n}/messages", [HI] * 2)

    with django_assert_max_num_queries(7):
        agent.get("/api/conversations")


def test_what_follows_in_a_branched_conversation_goes_on_with_the_current_branch(agent):
    ids = [one["id"] for one in post(agent, TALK, [{**HI, "message": text} for text in "abc"]).json()["messages"]]
    [branch] = post(agent, TALK, {**HI, "message": "B", "parent": ids[0]}).json()["messages"]
    send(agent, "PATCH", "/api/conversations/s", {"current_leaf": branch["id"]})

    post(agent, TALK, {**HI, "message": "C"})

    assert texts(agent) == ["a", "b", "c", "B", "C"]
    assert texts(agent, f"{TALK}?branch=current") == ["a", "B", "C"]
    assert texts(agent, f"{TALK}?branch=current&order=newest&limit=2") == ["C", "B"]
    send(agent, "PATCH", "/api/conversations/s", {"current_leaf": ids[2]})
    assert texts(agent, f"{TALK}?branch=current") == ["a", "b", "c"]
    assert send(agent, "PATCH", "/api/conversations/s", {"current_leaf": 999}).status_code == 404


def test_reading_needs_a_key_and_writing_one_that_may(agent, make_key):
    make_key("nola_reader-key-00000", "reader", ("read",))
    reader = Client(headers={"Authorization": "Bearer nola_reader-key-00000"})

    assert Client().get("/api/conversations").status_code == 401
    assert post(reader, TALK, HI).status_code == 403
    assert reader.get("/api/conversations").status_code == 200


def test_times_are_kept_in_order_whatever_their_zone(agent):
    post(agent, TALK, [{**HI, "message": "later", "timestamp": "2026-01-01T00:30:00-05:00"}])
    post(agent, TALK, [{**HI, "message": "earlier", "timestamp": "2026-01-01T02:00:00+02:00"}])

    assert texts(agent) == ["earlier", "later"]
    assert Message.objects.first().timestamp == datetime(2026, 1, 1, 0, 0, tzinfo=UTC)


def test_messages_are_deleted_together_and_come_back_together(agent):
    ids = [one["id"] for one in post(agent, TALK, [{**HI, "message": text} for text in "abc"]).json()["messages"]]

    refused = agent.delete(f"{TALK}?id={ids[0]}&id=999999")
    deleted = agent.delete(f"{TALK}?id={ids[0]}&id={ids[2]}&id={ids[2]}")

    assert (refused.status_code, deleted.status_code) == (404, 204)
    assert texts(agent) == ["b"]
    post(agent, "/api/undo", {"revision": int(deleted["Nola-Revision"])})
    assert texts(agent) == ["a", "b", "c"]
    assert agent.delete(TALK).status_code == 422
    assert agent.delete(f"{TALK}?id=x").status_code == 422


def test_all_messages_go_and_the_conversation_stays(agent):
    post(agent, TALK, [{**HI, "message": text} for text in "abc" * 5])

    deleted = agent.delete(f"{TALK}?all=true")

    assert (deleted.status_code, texts(agent)) == (204, [])
    assert agent.get("/api/conversations/s").json()["messages"] == 0
    assert agent.delete(f"{TALK}?all=true")["Nola-Revision"] == deleted["Nola-Revision"]  # nothing was left to do
    post(agent, "/api/undo", {"revision": int(deleted["Nola-Revision"])})
    assert texts(agent) == [*"abc" * 5]
    assert agent.delete(f"{TALK}?all=true&id=1").status_code == 422
    assert agent.delete("/api/conversations/t/messages?all=true").status_code == 404


def test_messages_may_be_sent_by_that_name(agent):
    answer = post(agent, TALK, {"messages": [HI, {**HI, "message": "more"}]})

    assert (answer.status_code, answer.json()["added"]) == (201, 2)
    assert post(agent, TALK, {"messages": HI}).status_code == 422
    assert post(agent, TALK, {"messages": [HI], "title": "x"}).status_code == 422


def test_alternatives_are_named_and_one_of_them_can_be_chosen(agent):
    ids = [one["id"] for one in post(agent, TALK, [{**HI, "message": text} for text in "abc"]).json()["messages"]]
    [branch] = post(agent, TALK, {**HI, "message": "B", "parent": ids[0]}).json()["messages"]
    send(agent, "PATCH", "/api/conversations/s", {"current_leaf": branch["id"]})

    page = agent.get(f"{TALK}?branch=current").json()["messages"]
    send(agent, "PATCH", "/api/conversations/s", {"current_leaf": ids[1]})

    assert [one.get("versions") for one in page] == [None, [ids[1], branch["id"]]]
    assert texts(agent, f"{TALK}?branch=current") == ["a", "b", "c"]


def test_the_feed_goes_on_over_what_was_purged(agent):
    post(agent, TALK, HI)
    post(agent, "/api/conversations/s/purge", {"confirm": "s"})
    post(agent, TALK, {**HI, "message": "anew"})

    revisions = agent.get("/api/changes").json()["revisions"]
    of_session = agent.get("/api/changes?key=s").json()["revisions"]

    assert [one["revision"] for one in revisions] == [one["revision"] for one in of_session] == [1, 2, 3]
    assert {"kind": "conversation", "key": "s", "patch": {"purge": 1}} in revisions[1]["changes"]
