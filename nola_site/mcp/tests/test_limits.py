"""Keys that are limited to places of the state, or to the conversations of a user: what lies elsewhere is not there."""

import json

import pytest
from django.test import Client

from access.models import ApiKey
from nola_site.mcp.tests.talking import ask, call, fail, use
from state import store
from state.address import Address
from state.jsondoc.text import parse_json
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.ADMIN, "a secret reason")
SECRET = "secret"


@pytest.fixture(autouse=True)
def memory(db):
    store.put_keys(
        {
            "Diary": parse_json('{"open":{"today":"rain"},"secret":"secret value"}'),
            "Plans": parse_json('{"secret":["secret plan"]}'),
            "Empty": parse_json('{"secret":1}'),
        },
        ADA,
    )


@pytest.fixture
def limited(make_key):
    def make(**limits):
        make_key("nola_limited-key-00000000", "diary")
        ApiKey.objects.filter(name="diary").update(**limits)
        return Client(headers={"Authorization": "Bearer nola_limited-key-00000000"})

    return make


@pytest.fixture
def diary(limited):
    return limited(places='["/Diary/open","/Empty/open"]')


def put(key, *tokens, value="secret later"):
    store.put(Address(key, tokens), parse_json(json.dumps(value)), ADA)


def test_it_reads_a_state_that_has_nothing_else(diary):
    assert use(diary, "read")["value"] == {"Diary": {"open": {"today": "rain"}}}
    assert use(diary, "read", at=1)["value"] == {"Diary": {"open": {"today": "rain"}}}
    assert use(diary, "read", pointer="/Diary")["value"] == {"open": {"today": "rain"}}
    assert use(diary, "search", q="secret")["found"] == []
    assert use(diary, "search", q="rain")["found"] == [{"pointer": "/Diary/open/today", "text": "rain"}]
    context = use(diary, "context", q="secret", budget=1000)["text"]
    assert ("rain" in context, "value" in context, "plan" in context) == (True, False, False)


@pytest.mark.parametrize("arguments", [{}, {"at": 1}, {"level": 1}])
@pytest.mark.parametrize(
    ("hidden", "absent"),
    [
        ("/Plans", "/Nothing"),
        ("/Plans/secret/0", "/Nothing/secret/0"),
        ("/Empty", "/Void"),
        ("/Diary/secret", "/Diary/nosuch"),
    ],
)
def test_what_lies_elsewhere_is_as_if_it_were_not_there(diary, hidden, absent, arguments):
    names = list(zip(hidden.split("/"), absent.split("/"), strict=True))

    said, expected = (fail(diary, "read", pointer=pointer, **arguments)["error"] for pointer in (hidden, absent))

    for name, other in names[1:]:
        said = said.replace(name, other)
    assert said == expected


def test_a_key_of_which_nothing_shows_has_no_history(diary):
    assert fail(diary, "history", pointer="/Plans")["error"] == "history knows no key 'Plans'"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("write", {"pointer": "/Diary", "value": 1}),
        ("write", {"pointer": "/Diary/secret", "value": 1}),
        ("write", {"pointer": "/None", "value": 1, "mode": "merge"}),
        ("delete", {"pointer": "/Plans"}),
        ("edit", {"operations": [{"op": "test", "pointer": "/Plans/secret/0", "value": "secret plan"}]}),
        ("edit", {"operations": [{"op": "move", "from": "/Plans/secret", "pointer": "/Diary/open/x"}]}),
        ("edit", {"operations": [{"op": "move", "from": "/Diary/open/today", "pointer": "/Plans/x"}]}),
    ],
)
def test_it_writes_nothing_elsewhere(diary, tool, arguments):
    error = fail(diary, tool, **arguments)["error"]

    assert error == "The API key 'diary' may write nothing but what is at or below /Diary/open, /Empty/open"
    assert store.head() == 1


def test_it_writes_what_is_its_own_and_takes_it_back(diary):
    use(diary, "write", pointer="/Diary/open/today", value="sun", reason="it cleared")
    use(diary, "write", pointer="/Empty/open", value={})
    moved = [{"op": "move", "from": "/Diary/open/today", "pointer": "/Empty/open/x"}]
    revision = use(diary, "edit", operations=moved)["revision"]
    put("Plans", "secret")

    assert json.loads(store.read(Address("Empty")).text) == {"secret": 1, "open": {"x": "sun"}}
    preview = use(diary, "undo", revision=revision, preview=True)
    assert SECRET not in json.dumps(preview)
    use(diary, "undo", revision=revision)
    assert json.loads(store.read(Address("Diary")).text) == {"open": {"today": "sun"}, "secret": "secret value"}


def test_its_history_tells_of_nothing_else(diary):
    put("Plans", "secret")
    use(diary, "write", pointer="/Diary/open/today", value="sun")
    put("Diary", "secret")

    everything = use(diary, "history")["revisions"]
    of_one = use(diary, "history", pointer="/Diary")["revisions"]

    assert [one["who"] for one in everything] == ["key:diary", "user:ada"]
    assert [one["revision"] for one in of_one] == [3, 1]
    assert "secret value" not in json.dumps([everything, of_one])
    assert "plan" not in json.dumps([everything, of_one])


@pytest.mark.parametrize("revision", [1, 2, 99])
def test_an_undo_of_what_is_not_its_own_does_not_say_whether_it_is_there(diary, revision):
    put("Plans", "secret")

    assert fail(diary, "undo", revision=revision)["error"] == (
        f"revision {revision} is none that key:diary made within its limits"
    )


def test_resources_are_those_of_which_something_shows(diary):
    assert ask(diary, "resources/list")["result"]["resources"] == [
        {"uri": "nola://state/Diary", "name": "Diary", "mimeType": "application/json"}
    ]
    [content] = ask(diary, "resources/read", {"uri": "nola://state/Diary"})["result"]["contents"]
    assert content["text"] == '{"open":{"today":"rain"}}'
    assert "error" in ask(diary, "resources/read", {"uri": "nola://state/Plans"})
    argument = {"ref": {"type": "ref/resource"}, "argument": {"name": "key", "value": ""}}
    assert ask(diary, "completion/complete", argument)["result"]["completion"]["values"] == ["Diary"]
    assert "plan" not in json.dumps(ask(diary, "prompts/get", {"name": "load-context"}))


def test_a_conflict_shows_nothing_else(diary):
    put("Diary", "open", "today", value="snow")

    told = fail(diary, "write", pointer="/Diary/open/today", value="sun", base=1)

    assert told["conflicts"][0]["theirs"] == "snow"
    assert SECRET not in json.dumps(told)


# Limits to a user


def test_a_key_of_a_user_has_her_conversations_alone(limited, agent):
    use(agent, "messages", session="others", append=[{"speaker": "user", "message": "secret talk"}])
    client = limited(user_id="ada")

    told = use(client, "messages", session="hers", append=[{"speaker": "user", "message": "hello talk"}])

    assert [one["message"] for one in told["messages"]] == ["hello talk"]
    found = use(client, "search", q="talk", **{"in": "messages"})["found"]
    assert [one["session"] for one in found] == ["hers"]
    assert fail(client, "messages", session="others")["error"] == fail(client, "messages", session="none")[
        "error"
    ].replace("none", "others")
    assert call(client, "messages", session="others", append=[{"speaker": "user", "message": "x"}])["isError"]
    assert "others" not in json.dumps(use(client, "history"))
    assert Revision.objects.latest("seq").actor == "key:diary"
