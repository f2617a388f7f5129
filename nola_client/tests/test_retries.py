"""What is sent again, and what is not; asked without a server, and once with one that dies in the middle of a write."""

import json

import httpx
import pytest

from nola_client import Busy, Nola, NolaError, Retries, Unreachable
from nola_client.flow import call, pages
from tests.server import KEY, running

SOON = Retries(count=3, longest=0.001)


class Answers(httpx.MockTransport):
    """Gives these answers, one for each request; an exception is a connection that breaks."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        super().__init__(self.answer)

    def answer(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def broken():
    return httpx.RemoteProtocolError("Server disconnected without sending a response.")


def refused(status, after=None, **members):
    headers = {} if after is None else {"Retry-After": str(after)}
    body = {"status": status, "title": "No", "detail": "it is so", **members}
    return httpx.Response(status, json=body, headers=headers)


def value(one=1, status=200):
    return httpx.Response(status, json=one, headers={"Nola-Revision": "7"})


def test_a_read_is_sent_again(connect):
    answers = Answers(broken(), refused(503, 0), refused(429), value("here"))

    assert connect("key", retries=SOON, transport=answers).get("A") == "here"
    assert len(answers.requests) == 4


def test_a_write_is_sent_again_under_the_same_key_of_ours(connect):
    answers = Answers(broken(), refused(503), value(status=201), value(status=204))
    nola = connect("key", retries=SOON, transport=answers)

    assert nola.put("A", 1).created
    nola.put("A", 1)

    keys = [one.headers["Idempotency-Key"] for one in answers.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert {one.content for one in answers.requests} == {b"1"}


def test_a_write_goes_under_the_key_of_the_caller(connect):
    answers = Answers(value(status=204))

    connect("key", transport=answers).put("A", 1, idempotency_key="mine")

    assert answers.requests[0].headers["Idempotency-Key"] == "mine"


def test_it_is_sent_so_often_and_no_more(connect):
    answers = Answers(*(broken() for _ in range(9)))

    with pytest.raises(Unreachable):
        connect("key", retries=SOON, transport=answers).put("A", 1)

    assert len(answers.requests) == 4


def test_what_cannot_be_done_twice_is_sent_once(connect):
    answers = Answers(broken(), value())

    with pytest.raises(Unreachable):
        connect("key", retries=SOON, transport=answers).withdraw(3)

    assert len(answers.requests) == 1


@pytest.mark.parametrize("error", [httpx.LocalProtocolError("no"), httpx.UnsupportedProtocol("no")])
def test_what_was_never_right_is_not_tried_again(connect, error):
    answers = Answers(error, error, value(), value())
    nola = connect("key", retries=SOON, transport=answers)

    with pytest.raises(Unreachable):
        nola.get("A")
    with pytest.raises(Unreachable):
        next(nola.follow())

    assert len(answers.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 413, 422, 500, 507])
def test_a_refusal_is_final(connect, status):
    answers = Answers(refused(status), value())

    with pytest.raises(NolaError) as caught:
        connect("key", retries=SOON, transport=answers).put("A", 1)

    assert (caught.value.status, caught.value.detail) == (status, "it is so")
    assert len(answers.requests) == 1


def test_a_server_that_asks_for_more_time_than_there_is_is_left_to_the_caller(connect):
    answers = Answers(refused(429, 60), value())

    with pytest.raises(Busy) as caught:
        connect("key", transport=answers).get("A")

    assert caught.value.retry_after == 60
    assert len(answers.requests) == 1


def test_an_answer_of_something_else_on_the_way_is_an_error_too(connect):
    answers = Answers(httpx.Response(502, text="<h1>Bad Gateway</h1>"), httpx.Response(500, json=["no"]))
    nola = connect("key", transport=answers)

    for status in (502, 500):
        with pytest.raises(NolaError) as caught:
            nola.get("A")
        assert caught.value.status == status


@pytest.mark.parametrize("body", [{"proposal": 7, "state": "waits for a person"}, {"proposal": None, "state": "same"}])
def test_what_a_key_suggests_is_a_proposal(connect, body):
    status = 202 if body["proposal"] else 200
    answers = Answers(*(httpx.Response(status, json=body, headers={"Nola-Revision": "7"}) for _ in range(4)))
    nola = connect("key", transport=answers)

    made = [nola.put("A", 1), nola.merge("A", {}), nola.delete("A"), nola.transaction([])]

    assert {(one.number, one.state) for one in made} == {(body["proposal"], body["state"])}


def test_every_call_says_what_it_does():
    calls = {name: one for name, one in vars(Nola.__mro__[1]).items() if isinstance(one, call | pages)}

    assert len(calls) > 25
    assert {name for name, one in calls.items() if not one.__doc__} == set()
    assert Nola("key").put.__name__ == "put"


@pytest.mark.process
def test_a_write_whose_answer_was_lost_is_done_once(tmp_path):
    with running(tmp_path / "data") as server:
        address = f"http://127.0.0.1:{server.port}"
        wire = httpx.HTTPTransport()
        lost = []

        def lose_first(request):
            response = wire.handle_request(request)
            response.read()
            if not lost:
                lost.append(response.status_code)
                raise broken()
            return response

        with Nola(KEY, address, retries=SOON, transport=httpx.MockTransport(lose_first)) as nola:
            nola.append("talk", "user", "hello")
            nola.put("A", [])
            lost.clear()
            nola.patch("A", [{"op": "add", "path": "/-", "value": 1}])

            assert lost == [200] or lost == [204]
            assert nola.get("A") == [1]
            assert [one["message"] for one in nola.messages("talk")] == ["hello"]
        wire.close()
        assert json.loads(server.request("GET", "/api/state/A")[1]) == [1]
