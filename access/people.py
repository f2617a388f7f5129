"""What people hold, so that nobody can give what they do not have, or touch somebody who has more."""

from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet


def list_held(user: Any) -> set[int]:
    """The permissions of a person by id, also of one who is not active: those would be back with a tick."""
    return {*Permission.objects.filter(Q(user=user) | Q(group__user=user)).values_list("pk", flat=True)}


def list_permissions(giver: Any) -> QuerySet[Permission]:
    """The permissions that somebody may give."""
    found = Permission.objects.select_related("content_type")
    return found if giver.is_superuser else found.filter(pk__in=list_held(giver))


def list_groups(giver: Any) -> QuerySet[Group]:
    """The groups that somebody may put others into: those that hold no more than they do."""
    if giver.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=list_held(giver))
    return Group.objects.exclude(permissions__in=beyond)


def holds_no_more(person: User, than: Any) -> bool:
    """Whether a person holds nothing beyond what another does."""
    if than.is_superuser:
        return True
    return not person.is_superuser and list_held(person) <= list_held(than)
