"""The server dies in the middle of streams and writes; whoever comes back with its last id has missed nothing."""

import pytest

from tests.server import running
from tests.soak.feed import soak

pytestmark = pytest.mark.process


@pytest.mark.heavy
def test_followers_rebuild_the_exact_state_through_sudden_deaths(tmp_path):
    with running(tmp_path / "data") as server:
        done = soak(server, kills=5)

    assert done["revisions"] > 50
    assert done["resumed"] >= 5
