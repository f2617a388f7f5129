"""How long ago something was, in a few letters."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format

register = template.Library()


@register.filter
def ago(at: datetime) -> str:
    minutes = int((timezone.now() - at).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 24 * 60:
        return f"{minutes // 60} h ago"
    days = minutes // (24 * 60)
    if days < 31:
        return "1 day ago" if days == 1 else f"{days} days ago"
    return date_format(timezone.localtime(at), "j M Y")
