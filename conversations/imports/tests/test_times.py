"""Times in all the ways in which programs write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.imports.times import EPOCH, is_naive, parse_time

NOON = datetime(2026, 1, 3, 12, tzinfo=UTC)
SECONDS = int(NOON.timestamp())


@given(
    st.integers(10**9, 4 * 10**9), st.sampled_from([1, 1000, 10**6, 10**9]), st.booleans(), st.integers(0, 10**9 - 1)
)
def test_numbers_of_any_unit_are_times_also_as_text(seconds, unit, is_text, fraction):
    number = seconds * unit + fraction % unit

    time, text = parse_time(str(number) if is_text else number)

    assert text == str(number)
    assert time == EPOCH + timedelta(seconds=seconds, microseconds=fraction % unit * 10**6 // unit)
    assert not is_naive(text)


@pytest.mark.parametrize("value", [
    "2026-01-03T12:00:00Z", "2026-01-03T13:00:00+01:00", "2026-01-03 12:00:00 UTC", "Sat, 03 Jan 2026 12:00:00 GMT",
    float(SECONDS), f"{SECONDS}.0", {"$date": "2026-01-03T12:00:00.000Z"}, {"$date": {"$numberLong": f"{SECONDS}000"}},
    {"_seconds": SECONDS, "_nanoseconds": 0},
])  # fmt: skip
def test_one_moment_in_many_spellings(value):
    assert parse_time(value)[0] == NOON


@pytest.mark.parametrize("text", [
    "2026-01-03 @13h 00m 00s 000ms", "2026-01-03@13h00m00s", "January 3, 2026 1:00pm", "Jan 3, 2026 1:00PM",
    "2026-01-03T13:00:00", "20260103130000",
])  # fmt: skip
def test_a_time_without_a_zone_is_local(text, settings):
    settings.TIME_ZONE = "Europe/Prague"

    assert parse_time(text) == (NOON, text)
    assert is_naive(text)


@pytest.mark.parametrize("value", ["", None, "soon", "12", True, [], {}, "99999999999999999999999"])
def test_what_is_no_time_is_none(value):
    assert parse_time(value)[0] is None
