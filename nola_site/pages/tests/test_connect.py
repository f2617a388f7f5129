"""The page that connects an agent: what is to be copied is right, and who calls is told."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from access.models import ApiKey


@pytest.mark.django_db
def test_it_shows_this_address_and_no_key(owner, settings, make_key):
    settings.NOLA_PUBLIC_URL = "https://nola.example.org"
    make_key("nola_a-key-for-tests-only")

    text = owner.get("/admin/connect/").content.decode()

    assert "https://nola.example.org/mcp" in text
    assert str(settings.BASE_DIR / "nola") in text
    assert "nola_a-key" not in text
    assert "@ADDRESS@" not in text and "@ROOT@" not in text and "@DATA@" not in text


@pytest.mark.django_db
def test_it_tells_who_has_called_since_the_page_was_opened(owner, agent, stamps):
    stamps.clear()
    address = "/admin/connect/callers"
    before = owner.get(address, {"since": "1000000000.5"}).json()
    agent.get("/api/state")

    after = owner.get(address, {"since": "1000000000.5"}).json()

    assert (before, after) == ({"callers": []}, {"callers": ["default"]})
    assert owner.get(address, {"since": "32000000000"}).json() == {"callers": []}
    for nonsense in ("", "yesterday", "nan", "inf", "-1e300", "1e12"):
        assert owner.get(address, {"since": nonsense}).status_code == 200


@pytest.mark.django_db
def test_who_may_not_see_keys_is_not_told_who_calls(agent):
    user = User.objects.create_user("eve", is_staff=True)
    guest = Client()
    guest.force_login(user)
    ApiKey.objects.update(last_used_at=timezone.now())
    address = "/admin/connect/callers?since=1000000000"

    assert guest.get(address).json() == {"callers": []}
    user.user_permissions.add(Permission.objects.get(codename="view_apikey"))
    assert guest.get(address).json() == {"callers": ["default"]}
