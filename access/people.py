"""What people hold, in words; so that nobody gives what they do not have, or touches somebody who has more."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

from access.rights import PERMISSIONS, Right

NOUNS = {
    "stateentry": "keys",
    "revision": "the history",
    "conversation": "conversations",
    "message": "messages",
    "user": "people",
    "apikey": "API keys",
}
VERBS = {"view": "See", "add": "Add", "change": "Change", "delete": "Remove"}
SINGLE = {
    "purge_conversation": "Purge, which cannot be undone",
    "administer": "Administer: who comes in, what is forgotten",
}
READS = {Right.READ_STATE: "the state", Right.READ_HISTORY: "the history", Right.READ_CONVERSATIONS: "conversations"}
WRITES = {Right.WRITE_STATE: "the state", Right.WRITE_CONVERSATIONS: "conversations"}
MORE = {Right.PURGE: "purges", Right.ADMINISTER: "administers"}
PEOPLE, KEYS = "auth.change_user", "access.change_apikey"  # the pages that owners have beside rights


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


# In words


def describe_permission(permission: Permission) -> str:
    """One permission: "See keys"."""
    verb, _, noun = permission.codename.partition("_")
    if permission.codename in SINGLE:
        return SINGLE[permission.codename]
    return f"{VERBS[verb]} {NOUNS[noun]}" if verb in VERBS and noun in NOUNS else permission.name


def is_of_use(permission: Permission) -> bool:
    """Whether something in Nola asks for it."""
    verb, _, noun = permission.codename.partition("_")
    if permission.codename in SINGLE:
        return True
    return (
        noun in NOUNS
        and (verb == "view" or noun not in ("revision", "message"))
        and permission.codename != "delete_apikey"
    )


def describe_group(group: Group) -> str:
    """What a group lets people do: "Reads the state, the history and conversations"."""
    return _describe(group.permissions.all())


def describe_person(person: User) -> str:
    """What a person may do; `groups__permissions` and `user_permissions` are to be there for many."""
    if person.is_superuser:
        return "Everything"
    held = [one for group in person.groups.all() for one in group.permissions.all()]
    return _describe([*held, *person.user_permissions.all()])


def _describe(permissions: Iterable[Permission]) -> str:
    held = {f"{one.content_type.app_label}.{one.codename}" for one in permissions}
    rights = {right for right, needed in PERMISSIONS.items() if held.issuperset(needed)}
    parts = []
    for verb, objects in (("reads", READS), ("writes", WRITES)):
        if found := [name for right, name in objects.items() if right in rights]:
            parts.append(f"{verb} {_join(found) if len(found) < len(objects) else 'all'}")
    parts += [name for right, name in MORE.items() if right in rights]
    if found := [name for name, needed in (("people", PEOPLE), ("API keys", KEYS)) if needed in held]:
        parts.append(f"manages {_join(found)}")
    said = "; ".join(parts)
    return said[:1].upper() + said[1:] or "Nothing yet"


def _join(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
