"""How the memory grows, weighed bit by bit, beside a count that looks at all of it each time."""

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from access.rights import Right
from conversations.models import Message
from nola_site.safety import growth
from state import clock, store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import Change, Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ALL = {Right.READ_STATE, Right.READ_CONVERSATIONS, Right.READ_HISTORY}
STATE, TALK = ALL - {Right.READ_CONVERSATIONS}, ALL - {Right.READ_STATE}
KINDS = {frozenset(ALL): {"state", "conversation", "message"}, frozenset(STATE): {"state"}}
KINDS[frozenset(TALK)] = {"conversation", "message"}
NOW = datetime(2040, 3, 26, 12, tzinfo=UTC)  # the day after clocks are set forward in Prague; no time goes back


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.NOLA_DB_DIR = tmp_path
    return tmp_path


@pytest.fixture
def at(monkeypatch):
    """Sets the clock."""

    def set_to(moment):
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)

    return set_to


@pytest.fixture
def busy(agent, at):
    """Forty days in which several write keys and conversations, also both in one revision."""
    rnd = random.Random(3)
    for number in range(120):
        at(NOW - timedelta(days=40) + timedelta(hours=8 * number))
        author = Author(rnd.choice(["key:planner", "key:reader", "user:ada", "cli:root"]), Source.API)
        if number % 3:
            store.put(Address(rnd.choice("ABC")), make_document("x" * rnd.randint(1, 90) + str(number)), author)
        else:
            said = {"speaker": "user", "message": "y" * rnd.randint(1, 90)}
            agent.post(f"/api/conversations/talk-{number % 4}/messages", said, content_type="application/json")
    at(NOW)


def count_plainly(rights, zone):
    """By day and actor."""
    found = defaultdict(Counter)
    for revision in Revision.objects.prefetch_related("changes"):
        if {change.kind for change in revision.changes.all()} & KINDS[frozenset(rights)]:
            found[revision.at.astimezone(ZoneInfo(zone)).date()][revision.actor] += 1
    return found


@pytest.mark.parametrize("zone", ["Europe/Prague", "Pacific/Auckland", "Asia/Kathmandu"])
@pytest.mark.parametrize("most", [7, 20_000])
def test_it_counts_what_a_plain_count_finds(busy, settings, zone, most):
    settings.TIME_ZONE = zone
    while growth.weigh_changes(most):
        pass
    today = NOW.astimezone(ZoneInfo(zone)).date()

    days = growth.read_growth().list_days(today)

    assert [day for day, _ in days] == [today - timedelta(days=number) for number in range(29, -1, -1)]
    for rights in (ALL, STATE, TALK):
        plain = count_plainly(rights, zone)
        assert [growth.count_writes(one, rights) for _, one in days] == [plain[day] for day, _ in days]
    assert growth.count_writes(days[-2][1], {Right.READ_HISTORY}) == {}


def test_it_weighs_the_history_and_what_was_said(busy):
    growth.weigh_changes()

    found = growth.read_growth()

    with connection.cursor() as cursor:
        cursor.execute("SELECT forward, inverse FROM state_change")
        assert found.size == sum(len(forward) + len(inverse) for forward, inverse in cursor.fetchall())
    assert found.said == sum(len(text) for text in Message.objects.values_list("message", flat=True))
    assert sum(day.said for day in found.days.values()) < found.said


def test_what_is_too_new_is_told_without_being_kept(busy, folder):
    growth.weigh_changes(50)
    kept = (folder / "growth").read_bytes()

    found, is_all = growth.read_latest(clock.read())
    growth.weigh_changes()

    assert is_all
    assert found.size == growth.read_growth().size
    assert found.days[NOW.date().isoformat()] == growth.read_growth().days[NOW.date().isoformat()]
    assert kept != (folder / "growth").read_bytes()


def test_it_says_that_it_has_not_seen_all(busy, monkeypatch):
    monkeypatch.setattr(growth, "TAIL", 10)

    assert growth.read_latest(clock.read())[1] is False


def test_another_zone_has_other_days_and_is_weighed_anew(busy, settings):
    growth.weigh_changes()
    settings.TIME_ZONE = "Pacific/Auckland"
    assert growth.read_growth().days == {}

    growth.weigh_changes()

    plain = count_plainly(ALL, "Pacific/Auckland")
    days = dict(growth.read_growth().list_days(timezone.localdate()))
    assert all(growth.count_writes(one, ALL) == plain[day] for day, one in days.items())


def test_a_file_of_a_release_before_is_weighed_anew(busy, folder):
    (folder / "growth").write_text(
        '{"epoch": "e", "last": 7, "size": 9, "first_day": "2040-03-01", "days": {"2040-03-01": {"size": 9}}}'
    )

    growth.weigh_changes()

    assert growth.read_growth().last == Change.objects.latest("id").pk


def test_many_authors_take_a_bounded_room_and_none_of_their_changes_is_lost(at):
    at(NOW)
    for number in range(70):
        store.put(Address("A"), make_document(number), Author(f"key:agent {number}", Source.API))
        store.put(Address("A"), make_document("again"), Author("key:planner", Source.API))
        growth.weigh_changes()

    [(_, day)] = [one for one in growth.read_growth().list_days(NOW.date()) if one[1].size]

    counts = growth.count_writes(day, ALL)
    assert len(counts) == growth.ACTORS + 1
    assert (counts["key:planner"], counts.total()) == (70, 140)
    assert counts[""] == 140 - 70 - (growth.ACTORS - 1)


def test_a_new_memory_shows_a_week(at):
    at(NOW)
    store.put(Address("A"), make_document(1), Author("user:ada", Source.API))

    found, _ = growth.read_latest(clock.read())

    assert [len(found.list_days(NOW.date())), len(found.list_days(NOW.date() + timedelta(days=400)))] == [7, 30]
