"""Imports over HTTP, which may not take longer than a request may."""

import json

import pytest

from conversations import drafts, log
from conversations.imports import json_stream
from conversations.models import Message
from state.jsondoc import budget
from state.jsondoc.budget import TooCostly

IMPORT = "/api/conversations/import"


def lines(*values):
    return "\n".join(map(json.dumps, values)).encode()


def message(number, **more):
    return {"session_id": "talk", "role": "user", "text": f"{number}", "id": number, **more}


def post(agent, body, **query):
    return agent.post(IMPORT, body, content_type="application/x-ndjson", query_params=query)


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize("depth", [101, 400, 900])
def test_a_line_that_nests_too_deep_is_reported_and_the_others_are_read(agent, depth):
    response = post(agent, lines(message(1, a=nested(depth)), message(2), message(3, a=nested(depth))))

    assert response.status_code == 200
    assert response.json()["counts"]["failed"] == {"conversations": 2}
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    "text", ['{"role":"user","text":"\\ud800","a":%s}', '[{"role":"user","text":"\\ud800","a":%s}]']
)
@pytest.mark.parametrize("rest", ["[" * 900 + "]" * 900, "9" * 5000])
def test_what_is_wrong_beside_half_a_character_is_reported(agent, text, rest):
    response = post(agent, (text % rest).encode())

    assert response.status_code == 200
    assert response.json()["counts"]["failed"]["conversations"] == 1


def test_a_line_of_too_many_values_is_reported_and_the_others_are_read(agent, monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_NODES", 100)
    monkeypatch.setattr("state.jsondoc.text.MAX_NODES", 100)

    response = post(agent, lines(message(1, a=[0] * 200), message(2)))

    assert response.json()["counts"]["failed"] == {"conversations": 1}
    assert "has at least 206 values at all depths; the limit is 100" in response.json()["findings"][0]["what"]
    assert Message.objects.count() == 1


def test_an_import_that_takes_too_long_is_refused_and_changes_nothing(agent, monkeypatch):
    monkeypatch.setattr(budget, "MAX_SECONDS", -1)

    response = post(agent, lines(message(1)))

    assert response.status_code == 413
    assert "./nola importchats" in response.json()["detail"]
    assert Message.objects.count() == 0


def test_an_import_that_takes_too_long_says_so_of_what_is_in_and_goes_on_when_sent_again(agent, monkeypatch):
    monkeypatch.setattr(drafts, "MOST_ROWS", 4)
    left = iter([True])

    def spend_once() -> None:
        if not next(left, False):
            raise TooCostly("the time is over")

    body = lines(*map(message, range(10)))
    with monkeypatch.context() as patched:
        patched.setattr(log, "spend_work", spend_once)
        report = post(agent, body).json()
    some = Message.objects.count()

    assert 0 < some < 10
    assert report["counts"]["added"]["messages"] == some
    assert "Send the file again" in report["findings"][-1]["what"]
    assert post(agent, body).json()["counts"]["added"]["messages"] == 10 - some
    assert Message.objects.count() == 10
