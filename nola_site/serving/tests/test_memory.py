import pytest

from nola_site.serving import memory


@pytest.mark.skipif(memory._trim is None, reason="the C library cannot")
def test_memory_that_is_free_is_handed_back(monkeypatch):
    monkeypatch.setattr(memory, "_least", 0)
    blocks = [b"x" * 60_000 for _ in range(2000)]
    last = blocks[-1]
    held = memory.read_resident()

    del blocks
    memory.hand_back(1.0)

    assert memory.read_resident() < held - 100_000_000
    assert len(last) == 60_000


def test_a_process_that_has_not_grown_is_left_alone(monkeypatch):
    trims: list[int] = []
    monkeypatch.setattr(memory, "_trim", trims.append)
    monkeypatch.setattr(memory, "_least", memory.read_resident())

    memory.hand_back(1.0)

    assert trims == []
