"""What pages say of authors and moments, by scripts: the same as the server does."""

import json
import re

import pytest

from nola_site.pages.tests.speech import FORBIDDEN
from nola_site.pages.tests.test_headings import PAGES
from state.pages.tests.tree import write
from tests.server import ROOT

pytestmark = pytest.mark.process
MOMENTS = json.loads((ROOT / "tests" / "data" / "moments.json").read_text())
AUTHORS = json.loads((ROOT / "tests" / "data" / "authors.json").read_text())
NAME_ALL = """async (cases) => {
  const { nameActor } = await import('/static/nola/lib/authors.js');
  return cases.map(({ actor, me }) => nameActor(actor, me));
}"""

READ_ALL = """async (cases) => {
  const { shortTime, ago, exactTime } = await import('/static/nola/lib/dates.js');
  return cases.map(({ at, now, zone }) => {
    const how = { now: new Date(now), zone };
    return [shortTime(at, how), ago(at, how), exactTime(at, how)];
  });
}"""
TYPED = """async (cases) => {
  const { fromField } = await import('/static/nola/lib/dates.js');
  return cases.map(([text, zone]) => fromField(text, { zone }).toISOString());
}"""


def test_scripts_name_authors_as_the_table_says(page):
    page.goto("/admin/")

    found = page.evaluate(NAME_ALL, AUTHORS)

    assert found == [{name: case[name] for name in ("name", "kind", "icon")} for case in AUTHORS]


def test_scripts_read_moments_as_the_table_says(page):
    page.goto("/admin/")

    found = page.evaluate(READ_ALL, MOMENTS)

    assert found == [[case["short"], case["ago"], case["exact"]] for case in MOMENTS]


def test_what_is_typed_into_a_field_is_a_time_of_the_zone_also_where_clocks_change(page):
    page.goto("/admin/")

    found = page.evaluate(TYPED, [["2026-03-29T01:59:59", "Europe/Prague"], ["2026-03-29T03:00", "Europe/Prague"]])

    assert found == ["2026-03-29T00:59:59.000Z", "2026-03-29T01:00:00.000Z"]


def test_the_zone_of_the_setting_counts_and_not_that_of_the_browser(new_page):
    page = new_page(timezone_id="Pacific/Auckland")
    page.goto("/admin/")

    exact = page.evaluate("async () => (await import('/static/nola/lib/dates.js')).exactTime('2026-11-03T13:03:22Z')")

    assert exact == "2026-11-03T14:03:22+01:00"  # tests/server.py: Europe/Prague


DRAWN = {"/admin/state/tree/": ".tree-act-who", "/admin/activity/": ".act-row", "/admin/": ".home-events time"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
ACTOR = re.compile(r"\b(key|user|cli|system):\w+")


@pytest.mark.parametrize("address", [address for _, address in PAGES])
def test_what_a_page_shows_once_it_is_drawn_is_in_our_words(page, server, address):
    write(server, "PUT", "/Told", {"mood": "calm"})
    page.goto(address)
    page.wait_for_selector(DRAWN.get(address, "h1.nola-heading"))

    shown = page.inner_text("body")
    titles = page.locator("time").evaluate_all("times => times.map((time) => time.title)")

    assert [one for one in titles if not MOMENT.match(one)] == []
    assert ACTOR.findall(shown) == []
    said = [re.search(f".{{0,30}}{one}", shown.replace("unfold_more", "")) for one in FORBIDDEN]
    assert [match[0] for match in said if match] == []
