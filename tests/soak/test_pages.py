"""Pages that are left open hold no more after some thousands of changes than at first; `make soak` makes many more."""

import pytest

from tests.server import running
from tests.soak import pages

CHANGES, SAMPLES = 2400, 8  # enough for the page of activity to begin anew once
ROUGH = 1.3  # so few changes weigh little beside what the browser itself does


@pytest.mark.heavy
def test_what_is_left_open_stays_as_light_as_it_was(browser, tmp_path_factory):
    with running(tmp_path_factory.mktemp("soak") / "data") as server:
        found = pages.soak(browser, server, CHANGES, SAMPLES)

    assert {what: grew for what, grew in pages.grown(found["tree"]).items() if grew > ROUGH} == {}
    assert found["activity"][-1]["nodes"] < found["activity"][SAMPLES // 2]["nodes"]
    assert found["activity"][-1]["heap"] < found["activity"][SAMPLES // 2]["heap"] * ROUGH
