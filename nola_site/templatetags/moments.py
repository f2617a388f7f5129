"""Moments, in one form on all pages: `{% when row.at %}`, or `{% when row.at "ago" %}`."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from access.moments import show_when

register = template.Library()


@register.simple_tag
def when(at: datetime | None, form: str = "") -> SafeString | str:
    return show_when(at, form) or ""


@register.simple_tag
def time_zone() -> str:
    """The name of the zone, for scripts."""
    return timezone.get_default_timezone_name()
