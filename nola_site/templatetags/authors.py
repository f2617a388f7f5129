"""Who did something, by one name on all pages: `{{ row.actor|author:request.user }}`."""

from typing import Any

from django import template
from django.utils.safestring import SafeString

from access.actors import show_actor, user_actor

register = template.Library()


@register.filter
def actor(user: Any) -> str:
    """A person as the actor that they are."""
    return user_actor(user)


@register.filter
def author(actor: str, reader: Any = "") -> SafeString:
    """An actor in words; the person who reads is "You", if they are named."""
    return show_actor(actor, user_actor(reader) if reader else "")


@register.filter
def author_within(actor: str, reader: Any = "") -> SafeString:
    """The same in the middle of a sentence."""
    return show_actor(actor, user_actor(reader) if reader else "", within=True)
