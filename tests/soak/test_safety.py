"""A tenth of what `make soak` does to the memory: sudden deaths, and damaged bytes."""

import random

import pytest

from tests.soak import safety as soak_safety

pytestmark = pytest.mark.process


def test_sudden_deaths_lose_nothing_that_was_acknowledged(tmp_path):
    soak_safety.sudden_deaths(tmp_path, soak_safety.KILLS // 10, random.Random(1), str)


@pytest.mark.heavy
def test_damaged_files_are_noticed_or_hold_the_same_memory(tmp_path):
    soak_safety.damaged_bytes(tmp_path, soak_safety.FLIPS // 10, random.Random(2), str)
