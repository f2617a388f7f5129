"""The long ones of the requests that are meant to cost much; `make soak` runs them."""

import pytest

from nola_site.tests.hostile import CASES, LONG
from nola_site.tests.test_costs import check_costs, patient

__all__ = ["patient"]  # a fixture


@pytest.mark.parametrize("name", sorted(LONG))
def test_a_long_request_ends_in_time_or_is_refused_with_the_reason(agent, patient, name):
    check_costs(agent, CASES[name]())
