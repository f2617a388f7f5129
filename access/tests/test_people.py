"""Nobody can give what they do not have, or touch somebody who holds more."""

import re

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from access import people
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


# In words


def test_a_group_says_what_it_lets_people_do():
    group = Group.objects.create(name="half")
    group.permissions.add(
        *Permission.objects.filter(codename__in=["view_stateentry", "view_revision", "change_apikey"])
    )

    assert people.describe_group(group) == "Reads the state and the history; manages API keys"


def test_a_person_holds_what_groups_and_single_permissions_add_up_to():
    reads, sees = ["view_conversation", "view_message"], Group.objects.create(name="sees")
    sees.permissions.add(*Permission.objects.filter(codename__in=["view_stateentry"]))

    assert people.describe_person(person("bob", *reads, groups=["sees"])) == "Reads the state and conversations"
    assert people.describe_person(person("max", *reads, "view_revision", groups=["sees"])) == "Reads all"
    assert people.describe_person(person("dan", "view_conversation")) == "Nothing yet"
    assert people.describe_person(person("eve", is_superuser=True)) == "Everything"


def test_the_form_speaks_no_django(owner):
    page = owner.get(f"/admin/auth/user/{person('bob').pk}/change/").content.decode()

    assert people.describe_group(Group.objects.get(name="owner")) in page
    assert "See keys" in page
    form = page.partition('id="main"')[2]
    assert not re.findall(
        r"(?i)superuser status|staff status|designates|\bCan (view|add|change|delete)|Raw passwords", form
    )


def test_saving_loses_no_permission_that_the_form_does_not_name(owner):
    bob = person("bob", "view_stateentry", "add_group")

    page = owner.get(f"/admin/auth/user/{bob.pk}/change/").content.decode()
    ticked = re.findall(r'name="user_permissions" value="(\d+)"[^>]*checked', page)
    assert save(owner, bob, user_permissions=ticked).status_code == 302

    assert {one.codename for one in bob.user_permissions.all()} == {"view_stateentry", "add_group"}


def test_a_new_person_is_put_into_groups_at_once_and_may_sign_in(owner):
    form = {"username": "carol", "password1": "three-long-words", "password2": "three-long-words"}
    page = owner.get("/admin/auth/user/add/").content.decode()
    assert re.search(r'name="is_staff"[^>]*checked', page)

    made = owner.post(
        "/admin/auth/user/add/", {**form, "is_staff": "on", "groups": [Group.objects.get(name="owner").pk]}
    )

    assert made.headers["Location"] == "/admin/auth/user/"
    assert [group.name for group in User.objects.get(username="carol").groups.all()] == ["owner"]
    assert Client().login(username="carol", password="three-long-words")


def test_nobody_makes_somebody_who_holds_more(manager):
    form = {"username": "carol", "password1": "three-long-words", "password2": "three-long-words", "is_staff": "on"}

    page = manager.post("/admin/auth/user/add/", {**form, "groups": [Group.objects.get(name="owner").pk]})

    assert page.status_code == 200
    assert not User.objects.filter(username="carol").exists()


def test_a_password_is_set_for_somebody_and_never_taken_away(owner):
    bob = person("bob")
    address = f"/admin/auth/user/{bob.pk}/password/"

    assert owner.post(address, {"usable_password": "false", "unset-password": "x"}).status_code == 200
    assert Client().login(username="bob", password="a-long-password")
    assert owner.post(address, {"password1": "four-long-words", "password2": "four-long-words"}).status_code == 302

    assert Client().login(username="bob", password="four-long-words")
