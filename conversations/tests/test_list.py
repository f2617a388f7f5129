"""The list of conversations, a page at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import read
from conversations.models import Conversation

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)
ON_A_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def fill(days):
    """A conversation for each of the days; None has no time."""
    Conversation.objects.all().delete()
    Conversation.objects.bulk_create(
        Conversation(session_id=f"s{n}", started=None if day is None else START + timedelta(days=day), revision=1)
        for n, day in enumerate(days)
    )


@ON_A_DATABASE
@given(st.lists(st.none() | st.integers(0, 3), max_size=12), st.integers(1, 5))
def test_pages_one_after_the_other_give_all_newest_first_and_those_without_a_time_last(db, days, limit):
    fill(days)

    found, cursor, pages = [], None, 0
    while not pages or cursor:
        page, cursor = read.read_list(read.filter_conversations({}), limit, cursor)
        found += [(row.started, row.pk) for row in page]
        pages += 1

    rows = Conversation.objects.values_list("started", "pk")
    assert found == sorted(rows, key=lambda row: (row[0] is not None, row[0] or START, row[1]), reverse=True)
    assert pages == max(1, -(-len(days) // limit))


@pytest.mark.parametrize("is_first", [True, False])
def test_the_cost_of_a_page_does_not_grow_with_the_number_of_conversations(count_steps, is_first):
    def cost(conversations):
        fill([*range(conversations), None])
        rows = read.filter_conversations({})
        _, far = read.read_list(rows, conversations // 2, None)
        return count_steps(lambda: read.read_list(rows, 10, None if is_first else far))

    assert cost(40) == cost(400) > 0
