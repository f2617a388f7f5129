"""A request of at most 16 MB takes some seconds of computing: it is done by then, or refused with a reason."""

import json
import time

import pytest
from django.conf import settings
from django.test import Client

from nola_site.tests.hostile import CASES, LONG, Sent

pytestmark = pytest.mark.process  # too long for `make quick`

BOUND = 160  # times what it takes now to read and write a megabyte of JSON: about twice what the slowest request takes
MEGABYTE = b"[" + b",".join([b'{"a":[1,"b"]}'] * 75_000) + b"]"


@pytest.fixture
def patient(settings, monkeypatch):
    settings.NOLA_WRITES_PER_MINUTE = 0


def send(client: Client, sent: Sent) -> tuple[int, float, dict]:
    """Status, CPU seconds, and the problem if there is one."""
    started = time.process_time()
    response = client.generic(sent.method, sent.path, sent.body, content_type=sent.media_type)
    assert response.status_code < 400 or response["Content-Type"] == "application/problem+json"
    return (response.status_code, time.process_time() - started, response.json() if response.status_code >= 400 else {})


def measure_machine() -> float:
    """CPU seconds of the work that others are measured by: what is slow now for us is slow for it too."""
    started = time.process_time()
    json.dumps(json.loads(MEGABYTE))
    return time.process_time() - started


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(CASES.keys() - LONG))
def test_a_request_ends_in_time_or_is_refused_with_the_reason(agent, patient, name):
    check_costs(agent, CASES[name]())


def check_costs(client: Client, requests: list[Sent]) -> None:
    assert all(len(sent.body) <= settings.NOLA_MAX_BODY_MB << 20 for sent in requests)

    for sent in requests:
        status, seconds, problem = send(client, sent)

        assert seconds < BOUND * measure_machine()
        assert status < 500
        assert status < 400 or len(problem["detail"]) > 10
