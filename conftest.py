"""Fixtures that several apps' tests share."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import settings as hypothesis_settings

from access.models import ApiKey, hash_key

KEY = "nola_a-key-for-tests-only"

# No test fails on a clock; in CI the examples are the same each time, elsewhere they are new ones.
hypothesis_settings.register_profile("nola", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis_settings.load_profile("nola")


@pytest.fixture(autouse=True)
def own_directories(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each test has checkpoints and backups of its own."""
    folder = tmp_path_factory.mktemp("kept")
    settings.NOLA_CHECKPOINT_DIR = folder / "checkpoints"
    settings.NOLA_BACKUP_DIR = folder / "backups"
    settings.FIXTURE_DIRS = [settings.NOLA_CHECKPOINT_DIR, settings.NOLA_SEED_DIR]


@pytest.fixture
def make_key(db: None) -> Callable[..., ApiKey]:
    def make(key: str, name: str = "default", scopes: tuple[str, ...] = ("read", "write")) -> ApiKey:
        return ApiKey.objects.create(name=name, prefix=key[:9], sha256=hash_key(key), scopes=" ".join(scopes))

    return make


@pytest.fixture
def agent(make_key: Callable[..., ApiKey]) -> Client:
    """An HTTP client with an API key, as an agent uses it."""
    make_key(KEY)
    return Client(headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture
def owner(db: None) -> Client:
    """A browser in which the owner is signed in to the admin."""
    user = User.objects.create_superuser("ada", password="a-long-password")
    client = Client()
    client.force_login(user)
    return client
