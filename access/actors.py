"""The names under which history remembers who wrote, always made here and never taken from a request's body; and how
people read them. `lib/authors.js` says the same on the pages, and tests/data/authors.json holds both to it.
"""

import getpass
from typing import NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString

ICONS = {
    "agent": "smart_toy",
    "person": "person",
    "you": "person",
    "cli": "terminal",
    "nola": "settings",
    "unknown": "help",
}


class ActorName(NamedTuple):
    """An actor as people read it; `kind` is one of ICONS."""

    name: str
    kind: str

    @property
    def within(self) -> str:
        """In the middle of a sentence."""
        return "you" if self.kind == "you" else self.name

    @property
    def icon(self) -> str:
        return ICONS[self.kind]


def cli_actor() -> str:
    """Whoever runs this command, as the operating system names them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "cli:unknown"


def user_actor(user: object) -> str:
    """A person who is signed in."""
    return f"user:{user}"


def name_actor(actor: str, me: str = "") -> ActorName:
    """An actor in words; `me` is the actor who reads."""
    if actor and actor == me:
        return ActorName("You", "you")
    match actor.partition(":"):
        case "key", _, str(name) if name:
            return ActorName(name, "agent")
        case "user", _, str(name) if name:
            return ActorName(name, "person")
        case "cli", _, str(name):
            return ActorName("command line" if name in ("", "unknown") else f"{name}, command line", "cli")
        case "system", _, str(job) if job:
            return ActorName(job.replace("-", " "), "nola")
    return ActorName(actor or "somebody", "unknown")


def show_actor(actor: str, me: str = "", *, within: bool = False) -> SafeString:
    """The same on a page, with the exact actor on hover; `within` a sentence."""
    found = name_actor(actor, me)
    shown = found.within if within else found.name
    return format_html('<span class="ui-author" title="{}">{}</span>', actor, shown)
