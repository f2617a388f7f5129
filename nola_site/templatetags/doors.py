"""Whether a page opens to somebody."""

from typing import Any

from django import template

from nola_site import doors

register = template.Library()


@register.filter
def opens(user: Any, page: str) -> bool:
    return doors.opens(page, user)
