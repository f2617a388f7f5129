"""Visits: what a person had seen, over reloads, pauses and browsers."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone

from access import visits
from access.models import Visit
from access.visits import note_visit

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return User.objects.create_user("ada", is_staff=True)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set on."""
    now = [timezone.now()]
    monkeypatch.setattr("django.utils.timezone.now", lambda: now[0])

    def set_on(**span):
        now[0] += timedelta(**span)
        return now[0]

    return set_on


def test_the_first_visit_has_none_before_it_however_often_it_is_reloaded(ada, clock):
    assert note_visit(ada, 5) is None
    clock(minutes=5)

    assert note_visit(ada, 9) is None


def test_the_next_visit_begins_after_a_pause_where_the_last_one_ended(ada, clock):
    note_visit(ada, 5)
    left = clock(minutes=20)
    note_visit(ada, 9)

    clock(minutes=31)

    assert note_visit(ada, 12) == (9, left)


def test_a_reload_takes_no_news_away(ada, clock):
    note_visit(ada, 5)
    clock(hours=2)
    first = note_visit(ada, 12)

    for _ in range(20):
        clock(minutes=7)
        assert note_visit(ada, 13) == first


def test_visits_are_those_of_the_person(ada, clock):
    bob = User.objects.create_user("bob", is_staff=True)
    note_visit(ada, 5)
    clock(hours=2)

    assert note_visit(bob, 9) is None
    assert note_visit(ada, 9).revision == 5


def test_nothing_is_missed_between_two_notes(ada, clock):
    note_visit(ada, 5)
    clock(seconds=30)
    note_visit(ada, 7)
    clock(hours=1)

    assert note_visit(ada, 8).revision == 5


def test_a_clock_that_was_set_back_begins_no_visit(ada, clock):
    note_visit(ada, 5)
    clock(hours=2)
    first = note_visit(ada, 9)

    clock(days=-3)

    assert note_visit(ada, 9) == first


def test_two_browsers_that_come_at_once_begin_one_visit(ada, clock, monkeypatch):
    note_visit(ada, 5)
    clock(hours=2)
    write, other = visits.write_without_waiting, []

    def write_second(work):
        if not other:
            other.append(None)
            other.append(note_visit(ada, 9))
        write(work)

    monkeypatch.setattr(visits, "write_without_waiting", write_second)

    first = note_visit(ada, 9)

    assert first.revision == 5
    assert first == other[1] == note_visit(ada, 9)


def test_a_page_of_the_same_minute_writes_nothing(ada, clock, django_assert_num_queries):
    note_visit(ada, 5)
    clock(seconds=59)

    with django_assert_num_queries(1):
        note_visit(ada, 6)


def test_a_database_that_cannot_be_written_now_is_asked_no_more_of(ada, clock, monkeypatch):
    def refuse(work):
        raise OperationalError("database is locked")

    note_visit(ada, 5)
    clock(hours=2)
    monkeypatch.setattr(visits, "write_without_waiting", refuse)

    assert note_visit(ada, 9).revision == 5
    assert Visit.objects.get().seen == 5
