"""What pages say of authors and moments, by scripts: the same as the server does."""

import json

import pytest

from tests.server import ROOT

pytestmark = pytest.mark.process
AUTHORS = json.loads((ROOT / "tests" / "data" / "authors.json").read_text())
NAME_ALL = """async (cases) => {
  const { nameActor } = await import('/static/nola/lib/authors.js');
  return cases.map(({ actor, me }) => nameActor(actor, me));
}"""


def test_scripts_name_authors_as_the_table_says(page):
    page.goto("/admin/")

    found = page.evaluate(NAME_ALL, AUTHORS)

    assert found == [{name: case[name] for name in ("name", "kind", "icon")} for case in AUTHORS]
