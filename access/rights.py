"""What may be done: rights, which people have by Django's permissions, and API keys by the words of their scope.

`nola_site.doors` says which of them each call and each page needs.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from django.core.exceptions import PermissionDenied


class Right(StrEnum):
    """One thing that may be done, in words that follow "may"."""

    READ_STATE = "read the state"
    WRITE_STATE = "write the state"
    SUGGEST_STATE = "suggest changes of the state"
    READ_HISTORY = "read the history"
    READ_CONVERSATIONS = "read conversations"
    WRITE_CONVERSATIONS = "write conversations"
    PURGE = "purge"  # what cannot be undone
    ADMINISTER = "administer"  # who comes in, and what is forgotten


PERMISSIONS: dict[Right, tuple[str, ...]] = {  # all of which a person needs for a right
    Right.READ_STATE: ("state.view_stateentry",),
    Right.WRITE_STATE: (
        "state.view_stateentry",
        "state.add_stateentry",
        "state.change_stateentry",
        "state.delete_stateentry",
    ),
    Right.READ_HISTORY: ("state.view_revision",),
    Right.READ_CONVERSATIONS: ("conversations.view_conversation", "conversations.view_message"),
    Right.WRITE_CONVERSATIONS: (
        "conversations.view_conversation",
        "conversations.add_conversation",
        "conversations.change_conversation",
        "conversations.delete_conversation",
    ),
    Right.PURGE: ("conversations.purge_conversation",),
    Right.ADMINISTER: ("access.administer",),
}
AREAS: dict[str, tuple[Right, ...]] = {
    "read:state": (Right.READ_STATE, Right.READ_HISTORY),
    "read:conversations": (Right.READ_CONVERSATIONS, Right.READ_HISTORY),
    "write:state": (Right.READ_STATE, Right.WRITE_STATE),  # a write tells what it met
    "write:conversations": (Right.READ_CONVERSATIONS, Right.WRITE_CONVERSATIONS),
}
SCOPES: dict[str, tuple[Right, ...]] = {  # what the words of a key's scope stand for
    "read": AREAS["read:state"] + AREAS["read:conversations"],
    "write": AREAS["write:state"] + AREAS["write:conversations"],
    "suggest": (Right.READ_STATE, Right.SUGGEST_STATE),
    "admin": (Right.PURGE, Right.ADMINISTER),
    **AREAS,
}
ALL = ("read", "write", "admin")  # the scope of the first key


class NotAllowed(PermissionDenied):
    """Somebody who came in may not do this; says who and what."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do: `places` (pointers) and `user_id` limit a key to these; empty, they limit nothing."""

    who: str
    owners_way: str  # where an owner lets it do more
    rights: frozenset[Right]
    places: tuple[str, ...] = ()
    user_id: str = ""

    @property
    def is_limited(self) -> bool:
        """Whether there is something that it must not come to see."""
        return bool(self.places or self.user_id)

    def require(self, *rights: Right) -> None:
        """Raises NotAllowed unless all of these are held."""
        for right in rights:
            if right not in self.rights:
                raise NotAllowed(f"{self.who} may not {right}; an owner can let it, under {self.owners_way}")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a call or a page needs: all of `rights`, one of `either`; `heeds_limits` where it leaves out the rest."""

    rights: tuple[Right, ...] = ()
    either: tuple[Right, ...] = ()
    heeds_limits: bool = False

    def suffices(self, grant: Grant) -> bool:
        """Whether a grant suffices."""
        try:
            self.check(grant)
        except NotAllowed:
            return False
        return True

    def check(self, grant: Grant) -> None:
        """Raises NotAllowed if a grant does not suffice."""
        grant.require(*self.rights)
        if self.either and grant.rights.isdisjoint(self.either):
            raise NotAllowed(
                f"{grant.who} may neither {' nor '.join(self.either)}; an owner can let it, under {grant.owners_way}"
            )
        if grant.is_limited and not self.heeds_limits:
            raise NotAllowed(f"{grant.who} is limited to a part of the memory, and this call reaches beyond it")


def needs(*rights: Right, either: tuple[Right, ...] = (), heeds_limits: bool = False) -> Needs:
    """What stands in the table of doors."""
    return Needs(rights, either, heeds_limits)


@lru_cache(1024)
def grant_key(name: str, scopes: str, places: str = "[]", user_id: str = "") -> Grant:
    """What an API key may do, from its row; words of its scope that are not known grant nothing."""
    rights = frozenset(right for word in scopes.split() for right in SCOPES.get(word, ()))
    return Grant(f"The API key {name!r}", "API keys", rights, tuple(json.loads(places)), user_id)


def grant_person(user: Any) -> Grant:
    """What somebody on the staff may do, by Django's permissions; nothing for anybody else."""
    rights = frozenset(right for right, named in PERMISSIONS.items() if user.is_staff and user.has_perms(named))
    return Grant("Your account", "People", rights)


def may(user: Any, right: Right) -> bool:
    """Whether a person has a right."""
    return bool(user.is_staff and user.has_perms(PERMISSIONS[right]))


def show_scopes(scopes: str) -> str:
    """The words of a scope for people: "read, write:state"."""
    return ", ".join(scopes.split()) or "nothing"
