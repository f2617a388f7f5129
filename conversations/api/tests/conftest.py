import pytest

from conversations.api.tests.limits import limited


@pytest.fixture
def bob(make_key):
    """The client of a key that is limited to the user id bob."""
    return limited(make_key, user_id="bob")
