from tests.soak.memory import GROWTH, growth


def test_memory_that_keeps_growing_is_found():
    assert growth([100, 101, 99, 100, 102, 100]) < GROWTH
    assert growth([100, 110, 120, 130, 140, 150]) > GROWTH
