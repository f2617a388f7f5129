import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from access.moments import ago, exact_time, short_time, show_when
from tests.server import ROOT

CASES = json.loads((ROOT / "tests" / "data" / "moments.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['at']} {case['zone']}")
def test_a_moment_is_read_as_the_table_says(case):
    at, now = (datetime.fromisoformat(case[name]) for name in ("at", "now"))

    with timezone.override(ZoneInfo(case["zone"])):
        found = (short_time(at, now), ago(at, now), exact_time(at))

    assert found == (case["short"], case["ago"], case["exact"])


def test_a_moment_on_a_page_has_the_exact_time_on_hover():
    with timezone.override(ZoneInfo("Europe/Prague")):
        shown = show_when(datetime.fromisoformat("2001-11-03T13:03:22Z"))

    exact = "2001-11-03T14:03:22+01:00"
    assert shown == f'<time class="ui-when" datetime="{exact}" title="{exact}">3 Nov 2001</time>'


def test_no_moment_is_nothing():
    assert show_when(None) is None
