"""What stays open after its request is looked at again: does its key or session still open the door?"""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from access.auth import Credential, Follower, KeyCredential, SessionCredential, grant_now, may_follow


def follower(credential: Credential) -> Follower:
    return Follower(credential, grant_now(credential))


@pytest.fixture
def key(make_key):
    return make_key("nola_a-key-that-is-looked-at", "looked-at")


@pytest.fixture
def session(owner) -> SessionCredential:
    return SessionCredential(owner.session.session_key)


def test_a_key_and_a_session_that_still_hold(key, session):
    assert may_follow(follower(KeyCredential(key.pk, key.sha256)))
    assert may_follow(follower(session))


@pytest.mark.parametrize("change", [{"revoked_at": timezone.now()}, {"sha256": "another"}, {"scopes": "write"}])
def test_a_key_that_was_revoked_replaced_or_narrowed_holds_no_more(key, change):
    before = follower(KeyCredential(key.pk, key.sha256))
    type(key).objects.filter(pk=key.pk).update(**change)

    assert not may_follow(before)


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, {"is_superuser": False}])
def test_a_session_ends_with_the_rights_of_its_user(session, change):
    before = follower(session)
    User.objects.update(**change)

    assert not may_follow(before)


def test_a_session_ends_with_its_logout_and_with_a_new_password(session, owner):
    user, before = User.objects.get(), follower(session)
    user.set_password("another-long-password")
    user.save()
    assert not may_follow(before)

    owner.force_login(user)
    again = follower(SessionCredential(owner.session.session_key))
    assert may_follow(again)
    owner.logout()
    assert not may_follow(again)
