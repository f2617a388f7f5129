"""What the charts tell: figures of a plain count, drawn to scale, of what one may read; words where there are none."""

import re
from collections import Counter
from datetime import date

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from nola_site.pages import charts
from nola_site.pages.tests.test_home import ADA, PLANNER, put, reader
from nola_site.safety import reads
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
TALKS = ("view_conversation", "view_message", "view_revision")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.NOLA_DB_DIR = tmp_path
    reads.add_up()
    reads.remove_reads()


def charts_of(client):
    return {chart.id: chart for chart in client.get("/admin/").context.get("charts", [])}


def heights(path):
    return [float(height) for height in re.findall(r"v([\d.]+)h-", path)]


def write_much():
    for number in range(12):
        put("Tasks", number, PLANNER)
    for name in ("b", "c", "d", "e", "f", "g"):
        put("Persona", name, Author(f"key:{name}", Source.API))
    for number in range(3):
        put("Persona", number)


# Who writes


def test_changes_are_those_of_a_plain_count_with_the_rest_as_others(owner):
    write_much()
    plain = Counter(Revision.objects.values_list("actor", flat=True))

    chart = charts_of(owner)["writes"]

    assert chart.title == "21 changes in 7 days, most by planner"
    assert [(name, total) for _, name, total in chart.legend] == [
        ("planner", str(plain["key:planner"])), ("You", str(plain["user:ada"])), ("b", "1"), ("c", "1"), ("d", "1"),
        ("others", "3"),
    ]  # fmt: skip
    assert list(chart.heads) == ["Day", "planner", "You", "b", "c", "d", "others", "All"]
    assert [cells for _, cells in chart.rows] == [["12", "3", "1", "1", "1", "3", "21"], *[["0"] * 7] * 6]
    assert chart.slots[-1].hint.endswith("21 changes (planner 12, You 3, b 1, c 1, d 1, others 3)")
    assert chart.slots[0].hint.endswith("no changes")


def test_columns_are_drawn_to_scale(owner):
    write_much()

    chart = charts_of(owner)["writes"]

    assert list(chart.ticks) == ["30", "15", "0"]
    assert [heights(path) for _, path in chart.paths] == [[40.0], [10.0], [3.3], [3.3], [3.3], [10.0]]
    assert [series for series, _ in chart.paths] == [series for series, _, _ in chart.legend] == [0, 1, 2, 3, 4, 5]


def test_a_single_author_has_one_column_of_figures(owner):
    for number in range(2):
        put("A", number)

    chart = charts_of(owner)["writes"]

    assert (chart.title, list(chart.heads), chart.rows[0][1]) == ("2 changes in 7 days", ["Day", "You"], ["2"])


def test_a_last_author_alone_is_named(owner):
    for name in ("a", "b", "c", "d", "e", "f"):
        put("Persona", name, Author(f"key:{name}", Source.API))

    assert [name for _, name, _ in charts_of(owner)["writes"].legend] == ["a", "b", "c", "d", "e", "f"]


def test_little_beside_much_is_still_seen():
    paths = charts.stack_columns([[100_000, 0], [1, 1]], 100_000)

    assert heights(paths[0]) == [100.0, 0.8]
    assert heights(paths[1]) == [0.8]


@pytest.mark.parametrize("most", [1, 2, 3, 5, 8, 9, 10, 11, 13, 17, 21, 50, 81, 99, 101, 161, 999, 123_456, 10**9])
def test_a_scale_is_round_and_not_much_too_long(most):
    top = charts.find_top(most)

    assert most <= top <= max(2 * most, 2)
    assert top % 2 == 0
    assert len(str(top).rstrip("0")) <= 2


@pytest.mark.parametrize("size", [1, 1023, 1024, 1500, 11 * 1024**2, 900 * 1024**2, 3 * 1024**3])
def test_a_scale_of_bytes_is_round_as_it_is_read(size):
    top = charts.find_top_size(size)
    unit = max(unit for unit in (1, 1024, 1024**2, 1024**3) if unit <= size)

    assert size <= top <= 2 * max(size, unit)
    assert top // unit * unit == top


# How the memory grows


def test_growth_is_all_that_was_written(owner, agent):
    put("A", "x" * 2000)
    said = {"speaker": "user", "message": "y" * 5000}
    agent.post("/api/conversations/tea/messages", said, content_type="application/json")

    chart = charts_of(owner)["growth"]
    talk = charts_of(reader(*TALKS))["growth"]

    assert chart.title.replace("\xa0", " ") in ("7.1 KB written in 7 days", "7.2 KB written in 7 days")
    assert talk.title.replace("\xa0", " ") == "4.9 KB written in 7 days"
    assert (chart.rows[0][1][1], chart.rows[1][1]) == (chart.rows[0][1][0], ["0\xa0bytes", "0\xa0bytes"])
    assert chart.line.count(",") == 7 + 2
    assert chart.line.startswith("0.0,100.0 ")


# What agents ask for


def test_reads_are_told_by_key_and_what_is_gone_is_left_out(owner, agent):
    for name in ("Persona", "a/b ~", "Gone", " "):
        put_key(name)
    for path, times in (("Persona", 3), ("a~1b%20~0", 2), ("Gone", 9), ("%20", 1)):
        for _ in range(times):
            assert agent.get(f"/api/state/{path}").status_code == 200
    agent.get("/api/context?budget=200")
    reads.add_up()
    store.remove(Address("Gone"), ADA)

    chart = charts_of(owner)["reads"]

    assert chart.title == "Persona is asked for most"
    assert [(bar.name, bar.figure, bar.width, bar.link) for bar in chart.bars] == [
        ("Persona", "3", "300.0", "/admin/state/tree/#/Persona"),
        ("a/b ~", "2", "200.0", "/admin/state/tree/#/a~1b%20~0"),
        ("␣", "1", "100.0", "/admin/state/tree/#/%20"),
        ("Whole memory", "1", "100.0", ""),
    ]


def put_key(name):
    store.put(Address(name), make_document({"x": 1}), ADA)


# To whom, and where there is nothing


def test_each_sees_charts_of_what_they_may_read(owner, agent):
    put("A", 1, PLANNER)
    agent.post("/api/conversations/tea/messages", {"speaker": "user", "message": "hi"}, content_type="application/json")

    assert {name: chart.title.split(" in ")[0] for name, chart in charts_of(owner).items()}["writes"] == "2 changes"
    talk = charts_of(reader(*TALKS))
    assert (list(talk), talk["writes"].title) == (["writes", "growth"], "1 change in 7 days")
    assert [name for _, name, _ in talk["writes"].legend] == ["default"]


def test_who_sees_keys_alone_sees_no_history(owner):
    put("A", 1, PLANNER)
    put("A", 2, PLANNER)

    assert list(charts_of(reader("view_stateentry"))) == ["growth", "reads"]


def test_who_may_see_nothing_sees_no_chart(owner):
    put("A", 1, PLANNER)
    put("A", 2, PLANNER)

    response = reader().get("/admin/")

    assert response.context["charts"] == []
    assert "Your account may see nothing" in response.content.decode()


def test_where_there_is_nothing_to_draw_words_say_so(owner, monkeypatch):
    put("A", 1)
    put("A", 2)
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now.replace(year=now.year + 1, day=1))
    owner.force_login(User.objects.get())

    found = charts_of(owner)

    assert found["writes"].title == "Nothing was written in the last 30 days"
    assert found["reads"].title == "No agent has asked for anything in 30 days"
    assert found["growth"].title.replace("\xa0", " ") == "0 bytes written in 30 days"
    assert not found["writes"].slots and found["growth"].line


def test_a_new_memory_has_no_charts(owner):
    put("A", 1)

    assert charts_of(owner) == {}


def test_days_below_are_the_first_the_middle_and_the_last():
    days = [date(2026, 2, number) for number in range(1, 29)]

    assert charts.pick_days(days) == ["1 Feb", "14 Feb", "28 Feb"]
    assert charts.name_day(date(2026, 11, 7)) == "Sat 7 Nov"
