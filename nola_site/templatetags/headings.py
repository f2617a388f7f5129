"""What a page is called: the entry of the sidebar that leads to it and, on the page of one thing, that thing."""

from typing import Any, NamedTuple

from django import template
from django.template import Context

from state.jsondoc.names import show_name

register = template.Library()
NOUNS = {"user": "person"}  # where ours is another than that of the theme
TITLES = {"password_change": "Change your password", "password_change_done": "Your password is changed"}


class Heading(NamedTuple):
    """The words of the sidebar with the way there, and the thing, if the page is about one."""

    section: str
    link: str
    thing: str


@register.simple_tag(takes_context=True)
def page_title(context: Context) -> str:
    """For the window: the thing first, as tabs show little."""
    found = read_heading(context)
    return " · ".join(part for part in (found.thing, found.section, "Nola") if part)


@register.inclusion_tag("nola_site/heading.html", takes_context=True)
def page_heading(context: Context) -> dict[str, Any]:
    """The heading of the page."""
    return {"heading": read_heading(context)}


@register.filter
def noun(name: Any) -> str:
    """What one of a sort is called."""
    return NOUNS.get(str(name), str(name))


def read_heading(context: Context) -> Heading:
    """What the page that is being made is called."""
    groups = context.get("sidebar_navigation") or []
    here = [item for group in groups for item in group["items"] if item["active"]]
    item = max(here, key=lambda one: len(str(one["link"])), default={"title": "", "link": ""})
    thing = _name_thing(context)
    return Heading(item["title"], str(item["link"]), "" if thing == item["title"] else thing)


def _name_thing(context: Context) -> str:
    match = context["request"].resolver_match
    page = (match.url_name or "") if match else ""
    if page in TITLES:
        return TITLES[page]
    row = context.get("original") or context.get("object")
    if row is None or isinstance(row, str):
        return _name_without(context, page)
    name = show_name(str(row))
    forms = {"delete": f"Delete {name}?", "history": f"Past of {name}", "password_change": f"Password of {name}"}
    return next((form for end, form in forms.items() if page.endswith(f"_{end}")), name)


def _name_without(context: Context, page: str) -> str:
    """The name of a page that is not about a row: a list, a form for a new one, or a page of ours."""
    if context.get("opts") and page.endswith("_add"):
        return f"New {noun(context['opts'].verbose_name)}"
    if context.get("deletable_objects") is not None:
        return "Delete these?"
    return "" if context.get("cl") else str(context.get("title") or "")
