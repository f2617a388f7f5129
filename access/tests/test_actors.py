import json

import pytest

from access.actors import name_actor, show_actor
from tests.server import ROOT

CASES = json.loads((ROOT / "tests" / "data" / "authors.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["actor"])
def test_an_actor_is_read_as_the_table_says(case):
    found = name_actor(case["actor"], case.get("me", ""))

    assert (found.name, found.kind, found.icon) == (case["name"], case["kind"], case["icon"])


def test_the_exact_actor_is_on_hover_and_text_stays_text():
    assert show_actor("key:<b>") == '<span class="ui-author" title="key:&lt;b&gt;">&lt;b&gt;</span>'


def test_who_reads_is_you_in_the_middle_of_a_sentence():
    assert ">you<" in show_actor("user:ada", "user:ada", within=True)
