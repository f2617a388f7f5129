"""Nobody can give what they do not have, or touch somebody who holds more."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from access.models import SecurityEvent

pytestmark = pytest.mark.django_db


def person(name, *codenames, groups=(), **more):
    user = User.objects.create_user(name, password="a-long-password", is_staff=True, **more)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    user.groups.add(*Group.objects.filter(name__in=groups))
    return user


@pytest.fixture(autouse=True)
def groups():
    """Those that a migration makes are gone where another test has emptied the database."""
    group, _ = Group.objects.get_or_create(name="owner")
    group.permissions.add(*Permission.objects.filter(codename__in=["administer", "view_stateentry"]))


@pytest.fixture
def manager():
    person("max", "view_user", "add_user", "change_user", "delete_user", "view_stateentry", "view_revision")
    client = Client()
    client.force_login(User.objects.get(username="max"))
    return client


def save(client, user, **more):
    form = {"username": user.username, "is_active": "on", "is_staff": "on", "date_joined_0": "2026-01-01"}
    form |= {"date_joined_1": "00:00:00", **more}
    return client.post(f"/admin/auth/user/{user.pk}/change/", form)


def ids(*codenames):
    return [str(one.pk) for one in Permission.objects.filter(codename__in=codenames)]


def test_somebody_gives_what_they_have(manager):
    user = person("bob")

    assert save(manager, user, user_permissions=ids("view_stateentry")).status_code == 302

    assert [one.codename for one in user.user_permissions.all()] == ["view_stateentry"]


def test_somebody_who_is_no_superuser_makes_none(manager):
    user = person("bob")

    assert save(manager, user, is_superuser="on").status_code == 302

    user.refresh_from_db()
    assert not user.is_superuser


def test_permissions_beyond_ones_own_cannot_be_given(manager):
    user = person("bob")

    page = save(manager, user, user_permissions=ids("view_stateentry", "administer"))

    assert page.status_code == 200
    assert "is not one of the available choices" in page.content.decode()
    assert not user.user_permissions.exists()


def test_groups_beyond_ones_own_cannot_be_given(manager):
    user = person("bob")
    owner = Group.objects.get(name="owner")
    small = Group.objects.create(name="small")
    small.permissions.add(*Permission.objects.filter(codename="view_revision"))

    assert save(manager, user, groups=[owner.pk]).status_code == 200
    assert save(manager, user, groups=[small.pk]).status_code == 302

    assert [group.name for group in user.groups.all()] == ["small"]


def test_somebody_cannot_give_themselves_more(manager):
    me = User.objects.get(username="max")

    save(
        manager, me, is_superuser="on", user_permissions=ids("administer"), groups=[Group.objects.get(name="owner").pk]
    )

    me.refresh_from_db()
    assert not me.is_superuser
    assert not me.groups.exists()
    assert not me.user_permissions.filter(codename="administer").exists()


@pytest.mark.parametrize(
    "more",
    [
        {"codenames": ["administer"]},
        {"codenames": ["administer"], "is_active": False},
        {"groups": ["owner"]},
        {"is_superuser": True},
        {"is_superuser": True, "is_active": False},
    ],
    ids=["permission", "inactive", "group", "superuser", "inactive superuser"],
)
def test_somebody_who_holds_more_cannot_be_touched(manager, more):
    user = person("bob", *more.pop("codenames", ()), **more)
    was = user.password

    assert save(manager, user, first_name="Eve").status_code == 403
    form = {"password1": "another-long-one", "password2": "another-long-one", "usable_password": "true"}
    assert manager.post(f"/admin/auth/user/{user.pk}/password/", form).status_code == 403
    assert manager.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
    manager.post("/admin/auth/user/", action)

    user.refresh_from_db()
    assert (user.first_name, user.password) == ("", was)


def test_a_superuser_may_do_all_of_it(owner):
    user = person("bob", "administer")

    assert save(owner, user, is_superuser="on", groups=[Group.objects.get(name="owner").pk]).status_code == 302

    user.refresh_from_db()
    assert user.is_superuser


def test_changes_of_people_are_in_the_security_log(owner):
    form = {
        "username": "bob",
        "password1": "a-long-password",
        "password2": "a-long-password",
        "usable_password": "true",
    }
    owner.post("/admin/auth/user/add/", form)
    user = User.objects.get(username="bob")
    save(owner, user, first_name="Bob")
    owner.post(
        f"/admin/auth/user/{user.pk}/password/", form | dict.fromkeys(("password1", "password2"), "a-newer-one-9")
    )
    owner.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})

    rows = SecurityEvent.objects.exclude(detail="").order_by("pk").values_list("event", "actor", "detail")
    assert [event for event, *_ in rows] == ["person made", "person changed", "person changed", "person removed"]
    assert {actor for _, actor, _ in rows} == {"user:ada"}
    assert all(detail.startswith("bob") for *_, detail in rows)
    assert SecurityEvent.objects.filter(event="password changed", actor="user:bob").count() == 2
