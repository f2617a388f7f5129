"""A key that writes without end is slowed down, by what the history says it wrote."""

import pytest

from access import rates
from state import store
from state.address import Address
from state.jsondoc.text import parse_json
from state.revisions import Author, Source


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(db, monkeypatch, settings) -> Clock:
    settings.NOLA_WRITES_PER_MINUTE = 2
    monkeypatch.setattr(rates, "time", clock := Clock())
    monkeypatch.setattr(rates, "_debts", {})
    return clock


def write(count: int, actor: str = "key:wild") -> None:
    before = store.head()
    for number in range(count):
        store.put(Address("N"), parse_json(str(before + number)), Author(actor, Source.API))
    rates.note(before, store.head())


def test_ten_minutes_worth_may_be_written_at_once_and_then_at_the_rate(clock):
    write(19)
    rates.check("key:wild")
    write(1)
    with pytest.raises(rates.TooManyWrites, match="NOLA_WRITES_PER_MINUTE") as refused:
        rates.check("key:wild")
    assert refused.value.seconds == 1

    clock.now += 30.0
    rates.check("key:wild")
    write(3)
    with pytest.raises(rates.TooManyWrites) as refused:
        rates.check("key:wild")
    assert refused.value.seconds == 61
    clock.now += refused.value.seconds
    rates.check("key:wild")


def test_each_key_counts_for_itself_and_people_and_commands_not_at_all(clock):
    write(25)
    write(25, "user:ada")
    write(25, "cli:ada")

    for actor in ("key:other", "user:ada", "cli:ada"):
        rates.check(actor)
    with pytest.raises(rates.TooManyWrites):
        rates.check("key:wild")


def test_without_a_limit_nothing_is_counted(clock, settings):
    settings.NOLA_WRITES_PER_MINUTE = 0
    write(25)

    rates.check("key:wild")


def test_a_refused_write_says_when_to_come_back_and_reading_goes_on(clock, agent):
    write(25, "key:default")

    response = agent.put("/api/state/More", "1", content_type="application/json")

    assert (response.status_code, response["Retry-After"]) == (429, "151")
    assert response["Content-Type"] == "application/problem+json"
    assert agent.get("/api/state").status_code == 200
    assert store.head() == 25
