"""A request of at most 16 MB takes some seconds of computing: it is done by then, or refused with a reason."""

import time

import pytest
from django.conf import settings
from django.test import Client

from nola_site.tests.hostile import CASES, LONG, Sent

pytestmark = pytest.mark.process  # too long for `make quick`

BOUND = 10.0  # seconds of CPU: twice what is promised, since machines differ


@pytest.fixture
def patient(settings, monkeypatch):
    settings.NOLA_WRITES_PER_MINUTE = 0


def send(client: Client, sent: Sent) -> tuple[int, float, dict]:
    """Status, CPU seconds, and the problem if there is one."""
    started = time.process_time()
    response = client.generic(sent.method, sent.path, sent.body, content_type=sent.media_type)
    assert response.status_code < 400 or response["Content-Type"] == "application/problem+json"
    return (response.status_code, time.process_time() - started, response.json() if response.status_code >= 400 else {})


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(CASES.keys() - LONG))
def test_a_request_ends_in_time_or_is_refused_with_the_reason(agent, patient, name):
    check_costs(agent, CASES[name]())


def check_costs(client: Client, requests: list[Sent]) -> None:
    assert all(len(sent.body) <= settings.NOLA_MAX_BODY_MB << 20 for sent in requests)

    for sent in requests:
        status, seconds, problem = send(client, sent)

        assert seconds < BOUND
        assert status < 500
        assert status < 400 or len(problem["detail"]) > 10
