import gc

import pytest

from nola_site.serving import memory

pytestmark = pytest.mark.skipif(memory._trim is None, reason="the C library cannot")


class Circle:
    """As a request is one, with its body."""

    def __init__(self, body: bytes) -> None:
        self.body, self.itself = body, self


@pytest.fixture
def held(monkeypatch) -> int:
    """The memory that is held, when all that was free has been handed back."""
    monkeypatch.setattr(memory, "_least", 0)
    memory.hand_back()
    return memory._least


def test_memory_that_is_free_is_handed_back(held):
    blocks = [b"x" * 60_000 for _ in range(2000)]
    last = blocks[-1]

    del blocks
    memory.hand_back()

    assert memory.read_resident() < held + memory.LARGE
    assert len(last) == 60_000


@pytest.mark.heavy
def test_the_bodies_of_requests_that_are_done_do_not_wait_for_a_look_for_garbage(held):
    gc.disable()
    try:
        for _ in range(100):
            Circle(b"x" * 4_000_000)
            memory.hand_back()
    finally:
        gc.enable()

    assert memory.read_resident() < held + 2 * memory.LARGE


def test_what_was_held_for_a_moment_is_no_measure_of_what_may_be_held(held):
    block = b"x" * 200_000_000
    memory.hand_back()
    assert memory._least > held + 100_000_000

    del block
    memory.hand_back()

    assert memory._least < held + memory.LARGE


def test_a_process_that_has_not_grown_is_left_alone(held, monkeypatch):
    trims: list[int] = []
    monkeypatch.setattr(memory, "_trim", trims.append)

    memory.hand_back()

    assert trims == []
