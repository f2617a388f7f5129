import pytest

from state.sync.tests.memory import put, sync


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "memory"


@pytest.fixture
def mirrored(folder):
    put("Note", {"title": "a", "tags": ["x"], "about": {"n": 1, "m": 1}})
    sync(folder)
    return folder
