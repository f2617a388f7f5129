"""Many processes write to one database file, and some are killed while they do."""

import pytest

from tests.soak import writers

pytestmark = pytest.mark.process


def test_nothing_acknowledged_is_lost_when_writers_are_killed(tmp_path):
    told = writers.acknowledged(writers.storm(tmp_path / "data", kills=10))

    assert len(told) > 100
    assert writers.lost(tmp_path / "data", told) == []
    made_up = writers.Acknowledged(10**9, "w0", 1, "append")
    assert len(writers.lost(tmp_path / "data", [*told, made_up])) == 2
