"""The pages with much in the memory, on a tenth: all of them come, and none has more elements than it needs."""

import pytest

from tests.bench import pages

BOUND = 6000  # elements of a page, of which End in the tree shows all keys there are


@pytest.mark.heavy
def test_pages_with_much_in_the_memory_stay_light(browser):
    found = pages.run(browser, members=pages.MEMBERS // 10, keys=pages.KEYS // 10)

    assert {name: cost.elements for name, cost in found.items() if cost.elements > BOUND} == {}
    assert all(cost.seconds > 0 for cost in found.values())
