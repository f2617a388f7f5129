"""`/api/context`: what a model is given, within a budget, at a revision, and the receipts of it."""

import json

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.rights import Grant, Right
from conversations.context.assemble import ContextRequest, assemble_context
from state import store
from state.address import Address
from state.context import sections
from state.context.sections import KEPT_TEXT, rendering_cache
from state.context.tokens import count_tokens
from state.jsondoc.tests.test_levels import values
from state.jsondoc.text import make_document
from state.models import Receipt, Revision, StateEntry
from state.revisions import Author, Source

JSON = "application/json"
ANYBODY = Grant("Anybody", "nowhere", frozenset(Right))
AUTHOR = Author("key:default", Source.API)
PROFILE = {
    "name": "Ada",
    "about": {"level_1": "a mathematician", "level_2": "a mathematician who wrote the first program " * 3},
    "work": {"level_1": "engines", "level_3": {"notes": ["Note G " * 30], "engines": ["difference", "analytical"]}},
}
SAID = [
    {"speaker": "user", "message": "Where did we stay in Lisbon?", "timestamp": "2026-01-31T12:00:00Z"},
    {"speaker": "assistant", "message": "In Alfama,\nin a small flat.", "timestamp": "2026-01-31T12:00:05Z"},
    {"speaker": "assistant", "message": "model is down", "timestamp": "2026-01-31T12:01:00Z", "status": "error"},
    {"speaker": "user", "message": "Book it again.", "timestamp": "2026-01-31T12:02:00Z", "status": "pending"},
]


@pytest.fixture
def told(agent):
    """An agent with three keys and a conversation, at revision 4."""
    rendering_cache.clear()
    put(agent, "Profile", PROFILE)
    put(agent, "Tasks", [{"title": "Plan the trip", "done": False}])
    put(agent, "Deep", {"level_3": "only for analysis"})
    say(agent, SAID)
    return agent


def put(agent, address, value):
    response = agent.put(f"/api/state/{address}", json.dumps(value), JSON)
    assert response.status_code in (200, 201)


def say(agent, messages, session="trip"):
    return agent.post(f"/api/conversations/{session}/messages", json.dumps(messages), JSON).json()["messages"]


def ask(agent, **query):
    response = agent.get("/api/context", query, headers={"Accept": JSON})
    assert response.status_code == 200, response.content
    return response.json()


def keep(agent, headers=None, **body):
    return agent.post("/api/context", json.dumps(body), JSON, headers=headers or {})


def levels(answer):
    return {one["section"]: one["level"] for one in answer["sections"]}


# What is in it


def test_all_keys_come_in_byte_order_as_deep_as_they_fit(told):
    answer = ask(told)

    assert json.loads(answer["text"]) == {
        "state": {
            "/Deep": "only for analysis",
            "/Profile": {"name": "Ada", "about": PROFILE["about"]["level_2"], "work": PROFILE["work"]["level_3"]},
            "/Tasks": [{"title": "Plan the trip", "done": False}],
        }
    }
    assert (answer["revision"], answer["budget"], answer["left_out"]) == (4, 2000, [])
    assert answer["tokens"] == count_tokens(answer["text"])
    assert answer["sections"][1] == {
        "section": "/Profile",
        "weight": 1,
        "levels": {"1": 18, "2": 47, "3": 110},
        "level": 3,
        "tokens": 110,
    }


def test_markdown_is_answered_as_it_goes_into_a_prompt(told):
    response = told.get("/api/context?format=markdown&level=1&key=Tasks&pointer=/Profile/about&conversation=trip")

    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert (response["Nola-Revision"], response["Nola-Tokens"]) == ("4", "67")
    assert response.content.decode() == (
        "## Tasks\n\n- - title: Plan the trip\n  - done: false\n\n"
        "## Profile/about\n\na mathematician\n\n"
        "## Conversation trip\n\n"
        "- user, 2026-01-31 12:00: Where did we stay in Lisbon?\n"
        "- assistant, 2026-01-31 12:00: In Alfama,\n  in a small flat.\n"
        "- user, 2026-01-31 12:02: Book it again.\n"
    )


@pytest.mark.parametrize(
    ("query", "accept", "media_type", "form"),
    [
        ("", "*/*", "application/json", "json"),
        ("", "text/markdown", "text/markdown; charset=utf-8", None),
        ("?format=markdown", "*/*", "text/markdown; charset=utf-8", None),
        ("?format=markdown", "application/json", "application/json", "markdown"),
        ("?format=json", "text/markdown", "application/json", "json"),
    ],
)
def test_format_and_accept_say_how_it_is_written(told, query, accept, media_type, form):
    response = told.get(f"/api/context{query}", headers={"Accept": accept})

    assert (response["Content-Type"], response["Vary"]) == (media_type, "Accept")
    assert form is None or response.json()["format"] == form
    assert form is not None or response.content.startswith(b"## Deep\n")


def test_a_small_budget_keeps_every_first_level_before_any_deeper_one(told):
    answer = ask(told, format="markdown", budget=50)

    assert levels(answer) == {"/Deep": 3, "/Profile": 1, "/Tasks": 3}
    assert answer["tokens"] <= 50


def test_what_is_left_out_is_named_with_the_reason(told):
    put(told, "ContextWeights", {"Deep": 0})
    answer = ask(told, format="markdown", budget=25, key=["Nothing", "Profile", "Deep", "Tasks"])

    assert levels(answer) == {"/Tasks": 3}
    assert [(one["section"], one["why"], one["detail"]) for one in answer["left_out"]] == [
        ("/Nothing", "absent", "nothing shows there at level 3"),
        ("/Profile", "budget", "it takes 17 tokens at least, and 12 were left"),
        ("/Deep", "weight", "its weight in ContextWeights is 0"),
    ]
    assert answer["left_out"][1]["needs"] == 17


def test_a_budget_that_is_too_small_for_anything_gives_nothing_and_says_so(told):
    answer = ask(told, budget=1, conversation="trip", q="lisbon")

    assert (answer["text"], answer["tokens"], answer["sections"]) == ("", 0, [])
    assert [one["why"] for one in answer["left_out"]] == ["budget"] * 3
    assert (answer["messages"]["shown"], answer["messages"]["left_out"]) == (0, 3)
    assert answer["found"]["left_out"] == 1
    assert told.get("/api/context?budget=1&format=markdown").content == b""


@pytest.mark.parametrize("query", [{"level": 2}, {"stimuli": "conversational"}, {"stimuli": "unheard of"}])
def test_no_section_goes_deeper_than_the_level_asked_for(told, query):
    answer = ask(told, **query)

    assert levels(answer) == {"/Profile": 2, "/Tasks": 2}
    assert answer["left_out"] == [{"section": "/Deep", "why": "absent", "detail": "nothing shows there at level 2"}]
    assert "110" not in json.dumps(answer["sections"])


def test_a_section_is_refused_in_the_same_words_whether_it_is_hidden_or_missing(told):
    answer = ask(told, level=1, pointer=["/Profile/work/level_3", "/Profile/work/level_4", "/None"])

    assert {one["detail"] for one in answer["left_out"]} == {"nothing shows there at level 1"}
    assert len(answer["left_out"]) == 3


def test_weights_are_a_key_of_the_state_with_a_history(told):
    before = ask(told, format="markdown", budget=24)
    put(told, "ContextWeights", {"Profile": 2.5, "/Tasks/0": 5, "Deep": "heavy"})
    after = ask(told, format="markdown", budget=24)

    assert levels(before) == {"/Deep": 3, "/Tasks": 3}
    assert levels(after) == {"/Deep": 3, "/Profile": 1}
    assert after["sections"][1]["weight"] == 2.5
    assert after["warnings"] == [
        "ContextWeights: the weight of 'Deep' is not a number from 0 to 1,000; it is taken as 1"
    ]
    assert levels(ask(told, format="markdown", budget=24, at=4)) == levels(before)
    assert ask(told, pointer="/Tasks/0/title")["sections"][0]["weight"] == 5


def test_last_messages_come_without_errors_and_the_newest_ones_first_when_room_is_short(told):
    answer = ask(told, key="Tasks", conversation="trip", talk=25, format="markdown")
    two = ask(told, key="Tasks", conversation="trip", messages=2)

    assert answer["text"].endswith("## Conversation trip\n\n- user, 2026-01-31 12:02: Book it again.\n")
    assert (answer["messages"]["shown"], answer["messages"]["left_out"], answer["messages"]["why"]) == (1, 2, "budget")
    assert [one["message"] for one in json.loads(two["text"])["messages"]] == [
        "In Alfama,\nin a small flat.",
        "Book it again.",
    ]


def test_what_is_searched_for_comes_last_from_state_and_messages(told):
    answer = ask(told, key="Deep", q="trip")
    by_word = ask(told, key="Deep", q="lisbon", level=1)

    assert json.loads(answer["text"])["found"] == [{"pointer": "/Tasks/0/title", "text": "Plan the trip"}]
    assert json.loads(by_word["text"])["found"] == [
        {
            "conversation": "trip",
            "speaker": "user",
            "at": "2026-01-31T12:00:00Z",
            "message": "Where did we stay in Lisbon?",
        }
    ]
    assert ask(told, key="Deep", q="analysis", level=2)["found"]["shown"] == 0


def test_what_says_a_word_most_in_the_shortest_text_is_found_first(told):
    say(told, [{"speaker": "user", "message": f"pear {'and much else ' * 90}"}], "long")
    say(told, [{"speaker": "user", "message": "pear pear pear"}], "short")
    say(told, [{"speaker": "user", "message": "a pear"}], "newest")

    found = json.loads(ask(told, key="None", q="pear")["text"])["found"]

    assert [one["conversation"] for one in found] == ["short", "newest", "long"]


# The same revision, the same bytes


def test_a_context_of_a_revision_is_the_same_to_the_byte_whatever_came_later(told):
    query = {"conversation": "trip", "q": "lisbon", "format": "markdown", "budget": 300}
    before = told.get("/api/context", query)
    put(told, "Profile/name", "Augusta")
    told.delete("/api/state/Tasks")
    put(told, "New", "key")
    put(told, "ContextWeights", {"Deep": 0})
    said = say(told, [{"speaker": "user", "message": "Lisbon Lisbon"}])
    told.patch("/api/conversations/trip/messages/3", '{"status":"ok"}', JSON)
    told.delete(f"/api/conversations/trip/messages/{said[0]['id']}")
    told.delete("/api/conversations/trip/messages/1")
    told.patch("/api/conversations/trip", '{"title":"Lisbon"}', JSON)
    now = told.get("/api/context", query)
    told.delete("/api/conversations/trip")

    then = told.get("/api/context", {**query, "at": 4})

    assert before.content != now.content
    assert then.content == before.content
    assert (then["Nola-Revision"], told.get("/api/context", query).status_code) == ("4", 410)


def test_a_branch_is_read_as_it_was(told):
    first, *_, last = say(told, [{"speaker": "user", "message": f"m{n}"} for n in range(3)], "tree")
    before = ask(told, conversation="tree", key="None")
    other = say(told, {"speaker": "user", "message": "other", "parent": first["id"]}, "tree")[0]
    told.patch("/api/conversations/tree", json.dumps({"current_leaf": other["id"]}), JSON)
    branched = ask(told, conversation="tree", key="None")
    told.patch("/api/conversations/tree", json.dumps({"current_leaf": last["id"]}), JSON)

    assert branched["messages"]["ids"] == [first["id"], other["id"]]
    assert ask(told, conversation="tree", key="None", at=branched["revision"]) == branched
    assert ask(told, conversation="tree", key="None", at=before["revision"]) == before


def test_an_unchanged_context_is_not_sent_again(told):
    first = told.get("/api/context?key=Tasks")
    again = told.get("/api/context?key=Tasks", headers={"If-None-Match": first["ETag"]})
    put(told, "Tasks/0/done", True)
    changed = told.get("/api/context?key=Tasks", headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200


documents = st.dictionaries(st.sampled_from("ABCDE"), values, min_size=1)
weights = st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from([0, 0.5, 2, 7]))
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
talk = st.lists(words, max_size=5)
forms = st.sampled_from(["json", "markdown"])
once = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def memory(agent):
    """Sets the whole state, and a new conversation each time; gives what `assemble` is to be asked."""
    rendering_cache.clear()
    made = []

    def fill(documents, weights, messages):
        wanted = {**documents, "ContextWeights": weights}
        store.put_keys({key: make_document(value) for key, value in wanted.items()}, AUTHOR)
        for key in StateEntry.objects.exclude(key_name__in=wanted).values_list("key_name", flat=True):
            store.remove(Address(key), AUTHOR)
        made.append(f"talk-{len(made)}-{Revision.objects.count()}")
        said = [{"speaker": "user", "message": text or "-"} for text in messages]
        agent.post("/api/conversations", json.dumps({"session_id": made[-1], "messages": said}), JSON)
        return made[-1]

    return fill


def assemble(budget, form, session, q="text", level=3, names="ABCDE"):
    addresses = [Address(name) for name in names]
    asked = ContextRequest(addresses, level, budget, budget // 2, form, session, 4, q, 3, grant=ANYBODY)
    return assemble_context(asked).report


def depth(report):
    """How much a report shows, by part; more of any is more."""
    shown = {one["section"]: one["level"] for one in report["sections"]}
    return {**shown, "messages": report["messages"]["shown"], "found": report["found"]["shown"]}


@once
@given(documents, weights, talk, forms, st.integers(1, 3))
def test_a_budget_holds_and_more_of_it_never_shows_less(memory, documents, weights, talk, form, level):
    session = memory(documents, weights, talk)
    before = {}

    for budget in (1, 2, 5, 9, 14, 20, 27, 40, 60, 100, 200, 1000):
        report = assemble(budget, form, session, level=level)
        shown = depth(report)
        assert count_tokens(report["text"]) == report["tokens"] <= budget
        assert all(shown.get(part, 0) >= how_much for part, how_much in before.items())
        assert form == "markdown" or not report["text"] or json.loads(report["text"])
        assert len(report["sections"]) + len(report["left_out"]) == 5
        before = shown


@once
@given(documents, weights, talk, forms, st.sampled_from([10, 30, 80, 400]))
def test_the_same_request_gives_the_same_bytes_cached_or_not(memory, documents, weights, talk, form, budget):
    session = memory(documents, weights, talk)
    cold = assemble(budget, form, session)
    warm = assemble(budget, form, session)
    rendering_cache.clear()
    past = assemble_context(
        ContextRequest(
            [Address(one) for one in "ABCDE"],
            3,
            budget,
            budget // 2,
            form,
            session,
            4,
            "text",
            3,
            str(cold["revision"]),
            grant=ANYBODY,
        )
    ).report

    assert json.dumps(cold) == json.dumps(warm) == json.dumps(past)


@once
@given(documents, talk, words, forms, values, st.sampled_from([20, 60, 200, 1000]))
def test_a_change_leaves_the_text_before_it_as_it_is(memory, documents, talk, text, form, value, budget):
    session = memory(documents, {}, talk)
    before = assemble(budget, form, session)
    later = memory(documents, {}, [*talk, text])
    after_talk = assemble(budget, form, later)
    memory({**documents, "C": value}, {}, talk)
    after_change = assemble(budget, form, session)

    assert after_talk["sections"] == before["sections"]  # whatever is said, the state stays as it is
    assert common(before, after_talk) >= state_size(before)
    if [levels(before).get(name) for name in ("/A", "/B")] == [levels(after_change).get(name) for name in ("/A", "/B")]:
        ahead = [one for one in before["sections"] if one["section"] in ("/A", "/B")]
        assert common(before, after_change) >= sum(one["tokens"] - 1 for one in ahead) * 4


def common(one, other):
    """How many characters two texts begin with in common."""
    pairs = zip(one["text"], other["text"], strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one["text"]), len(other["text"])))


def state_size(report):
    return sum(one["tokens"] - 1 for one in report["sections"]) * 4


# Asking what cannot be


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("level=7", 422, "there is no level '7'"),
        ("level=1&stimuli=realtime", 422, "give one of them"),
        ("budget=0", 422, "budget='0' must be a whole number from 1 to 1000000"),
        ("budget=x", 422, "budget='x'"),
        ("budget=1000001", 422, "from 1 to 1000000"),
        ("budget=10&budget=20", 400, "given 2 times"),
        ("format=html", 422, "format is json or markdown"),
        ("key=", 422, "a key cannot be empty"),
        ("pointer=Profile", 400, "does not start with /"),
        ("pointer=", 400, "stands for the whole state"),
        ("pointer=/~7", 400, "a ~ is not followed by 0 or 1"),
        ("&".join(f"key=K{n}" for n in range(129)), 400, "129 sections are too many"),
        ("conversation=nothing", 404, "there is no conversation 'nothing'"),
        ("conversation=trip&at=1", 404, "there was no conversation 'trip' at revision 1"),
        ("conversation=trip&messages=0", 422, "messages='0'"),
        ("conversation=trip&messages=1001", 422, "from 1 to 1000"),
        ("messages=3", 422, "messages goes with conversation"),
        ("hits=3", 422, "hits goes with q"),
        ("talk=3", 422, "talk goes with conversation or q"),
        ("q=x&talk=51&budget=50", 422, "talk=51 is more than the budget of 50"),
        ("q=", 422, "the search names no word"),
        ("at=99", 422, "revision 99 does not exist"),
        ("at=2026-01-01T00:00:00", 422, "names no zone"),
        ("weights=1", 422, "unknown parameter 'weights'"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_why(told, query, status, detail):
    response = told.get(f"/api/context?{query}")

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ("{", 400, "line 1"),
        ("[]", 422, "the body must be a JSON object"),
        ('{"budget":"10"}', 422, "budget: Input should be a valid integer"),
        ('{"budget":0}', 422, "budget: Input should be greater than or equal to 1"),
        ('{"level":4}', 422, "level: Input should be 1, 2 or 3"),
        ('{"level":1,"stimuli":"realtime"}', 422, "give one of them"),
        ('{"key":"Tasks"}', 422, "key: there is no such member"),
        ('{"pointers":["x"]}', 400, "does not start with /"),
        ('{"conversation":"nothing"}', 404, "there is no conversation"),
        ('{"format":"html"}', 422, "format: Input should be"),
    ],
)
def test_a_receipt_of_nonsense_is_not_kept(told, body, status, detail):
    response = told.post("/api/context", body, JSON)

    assert response.status_code == status
    assert detail in response.json()["detail"]
    assert Receipt.objects.count() == 0


def test_a_conversation_that_was_deleted_is_gone(told):
    told.delete("/api/conversations/trip")

    response = told.get("/api/context?conversation=trip")

    assert (response.status_code, "undo that first" in response.json()["detail"]) == (410, True)


# What it costs


def test_a_context_takes_a_fixed_number_of_queries(told, django_assert_num_queries):
    for number in range(30):
        put(told, f"K{number}", {"level_1": "a", "level_2": "b" * number})

    with django_assert_num_queries(3):  # the credential, which revision each key has, and those to be read
        told.get("/api/context")
    with django_assert_num_queries(2):
        told.get("/api/context?budget=100")
    put(told, "K3/level_1", "c")
    with django_assert_num_queries(3):
        told.get("/api/context")
    with django_assert_num_queries(7):  # the conversation, what was done to it since, what is hidden, its last messages
        told.get("/api/context?conversation=trip")


def test_no_more_than_200_of_what_is_left_out_is_named(told):
    many = {f"K{number:03}": make_document("x" * 40) for number in range(250)}
    store.put_keys(many, AUTHOR)

    answer = ask(told, budget=20)

    assert (len(answer["left_out"]), answer["left_out_in_all"]) == (200, 253 - len(answer["sections"]))


def test_what_is_kept_in_memory_is_bounded(told, monkeypatch):
    monkeypatch.setattr(sections, "MOST_KEPT", 10_000)
    for number in range(30):
        put(told, f"K{number}", "x" * 900)

    answer = ask(told, budget=100_000)

    assert len(answer["sections"]) == 33
    assert ask(told, budget=100_000) == answer
    assert rendering_cache._size <= 10_000


def test_a_section_too_long_to_be_kept_is_shown_whole(told):
    put(told, "Long", {"level_1": "short", "level_3": "x" * KEPT_TEXT})

    for form in ("json", "markdown"):
        for budget in (20_000, 20_000):
            assert "x" * KEPT_TEXT in ask(told, key="Long", format=form, budget=budget)["text"]


# Receipts


def test_a_receipt_gives_what_was_given_whatever_has_changed(told):
    given = keep(told, keys=["Profile"], conversation="trip", budget=200)
    put(told, "Profile", {"name": "somebody else"})
    told.delete("/api/conversations/trip")

    again = told.get(given["Location"])

    assert (given.status_code, again.status_code) == (201, 200)
    assert again.content == given.content
    report = again.json()
    assert report["actor"] == again["Nola-Actor"] == "key:default"
    assert report["receipt"] == again["Nola-Receipt"] == given["Location"].rpartition("/")[2]
    assert report["at"] == again["Nola-At"]
    assert report["asked"] == {"keys": ["Profile"], "conversation": "trip", "budget": 200}
    assert report["revision"] == 4
    assert told.get("/api/context?key=Profile&conversation=trip&budget=200&at=4").json()["text"] == report["text"]


def test_a_receipt_of_markdown_is_the_text_and_has_the_report_with_it(told):
    given = keep(told, keys=["Tasks"], format="markdown")
    again = told.get(given["Location"])
    report = told.get(given["Location"], headers={"Accept": JSON})
    as_json = keep(told, keys=["Tasks"])

    assert given.content == again.content == b"## Tasks\n\n- - title: Plan the trip\n  - done: false\n"
    assert again["Content-Type"] == given["Content-Type"] == "text/markdown; charset=utf-8"
    assert report.json()["text"].encode() == given.content
    asked = {"Accept": "text/markdown"}
    assert told.get(given["Location"], headers=asked).content == given.content
    assert told.get(as_json["Location"], headers=asked).content == as_json.content


def test_a_receipt_is_no_change(told):
    keep(told)

    assert Revision.objects.count() == 4
    assert told.get("/api/changes?since=4").json()["revisions"] == []


def test_reading_keeps_nothing(told):
    ask(told)

    assert Receipt.objects.count() == 0


def test_receipts_are_listed_newest_first_a_page_at_a_time(told):
    names = [keep(told, budget=100 + number)["Nola-Receipt"] for number in range(3)]

    first = told.get("/api/context/receipts?limit=2")
    second = told.get("/api/context/receipts", {"limit": 2, "cursor": first.json()["next"]})

    assert [one["receipt"] for one in first.json()["receipts"]] == names[:0:-1]
    assert [one["receipt"] for one in second.json()["receipts"]] == names[:1]
    assert first["Link"] == f'</api/context/receipts?limit=2&cursor={first.json()["next"]}>; rel="next"'
    assert (second.json()["next"], "Link" in second) == (None, False)
    one = second.json()["receipts"][0]
    assert (one["actor"], one["revision"], one["erased_by"]) == ("key:default", 4, None)
    assert 0 < one["bytes"] < 600


def test_a_receipt_that_is_sent_again_is_kept_once(told):
    first = keep(told, {"Idempotency-Key": "turn-1"}, keys=["Tasks"])
    put(told, "Tasks/0/done", True)
    again = keep(told, {"Idempotency-Key": "turn-1"}, keys=["Tasks"])
    other = keep(told, {"Idempotency-Key": "turn-1"}, keys=["Deep"])

    assert (again.status_code, again.content, again["Location"]) == (201, first.content, first["Location"])
    assert (other.status_code, Receipt.objects.count()) == (422, 1)


def test_a_key_that_may_only_read_gets_a_context_and_leaves_no_receipt(told, make_key):
    make_key("nola_reader", "reader", ("read",))
    reader = Client(headers={"Authorization": "Bearer nola_reader"})

    assert reader.get("/api/context").status_code == 200
    assert keep(reader).status_code == 403
    assert Receipt.objects.count() == 0


def test_a_key_that_keeps_too_many_receipts_is_slowed_down(told, settings):
    settings.NOLA_WRITES_PER_MINUTE = 1
    for _ in range(10):
        assert keep(told).status_code == 201

    refused = keep(told)

    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert Receipt.objects.count() == 10


def test_a_purge_erases_what_receipts_hold_of_a_conversation(told):
    shown = keep(told, keys=["Tasks"], conversation="trip")["Location"]
    found = keep(told, keys=["Tasks"], q="lisbon")["Location"]
    without = keep(told, keys=["Tasks"])
    too_small = keep(told, keys=["Tasks"], conversation="trip", budget=30)

    purge = told.post("/api/conversations/trip/purge", '{"confirm":"trip"}', JSON)

    for location in (shown, found):
        gone = told.get(location)
        assert (gone.status_code, f"in revision {purge['Nola-Revision']}" in gone.json()["detail"]) == (410, True)
    for kept in (without, too_small):
        assert told.get(kept["Location"]).content == kept.content
    rows = told.get("/api/context/receipts").json()["receipts"]
    assert [one["erased_by"] for one in rows] == [None, None, 5, 5]
    assert b"Alfama" not in b"".join(bytes(row.document) for row in Receipt.objects.all())
    assert all(row.document for row in Receipt.objects.filter(erased_by=None))


@pytest.mark.django_db(transaction=True)
def test_old_receipts_can_be_removed_and_the_history_says_so(told):
    old = keep(told)
    before = told.get(old["Location"])["Nola-At"]
    new = keep(told)

    none = told.delete(f"/api/context/receipts?before={before.replace('+', '%2B')}")
    some = told.delete("/api/context/receipts", QUERY_STRING=f"before={told.get(new['Location'])['Nola-At']}")

    assert (none.json(), none["Nola-Revision"]) == ({"removed": 0}, "4")
    assert (some.json(), some["Nola-Revision"]) == ({"removed": 1}, "5")
    assert told.get(old["Location"]).status_code == 404
    assert told.get(new["Location"]).status_code == 200
    assert Revision.objects.get(seq=5).info == {"receipts_removed": 1}


@pytest.mark.parametrize(
    ("method", "address", "status", "detail"),
    [
        ("get", "/nothing", 404, "there is no receipt 'nothing'"),
        ("get", "/receipts?limit=0", 422, "limit='0'"),
        ("get", "/receipts?cursor=x", 422, "cursor='x'"),
        ("delete", "/receipts", 422, "say before when"),
        ("delete", "/receipts?before=yesterday", 422, "is no time"),
        ("delete", "/receipts?before=2026-01-01T00:00:00", 422, "zone"),
    ],
)
def test_a_receipt_that_cannot_be_is_a_problem(told, method, address, status, detail):
    response = getattr(told, method)(f"/api/context{address}")

    assert response.status_code == status
    assert detail in response.json()["detail"]


def test_hidden_messages_come_only_if_asked_for_and_parts_are_cut_short(agent):
    call = {"type": "tool_use", "name": "lookup", "input": {"word": "heron " * 100}}
    paste = {"name": "a.txt", "text": "beans"}
    for body in (
        {"speaker": "user", "message": "look for a heron", "metadata": {"pastes": [paste]}},
        {"speaker": "assistant", "message": "a heron, I think", "metadata": {"hidden": "thinking"}},
        {"speaker": "assistant", "message": "", "metadata": {"parts": [{"type": "thinking", "thinking": "hm"}, call]}},
    ):
        assert agent.post("/api/conversations/t/messages", body, content_type="application/json").status_code == 201

    def ask(query):
        return agent.get(f"/api/context?key=none&format=markdown&conversation=t&q=heron{query}").content.decode()

    plain, whole = ask(""), ask("&hidden=true")

    assert "look for a heron\n  [Paste: a.txt: beans]" in plain
    assert "[Tool call: lookup: " in plain
    assert max(map(len, plain.splitlines())) < 300
    assert "I think" not in plain
    assert "[Thinking: hm]" not in plain
    assert whole.count("a heron, I think") == 2
    assert "[Thinking: hm]" in whole


def test_what_was_hidden_then_is_hidden_there(agent):
    path = "/api/conversations/t/messages"
    one = agent.post(path, {"speaker": "user", "message": "psst"}, content_type="application/json")
    pk, revision = one.json()["messages"][0]["id"], one["Nola-Revision"]
    agent.patch(f"{path}/{pk}", {"metadata": {"hidden": "hidden"}}, content_type="application/json")

    now, then = (agent.get(f"/api/context?conversation=t{at}").json()["text"] for at in ("", f"&at={revision}"))

    assert ("psst" in now, "psst" in then) == (False, True)
