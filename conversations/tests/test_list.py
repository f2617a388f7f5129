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


@pytest.mark.parametrize("tag", ["work", 'a "b"', "50%_", "é\\n", "x" * 60_000, "tags"])
def test_a_tag_is_found_in_the_tags_alone_and_as_it_is_spelt(tag):
    metadata = [{"tags": ["x", tag]}, {"tags": tag}, {"tags": {"one": tag}}, {"tags": [f"{tag}s"]}, {"tags": []}]
    metadata += [{"note": tag}, {"tags": [tag.upper() + "!"]}, {"more": {"tags": [tag]}}, {}]
    Conversation.objects.bulk_create(
        Conversation(session_id=f"s{number}", revision=1, metadata=one) for number, one in enumerate(metadata)
    )

    found = read.filter_conversations({"tag": tag}).order_by("session_id")

    assert [row.session_id for row in found] == ["s0", "s1", "s2"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("AB", ["ab", "xABx"]),
        ("é", ["éa"]),
        ("É", ["ÉA"]),
        ("50%", ["50%"]),
        ("_", ["a_b"]),
        ("\\", ["c\\d"]),
        ("ß", ["ß"]),
    ],
)
def test_a_title_is_found_in_whatever_case_its_letters_of_ascii_are(typed, found):
    titles = ["ab", "xABx", "éa", "ÉA", "50%", "a_b", "c\\d", "ß", "SS", "500"]
    Conversation.objects.bulk_create(Conversation(session_id=title, title=title, revision=1) for title in titles)

    rows = read.filter_conversations({"title": typed}).order_by("pk")

    assert [row.title for row in rows] == found


@pytest.mark.parametrize("way", ["started", "-started"])
def test_conversations_without_a_time_stand_before_the_oldest(way):
    fill([2, None, 1])

    times = [row.started for row in Conversation.objects.order_by(way)]

    ordered = [None, START + timedelta(days=1), START + timedelta(days=2)]
    assert times == (ordered if way == "started" else ordered[::-1])
