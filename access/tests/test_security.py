"""The security log takes what happens, never stands in anybody's way, and cannot be flooded."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from access import security
from access.models import SecurityEvent
from access.security import MOST_A_DAY, Event, record_event

pytestmark = pytest.mark.django_db


class Clock:
    passed = 0.0

    def monotonic(self):
        return 1000.0 + self.passed

    def now(self):
        return timezone.now() + timedelta(seconds=self.passed)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(security, "_seen", {})
    monkeypatch.setattr(security, "time", clock := Clock())
    monkeypatch.setattr(security, "timezone", clock)
    return clock


def rows():
    return list(SecurityEvent.objects.order_by("pk").values_list("event", "actor", "detail", "address"))


def test_an_event_is_a_row_and_a_line(caplog):
    with caplog.at_level("INFO", "nola.security"):
        record_event(Event.KEY_MADE, "user:ada", "planner: read", "192.0.2.1")

    assert rows() == [("key made", "user:ada", "planner: read", "192.0.2.1")]
    assert [record.message for record in caplog.records] == [
        '{"event": "key made", "actor": "user:ada", "detail": "planner: read", "address": "192.0.2.1"}'
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE security_log SET actor = 'user:eve'",
        "DELETE FROM security_log",
        "INSERT INTO security_log SELECT * FROM security_log WHERE 1 = 1 ON CONFLICT (id) DO NOTHING",
        *(["INSERT OR REPLACE INTO security_log SELECT * FROM security_log"] if connection.vendor == "sqlite" else []),
    ],
)
def test_what_is_written_stays(statement):
    record_event(Event.SIGNED_IN, "user:ada")

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_refusals_of_one_actor_are_counted_and_make_one_row_a_minute(clock):
    for _ in range(50):
        record_event(Event.REFUSED, "key:wild", "no", "192.0.2.1")
    record_event(Event.REFUSED, "key:other", "no", "192.0.2.1")
    assert len(rows()) == 2

    clock.passed = 3600
    record_event(Event.REFUSED, "key:wild", "no", "192.0.2.1")

    assert rows()[-1] == ("refused", "key:wild", "no (49 more since the last row)", "192.0.2.1")


def test_another_process_that_has_written_it_within_the_minute_is_enough():
    SecurityEvent.objects.create(event=Event.REFUSED, actor="key:wild", at=timezone.now())

    record_event(Event.REFUSED, "key:wild")

    assert len(rows()) == 1


def test_a_flood_ends_at_a_thousand_rows_a_day_and_leaves_room_for_the_rest():
    SecurityEvent.objects.bulk_create(
        SecurityEvent(event=Event.SIGN_IN_FAILED, actor=f"user:{number}") for number in range(MOST_A_DAY)
    )

    record_event(Event.SIGN_IN_FAILED, "user:ada")
    record_event(Event.KEY_REVOKED, "user:ada")

    assert [event for event, *_ in rows()[MOST_A_DAY:]] == ["key revoked"]


def test_long_texts_are_cut():
    record_event(Event.REFUSED, "k" * 10_000, "d" * 10_000)

    [(_, actor, detail, _)] = rows()
    assert (len(actor), len(detail)) == (200, 500)


@pytest.mark.parametrize("event", [Event.KEY_MADE, Event.REFUSED])
def test_a_busy_database_costs_the_row_and_nothing_else(monkeypatch, caplog, event):
    def busy(*arguments, **options):
        raise OperationalError("database is locked")

    monkeypatch.setattr(security, "write_without_waiting", busy)
    monkeypatch.setattr(SecurityEvent, "save", busy)
    with caplog.at_level("INFO", "nola.security"):
        record_event(event, "user:ada")

    assert rows() == []
    assert event in caplog.records[0].message
    assert "no row" in caplog.records[1].message


def test_what_is_done_in_a_terminal_is_a_row_and_no_line_there(caplog):
    with caplog.at_level("INFO", "nola.security"):
        record_event(Event.KEY_MADE, "cli:ada", "planner: read")

    assert rows() == [("key made", "cli:ada", "planner: read", "")]
    assert caplog.records == []
